"""Fine-tuning: what is frozen stays bit by bit, on both backends alike, and as in plain PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.base import Trainer
from backends.numpy.train import NumpyTrainer
from backends.torch.train import TorchTrainer
from compiler.freezing import Pattern, frozen_names
from compiler.graph import Graph
from compiler.initial import initial_weights
from compiler.load import load
from compiler.passes.freeze import freeze
from compiler.training import Adam, Sgd, TrainSettings
from spec_lang.frozen import replace
from spec_lang.source import Source

TEXT = """model m {
    input image: [2, 7, 6]
    weight offset: [2, 1, 1]
    add { branch { } branch { offset } }
    conv1: conv(4, 3x3, pad = half, bias = false) -> bn1: batchnorm -> relu
    conv2: conv(5, 3x3, pad = half, bias = false) -> bn2: batchnorm(affine = false, momentum = 0.3) -> relu
    flatten -> fc1: fc(6, bias = false) -> bn3: batchnorm -> relu
    fc2: fc(3)
    output scores
}
"""
OPTIMIZERS = (Sgd(lr=0.1, momentum=0.9, decay=0.05), Sgd(lr=0.1, momentum=0.9, nesterov=True),
              Adam(lr=0.02, decay=0.1))
PATTERNS = (
    "all but fc2",
    "all but bn3, fc2",
    "offset, conv1, bn1",  # from below
    "conv2, bn2",  # in the middle: the gradient goes through
    "bn1, bn2, bn3",
    "all but *.bias",  # factors and statistics stay, offsets move
    "bn1.weight",  # a factor alone: the statistics are the batch's, and move
    "none",
)


class ByHand(nn.Module):
    """The same network as anybody writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(2, 1, 1))
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(5, affine=False, momentum=0.3)
        self.fc1, self.bn3, self.fc2 = nn.Linear(5 * 7 * 6, 6, bias=False), nn.BatchNorm1d(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x + self.offset)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc2(F.relu(self.bn3(self.fc1(x.flatten(1)))))


def spec(text: str = TEXT) -> Graph:
    return load(Source("m.cnn", text))


def frozen(graph: Graph, pattern: str) -> tuple[Graph, frozenset[str]]:
    names = frozen_names(graph.weights, [Pattern.read(pattern)])
    return freeze(graph, names), names


def start(graph: Graph) -> dict[str, np.ndarray]:
    """Weights with statistics that are neither 0 and 1 nor those of the batches."""
    rng = np.random.default_rng(3)
    made = dict(initial_weights(graph, seed=0))
    for name in made:
        if name.endswith("running_mean") or name == "offset":
            made[name] = rng.normal(size=made[name].shape).astype(np.float32)
        elif name.endswith("running_var") or name.startswith("bn"):
            made[name] = rng.uniform(0.5, 2.0, made[name].shape).astype(np.float32)
    return made


def batches(count: int) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    rng = np.random.default_rng(1)
    for step in range(count):
        yield rng.normal(size=(8, 2, 7, 6)), rng.integers(0, 3, 8), 0.1 / (1 + step)


def trainers(graph: Graph, settings: TrainSettings) -> list[Trainer]:
    weights = start(graph)
    return [kind(graph, weights, settings, 0, "float64") for kind in (NumpyTrainer, TorchTrainer)]


def plain(names: frozenset[str], optimizer: Sgd | Adam, graph: Graph) -> tuple[ByHand, list[float]]:
    """The training as anybody writes it, with what is frozen told by `requires_grad_` and `eval`."""
    model = ByHand().double()
    model.load_state_dict({name: torch.tensor(array) for name, array in start(graph).items()}, strict=False)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in names)
    left = [p for p in model.parameters() if p.requires_grad]
    one = (torch.optim.SGD(left, optimizer.lr, optimizer.momentum, weight_decay=optimizer.decay,
                           nesterov=optimizer.nesterov)
           if isinstance(optimizer, Sgd) else torch.optim.Adam(left, optimizer.lr, weight_decay=optimizer.decay))
    model.train()
    for name, part in model.named_modules():
        if f"{name}.running_mean" in names:
            part.eval()
    losses = []
    for images, labels, rate in batches(4):
        one.param_groups[0]["lr"] = rate
        loss = F.cross_entropy(model(torch.tensor(images)), torch.tensor(labels))
        one.zero_grad()
        loss.backward()
        one.step()
        losses.append(loss.item())
    return model, losses


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.described)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_steps_are_those_of_plain_pytorch_and_what_is_frozen_stays(
    pattern: str, optimizer: Sgd | Adam
) -> None:
    graph, names = frozen(spec(), pattern)
    model, losses = plain(names, optimizer, graph)
    wanted, before = model.state_dict(), start(graph)
    for trainer in trainers(graph, replace(TrainSettings(), optimizer=optimizer)):
        got = [trainer.step(*batch)[0] for batch in batches(4)]
        np.testing.assert_allclose(got, losses, rtol=1e-9)
        after = trainer.weights()
        for name, array in after.items():
            np.testing.assert_allclose(array, wanted[name].numpy(), rtol=1e-7, atol=1e-10, err_msg=name)
            assert np.array_equal(array, before[name]) == (name in names), name
        model.eval()
        images = next(batches(1))[0]
        scores = model(torch.tensor(images)).detach().numpy()
        np.testing.assert_allclose(trainer.predict(images), scores, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.described)
