"""Training with PyTorch: the generated module, cross-entropy, SGD and Adam of `torch.optim`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backends.base import BackendError, Trainer
from backends.inputs import check_inputs, check_training
from backends.logits import logits_graph
from backends.torch.runnable import DTYPES, module, tensor_of, weights_of
from compiler.graph import Graph
from compiler.training import Adam, Sgd
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.base import Array


class TorchTrainer(Trainer):
    """Trains a classifier on its logits, on a GPU where there is one.

    Random numbers (dropout) come from a state of its own, so that nobody else's draws change a
    run and a run changes nobody else's.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Array],
        settings: Any,
        seed: int,
        dtype: str = "float32",
        device: str | None = None,
    ) -> None:
        self._graph = logits_graph(graph)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._dtype = DTYPES[dtype]
        self._model = module(self._graph, weights, dtype).to(self._device)
        self._input = next(iter(self._graph.inputs))
        self._classes = next(iter(self._graph.outputs.values())).shape[0]
        self._smoothing = float(settings.loss.smoothing)
        for name, held in self._model.state_dict(keep_vars=True).items():
            if isinstance(held, torch.nn.Parameter):
                held.requires_grad_(self._graph.weights[name].trainable)
        self._named = {name: p for name, p in self._model.named_parameters() if p.requires_grad}
        self._optimiser = _optimiser(list(self._named.values()), settings.optimizer)
        self._random = self._seeded(seed)

    def step(
        self, images: Array, labels: NDArray[np.integer[Any]], learning_rate: float
    ) -> tuple[float, Array]:
        images, labels = np.asarray(images), np.asarray(labels)
        check_inputs(self._graph, {self._input: images})
        check_training(self._graph, {self._input: images}, self._graph.weights)
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self._classes:
            raise BackendError(
                Diagnostic(
                    "E821",
                    f"the labels run from {labels.min()} to {labels.max()}, "
                    f"and the model has {self._classes} classes",
                )
            )
        if self._optimiser is not None:
            for group in self._optimiser.param_groups:
                group["lr"] = learning_rate
        wanted = torch.from_numpy(labels.astype(np.int64)).to(self._device)
        self._model.train()
        try:
            with self._own_random():
                logits: Tensor = self._model(self._tensor(images))
        finally:
            self._model.eval()
        loss = F.cross_entropy(logits, wanted, label_smoothing=self._smoothing)
        if self._optimiser is not None:
            self._optimiser.zero_grad(set_to_none=True)
            with self._steady():
                torch.autograd.backward(loss)
            try:
                self._optimiser.step()
            except RuntimeError as error:
                if "overflow" not in str(error):
                    raise
                loss = loss * torch.nan  # a step beyond all numbers: what follows is no training
        return float(loss.detach()), logits.detach().cpu().numpy()

    def predict(self, images: Array) -> Array:
        images = np.asarray(images)
        check_inputs(self._graph, {self._input: images})
        with torch.no_grad(), self._steady():
            logits: Tensor = self._model(self._tensor(images))
        return logits.cpu().numpy()

    def weights(self) -> dict[str, Array]:
        return weights_of(self._model, self._graph)

    def state(self) -> dict[str, Array]:
        """The optimiser's memory as `kind/weight`, and the state of the random generator."""
        held: dict[str, Any] = {"random": self._random.numpy().copy()}
        for name, p in self._named.items():
            for kind, value in (self._optimiser.state[p] if self._optimiser is not None else {}).items():
                if isinstance(value, Tensor):
                    held[f"{kind}/{name}"] = value.detach().cpu().numpy().copy()
        return held

    def restore(self, weights: Mapping[str, Array], state: Mapping[str, Array]) -> None:
        own = self._model.state_dict()
        with torch.no_grad():
            for name in self._graph.weights:
                own[name].copy_(tensor_of(weights[name], self._dtype))
        if self._optimiser is not None:
            self._optimiser.state.clear()
            for key, array in state.items():
                kind, _, name = key.partition("/")
                if name in self._named:
                    p = self._named[name]
                    # Adam keeps its count of steps on the CPU.
                    where = torch.device("cpu") if kind == "step" else self._device
                    self._optimiser.state[p][kind] = torch.from_numpy(np.array(array)).to(where)
        self._random = torch.from_numpy(np.array(state["random"], np.uint8))

    def _tensor(self, images: Array) -> Tensor:
        return tensor_of(images, self._dtype).to(self._device)

    def _seeded(self, seed: int) -> Tensor:
        """The state of a fresh generator of this device."""
        return torch.Generator(self._device).manual_seed(seed).get_state()

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Draw from this trainer's own stream, and leave everybody else's as it was."""
        on_gpu = self._device.type == "cuda"
        get, put = (
            (torch.cuda.get_rng_state, torch.cuda.set_rng_state)
            if on_gpu
            else (torch.get_rng_state, torch.set_rng_state)
        )
        before = get()
        put(self._random)
        try:
            with self._steady():
                yield
            self._random = get()
        finally:
            put(before)

    @contextmanager
    def _steady(self) -> Iterator[None]:
        """The same numbers every time on a GPU too: no search for algorithms, sums in one order, no TF32."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield


def _optimiser(parameters: list[torch.nn.Parameter], settings: Any) -> torch.optim.Optimizer | None:
    """What `compiler.training` states; None where everything is frozen."""
    if not parameters:
        return None
    if isinstance(settings, Sgd):
        return torch.optim.SGD(
            parameters,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.decay,
            nesterov=settings.nesterov,
        )
    assert isinstance(settings, Adam)
    return torch.optim.Adam(
        parameters,
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.decay,
    )
