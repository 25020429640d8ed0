"""Training: update rules equal to torch.optim's, cross-entropy, frozen weights, dropout, resuming."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backends.base import BackendError
from backends.logits import logits_graph
from backends.numpy import NumpyBackend
from backends.numpy.train import NumpyTrainer, cross_entropy
from compiler.graph import Graph
from compiler.training import Adam, CrossEntropy, Sgd, TrainSettings
from tests.backends.numpy import torch_layers
from tests.backends.numpy.graphs import Maker, inputs_of, residual, small_classifier, weights_of, with_head

LABELS = np.array([4, 0, 2])


def settings(optimizer: Sgd | Adam, smoothing: float = 0.0) -> TrainSettings:
    return TrainSettings(loss=CrossEntropy(smoothing=smoothing), optimizer=optimizer)


def torch_optimiser(given: Sgd | Adam, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    if isinstance(given, Sgd):
        return torch.optim.SGD(
            parameters,
            lr=given.lr,
            momentum=given.momentum,
            weight_decay=given.decay,
            nesterov=given.nesterov,
        )
    return torch.optim.Adam(
        parameters, lr=given.lr, betas=(given.beta1, given.beta2), eps=given.eps, weight_decay=given.decay
    )


OPTIMISERS: list[Sgd | Adam] = [
    Sgd(lr=0.1, momentum=0.0),
    Sgd(lr=0.1, momentum=0.0, decay=0.03),
    Sgd(lr=0.05, momentum=0.9, decay=5e-3),
    Sgd(lr=0.05, momentum=0.8, nesterov=True),
    Sgd(lr=0.05, momentum=0.8, decay=0.02, nesterov=True),
    Adam(lr=0.01),
    Adam(lr=0.02, beta1=0.8, beta2=0.95, eps=1e-4, decay=0.03),
]


@pytest.mark.parametrize("optimizer", OPTIMISERS, ids=lambda o: o.described)
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
def test_training_gives_the_weights_of_pytorch(optimizer: Sgd | Adam, smoothing: float) -> None:
    graph = small_classifier()
    weights = weights_of(graph)
    images = inputs_of(graph)["image"]
    trainer = NumpyTrainer(graph, weights, settings(optimizer, smoothing), 0, "float64")
    ws = {n: torch.tensor(w, requires_grad=graph.weights[n].trainable) for n, w in weights.items()}
    torch_side = torch_optimiser(optimizer, [w for w in ws.values() if w.requires_grad])
    bare = logits_graph(graph)
    for step in range(5):
        rate = optimizer.lr / (1 + step)
        torch_side.param_groups[0]["lr"] = rate
        logits = torch_layers.outputs(bare, {"image": torch.tensor(images)}, ws, training=True)[
            "probabilities"
        ]
        loss = F.cross_entropy(logits, torch.tensor(LABELS), label_smoothing=smoothing)
        torch_side.zero_grad()
        loss.backward()
        torch_side.step()
        got_loss, got_logits = trainer.step(images, LABELS, rate)
        assert abs(got_loss - loss.item()) < 1e-10
        np.testing.assert_allclose(got_logits, logits.detach().numpy(), rtol=0, atol=1e-10)
    for name, array in trainer.weights().items():
        np.testing.assert_allclose(array, ws[name].detach().numpy(), rtol=0, atol=1e-10, err_msg=name)


def test_frozen_weights_stay_and_running_statistics_move() -> None:
    graph = small_classifier()
    weights = weights_of(graph)
    trainer = NumpyTrainer(graph, weights, settings(Sgd(lr=0.1, decay=0.1)), 0, "float64")
    trainer.step(inputs_of(graph)["image"], LABELS, 0.1)
    changed = {name for name, w in trainer.weights().items() if (w != weights[name]).any()}
    assert changed == {name for name in weights if not name.startswith("fixed")}


def test_the_given_weights_are_left_alone() -> None:
    graph = small_classifier()
    weights = weights_of(graph)
    before = {name: w.copy() for name, w in weights.items()}
    NumpyTrainer(graph, weights, settings(Sgd()), 0, "float64").step(inputs_of(graph)["image"], LABELS, 0.1)
    for name, w in weights.items():
        np.testing.assert_array_equal(w, before[name])


@pytest.mark.parametrize("optimizer", [Sgd(lr=0.05, decay=1e-3), Adam(lr=0.01)], ids=lambda o: o.name)
def test_a_restored_trainer_goes_on_bit_by_bit(optimizer: Sgd | Adam) -> None:
    graph = small_classifier(dropout=True)
    images = inputs_of(graph)["image"]
    first = NumpyTrainer(graph, weights_of(graph), settings(optimizer), 7)
    for _ in range(3):
        first.step(images, LABELS, 0.02)
    weights, state = first.weights(), first.state()
    second = NumpyTrainer(graph, weights_of(graph, seed=9), settings(optimizer), 1)
    second.restore(weights, state)
    kept = {name: array.copy() for name, array in state.items()}
    for _ in range(3):
        assert first.step(images, LABELS, 0.02)[0] == second.step(images, LABELS, 0.02)[0]
    for name, array in first.weights().items():
        np.testing.assert_array_equal(array, second.weights()[name])
    np.testing.assert_array_equal(first.predict(images), second.predict(images))
    for name, array in kept.items():
        np.testing.assert_array_equal(array, state[name])
    assert first.state().keys() == second.state().keys()
    for name, array in first.state().items():
        np.testing.assert_array_equal(array, second.state()[name])


def test_the_seed_decides_what_is_dropped() -> None:
    graph = small_classifier(dropout=True)
    images = inputs_of(graph)["image"]

    def first_loss(seed: int) -> float:
        return NumpyTrainer(graph, weights_of(graph), settings(Sgd()), seed).step(images, LABELS, 0.1)[0]

    assert first_loss(1) == first_loss(1) != first_loss(2)


def test_predicting_is_inference() -> None:
    graph = small_classifier(dropout=True)
    trainer = NumpyTrainer(graph, weights_of(graph), settings(Sgd()), 0)
    images = inputs_of(graph)["image"]
    before = trainer.weights()
    np.testing.assert_array_equal(trainer.predict(images), trainer.predict(images))
    for name, array in trainer.weights().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_stays_finite_where_scores_are_large(smoothing: float) -> None:
    logits = np.array([[1000.0, -1000.0, 3.0], [0.0, 500.0, 499.0]])
    labels = np.array([1, 2])
    x = torch.tensor(logits, requires_grad=True)
    wanted = F.cross_entropy(x, torch.tensor(labels), label_smoothing=smoothing)
    wanted.backward()
    loss, d = cross_entropy(logits, labels, smoothing)
    assert loss == pytest.approx(wanted.item(), rel=1e-12)
    assert x.grad is not None
    np.testing.assert_allclose(d, x.grad.numpy(), rtol=0, atol=1e-12)


def classifier(*ends: str, **arguments: Any) -> Graph:
    m = Maker()
    x = m("fc", m.input("image", 6), path="fc", features=5)
    for layer in ends:
        x = m(layer, x, **arguments)
    return m.graph(scores=x)


@pytest.mark.parametrize(
    ("ends", "layers"),
    [
        ((), ["fc"]),
        (("softmax",), ["fc"]),
        (("logsoftmax",), ["fc"]),
        (("softmax", "identity"), ["fc"]),
        (("relu",), ["fc", "relu"]),
        (("softmax", "softmax"), ["fc", "softmax"]),
        (("softmax", "relu"), ["fc", "softmax", "relu"]),
    ],
)
def test_a_model_that_ends_in_softmax_is_trained_on_its_logits(
    ends: tuple[str, ...], layers: list[str]
) -> None:
    found = logits_graph(classifier(*ends))
    assert [node.op.name for node in found.nodes] == layers
    assert list(found.outputs) == ["scores"]
    assert list(found.weights) == ["fc.weight", "fc.bias"]


def feature_map() -> Graph:
    m = Maker()
    return m.graph(y=m("conv", m.input("image", 3, 6, 6), path="c", filters=2, kernel=3))


@pytest.mark.parametrize(
    "graph", [feature_map(), with_head(), residual()], ids=["map", "two losses", "map first"]
)
def test_a_model_without_one_vector_of_scores_is_refused(graph: Graph) -> None:
    with pytest.raises(BackendError, match="E820"):
        NumpyBackend().trainer(graph, weights_of(graph), settings(Sgd()), 0)


@pytest.mark.parametrize("labels", [[5, 0, 0], [-1, 0, 0]])
def test_labels_beyond_the_classes_are_refused(labels: list[int]) -> None:
    graph = small_classifier()
    trainer = NumpyTrainer(graph, weights_of(graph), settings(Sgd()), 0)
    with pytest.raises(BackendError, match="E821"):
        trainer.step(inputs_of(graph)["image"], np.array(labels), 0.1)


@pytest.mark.parametrize("mode", ["inverted", "classic"])
@pytest.mark.parametrize("spatial", [False, True])
def test_dropout_drops_its_share_and_scales_the_rest(mode: str, spatial: bool) -> None:
    m = Maker()
    graph = m.graph(y=m("dropout", m.input("image", 40, 9, 10), p=0.3, mode=mode, spatial=spatial))
    model = NumpyBackend().load(graph, {}, "float64")
    x = np.full((50, 40, 9, 10), 2.0)
    y = model.run({"image": x}, training=True)["y"]
    kept = 2.0 / 0.7 if mode == "inverted" else 2.0
    assert set(np.unique(y).round(12)) == {0.0, round(kept, 12)}
    dropped = y == 0
    if spatial:
        assert (dropped == dropped[:, :, :1, :1]).all()
        dropped = dropped[:, :, 0, 0]
    # Six standard deviations of a binomial share.
    assert abs(dropped.mean() - 0.3) < 6 * np.sqrt(0.3 * 0.7 / dropped.size)
    d = model.gradients({"image": x}, {"y": np.ones_like(x)}, training=True).inputs["image"]
    assert set(np.unique(d).round(12)) == {0.0, round(kept / 2, 12)}
    scaled = 2.0 if mode == "inverted" else 1.4
    np.testing.assert_allclose(model.run({"image": x})["y"], scaled)


def test_dropout_of_paths_drops_whole_images_and_scales_the_others() -> None:
    m = Maker()
    graph = m.graph(y=m("dropout", m.input("image", 3, 4, 5), p=0.3, mode="path"))
    model = NumpyBackend().load(graph, {}, "float64")
    x = np.full((3000, 3, 4, 5), 2.0)
    y = model.run({"image": x}, training=True)["y"]
    assert set(np.unique(y).round(12)) == {0.0, round(2.0 / 0.7, 12)}
    assert (y == y[:, :1, :1, :1]).all()
    assert abs((y[:, 0, 0, 0] == 0).mean() - 0.3) < 6 * np.sqrt(0.3 * 0.7 / len(x))
    d = model.gradients({"image": x}, {"y": np.ones_like(x)}, training=True).inputs["image"]
    assert set(np.unique(d).round(12)) == {0.0, round(1.0 / 0.7, 12)}
    np.testing.assert_array_equal(model.run({"image": x})["y"], x)


def test_dropout_drops_the_same_in_both_float_types() -> None:
    m = Maker()
    graph = m.graph(y=m("dropout", m.input("image", 40, 9)))
    x = {"image": np.ones((3, 40, 9))}
    runs = [
        NumpyBackend().load(graph, {}, dtype).run(x, training=True)["y"] for dtype in ("float32", "float64")
    ]
    assert runs[0].dtype == np.float32
    np.testing.assert_array_equal(*runs)
