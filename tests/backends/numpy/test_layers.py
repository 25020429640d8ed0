"""Every layer with every option against PyTorch: results, and gradients against autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backends.numpy import NumpyBackend
from backends.numpy.emit import EMITTERS
from compiler.graph import Graph
from compiler.ops import OPS
from tests.backends.numpy import torch_layers
from tests.cases import CASES, LayerCase, graph_of, inputs_of, weights_of

Arrays = dict[str, np.ndarray]


def autograd(
    graph: Graph, inputs: Arrays, weights: Arrays, output_gradient: np.ndarray | None, training: bool
) -> tuple[np.ndarray, Arrays, Arrays, Arrays]:
    """Result, gradients of inputs and of weights, and the weights afterwards."""
    xs = {name: torch.tensor(array, requires_grad=True) for name, array in inputs.items()}
    ws = {
        name: torch.tensor(array, requires_grad=graph.weights[name].role[:7] != "running")
        for name, array in weights.items()
    }
    y = torch_layers.outputs(graph, xs, ws, training)["y"]
    if output_gradient is not None:
        y.backward(torch.tensor(output_gradient))

    def grads(tensors: dict[str, Any]) -> Arrays:
        return {name: np.zeros(t.shape) if t.grad is None else t.grad.numpy() for name, t in tensors.items()}

    trained = {name: t for name, t in ws.items() if graph.weights[name].trainable}
    return y.detach().numpy(), grads(xs), grads(trained), {name: t.detach().numpy() for name, t in ws.items()}


def close(got: np.ndarray, want: np.ndarray, bound: float) -> None:
    assert got.shape == want.shape
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    assert float(np.abs(got - want).max(initial=0)) <= bound * scale


def gradient_for(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, shape)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_layer_and_its_gradients_are_those_of_pytorch_in_float64(case: LayerCase) -> None:
    graph, inputs = graph_of(case), inputs_of(case)
    weights = weights_of(graph)
    modes = (False, True) if case.op.name == "batchnorm" else (False,)
    for training in modes:
        wanted, *_ = autograd(graph, inputs, weights, None, training)
        d = gradient_for(wanted.shape)
        _, d_inputs, d_weights, after = autograd(graph, inputs, weights, d, training)
        model = NumpyBackend().load(graph, weights, "float64")
        close(model.run(inputs, training=training)["y"], wanted, 1e-10)
        for name, array in model.weights().items():
            close(array, after[name], 1e-10)
        model = NumpyBackend().load(graph, weights, "float64")
        got = model.gradients(inputs, {"y": d}, training=training)
        assert got.inputs.keys() == d_inputs.keys()
        assert got.weights.keys() == d_weights.keys()
        for name, gradient in {**d_inputs, **d_weights}.items():
            close({**got.inputs, **got.weights}[name], gradient, 1e-9)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_layer_stays_in_float32_and_near_its_float64_self(case: LayerCase) -> None:
    graph, inputs = graph_of(case), inputs_of(case)
    weights = weights_of(graph)
    exact = NumpyBackend().load(graph, weights, "float64")
    short = NumpyBackend().load(graph, weights, "float32")
    wanted, got = exact.run(inputs)["y"], short.run(inputs)["y"]
    assert got.dtype == np.float32
    # The longest sum of the table has some 500 terms; numbers are below 8, a variance near eps amplifies.
    close(got, wanted, 2e-5)
    d = gradient_for(wanted.shape)
    precise, rough = exact.gradients(inputs, {"y": d}), short.gradients(inputs, {"y": d})
    for one, other in ((rough.inputs, precise.inputs), (rough.weights, precise.weights)):
        for name, gradient in one.items():
            assert gradient.dtype == np.float32
            close(gradient, other[name], 2e-4)


@pytest.mark.parametrize("case", [c for c in CASES if c.also], ids=str)
def test_free_extents_run_at_other_sizes(case: LayerCase) -> None:
    graph = graph_of(case)
    weights = weights_of(graph)
    model = NumpyBackend().load(graph, weights, "float64")
    for spatial in case.also:
        inputs = inputs_of(case, spatial=spatial)
        wanted, *_ = autograd(graph, inputs, weights, None, False)
        d = gradient_for(wanted.shape)
        _, d_inputs, d_weights, _ = autograd(graph, inputs, weights, d, False)
        close(model.run(inputs)["y"], wanted, 1e-10)
        got = model.gradients(inputs, {"y": d})
        for name, gradient in {**d_inputs, **d_weights}.items():
            close({**got.inputs, **got.weights}[name], gradient, 1e-9)


def test_every_layer_of_the_language_has_an_emitter() -> None:
    assert [name for name, op in OPS.items() if op not in EMITTERS] == []


def test_every_layer_is_in_the_table() -> None:
    assert set(OPS) == {case.op.name for case in CASES}
