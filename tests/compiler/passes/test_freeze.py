"""Frozen weights in a graph: what changes, and that nothing else does."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.load import load
from compiler.ops.norm import BatchNorm
from compiler.passes.freeze import freeze
from spec_lang.source import Source

TEXT = """model m {
    input image: [2, 7, 6]
    shared stem: seq { conv(2, 3x3, pad = half) -> batchnorm }
    stem -> stem as x
    training { aux: seq { batchnorm -> flatten -> fc(2) }
        output extra }
    x -> bn: batchnorm -> flatten -> fc: fc(3)
    output scores
}
"""


def spec() -> Graph:
    return load(Source("m.cnn", TEXT))


def norms(graph: Graph) -> dict[str, bool]:
    return {node.name: node.op.frozen for node in graph.nodes if isinstance(node.op, BatchNorm)}


def test_nothing_is_another_graph_only_where_something_is_frozen() -> None:
    graph = spec()
    assert freeze(graph, ()) is graph
    made = freeze(graph, {"fc.weight"})
    assert made.nodes == graph.nodes
    assert {n for n, w in made.weights.items() if w != graph.weights[n]} == {"fc.weight"}
    assert graph.params - made.params == graph.weights["fc.weight"].elements


def test_every_application_of_a_shared_norm_and_those_of_training_are_frozen() -> None:
    graph = spec()
    names = [name for name in graph.weights if name.startswith(("stem", "aux"))]
    made = freeze(graph, names)
    frozen = {name for name, is_frozen in norms(made.with_training).items() if is_frozen}
    assert frozen == {name for name in norms(graph.with_training) if not name.startswith("bn")}
    assert len(frozen) == 3 and len(norms(made)) == len(norms(graph))
    # One node is one object in both graphs and in the tree of scopes.
    assert set(made.nodes) < set(made.with_training.nodes)
    for one in (made, made.with_training):
        assert set(one.nodes) == set(members(one))


def members(graph: Graph) -> list[Node]:
    found, queue = [], [graph.root]
    while queue:
        for member in queue.pop().members:
            if isinstance(member, Node):
                found.append(member)
            else:
                queue.append(member)
    return found


def test_a_factor_alone_leaves_the_statistics_to_the_batch() -> None:
    graph = spec()
    assert not norms(freeze(graph, {"bn.weight", "bn.bias"}))["bn"]
    made = freeze(graph, {"bn.running_var"})
    assert norms(made)["bn"] and made.weights["bn.weight"].trainable
