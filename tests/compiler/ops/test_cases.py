"""The table of layer cases itself: every row is a graph of the shape that it says."""

from __future__ import annotations

from collections import Counter

import pytest

from compiler.load import load
from compiler.ops import OPS
from spec_lang.source import Source
from tests.cases import CASES, LayerCase, graph_of, inputs_of, numbers, weights_of


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_row_has_the_shape_that_it_says(case: LayerCase) -> None:
    graph = graph_of(case)
    (node,) = graph.nodes
    assert graph.outputs["y"].shape == (case.out if case.out is not None else case.feeds[0].shape)
    assert node.op.name in case.text
    assert len(node.output.type.free) == len(node.output.shape)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_text_of_a_row_means_the_same_graph(case: LayerCase) -> None:
    graph, direct = load(Source("example.cnn", case.text)), graph_of(case)
    assert [n.op for n in graph.nodes] == [n.op for n in direct.nodes]
    assert [v.type for v in graph.outputs.values()] == [v.type for v in direct.outputs.values()]
    assert [v.type for v in graph.inputs.values()] == [v.type for v in direct.inputs.values()]
    assert [w.shape for w in graph.weights.values()] == [w.shape for w in direct.weights.values()]


def test_ids_are_unique_and_every_layer_has_rows() -> None:
    assert max(Counter(c.id for c in CASES).values()) == 1
    assert {c.op.name for c in CASES} == set(OPS)
    assert len(CASES) >= 150


def test_every_argument_of_every_layer_is_given_in_some_row() -> None:
    given = {(c.op.name, name) for c in CASES for name in c.arguments}
    frozen = {(op.name, "frozen") for op in OPS.values()}
    assert {(op.name, a.name) for op in OPS.values() for a in op.args()} - frozen <= given


def test_every_choice_is_given_in_some_row() -> None:
    chosen = {(c.op.name, name, str(value)) for c in CASES for name, value in c.arguments.items()}
    defaults = {(op.name, a.name, str(a.default)) for op in OPS.values() for a in op.args()}
    wanted = {(op.name, a.name, word) for op in OPS.values() for a in op.args() for word in a.kind.words}
    reached = chosen | defaults
    axes = {("layernorm", "axis"), ("fc", "axis"), ("softmax", "axis"), ("reduce", "axis"), ("pad", "mode")}
    assert {w for w in wanted - reached if w[1] != "axis" or w[:2] in axes} <= {
        ("softmax", "axis", "channels"),
        ("fc", "axis", "none"),
        ("logsoftmax", "axis", "channels"),
    }


def test_numbers_are_distinct_and_away_from_kinks() -> None:
    values = numbers((2, 4, 9, 14), 0, (0.0, 6.0))
    assert abs(values).min() > 5e-3 and abs(values - 6.0).min() > 5e-3
    plain = sorted(numbers((2, 4, 9, 14), 0).flat)
    assert min(b - a for a, b in zip(plain, plain[1:], strict=False)) > 1e-3


def test_arrays_fit_the_graph() -> None:
    for case in CASES:
        graph = graph_of(case)
        assert {n: a.shape[1:] for n, a in inputs_of(case).items()} == {
            n: v.shape for n, v in graph.inputs.items()
        }
        assert {n: a.shape for n, a in weights_of(graph).items()} == {
            n: w.shape for n, w in graph.weights.items()
        }
