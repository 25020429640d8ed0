"""Training in NumPy, and the generated PyTorch module, against eager PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
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


def generated(rounds: int, threads: int) -> Iterator[Line]:
    """one forward pass of the generated PyTorch module over one written by hand, and that over itself"""
    import torch

    import cnnc

    torch.set_num_threads(threads)
    for name, batch, made in (("lenet5", 64, _lenet5()), ("vgg16", 1, _vgg16())):
        graph = cnnc.load(name)
        module = cnnc.torch_module(graph, cnnc.initial_weights(graph)).eval()
        again = (_lenet5 if name == "lenet5" else _vgg16)()
        for other in (made, again):
            other.load_state_dict(dict(zip(other.state_dict(), module.state_dict().values(), strict=True)))
            other.eval()
        x = torch.randn(batch, *next(iter(graph.inputs.values())).shape)
        with torch.inference_mode():
            wanted = module(x)
            assert torch.allclose(made(x), wanted, atol=1e-4 * float(wanted.abs().max())), name
            peer, ours, control = "by hand", f"{name}, batch {batch}, generated", f"{name}, by hand once more"
            found = against(peer, {
                peer: lambda made=made, x=x: made(x),
                ours: lambda module=module, x=x: module(x),
                control: lambda again=again, x=x: again(x),
            }, rounds if name == "vgg16" else 5 * rounds)
        yield Line("generated", ours, peer, found[ours], 1.02)
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
