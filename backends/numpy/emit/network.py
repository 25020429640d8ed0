"""What holds for the whole graph, and the statements that classes are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from backends.numpy.emit.base import Call, Expression
from backends.numpy.emit.scopes import Unit, units_of
from compiler.graph import Graph, Value
from compiler.ops.base import TensorType
from compiler.ops.reshape import Identity


@dataclass(frozen=True)
class Statement:
    """`targets = expression  # remark`, under `if training` or `if inputs` where it is marked so.

    Without targets the expression stands alone.  `loop` is the head of a loop around it.
    """

    targets: tuple[str, ...]
    expression: Expression
    remark: str = ""
    training: bool = False
    inputs: bool = False
    loop: str = ""


class Network:
    """What holds for the whole graph, whichever class a node is written in.

    `graph` is the whole one; what `inference` has not (a head for training) stands under `if training`.
    """

    def __init__(self, inference: Graph) -> None:
        self.graph = graph = inference.with_training
        self.training_only = set(graph.nodes) - set(inference.nodes)
        self.training_outputs = [name for name in graph.outputs if name not in inference.outputs]
        self.begin()
        self.originals: dict[Value, Value] = {}
        self.names: dict[Value, str] = {}
        for node in graph.nodes:
            if isinstance(node.op, Identity):
                passed, original = node.output, self.original(node.inputs[0])
                self.originals[passed] = original
                if passed.name:
                    self.names.setdefault(original, passed.name)
        self.nodes = [node for node in graph.nodes if not isinstance(node.op, Identity)]
        self.outputs = {name: self.original(value) for name, value in graph.outputs.items()}
        self.single = next(iter(self.outputs)) if len(self.outputs) == 1 else None
        self.producer = {node.output: node for node in self.nodes}
        self._find_needs()

    def begin(self) -> None:
        """No kernel is called yet but by the model itself."""
        self.kernels: set[str] = {"Saved", "checked_input", "checked_weights"}

    def original(self, value: Value) -> Value:
        """The value itself, or what an `identity` passed on."""
        return self.originals.get(value, value)

    def wants(self, value: Value) -> bool:
        """Whether the gradient of a value leads anywhere."""
        return value in self.by_weights or value in self.by_inputs

    def is_for_inputs(self, value: Value) -> bool:
        """Whether the gradient of a value is for the inputs of the model alone."""
        return value not in self.by_weights

    def units(self, inline: set[str]) -> list[Unit]:
        """The model and its blocks, outer ones first."""
        return units_of(self.graph, self.nodes, self.originals, self.training_only, inline)

    def _find_needs(self) -> None:
        """Which values depend on trained weights, and which on inputs."""
        weights = self.graph.weights
        self.by_inputs: set[Value] = set(self.graph.inputs.values())
        self.by_weights: set[Value] = set()
        for node in self.nodes:
            inputs = [self.original(value) for value in node.inputs]
            self.by_weights.update(v for v in inputs if v.weight is not None and weights[v.weight].trainable)
            if any(weights[name].trainable for name in node.weights.values()) or self.by_weights.intersection(
                inputs
            ):
                self.by_weights.add(node.output)
            if self.by_inputs.intersection(inputs):
                self.by_inputs.add(node.output)


def after(prefix: str, expression: Expression) -> Expression:
    """The expression with something in front, still broken between arguments if it is a call."""
    if isinstance(expression, Call):
        return replace(expression, callee=prefix + expression.callee)
    return prefix + expression


def common_remark(types: Iterable[TensorType]) -> str:
    """The shape that all have, or nothing."""
    remarks = {shape_remark(type) for type in types}
    return remarks.pop() if len(remarks) == 1 else ""


def shape_remark(type: TensorType) -> str:
    """`[N, 6, 28, 28]`; what is free has a `~` in front of its nominal size."""
    extents = [
        f"~{extent}" if free else str(extent) for extent, free in zip(type.shape, type.free, strict=True)
    ]
    return f"[{', '.join(['N', *extents])}]"