def test_what_is_frozen_goes_on_from_a_checkpoint(optimizer: Sgd | Adam) -> None:
    graph, _ = frozen(spec(), "all but fc2, bn3.bias")
    settings = replace(TrainSettings(), optimizer=optimizer)
    for whole, again in zip(trainers(graph, settings), trainers(graph, settings), strict=True):
        parts = list(batches(4))
        for batch in parts[:2]:
            whole.step(*batch)
        again.restore(whole.weights(), whole.state())
        for batch in parts[2:]:
            assert whole.step(*batch)[0] == again.step(*batch)[0]
        for name, array in whole.weights().items():
            assert np.array_equal(again.weights()[name], array), name


def test_frozen_in_the_spec_is_what_freeze_makes_of_it() -> None:
    written = spec(TEXT.replace("bn1: batchnorm", "bn1: batchnorm(frozen = true)").replace(
        "affine = false,", "affine = false, frozen = true,"))
    settings = TrainSettings(optimizer=OPTIMIZERS[0])
    made, _ = frozen(spec(), "bn1, bn2")
    for one, other in zip(trainers(written, settings), trainers(made, settings), strict=True):
        for batch in batches(3):
            assert one.step(*batch)[0] == other.step(*batch)[0]
        for name, array in one.weights().items():
            assert np.array_equal(array, other.weights()[name]), name
            assert not name.startswith(("bn1", "bn2")) or np.array_equal(array, start(written)[name]), name


def test_a_frozen_batchnorm_trains_on_a_single_number() -> None:
    graph, _ = frozen(spec(), "bn3")
    image, label = np.zeros((1, 2, 7, 6)), np.array([1])
    losses = [trainer.step(image, label, 0.1)[0] for trainer in trainers(graph, TrainSettings())]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@pytest.mark.parametrize(("pattern", "wanted"), [
    ("all but fc2", set()),
    ("all but bn3, fc2", {"fc_input_gradient", "relu_backward", "batchnorm_backward", "standardised_backward"}),
    # By its own statistics, not the batch's, nothing is standardised.
    ("all but conv2, fc2",
     {"fc_input_gradient", "relu_backward", "batchnorm_backward", "conv_weight_gradient"}),
])
def test_below_the_lowest_layer_that_trains_nothing_goes_back(
    pattern: str, wanted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, names = frozen(spec(), pattern)
    model = NumpyTrainer(graph, start(graph), TrainSettings(), 0, "float64")._runnable.model
    model.forward(next(batches(1))[0], training=True)
    called: set[str] = set()
    file = type(model).backward.__globals__
    for name in [name for name in file if name.endswith(("_backward", "_gradient"))]:

        def noted(*arguments: Any, name: str = name, run: Any = file[name], **named: Any) -> Any:
            called.add(name)
            return run(*arguments, **named)

        monkeypatch.setitem(file, name, noted)
    gradients, _ = model.backward(np.ones((8, 3)), inputs=False)
    assert set(gradients) == {n for n, w in graph.weights.items() if w.trainable} and names
    assert called == {"checked_gradient", "fc_weight_gradient"} | wanted


def test_dropout_below_goes_on_dropping() -> None:
    graph, _ = frozen(spec(TEXT.replace("flatten ->", "flatten -> dropout(0.5) ->")), "all but fc2")
    images, labels, _ = next(batches(1))
    for trainer in trainers(graph, TrainSettings()):
        assert len({trainer.step(images, labels, 1e-30)[0] for _ in range(3)}) == 3
