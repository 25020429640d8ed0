"""What a graph costs, node by node: MACs, FLOPs, memory, weights, receptive field and jump.

All numbers are for one image, at the nominal size where extents are free.  The receptive field of
a position is how many input positions it depends on, per spatial axis; the jump is how many input
positions lie between two neighbours.  Both follow from the windows alone: field' = field +
(extent - 1) * jump, jump' = jump * stride; padding, and the statistics of normalisations, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.graph import Graph, Node, Value, Weight
from compiler.ops.dense import Fc, Rbf
from compiler.ops.reshape import Flatten, Permute, Reduce, Reshape
from spec_lang.frozen import frozen

FLOAT32_BYTES = 4


@frozen
class Field:
    """Receptive field and jump, in input positions per spatial axis."""

    size: tuple[int, ...]
    jump: tuple[int, ...]


@frozen
class NodeCost:
    """What one node costs.

    `memory` are the numbers of a new volume, 0 for what works in place; `activations` those of the
    results, in place or not.  `weights` and `biases` are the trainable and frozen numbers that first
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
    counted: set[str] = set()
    works: dict[tuple[int, ...], tuple[int, int, int, int]] = {}
    rows = []
    for node in graph.nodes:
        owned = []
        if node.weights:
            owned = [graph.weights[name] for name in node.weights.values() if name not in counted]
            counted.update([w.name for w in owned])
        # Layers that are alike share their op and types: what one costs is worked out once.
        like = (id(node.op), *[id(v.type) for v in node.inputs], *[id(v.type) for v in node.outputs])
        work = works.get(like)
        if work is None:
            work = works[like] = _work(node)
        rows.append(
            NodeCost(
                node,
                *work,
                *(_owned(owned) if owned else (0, 0, 0)),
                fields[node.output],
            )
        )
    return tuple(rows)


def _owned(weights: list[Weight]) -> tuple[int, int, int]:
    """Weights, biases and parameters, as `NodeCost` has them."""
    multiplied = biases = params = 0
    for weight in weights:
        elements = weight.elements
        if is_bias(weight):
            biases += elements
        elif counts(weight):
            multiplied += elements
        if weight.trainable:
            params += elements
    return multiplied, biases, params


def _work(node: Node) -> tuple[int, int, int, int]:
    """MACs, FLOPs, memory and activations of a node, as `NodeCost` has them."""
    elements = sum(t.elements for t in node.output_types)
    memory = elements if node.op.new_volume(node.input_types) else 0
    return node.macs, node.op.flops(node.input_types, node.output_types), memory, elements


def counts(weight: Weight) -> bool:
    """Whether a weight is one that training could change: no running statistics, no constants."""
    return weight.role not in ("running_mean", "running_var", "constant")


def is_bias(weight: Weight) -> bool:
    """Whether a weight is added rather than multiplied."""
    return weight.role in ("bias", "norm_bias")


def flops(graph: Graph) -> int:
    """Floating-point operations for one image."""
    return sum(node.op.flops(node.input_types, node.output_types) for node in graph.nodes)


def receptive_fields(graph: Graph) -> Mapping[Value, Field | None]:
    """The receptive field of every value; through a join, the largest of each axis."""
    fields: dict[Value, Field | None] = {}
    for value in graph.inputs.values():
        ones = (1,) * max(value.type.rank - 1, 0)
        fields[value] = Field(ones, ones) if ones else None
    for node in graph.nodes:
        flowing = node.inputs if node.op.arity is None else node.inputs[:1]
        seen = [fields.get(value) for value in flowing if value.weight is None]
        before = seen[0] if len(seen) == 1 else _largest(seen)
        field = before if before is None or node.op.elementwise else _through(node, before)
        for value in node.outputs:
            fields[value] = field
    return fields


def _largest(fields: list[Field | None]) -> Field | None:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or len({len(field.size) for field in known}) != 1:
        return None
    return Field(
        tuple(map(max, zip(*(field.size for field in known), strict=True))),
        tuple(map(max, zip(*(field.jump for field in known), strict=True))),
    )


def _through(node: Node, field: Field) -> Field | None:
    """The field behind a node, from the field in front of it."""
    op = node.op
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
    window = op.window(node.input_types)
    if window is None:
        return field
    return Field(
        tuple(r + (k - 1) * j for r, k, j in zip(field.size, window.extent, field.jump, strict=True)),
        tuple(j * s for j, s in zip(field.jump, window.stride, strict=True)),
    )
