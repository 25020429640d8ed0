"""Training in NumPy, and the generated PyTorch module, against eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench.interleave import Line, against


def train_step(rounds: int, threads: int) -> list[Line]:
    """a training step of lenet5 at batch 64 in NumPy (SGD with momentum) over eager PyTorch"""
    import numpy as np
    import torch

    import cnnc
    from backends.logits import logits_graph
    from backends.numpy.train import NumpyTrainer
    from compiler.training import TrainSettings

    torch.set_num_threads(threads)
    graph = logits_graph(cnnc.load("lenet5"))
    weights = cnnc.initial_weights(graph)
    settings = TrainSettings()
    images = np.random.default_rng(0).standard_normal((64, 1, 32, 32)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 10, 64)
    trainer = NumpyTrainer(graph, weights, settings, 0)
    module = cnnc.torch_module(graph, weights).train()
    given: Any = settings.optimizer
    momentum, decay = given.momentum, given.decay
    optimiser = torch.optim.SGD(module.parameters(), lr=0.01, momentum=momentum, weight_decay=decay)
    x, wanted = torch.from_numpy(images), torch.from_numpy(labels)

    def peer_step() -> float:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), wanted)
        loss.backward()
        optimiser.step()
        return loss.item()

    def step() -> float:
        return trainer.step(images, labels, 0.01)[0]

    # Both learn, and learn the same, or the times mean nothing.
    for _ in range(3):
        ours_loss, peer_loss = step(), peer_step()
        assert abs(ours_loss - peer_loss) < 1e-3, (ours_loss, peer_loss)
    peer, ours = "torch eager", "lenet5, batch 64, NumPy"
    found = against(peer, {peer: peer_step, ours: step}, 5 * rounds)
    return [Line("train_step", ours, peer, found[ours], 1.2)]


#: Rounds that the generated module and the one by hand are compared in, at least.
ROUNDS = 25
#: By how much the generated module's paired median may exceed that of the control.
MARGIN = 0.02


def generated(rounds: int, threads: int) -> Iterator[Line]:
    """the generated PyTorch module over one by hand, forward and training step, and that over itself"""
    import torch

    from bench.by_hand import densenet121, resnet50

    torch.set_num_threads(threads)
    rounds = max(ROUNDS, rounds)
    by_hand: dict[str, Callable[[], Any]] = {
        "lenet5": _lenet5, "vgg16": _vgg16,
        "resnet50": resnet50.build_model, "densenet121": densenet121.build_model,
    }
    for name, batch in (("lenet5", 64), ("vgg16", 1), ("resnet50", 1), ("densenet121", 1)):
        modules, x = _modules(name, batch, by_hand[name])
        runs = [partial(_forward, module.eval(), x) for module in modules]
        yield from _beside_control(f"{name}, batch {batch}", runs, rounds * (5 if name == "lenet5" else 1))
    for name, batch in (("lenet5", 64), ("resnet50", 2), ("densenet121", 2)):
        modules, x = _modules(name, batch, by_hand[name])
        labels = torch.arange(batch) % 10
        steps = [_training_step(module.train(), x, labels) for module in modules]
        what = f"training step of {name}, batch {batch}"
        yield from _beside_control(what, steps, rounds * (5 if name == "lenet5" else 1))


def _modules(name: str, batch: int, by_hand: Callable[[], Any]) -> tuple[list[Any], Any]:
    """The generated module, the one by hand, and that once more, with the same weights; and an input."""
    import torch

    import cnnc

    graph = cnnc.load(name)
    module = cnnc.torch_module(graph, cnnc.initial_weights(graph))
    others = [by_hand(), by_hand()]
    state = module.state_dict()
    for other in others:
        own = other.state_dict()
        # What is nothing but an `nn.Sequential` has other names in the same order.
        other.load_state_dict(
            state if state.keys() == own.keys() else dict(zip(own, state.values(), strict=True))
        )
    shape = next(iter(graph.inputs.values())).shape
    x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0))
    return [module, *others], x


def _forward(module: Any, x: Any) -> Any:
    import torch

    with torch.inference_mode():
        return module(x)


def _training_step(module: Any, x: Any, labels: Any) -> Callable[[], Any]:
    import torch

    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)

    def step() -> Any:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), labels)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def _beside_control(what: str, runs: list[Callable[[], Any]], rounds: int) -> Iterator[Line]:
    """Lines of the generated module and of the control, the one by hand over itself."""
    import torch

    # All of them compute the same, or the times mean nothing.
    ours, wanted, _ = [run() for run in runs]
    assert torch.allclose(ours, wanted, atol=1e-4 * float(wanted.abs().max())), what
    names = generated_name, peer, control = f"{what}, generated", "by hand", f"{what}, by hand once more"
    found = against(peer, dict(zip(names, runs, strict=True)), rounds)
    goal = found[control].paired + MARGIN
    yield Line("generated", generated_name, peer, found[generated_name], goal, paired=True)
    yield Line("generated", control, peer, found[control])


def _lenet5() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def _vgg16() -> Any:
    from torch import nn

    layers: list[Any] = []
    channels = 3
    for stage in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for filters in stage:
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000),
    )
