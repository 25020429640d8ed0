"""Models of many scopes, shared layers and heads for training: results and gradients against PyTorch's functions."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from backends.numpy import NumpyBackend
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy import torch_layers
from tests.backends.torch.specs import SPECS
from tests.cases import weights_of


def close(got: np.ndarray, want: np.ndarray) -> None:
    assert got.shape == want.shape
    assert float(np.abs(got - want).max(initial=0)) <= 1e-9 * max(1.0, float(np.abs(want).max(initial=0)))


@pytest.mark.parametrize("name", [name for name in SPECS if name != "hostile"])
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_a_model_and_its_gradients_are_those_of_pytorch(name: str, training: bool) -> None:
    # What is dropped is random; everything else is compared in both modes.
    spec = re.sub(r"dropout\([^)]*\)", "identity", SPECS[name]) if training else SPECS[name]
    graph = load(Source(f"{name}.cnn", spec))
    full = graph.with_training if training else graph
    rng = np.random.default_rng(0)
    inputs = {key: rng.normal(size=(2, *value.shape)) for key, value in graph.inputs.items()}
    weights = weights_of(graph.with_training)
    xs = {key: torch.tensor(array, requires_grad=True) for key, array in inputs.items()}
    ws = {
        key: torch.tensor(a, requires_grad=full.weights[key].trainable)
        if key in full.weights
        else torch.tensor(a)
        for key, a in weights.items()
    }
    ys = torch_layers.outputs(full, xs, ws, training)
    ds = {key: rng.normal(size=tuple(y.shape)) for key, y in ys.items()}
    torch.autograd.backward([ys[key] for key in ds], [torch.tensor(d) for d in ds.values()])

    model = NumpyBackend().load(graph, weights, "float64")
    got = model.gradients(inputs, ds, training=training)
    for key, gradient in {**got.inputs, **got.weights}.items():
        wanted = {**xs, **ws}[key].grad
        close(gradient, np.zeros(gradient.shape) if wanted is None else wanted.numpy())
    assert got.weights.keys() == {
        key for key, w in graph.weights.items() if w.trainable and (training or not w.training)
    }
    results = NumpyBackend().load(graph, weights, "float64").run(inputs, training=training)
    assert results.keys() == ys.keys()
    for key, array in results.items():
        close(array, ys[key].detach().numpy())


def test_a_pool_to_the_size_of_another_that_is_free_follows_it_when_it_runs() -> None:
    spec = (
        "model m {\n    input a: [2, H = 9, W = 8]\n    a -> maxpool(2x1, stride = 2x1, round = floor) as b\n"
        "    a -> adaptiveavgpool(like = b) -> adaptivemaxpool(like = b)\n    output y\n}\n"
    )
    graph = load(Source("made.cnn", spec))
    x = np.random.default_rng(0).normal(size=(3, 2, 11, 5))
    xt = torch.tensor(x, requires_grad=True)
    y = torch_layers.outputs(graph, {"a": xt}, {})["y"]
    d = np.random.default_rng(1).normal(size=tuple(y.shape))
    y.backward(torch.tensor(d))
    model = NumpyBackend().load(graph, {}, "float64")
    close(model.run({"a": x})["y"], y.detach().numpy())
    assert xt.grad is not None and y.shape[2:] == (5, 5)
    close(model.gradients({"a": x}, {"y": d}).inputs["a"], xt.grad.numpy())


TURNED = {
    "instancenorm": "instancenorm(eps = 0.1)",
    "layernorm": "layernorm(eps = 0.1, affine = false)",
    "softmax": "softmax",
    "lrn": "lrn(3, alpha = 0.5)",
    "avgpool": "avgpool(2x2, stride = 1)",
    "reduce": "reduce(mean, channels)",
    "fc": "fc(3, axis = last)",
    "concat": "concat(it, it)",
    "add": "add(it, it)",
    "dropout": "dropout(0.2, mode = classic)",
    "slice": "slice(width, 1, 4)",
}


@pytest.mark.parametrize("layer", TURNED)
def test_channels_may_be_free_behind_a_permutation(layer: str) -> None:
    spec = f"model m {{\n    input a: [4, H = 9, 6]\n    permute([1, 0, 2])\n    {TURNED[layer]}\n    output y\n}}\n"
    graph = load(Source("made.cnn", spec))
    weights = weights_of(graph)
    x = np.random.default_rng(0).normal(size=(2, 4, 7, 6))
    xt = torch.tensor(x, requires_grad=True)
    y = torch_layers.outputs(graph, {"a": xt}, {k: torch.tensor(w) for k, w in weights.items()})["y"]
    d = np.random.default_rng(1).normal(size=tuple(y.shape))
    y.backward(torch.tensor(d))
    model = NumpyBackend().load(graph, weights, "float64")
    close(model.run({"a": x})["y"], y.detach().numpy())
    assert xt.grad is not None
    close(model.gradients({"a": x}, {"y": d}).inputs["a"], xt.grad.numpy())
