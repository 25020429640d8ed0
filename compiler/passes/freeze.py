"""Keep some weights as they are while the others are trained.

Rules:
1. The weights that are named are trained no more.
2. A batch normalisation with a running statistic among them is one with `frozen = true`: it stays in
   inference mode, so that its statistics are used and do not move.  Whether its factor and offset are
   trained, rule 1 says.
3. Nothing else changes: a layer that has no weights (dropout) goes on as in training wherever it stands.
"""

from __future__ import annotations

from collections.abc import Collection

from compiler.graph import Graph, Node, with_nodes
from compiler.ops.norm import BatchNorm
from spec_lang.frozen import replace

STATISTICS = ("running_mean", "running_var")


def freeze(graph: Graph, names: Collection[str]) -> Graph:
    """The graph with these weights frozen, in training too."""
    if not names:
        return graph
    weights = {name: replace(weight, trainable=False) if name in names and weight.trainable else weight
               for name, weight in graph.weights.items()}
    swaps: dict[Node, Node | None] = {
        node: replace(node, op=replace(node.op, frozen=True))
        for node in graph.with_training.nodes
        if isinstance(node.op, BatchNorm) and any(node.weights[own] in names for own in STATISTICS)
    }
    training = graph.training_graph
    if training is not None:
        training = replace(with_nodes(training, swaps), weights=weights)
    return replace(with_nodes(graph, swaps), weights=weights, training_graph=training)
