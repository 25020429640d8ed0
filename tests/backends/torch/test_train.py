"""Training: against NumPy's own steps, exact resume, and a random stream of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backends.base import BackendError
from backends.numpy.train import NumpyTrainer
from backends.torch import TorchBackend
from backends.torch.train import TorchTrainer
from compiler.graph import Graph
from compiler.initial import initial_weights
from compiler.load import load
from compiler.training import Adam, CrossEntropy, Sgd, TrainSettings
from spec_lang.source import Source

SPEC = """
model m {
    input x: [1, 6, 7]
    conv(4, 3x3, bias = false) -> batchnorm -> relu -> DROP maxpool(2x2, round = floor) -> flatten
    conv2: fc(8, frozen = true) -> relu
    fc(5) -> softmax
    output y
}
"""
OPTIMIZERS = (
    Sgd(lr=0.1, momentum=0.0),
    Sgd(lr=0.1, momentum=0.9, decay=0.01),
    Sgd(lr=0.1, momentum=0.9, nesterov=True),
    Adam(lr=0.01),
    Adam(lr=0.01, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.1),
)


def graph(drop: str = "") -> Graph:
    return load(Source("m.cnn", SPEC.replace("DROP", drop)))


def settings(optimizer: Sgd | Adam, smoothing: float = 0.1) -> TrainSettings:
    return replace(TrainSettings(), optimizer=optimizer, loss=CrossEntropy(smoothing=smoothing))


def batches(count: int) -> list[tuple[np.ndarray, np.ndarray, float]]:
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(6, 1, 6, 7)), rng.integers(0, 5, 6), 0.05 / (1 + i)) for i in range(count)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.described)
def test_steps_are_those_of_numpys_own_backward_and_optimiser(optimizer: Sgd | Adam) -> None:
    made = graph()
    weights = initial_weights(made, seed=0)
    ours = TorchTrainer(made, weights, settings(optimizer), 0, "float64")
    theirs = NumpyTrainer(made, weights, settings(optimizer), 0, "float64")
    for images, labels, rate in batches(4):
        loss, logits = ours.step(images, labels, rate)
        wanted_loss, wanted_logits = theirs.step(images, labels, rate)
        assert loss == pytest.approx(wanted_loss, rel=1e-9)
        np.testing.assert_allclose(logits, wanted_logits, rtol=1e-8, atol=1e-10)
    for name, array in theirs.weights().items():
        np.testing.assert_allclose(ours.weights()[name], array, rtol=1e-7, atol=1e-10)
    images = batches(1)[0][0]
    np.testing.assert_allclose(ours.predict(images), theirs.predict(images), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.described)
def test_going_on_from_a_state_is_exactly_as_if_nothing_had_happened(optimizer: Sgd | Adam) -> None:
    made = graph("dropout(0.4) -> ")
    weights = initial_weights(made, seed=0)
    whole = TorchBackend().trainer(made, weights, settings(optimizer), seed=5)
    for batch in batches(3):
        whole.step(*batch)
    kept, state = whole.weights(), whole.state()
    again = TorchBackend().trainer(made, weights, settings(optimizer), seed=99)
    again.restore(kept, state)
    for batch in batches(6)[3:]:
        loss, logits = whole.step(*batch)
        other_loss, other_logits = again.step(*batch)
        assert loss == other_loss
        assert np.array_equal(logits, other_logits)
    for name, array in whole.weights().items():
        assert np.array_equal(again.weights()[name], array), name
    assert whole.state().keys() == again.state().keys()
    assert all(np.array_equal(again.state()[key], array) for key, array in whole.state().items())


def test_a_seed_decides_what_is_dropped_and_nobody_else_is_touched() -> None:
    made = graph("dropout(0.4) -> ")
    weights = initial_weights(made, seed=0)
    results = []
    for seed, disturbance in ((1, 0), (1, 7), (2, 0)):
        torch.manual_seed(disturbance)
        before = torch.get_rng_state()
        trainer = TorchBackend().trainer(made, weights, settings(Sgd()), seed=seed)
        results.append([trainer.step(*batch)[0] for batch in batches(3)])
        assert torch.equal(torch.get_rng_state(), before)
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_dropout_of_paths_drops_whole_images_and_scales_the_others() -> None:
    text = "model m { input image: [3, 4, 5]\n seq { dropout(0.3, mode = path) }\n output y }"
    model = TorchBackend().load(load(Source("m.cnn", text)), {}, "float64")
    x = np.full((3000, 3, 4, 5), 2.0)
    y = model.run({"image": x}, training=True)["y"]
    assert set(np.unique(y).round(12)) == {0.0, round(2.0 / 0.7, 12)}
    assert (y == y[:, :1, :1, :1]).all()
    assert abs((y[:, 0, 0, 0] == 0).mean() - 0.3) < 6 * np.sqrt(0.3 * 0.7 / len(x))
    np.testing.assert_array_equal(model.run({"image": x})["y"], x)


def test_frozen_weights_stay_bit_for_bit_and_statistics_move() -> None:
    made = graph()
    weights = initial_weights(made, seed=0)
    trainer = TorchBackend().trainer(made, weights, settings(Sgd(decay=0.1)), seed=0)
    for batch in batches(2):
        trainer.step(*batch)
    after = trainer.weights()
    assert np.array_equal(after["conv2.weight"], weights["conv2.weight"])
    assert np.array_equal(after["conv2.bias"], weights["conv2.bias"])
    for name in ("conv1.weight", "batchnorm1.running_var", "fc2.weight"):
        assert not np.array_equal(after[name], weights[name]), name


def test_what_is_trained_are_the_logits_in_front_of_softmax() -> None:
    made = graph()
    trainer = TorchBackend().trainer(made, initial_weights(made, seed=0), settings(Sgd()), seed=0)
    logits = trainer.predict(batches(1)[0][0])
    assert np.abs(logits.sum(axis=1) - 1).max() > 1e-3
    model = TorchBackend().load(made, initial_weights(made, seed=0))
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.run({"x": batches(1)[0][0]})["y"], share, rtol=1e-5)


def test_labels_beyond_the_classes_are_refused() -> None:
    made = graph()
    trainer = TorchBackend().trainer(made, initial_weights(made, seed=0), settings(Sgd()), seed=0)
    with pytest.raises(BackendError) as refused:
        trainer.step(np.zeros((2, 1, 6, 7)), np.array([0, 5]), 0.1)
    assert refused.value.diagnostics[0].code == "E821"
