"""Batchnorm folded into the convolution before it, and left alone where that would be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compiler.declare import Word
from compiler.graph import Graph, GraphBuilder, Node, Scope, Value
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.passes.fold_batchnorm import fold_batchnorm

Build = Callable[[GraphBuilder, Value], dict[str, Value]]


def conv(b: GraphBuilder, x: Value, path: str = "conv1", bias: bool = True, **more: object) -> Value:
    return b.apply(OPS["conv"], [x], path=path, filters=6, kernel=(3, 5), groups=2, bias=bias, **more)[0]


def norm(b: GraphBuilder, x: Value, path: str = "bn1", **more: object) -> Value:
    return b.apply(OPS["batchnorm"], [x], path=path, **more)[0]


def relu(b: GraphBuilder, x: Value) -> Value:
    return b.apply(OPS["relu"], [x], path=f"relu{len(b.nodes)}")[0]


def graph_of(build: Build) -> Graph:
    builder = GraphBuilder("m")
    x = builder.input("image", TensorType((4, 9, 14)))
    return builder.build(build(builder, x))


def weights_of(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {name: rng.uniform(0.2, 1.5, w.shape) if w.role == "running_var" else rng.normal(size=w.shape)
            for name, w in graph.weights.items()}


def kinds(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def evaluated(graph: Graph, weights: dict[str, np.ndarray], image: np.ndarray) -> dict[str, np.ndarray]:
    """The graph in PyTorch, for the three layers that are used here."""
    values = {graph.inputs["image"]: torch.from_numpy(image)}
    for node in graph.nodes:
        w = {own: torch.from_numpy(weights[dotted]) for own, dotted in node.weights.items()}
        x = values[node.inputs[0]]
        op = node.op
        if op.name == "conv":
            y = F.conv2d(x, w["weight"], w.get("bias"), groups=2)
        elif op.name == "batchnorm":
            y = F.batch_norm(x, w["running_mean"], w["running_var"], w.get("weight"), w.get("bias"),
                             eps=op.eps)
        else:
            y = F.relu(x)
        values[node.output] = y
    return {name: values[value].numpy() for name, value in graph.outputs.items()}


FOLDED: dict[str, Build] = {
    "with a bias": lambda b, x: {"out": relu(b, norm(b, conv(b, x)))},
    "without a bias": lambda b, x: {"out": relu(b, norm(b, conv(b, x, bias=False)))},
    "without affine, at the end": lambda b, x: {"out": norm(b, conv(b, x), affine=False)},
    "with another eps": lambda b, x: {"out": norm(b, conv(b, x, bias=False), eps=0.3)},
}


@pytest.mark.parametrize("name", FOLDED)
def test_a_pair_becomes_one_convolution_with_the_same_numbers(name: str) -> None:
    graph = graph_of(FOLDED[name])
    weights = weights_of(graph)
    folded, numbers, changed = fold_batchnorm(graph, weights)
    assert changed
    assert "batchnorm" not in kinds(folded)
    assert list(folded.weights) == list(numbers) == ["conv1.weight", "conv1.bias"]
    assert {n: w.shape for n, w in folded.weights.items()} == {n: a.shape for n, a in numbers.items()}
    assert folded.nodes[0].output is graph.nodes[1].output
    assert [m for m in folded.root.members if isinstance(m, Node)] == list(folded.nodes)
    image = np.random.default_rng(1).normal(size=(2, 4, 9, 14))
    before, after = evaluated(graph, weights, image), evaluated(folded, numbers, image)
    assert np.abs(before["out"] - after["out"]).max() < 1e-12


def test_single_precision_stays_single_and_is_rounded_once() -> None:
    graph = graph_of(FOLDED["with a bias"])
    weights = {name: array.astype(np.float32) for name, array in weights_of(graph).items()}
    exact = fold_batchnorm(graph, {n: a.astype(np.float64) for n, a in weights.items()})[1]
    for name, array in fold_batchnorm(graph, weights)[1].items():
        assert array.dtype == np.float32
        assert np.array_equal(array, exact[name].astype(np.float32))


def shared_conv(b: GraphBuilder, x: Value) -> dict[str, Value]:
    first, second = conv(b, x), conv(b, relu(b, x))
    return {"out": norm(b, first), "other": second}


def taken_bias(b: GraphBuilder, x: Value) -> dict[str, Value]:
    y = norm(b, conv(b, x, bias=False), path="conv1")
    return {"out": y}


def used_twice(b: GraphBuilder, x: Value) -> dict[str, Value]:
    y = conv(b, x)
    return {"out": norm(b, y), "other": relu(b, y)}


def also_an_output(b: GraphBuilder, x: Value) -> dict[str, Value]:
    y = conv(b, x)
    return {"out": norm(b, y), "raw": y}


UNTOUCHED: dict[str, Build] = {
    "a convolution whose result is used elsewhere": used_twice,
    "a convolution whose result is an output": also_an_output,
    "a convolution that is applied twice": shared_conv,
    "a convolution without bias whose name for one is taken": taken_bias,
    "something between the two": lambda b, x: {"out": norm(b, relu(b, conv(b, x)))},
    "a normalisation of the input": lambda b, x: {"out": conv(b, norm(b, x))},
    "no normalisation": lambda b, x: {"out": relu(b, conv(b, x))},
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_it_leaves_alone(name: str) -> None:
    graph = graph_of(UNTOUCHED[name])
    weights = weights_of(graph)
    folded, numbers, changed = fold_batchnorm(graph, weights)
    assert not changed
    assert folded is graph
    assert numbers.keys() == weights.keys()
    assert all(numbers[n] is weights[n] for n in weights)


def test_it_leaves_a_graph_for_training_alone() -> None:
    graph = replace(graph_of(FOLDED["with a bias"]), training=True)
    assert not fold_batchnorm(graph, weights_of(graph))[2]


def test_one_normalisation_behind_two_convolutions_is_folded_into_both() -> None:
    def build(b: GraphBuilder, x: Value) -> dict[str, Value]:
        return {"a": norm(b, conv(b, x)), "b": norm(b, conv(b, x, path="conv2"))}

    graph = graph_of(build)
    weights = weights_of(graph)
    folded, numbers, _ = fold_batchnorm(graph, weights)
    assert kinds(folded) == ["conv", "conv"]
    image = np.random.default_rng(1).normal(size=(2, 4, 9, 14))
    before, after = evaluated(graph, weights, image), evaluated(folded, numbers, image)
    assert all(np.abs(before[n] - after[n]).max() < 1e-12 for n in "ab")


def test_what_is_not_touched_is_neither_copied_nor_moved() -> None:
    def build(b: GraphBuilder, x: Value) -> dict[str, Value]:
        y = b.apply(OPS["conv"], [norm(b, conv(b, x))], path="last", filters=2, kernel=1)[0]
        return {"out": y}

    graph = graph_of(build)
    weights = weights_of(graph)
    _, numbers, _ = fold_batchnorm(graph, weights)
    assert list(numbers) == ["conv1.weight", "conv1.bias", "last.weight", "last.bias"]
    assert numbers["last.weight"] is weights["last.weight"]


def test_scopes_keep_their_tree() -> None:
    builder = GraphBuilder("m")
    x = builder.input("image", TensorType((4, 9, 14)))
    inner = Scope("block", ("layer",), "Layer", builder.root)
    builder.root.members.append(inner)
    y = builder.apply(OPS["conv"], [x], path="layer.conv", scope=inner, filters=6, kernel=3, groups=2,
                      pad=Word("half"))[0]
    y = builder.apply(OPS["batchnorm"], [y], path="layer.bn", scope=inner)[0]
    graph = builder.build({"out": y})
    folded, _, _ = fold_batchnorm(graph, weights_of(graph))
    (scope,) = folded.root.members
    assert isinstance(scope, Scope)
    assert scope.path == "layer"
    assert scope.members == [folded.nodes[0]]
    assert len(inner.members) == 2
