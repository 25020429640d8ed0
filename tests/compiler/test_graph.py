"""The graph: what it counts, who uses what, and what a pass leaves."""

from __future__ import annotations

import dataclasses

import pytest

from compiler.graph import GraphBuilder, restrict
from compiler.load import load
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.passes.remove_dead_code import remove_dead_code
from spec_lang.source import Source

TEXT = """block B(n) { conv(n, 1x1) -> relu }
model m {
    input x: [3, 8, 8]
    shared h: conv(3, 1x1)
    h -> B(4) as a
    g: { c: B(5) }
    aside { relu -> conv(2, 1x1)
        output side }
    concat(a, it)
    output main
}
"""


@pytest.fixture
def graph():
    return load(Source("a.cnn", TEXT))


def test_uses_and_producers_are_each_other_s_inverse(graph):
    for value, nodes in graph.uses.items():
        assert all(value in node.inputs for node in nodes)
    for value, node in graph.producer.items():
        assert value in node.outputs
    assert [len(graph.uses[v]) for v in graph.inputs.values()] == [1]
    assert set(graph.outputs.values()) <= set(graph.producer)


def test_nodes_come_after_what_they_take(graph):
    made = set(graph.inputs.values())
    for node in graph.nodes:
        assert made.issuperset(node.inputs)
        made.update(node.outputs)


def test_counts(graph):
    assert graph.params == 12 + 16 + 25 + 12
    assert graph.macs == 64 * (9 + 12 + 20 + 10) == sum(node.macs for node in graph.nodes)
    assert graph.memory == 64 * (3 + 3 + 4 + 5 + 2 + 9)
    assert [w.elements for w in graph.weights.values()][:2] == [9, 3]


def test_the_tree_of_scopes_holds_every_node_once(graph):
    found = []
    stack = [graph.root]
    while stack:
        scope = stack.pop()
        for member in scope.members:
            if hasattr(member, "members"):
                assert member.parent is scope
                stack.append(member)
            else:
                assert member.scope is scope or member.scope.path == scope.path
                found.append(member)
    assert sorted(n.name for n in found) == sorted(n.name for n in graph.nodes)


def test_dead_code_goes_and_its_weights_stay_declared(graph):
    pruned, changed = remove_dead_code(dataclasses.replace(graph, outputs={"side": graph.outputs["side"]}))
    assert changed and "concat" not in [n.op.name for n in pruned.nodes]
    assert list(pruned.weights) == list(graph.weights)
    again, changed = remove_dead_code(pruned)
    assert again is pruned and not changed
    assert remove_dead_code(graph) == (graph, False)


def test_a_restricted_graph_has_the_scopes_that_are_left(graph):
    kept = [n for n in graph.nodes if n.path.startswith("g.")]
    small = restrict(graph, kept)
    assert list(small.nodes) == kept
    assert [m.path for m in small.root.members if getattr(m, "kind", "") == "group"] == ["g"]
    assert len(graph.nodes) > len(kept) and graph.root.members  # the first one is as it was


def test_nothing_changes_a_graph(graph):
    for thing, name in ((graph, "name"), (graph.nodes[0], "path"), (graph.nodes[0].output, "name"), (graph.weights["h.weight"], "shape")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, "x")


def test_a_graph_can_be_built_by_hand():
    builder = GraphBuilder("tiny")
    x = builder.input("image", TensorType((3, 9, 14), (False, True, False)), free={"H": 1})
    (y,) = builder.apply(OPS["conv"], [x], path="a.conv1", filters=6, kernel=(3, 5))
    (z,) = builder.apply(OPS["conv"], [x], path="a.conv1", filters=6, kernel=(3, 5))
    (out,) = builder.apply(OPS["add"], [y, z], path="add1")
    graph = builder.build({"out": out})
    assert [n.name for n in graph.nodes] == ["a.conv1", "a.conv1_2", "add1"]
    assert list(graph.weights) == ["a.conv1.weight", "a.conv1.bias"] and graph.params == 6 * 46
    assert graph.free == {"H": (("image", 1),)} and graph.outputs["out"].shape == (6, 7, 10)
    assert graph.with_training is graph
