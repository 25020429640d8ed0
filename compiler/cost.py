"""What a graph costs, node by node: MACs, FLOPs, memory, weights, receptive field and jump.

All numbers are for one image, at the nominal size where extents are free.  The receptive field of
a position is how many input positions it depends on, per spatial axis; the jump is how many input
positions lie between two neighbours.  Both follow from the windows alone: field' = field +
(extent - 1) * jump, jump' = jump * stride; padding, and the statistics of normalisations, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from compiler.graph import Graph, Node, Value, Weight
from compiler.ops.base import Op, Window
from compiler.ops.dense import Fc, Rbf
from compiler.ops.reshape import Flatten, Permute, Reduce, Reshape

FLOAT32_BYTES = 4


class Field(NamedTuple):
    """Receptive field and jump, in input positions per spatial axis."""

    size: tuple[int, ...]
    jump: tuple[int, ...]


class NodeCost(NamedTuple):
    """What one node costs: what `Work` has, and the rest.

    `weights` and `biases` are the trainable and frozen numbers that first
    come up here (a shared layer counts once), `params` the trainable ones among them.
    `field` is None where no spatial axis of the input is left, or several were mixed.
    """

    node: Node
    macs: int
    flops: int
    memory: int
    activations: int
    weights: int
    biases: int
    params: int
    field: Field | None

    @property
    def activation_bytes(self) -> int:
        """The results in float32."""
        return FLOAT32_BYTES * self.activations


def costs(graph: Graph) -> tuple[NodeCost, ...]:
    """The costs of every node, in order."""
    fields = receptive_fields(graph)
    weights = dict(graph.weights)  # those that no node has had yet
    rows = []
    for node, work in zip(graph.nodes, graph.work, strict=True):
        owned = _NOTHING
        if node.weights:
            owned = _owned([weights.pop(name, None) for name in node.weights.values()])
        rows.append(NodeCost(node, *work, *owned, fields[node.outputs[0]]))
    return tuple(rows)


_NOTHING = (0, 0, 0)


def _owned(weights: list[Weight | None]) -> tuple[int, int, int]:
    """Weights, biases and parameters, as `NodeCost` has them; None for a weight that was counted before."""
    multiplied = biases = params = 0
    for weight in weights:
        if weight is None:
            continue
        elements, role = weight.elements, weight.role
        if role in _BIASES:
            biases += elements
        elif role not in _UNCHANGED:
            multiplied += elements
        if weight.trainable:
            params += elements
    return multiplied, biases, params


#: Roles of weights that training leaves alone, and of those that are added.
_UNCHANGED = frozenset(("running_mean", "running_var", "constant"))
_BIASES = frozenset(("bias", "norm_bias"))


def counts(weight: Weight) -> bool:
    """Whether a weight is one that training could change: no running statistics, no constants."""
    return weight.role not in _UNCHANGED


def is_bias(weight: Weight) -> bool:
    """Whether a weight is added rather than multiplied."""
    return weight.role in _BIASES


def flops(graph: Graph) -> int:
    """Floating-point operations for one image."""
    return sum([work.flops for work in graph.work])


def receptive_fields(graph: Graph) -> Mapping[Value, Field | None]:
    """The receptive field of every value; through a join, the largest of each axis."""
    fields: dict[Value, Field | None] = {}
    for value in graph.inputs.values():
        ones = (1,) * max(value.type.rank - 1, 0)
        fields[value] = Field(ones, ones) if ones else None
    # Layers that are alike share their op; of their input it sees the spatial extents.
    windows: dict[tuple[int, tuple[int, ...]], Window | None] = {}
    for node in graph.nodes:
        op, first = node.op, node.inputs[0]
        if op.arity is None:
            field = _joined(node, fields)
        else:
            field = fields.get(first) if first.weight is None else None
        if field is None or op.elementwise:
            pass
        elif isinstance(op, _OTHER_AXES):
            field = _other_axes(op, field)
        else:
            like = (id(op), first.type.shape[1:])
            if like not in windows:
                windows[like] = op.window(node.input_types)
            window = windows[like]
            field = _through(window, field) if window is not None else field
        for value in node.outputs:
            fields[value] = field
    return fields


def _joined(node: Node, fields: Mapping[Value, Field | None]) -> Field | None:
    """The field behind a join: the largest; the steps are those of what is not stretched along an axis."""
    values = [value for value in node.inputs if value.weight is None]
    known = [fields.get(value) for value in values]
    found = [field for field in dict.fromkeys(known) if field is not None]
    if None in known or len({len(field.size) for field in found}) != 1:
        return None
    if len(found) == 1:
        return found[0]
    jumps = []
    for axis, extent in enumerate(node.output.type.shape[1:]):
        steps = [
            (field.jump[axis], value.type.shape[axis + 1])
            for field, value in zip(known, values, strict=True)
            if field is not None
        ]
        jumps.append(max([jump for jump, own in steps if own == extent] or [jump for jump, _ in steps]))
    return Field(tuple(map(max, zip(*(field.size for field in found), strict=True))), tuple(jumps))


#: What leaves other axes than it finds.
_OTHER_AXES = (Flatten, Reshape, Rbf, Fc, Permute, Reduce)


def _other_axes(op: Op, field: Field) -> Field | None:
    """The field behind one of these, from the field in front of it."""
    if isinstance(op, (Flatten, Reshape, Rbf)) or (isinstance(op, Fc) and op.position):
        return None
    if isinstance(op, Permute):
        if op.order[0] != 0:
            return None
        return Field(
            tuple(field.size[i - 1] for i in op.order[1:]), tuple(field.jump[i - 1] for i in op.order[1:])
        )
    if isinstance(op, Reduce):
        kept = [i for i in range(len(field.size)) if i != op.axis - 1]
        if op.axis == 0 or not kept:
            return None
        return Field(tuple(field.size[i] for i in kept), tuple(field.jump[i] for i in kept))
    return field


def _through(window: Window, field: Field) -> Field:
    """The field behind a window, from the field in front of it."""
    size, jump = field
    return Field(
        tuple([r + (k - 1) * j for r, k, j in zip(size, window.extent, jump, strict=True)]),
        tuple([j * s for j, s in zip(jump, window.stride, strict=True)]),
    )
