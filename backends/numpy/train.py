"""Training in NumPy: the generated forward and backward, cross-entropy, SGD and Adam as PyTorch has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.base import BackendError, Trainer
from backends.inputs import check_inputs, check_training
from backends.logits import logits_graph
from backends.numpy.kernels.activation import logsoftmax
from backends.numpy.runnable import NumpyRunnable
from compiler.graph import Graph
from compiler.training import Adam, Sgd
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.base import Array


def cross_entropy(
    logits: Array, labels: NDArray[np.integer[Any]], smoothing: float = 0.0
) -> tuple[float, Array]:
    """The mean of -sum_k q_k log softmax(logits)_k over the batch, and its gradient for the logits.

    q is 1 - smoothing for the label, plus smoothing / classes for every class.
    logits [N, classes], labels [N].
    """
    rows, classes = logits.shape
    likely = logsoftmax(logits)
    wanted = np.full_like(logits, smoothing / classes)
    wanted[np.arange(rows), labels] += 1 - smoothing
    return -float((wanted * likely).sum()) / rows, (np.exp(likely) - wanted) / rows


class Optimiser(ABC):
    """Changes weights in place.  `slots` maps a kind of memory to an array per weight."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.slots: dict[str, dict[str, Array]] = {kind: {} for kind in kinds}

    @abstractmethod
    def update(self, name: str, weight: Array, gradient: Array, rate: float, step: int) -> None:
        """One weight, in the step of this number, counted from 1."""


class SgdUpdate(Optimiser):
    """The rule that `compiler.training.Sgd` states."""

    def __init__(self, settings: Sgd) -> None:
        super().__init__(("velocity",))
        self._settings = settings

    def update(self, name: str, weight: Array, gradient: Array, rate: float, step: int) -> None:
        given, velocities = self._settings, self.slots["velocity"]
        if given.decay:
            gradient = gradient + given.decay * weight
        if given.momentum:
            if name not in velocities:
                velocities[name] = gradient.copy()
            else:
                velocities[name] *= given.momentum
                velocities[name] += gradient
            velocity = velocities[name]
            gradient = gradient + given.momentum * velocity if given.nesterov else velocity
        weight -= rate * gradient


class AdamUpdate(Optimiser):
    """The rule that `compiler.training.Adam` states."""

    def __init__(self, settings: Adam) -> None:
        super().__init__(("mean", "square"))
        self._settings = settings

    def update(self, name: str, weight: Array, gradient: Array, rate: float, step: int) -> None:
        given = self._settings
        if given.decay:
            gradient = gradient + given.decay * weight
        mean = self.slots["mean"].setdefault(name, np.zeros_like(weight))
        square = self.slots["square"].setdefault(name, np.zeros_like(weight))
        mean += (1 - given.beta1) * (gradient - mean)
        square *= given.beta2
        square += (1 - given.beta2) * np.square(gradient)
        root = np.sqrt(square) / (1 - given.beta2**step) ** 0.5 + given.eps
        weight -= rate / (1 - given.beta1**step) * mean / root


class NumpyTrainer(Trainer):
    """Trains a classifier on its logits, with the generated code.  `seed` is that of dropout."""

    def __init__(
        self, graph: Graph, weights: Mapping[str, Array], settings: Any, seed: int, dtype: str = "float32"
    ) -> None:
        self._graph = logits_graph(graph)
        kept = np.dtype(dtype)
        own = {name: np.array(array, kept) for name, array in weights.items() if name in graph.weights}
        self._runnable = NumpyRunnable(self._graph, own, dtype, seed)
        self._model = self._runnable.model
        self._input = next(iter(self._graph.inputs))
        self._classes = next(iter(self._graph.outputs.values())).shape[0]
        self._smoothing = float(settings.loss.smoothing)
        optimizer = settings.optimizer
        self._optimiser: Optimiser = (
            SgdUpdate(optimizer) if isinstance(optimizer, Sgd) else AdamUpdate(optimizer)
        )
        self._step = 0

    def step(
        self, images: Array, labels: NDArray[np.integer[Any]], learning_rate: float
    ) -> tuple[float, Array]:
        images, labels = np.asarray(images), np.asarray(labels)
        check_inputs(self._graph, {self._input: images})
        check_training(self._graph, {self._input: images}, self._model.weights)
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self._classes:
            raise BackendError(
                Diagnostic(
                    "E821",
                    f"the labels run from {labels.min()} to {labels.max()}, "
                    f"and the model has {self._classes} classes",
                )
            )
        logits = self._model.forward(images, training=True)
        loss, d = cross_entropy(logits, labels, self._smoothing)
        gradients, _ = self._model.backward(d, inputs=False)
        self._step += 1
        for name, gradient in gradients.items():
            self._optimiser.update(name, self._model.weights[name], gradient, learning_rate, self._step)
        return loss, logits

    def predict(self, images: Array) -> Array:
        return next(iter(self._runnable.run({self._input: images}).values()))

    def weights(self) -> dict[str, Array]:
        return self._runnable.weights()

    def state(self) -> dict[str, Array]:
        """`step`, the optimiser's memory by kind and weight, and dropout's generator where there is one."""
        held: dict[str, Any] = {"step": np.array(self._step, np.int64)}
        for kind, arrays in self._optimiser.slots.items():
            held.update({f"{kind}/{name}": array.copy() for name, array in arrays.items()})
        if hasattr(self._model, "generator"):
            held["generator"] = _packed(self._model.generator)
        return held

    def restore(self, weights: Mapping[str, Array], state: Mapping[str, Array]) -> None:
        for name, array in self._model.weights.items():
            array[...] = weights[name]
        self._step = int(state["step"])
        for kind, arrays in self._optimiser.slots.items():
            arrays.clear()
            for key, array in state.items():
                if key.startswith(f"{kind}/"):
                    arrays[key.removeprefix(f"{kind}/")] = np.array(array)
        if hasattr(self._model, "generator"):
            self._model.generator = _unpacked(np.asarray(state["generator"]))


def _packed(generator: np.random.Generator) -> NDArray[np.uint64]:
    """The state of a PCG64: two numbers of 128 bits as halves, and the 32 bits that may be left over."""
    state: Any = generator.bit_generator.state
    halves = [
        half
        for number in (state["state"]["state"], state["state"]["inc"])
        for half in (number >> 64, number & (1 << 64) - 1)
    ]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], np.uint64)


def _unpacked(packed: NDArray[Any]) -> np.random.Generator:
    high, low, inc_high, inc_low, has, left = (int(number) for number in packed)
    bits = np.random.PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has,
        "uinteger": left,
    }
    return np.random.Generator(bits)
