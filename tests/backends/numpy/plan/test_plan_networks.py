"""Whole networks in the planned mode: random ones, and those with what only networks have."""

from __future__ import annotations

import numpy as np
import pytest

from backends.numpy.plan import PlannedRunnable
from backends.numpy.plan.steps import base
from backends.numpy.runnable import NumpyRunnable
from cnnc.verification import another_size, varied_weights
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy import graphs
from tests.backends.numpy.plan.kit import LAYOUTS, close, poison, tiny_tiles
from tests.generator.numbers import inputs_of
from tests.generator.random_spec import random_spec

RANDOM, AT_ONCE, FIRST = 60, 10, 70_000

DENSE = """model dense {
    input image: [5, 9, 14]
    repeat 3 { concat { branch { } branch { batchnorm -> relu -> conv(4, 3x5, pad = [(1, 1), (3, 1)]) } } }
    relu -> globalavgpool -> flatten
    output out
}"""
RESIDUAL = """block Bottleneck(width, stride = 1) {
    add {
        branch { conv(width, 1, bias = false) -> batchnorm -> relu
                 conv(width, 3, stride = stride, pad = 1, round = floor) -> batchnorm -> relu
                 conv(4 * width, 1) -> batchnorm }
        branch { conv(4 * width, 1, stride = stride, round = floor) -> batchnorm }
    }
    relu
}
model residual {
    input image: [3, 21, 18]
    conv(8, 7, stride = 2, pad = 3) -> batchnorm -> relu -> maxpool(3, stride = 2, pad = 1, round = floor)
    Bottleneck(4) -> Bottleneck(6, 2) -> globalavgpool -> flatten -> fc(10) -> softmax
    output out
}"""
SEPARABLE = """model separable {
    input image: [4, 11, 12]
    repeat 2 { conv(it.shape[0], 3x5, pad = half, groups = it.shape[0]) -> relu6 -> conv(8, 1) -> hardswish }
    multiply { branch { } branch { globalavgpool -> conv(8, 1) -> sigmoid } }
    conv(12, 3, groups = 4, pad = 1) -> maxpool(2, round = floor) -> leakyrelu(0.1)
    output out
}"""
BORDERS = """model borders {
    input image: [4, 9, 14]
    conv(6, 3x5, pad = [(1, 2), (0, 3)], pad_mode = reflect) -> relu -> maxpool(2, round = floor)
    conv(4, 2x3, stride = 2, round = ceil, pad_mode = replicate) -> maxpool(3, stride = 1, pad = 1) -> tanh
    conv(4, 2x3, pad_mode = circular) -> relu
    output out
}"""
PARTS = """model parts {
    input image: [3, 4, 5]
    relu as first
    multiply(it, 2) as second
    concat(it, first, image) -> sigmoid -> conv(3, 1) -> concat(it, first, second, image)
    output joined
    image -> reshape([15, 2, 2]) -> softplus -> flatten as again -> concat(it, again)
    output twice
    image -> flatten -> fc(4) -> reshape([4, 1, 1]) -> conv(3, 2, pad = 1)
    output padded
    image -> flatten -> fc(6)
    output features
    reshape([2, 3, 1]) -> silu -> add(it, 1)
    output changed
}"""
SEVERAL = """model several {
    input image: [4, H = 10, W = 12]
    input other: [4, H = 10, W = 12]
    weight gain: [4, 1, 1]
    image -> conv(4, 3, pad = 1, pad_mode = reflect) -> tanh as features
    add(features, other, 0.5) -> multiply(it, gain)
    output joined
    features -> maxpool(3, stride = 2, round = ceil) -> conv(6, 1)
    output reduced
    average(image, other, features)
    output mean
}"""
NETWORKS = {
    "dense": DENSE,
    "residual": RESIDUAL,
    "separable": SEPARABLE,
    "borders": BORDERS,
    "parts": PARTS,
    "several": SEVERAL,
}
GRAPHS = {
    "classifier": graphs.small_classifier,
    "dropout": lambda: graphs.small_classifier(dropout=True),
    "shared": graphs.residual,
    "head": graphs.with_head,
    "named in training": graphs.named_in_training,
}


def agree(graph: Graph, seed: int = 0, **settings: object) -> None:
    """The planned mode gives what the reference gives, at every batch and size, whatever memory held."""
    weights = varied_weights(graph, seed)
    reference = NumpyRunnable(graph, weights, "float64")
    model = PlannedRunnable(graph, weights, "float64", **settings)
    given = [inputs_of(graph, seed)]
    if all(value.type.rows == "batch" for value in graph.inputs.values()):
        given.append({name: array[:1] for name, array in given[0].items()})
    shapes = another_size(graph)
    if shapes is not None:
        given.append(inputs_of(graph, seed, shapes))
    for inputs in (*given, given[0]):
        wanted, got = reference.run(inputs), model.run(inputs)
        assert list(got) == list(wanted)
        for name, array in wanted.items():
            close(got[name], array, 1e-8)
        poison(model)


@pytest.mark.parametrize("first", range(FIRST, FIRST + RANDOM, AT_ONCE))
def test_random_networks_agree(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, first + AT_ONCE):
        graph = load(Source("random.cnn", random_spec(seed, 30).text))
        agree(graph, seed)
        with monkeypatch.context() as patch:
            tiny_tiles(patch, rows=True)
            agree(graph, seed, layout=list(LAYOUTS.values())[seed % 2], threads=2)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("small", [False, True], ids=["tiles", "tiny tiles"])
@pytest.mark.parametrize("name", [*NETWORKS, *GRAPHS])
def test_a_network_agrees(name: str, layout: object, small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if small:
        tiny_tiles(monkeypatch, rows=True)
    graph = load(Source(f"{name}.cnn", NETWORKS[name])) if name in NETWORKS else GRAPHS[name]()
    agree(graph, layout=layout, threads=3 if small else 1)


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_a_shipped_network_agrees(name: str) -> None:
    agree(load(name))


def test_few_positions_and_many_filters_are_shared_out_by_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SHARED", 0)
    text = """model narrow {
        input image: [64, 4, 5]
        conv(300, 3x5, pad = [(1, 0), (2, 2)]) -> relu as x -> conv(300, 1) -> add(it, x) -> prelu
        output out
    }"""
    graph = load(Source("narrow.cnn", text))
    for threads in (1, 2, 3):
        agree(graph, threads=threads)


def test_a_wide_network_agrees_with_as_many_threads_as_blas_has() -> None:
    text = """model wide {
        input image: [3, 64, 60]
        conv(48, 5, pad = 2) -> relu -> maxpool(2) -> conv(64, 3, pad = 1) -> relu -> maxpool(3, stride = 2, round = floor)
        flatten -> fc(300) -> relu -> fc(10)
        output out
    }"""
    graph = load(Source("wide.cnn", text))
    weights = varied_weights(graph)
    inputs = {name: array.astype(np.float32) for name, array in inputs_of(graph, 0).items()}
    wanted = NumpyRunnable(graph, weights, "float64").run(inputs)["out"]
    close(PlannedRunnable(graph, weights).run(inputs)["out"], wanted, 2e-5)
    close(PlannedRunnable(graph, weights, "float64").run(inputs)["out"], wanted, 1e-8)
