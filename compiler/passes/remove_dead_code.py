"""Leave out what does not contribute.

Rules:
1. A node stays if one of its results is an output of the graph or is used by a node that stays.
2. For inference, outputs named within `training { ... }` are no outputs, and so what serves
   only them goes by rule 1.
3. Weights stay declared: a file that holds them still loads.
"""

from __future__ import annotations

from collections.abc import Collection

from compiler.graph import Graph, Node, restrict
from spec_lang.frozen import replace


def remove_dead_code(graph: Graph) -> tuple[Graph, bool]:
    """The graph without dead nodes (rule 1), and whether there were any."""
    needed = set(graph.outputs.values())
    live: list[Node] = []
    for node in reversed(graph.nodes):
        if any(value in needed for value in node.outputs):
            live.append(node)
            needed.update(node.inputs)
    if len(live) == len(graph.nodes):
        return graph, False
    return restrict(graph, live), True


def without_training(graph: Graph, training_outputs: Collection[str]) -> Graph:
    """The graph for inference (rules 2 and 3); it remembers the whole one as `training_graph`."""
    if not training_outputs and not any(node.training for node in graph.nodes):
        return replace(graph, training=False)
    outputs = {name: value for name, value in graph.outputs.items() if name not in training_outputs}
    pruned, _ = remove_dead_code(replace(graph, outputs=outputs))
    return replace(pruned, training=False, training_graph=graph)
