"""What all emitters share: the nodes written so far, names of tensors, and constants.

ONNX wants each tensor to have one name that is used once.  Inputs, outputs and weights keep the
spec's names; a layer's result is named after its node (`layer1.0.conv1`), and what a
layer needs on the way there has the operator's name behind a slash (`norm1/Sqrt`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from backends.onnx.wire import stored
from compiler.graph import Graph, Node, Value
from compiler.ops.base import Op, TensorType

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

Emit: TypeAlias = "Callable[[Layer], str]"


class Emission:
    """One graph on its way to ONNX: what has been written so far."""

    def __init__(self, graph: Graph, weights: Mapping[str, NDArray[Any]]) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self.tensors: dict[Value, str] = {value: name for name, value in graph.inputs.items()}
        self.results: dict[Value, str] = {}
        for name, value in graph.outputs.items():
            self.results.setdefault(value, name)
        self._weights = weights
        self._tensor_names = _Names([*graph.inputs, *graph.outputs, *graph.weights])
        self._node_names = _Names(node.name for node in graph.nodes)
        self._constants: dict[tuple[Any, ...], str] = {}
        self._shaped: dict[tuple[str, tuple[int, ...]], str] = {}

    def fresh(self, wanted: str) -> str:
        """A tensor name that nothing else has."""
        return self._tensor_names.fresh(wanted)

    def fresh_node(self, wanted: str) -> str:
        return self._node_names.fresh(wanted)

    def tensor(self, value: Value) -> str:
        """The ONNX name of a value, which an earlier node has made."""
        if value not in self.tensors and value.weight is not None:
            self.tensors[value] = self.weight(value.weight)
        return self.tensors[value]

    def weight(self, name: str) -> str:
        """The initialiser of a weight, under its dotted name."""
        if name not in self.arrays:
            self.arrays[name] = stored(self._weights[name])
        return name

    def constant(self, array: NDArray[Any], name: str) -> str:
        """A constant that no weight is; equal ones are kept once."""
        kept = stored(array)
        key = (kept.dtype.str, kept.shape, kept.tobytes())
        if key not in self._constants:
            self._constants[key] = self.fresh(name)
            self.arrays[self._constants[key]] = kept
        return self._constants[key]

    def weight_as(self, name: str, shape: tuple[int, ...]) -> str:
        """A weight seen in another shape (`(C, 1, 1)`); runtimes fold this when they load the file."""
        if tuple(self._weights[name].shape) == shape:
            return self.weight(name)
        key = (name, shape)
        if key not in self._shaped:
            to = self.constant(np.array(shape), "shape/" + "x".join(map(str, shape)))
            self._shaped[key] = self.add("Reshape", [self.weight(name), to], self.fresh(f"{name}/Reshape"))
        return self._shaped[key]

    def add(self, operator: str, inputs: Sequence[str], output: str, node: str | None = None,
            **attributes: Any) -> str:
        """Append a node and give its result's name."""
        from onnx import helper

        name = node if node is not None else self.fresh_node(output)
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=name, **attributes))
        return output


class Layer:
    """One node of the graph being emitted: its op, its inputs, and shorthands for writing ONNX nodes.

    An emitter returns the name of the layer's result; the operator that makes it is written with
    `last`.  Axes of the language do not count the batch: in ONNX they are one further.
    """

    def __init__(self, emission: Emission, node: Node) -> None:
        self.emission = emission
        self.node = node
        self.op: Op = node.op
        self.x_type: TensorType = node.inputs[0].type
        self.y_type: TensorType = node.output.type

    @property
    def x(self) -> str:
        """The first input."""
        return self.emission.tensor(self.node.inputs[0])

    @property
    def inputs(self) -> list[str]:
        return [self.emission.tensor(value) for value in self.node.inputs]

    def weight(self, own: str) -> str:
        """The initialiser of the layer's own weight, empty where the layer has none."""
        dotted = self.node.weights.get(own)
        return "" if dotted is None else self.emission.weight(dotted)

    def has(self, own: str) -> bool:
        return own in self.node.weights

    def per_channel(self, own: str) -> str:
        """A weight of shape [C] as (C, 1, ..., 1), so that it stretches over the spatial axes."""
        dotted = self.node.weights[own]
        extent = self.emission.graph.weights[dotted].shape
        return self.emission.weight_as(dotted, (*extent, *(1,) * (self.x_type.rank - 1)))

    def number(self, value: float) -> str:
        """A float constant."""
        return self.emission.constant(np.array(value, np.float32), f"number/{value:g}")

    def floats(self, values: NDArray[Any], hint: str) -> str:
        return self.emission.constant(values, f"{self.node.name}/{hint}")

    def ints(self, values: Sequence[int]) -> str:
        """A list of whole numbers (pads, axes, shapes)."""
        return self.emission.constant(np.array(values, np.int64).reshape(-1),
                                      "ints/" + ("_".join(map(str, values)) or "none")[:40])

    def on_the_way(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """An operator whose result is not yet the layer's."""
        wanted = f"{self.node.name}/{operator}"
        return self.emission.add(operator, inputs, self.emission.fresh(wanted), **attributes)

    def last(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The operator that makes the layer's result; it has the layer's name."""
        value = self.node.output
        output = self.emission.results.get(value) or self.emission.fresh(self.node.name)
        return self.emission.add(operator, inputs, output, self.node.name, **attributes)

    def passes(self) -> str:
        """Nothing to do: the input is the result.  An output of the model still needs its own name."""
        return self.last("Identity", self.x) if self.node.output in self.emission.results else self.x

    def reshaped_back(self, tensor: str, like: str, type: TensorType) -> str:
        """The layer's result: `tensor` in the shape of `like`, whose type is given."""
        return self.last("Reshape", tensor, self.shape_of(like, type))

    def shape_of(self, name: str, type: TensorType) -> str:
        """A tensor's shape for Reshape: a constant, 0 (keep) for the batch; Shape where extents are free."""
        if any(type.free):
            return self.on_the_way("Shape", name)
        return self.ints((0, *type.shape))


class _Names:
    """Unique names: a clash gets `_2`, `_3`, ..."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        name, count = wanted, self._counts.get(wanted, 1)
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._counts[wanted] = count
        self._taken.add(name)
        return name
