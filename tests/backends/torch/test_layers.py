"""Every layer with every option: the generated file against plain functions of PyTorch, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.torch import TorchBackend
from backends.torch.emit import EMITTERS, source_of
from backends.torch.emit.forms import ANYWHERE
from compiler.ops import OPS
from tests.backends.numpy import torch_layers
from tests.backends.onnx.reference import reference
from tests.cases import CASES, LayerCase, graph_of, inputs_of, weights_of

FREE = [case for case in CASES if case.also]


def close(got: np.ndarray, want: np.ndarray, bound: float) -> None:
    assert got.shape == want.shape
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    assert float(np.abs(got - want).max(initial=0)) <= bound * scale


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_layer_computes_what_its_definition_says_under_the_names_of_the_spec(case: LayerCase) -> None:
    graph, inputs = graph_of(case), inputs_of(case)
    weights = weights_of(graph)
    model = TorchBackend().load(graph, weights, "float64")
    state = model.model.state_dict()  # type: ignore[attr-defined]
    assert sorted(n for n in state if not n.endswith("num_batches_tracked")) == sorted(graph.weights)
    close(model.run(inputs)["y"], reference(case, graph.nodes[0], inputs, weights), 1e-10)


@pytest.mark.parametrize("case", FREE, ids=str)
def test_a_layer_computes_the_same_at_other_sizes_that_are_free(case: LayerCase) -> None:
    graph = graph_of(case)
    weights = weights_of(graph)
    model = TorchBackend().load(graph, weights, "float64")
    for spatial in case.also:
        inputs = inputs_of(case, spatial=spatial)
        close(model.run(inputs)["y"], reference(case, graph.nodes[0], inputs, weights, nominal=False), 1e-10)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_and_running_statistics_are_those_of_plain_functions(case: LayerCase) -> None:
    graph, inputs = graph_of(case), inputs_of(case)
    weights = weights_of(graph)
    for training in (False, True) if case.op.name == "batchnorm" else (False,):
        xs = {name: torch.tensor(array, requires_grad=True) for name, array in inputs.items()}
        ws = {
            name: torch.tensor(array, requires_grad=graph.weights[name].trainable)
            for name, array in weights.items()
        }
        y = torch_layers.outputs(graph, xs, ws, training)["y"]
        d = np.random.default_rng(5).uniform(-1, 1, tuple(y.shape))
        y.backward(torch.tensor(d))
        model = TorchBackend().load(graph, weights, "float64")
        got = model.gradients(inputs, {"y": d}, training=training)
        assert got.inputs.keys() == xs.keys()
        assert got.weights.keys() == {name for name, w in graph.weights.items() if w.trainable}
        for name, gradient in {**got.inputs, **got.weights}.items():
            wanted = {**xs, **ws}[name].grad
            close(gradient, np.zeros(gradient.shape) if wanted is None else wanted.numpy(), 1e-9)
        for name, array in model.weights().items():
            close(array, ws[name].detach().numpy(), 1e-10)


def test_every_layer_has_an_emitter() -> None:
    assert set(EMITTERS) == set(OPS.values())
    assert set(ANYWHERE) <= set(EMITTERS)


def test_every_case_gives_the_same_bytes_twice() -> None:
    assert all(source_of(graph_of(case)) == source_of(graph_of(case)) for case in CASES)
