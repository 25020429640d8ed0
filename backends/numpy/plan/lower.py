"""From a graph to what a plan is made of: no dead code, batchnorm folded, every extent a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.inputs import types_at
from compiler.graph import Graph, Node, Value
from compiler.passes.fold_batchnorm import fold_batchnorm
from compiler.passes.remove_dead_code import remove_dead_code

if TYPE_CHECKING:
    from backends.base import Array


def lowered(
    graph: Graph, weights: Mapping[str, Array], dtype: np.dtype[Any]
) -> tuple[Graph, dict[str, Array]]:
    """The graph for inference with its weights, which are of this type and C-ordered.

    Weights that need no change are the same arrays, not copies.
    """
    live, _ = remove_dead_code(replace(graph, training_graph=None))
    used = {name for node in live.nodes for name in node.weights.values()}
    used |= {value.weight for node in live.nodes for value in node.inputs if value.weight is not None}
    used |= {value.weight for value in live.outputs.values() if value.weight is not None}
    own = {name: np.asarray(weights[name]) for name in live.weights if name in used}
    # Folding rounds to the type of the filters: not to a shorter one than the plan's.
    own = {name: np.asarray(array, np.promote_types(array.dtype, dtype)) for name, array in own.items()}
    live = replace(live, weights={name: weight for name, weight in live.weights.items() if name in used})
    folded, numbers, _ = fold_batchnorm(live, own)
    return folded, {name: np.asarray(array, dtype, order="C") for name, array in numbers.items()}


@dataclass(frozen=True)
class Concrete:
    """A graph at which every value has the shape that it has in one run, batch included."""

    graph: Graph
    rows: Mapping[str, int]

    def shape(self, value: Value) -> tuple[int, ...]:
        """[N, C, spatial...]; a raw weight has no N."""
        if value.type.rows is None:
            return value.shape
        return (self.rows[value.type.rows], *value.shape)


def concrete(graph: Graph, shapes: Mapping[str, tuple[int, ...]], rows: Mapping[str, int]) -> Concrete:
    """The graph for inputs of these shapes (without the batch), in which no extent is free."""
    if not graph.free:
        return Concrete(graph, rows)
    types = types_at(graph, shapes)
    made: dict[Value, Value] = {}

    def fixed(value: Value) -> Value:
        if value.weight is not None:
            return value
        if value not in made:
            kind = types[value]
            made[value] = replace(value, type=replace(kind, free=(False,) * kind.rank))
        return made[value]

    nodes: list[Node] = [
        replace(node, inputs=tuple(map(fixed, node.inputs)), outputs=tuple(map(fixed, node.outputs)))
        for node in graph.nodes
    ]
    inputs = {name: fixed(value) for name, value in graph.inputs.items()}
    outputs = {name: fixed(value) for name, value in graph.outputs.items()}
    return Concrete(replace(graph, inputs=inputs, outputs=outputs, nodes=tuple(nodes), free={}), rows)
