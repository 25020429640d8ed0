"""Training a classifier: the loop, for every backend that trains.

The loop owns the order of the images, the schedule, the metrics and the checkpoints; a
backend's `Trainer` owns the step.  The order of epoch e is a permutation that depends on the seed and e
alone, so a training that was stopped goes on exactly as it would have.
"""

from __future__ import annotations

import hashlib
import math
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Trainer
from backends.base import backend as find_backend
from backends.logits import logits_graph
from cnnc import checkpoint
from cnnc.checkpoint import Checkpoint, Progress
from cnnc.data import Dataset, Prepared, check_fit
from cnnc.evaluation import measured
from cnnc.files import target
from compiler.declare import Fault, Faults
from compiler.freezing import frozen_names
from compiler.graph import Graph
from compiler.initial import initial_weights
from compiler.passes.freeze import freeze as freeze_weights
from compiler.sampling import Stream
from compiler.training import (
    Constant,
    TrainingError,
    TrainSettings,
    adjusted,
    as_written,
    learning_rate,
)
from spec_lang.diagnostics import Diagnostic

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Step:
    """After a step: where the training is (all from 0), its loss, and the epoch's accuracy so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    rate: float


@dataclass(frozen=True)
class Epoch:
    """After an epoch: its mean loss and accuracy while training, and the test split's metrics.

    `test` has `loss` and the metrics of the settings; `best` says whether its accuracy is the best so far.
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    test: Mapping[str, float]
    best: bool


@dataclass(frozen=True)
class Result:
    """A finished training.

    `weights` are those of the best epoch, by test accuracy, the earliest among equals; `epochs` has
    all of them; `best_path` and `last_path` are the checkpoints, None where none were asked for.
    """

    weights: dict[str, NDArray[Any]]
    epochs: tuple[Epoch, ...]
    best: int
    settings: TrainSettings
    classes: tuple[str, ...]
    best_path: Path | None = None
    last_path: Path | None = None

    @property
    def accuracy(self) -> float:
        """The best test accuracy."""
        return self.epochs[self.best].test["accuracy"]


Progressing = Callable[[Step | Epoch], None]


def last_path(out: str | os.PathLike[str]) -> Path:
    """Where the last checkpoint goes: `net.last.safetensors` beside the best one, `net.safetensors`."""
    path = Path(out)
    if not path.name:
        return path
    return path.with_name(f"{path.stem}.last{path.suffix}")


def batches(images: int, size: int) -> int:
    """The batches of an epoch.  A single image that is left over joins the last one: it has no statistics."""
    left_over = images % size == 1 and 1 < size < images
    return math.ceil(images / size) - left_over


def train(graph: Graph, data: Dataset, *, backend: str = "torch", seed: int = 0,
          epochs: int | None = None, batch: int | None = None,
          freeze: str | Sequence[str] | None = None, weights: Weights | None = None,
          out: str | os.PathLike[str] | None = None, resume: str | os.PathLike[str] | None = None,
          progress: Progressing | None = None, inputs: Sequence[str | os.PathLike[str]] = ()) -> Result:
    """Train a classifier by its `train` settings.

    Args:
        graph: the model; its settings are used, or the defaults.
        data: the data set, see `cnnc.data.open_data`.
        backend: one that trains.
        seed: for the initial weights, the order of the images, and dropout.
        epochs: instead of the settings'.
        batch: instead of the settings'.
        freeze: instead of the settings': `"all but fc"`, `["conv1", "layer1"]` (see `compiler.freezing`).
        weights: to start from, instead of initial ones.
        out: where the best checkpoint goes; the last one goes beside it (see `last_path`).
        resume: a checkpoint of the same training to go on from.
        progress: called after every step and every epoch.
        inputs: files that must not be overwritten besides those of the spec and the data: the weights, say.

    Raises:
        TrainingError: E804 the loss is no number any more, E806 a checkpoint of another
            training, E803 both weights and a checkpoint to begin with, E801 epochs, batch or
            freeze that cannot be, E807 and E808 freeze that matches no weights or all of them.
        DataError: E70x data that does not fit.
        BackendError: E60x a backend that is missing, does not train, or lacks a layer, E820
            a model that is no classifier.
        OutputError: E9 checkpoints that cannot be written.
        KeyboardInterrupt: after the last checkpoint has been written.
    """
    if weights is not None and resume is not None:
        raise TrainingError(Diagnostic(
            "E803", "weights to start from and a checkpoint to go on from: training begins with one of them",
            place=os.fsdecode(resume), help=("leave out the weights: the checkpoint holds its own",)))
    model = logits_graph(graph)
    settings = adjusted_settings(graph, epochs=epochs, batch=batch, freeze=freeze)
    model = frozen(model, settings)
    check_fit(data, graph)
    if out is not None:
        inputs = (*inputs, *graph.files, *data.files)
        own = [os.path.realpath(path) for path in (out, last_path(out))]
        if resume is not None and os.path.realpath(resume) not in own:
            inputs = (*inputs, resume)
        for path in (out, last_path(out)):
            target(path, inputs=inputs)
    found = find_backend(backend)
    found.check(model)
    run = _Training(graph, data, settings, backend, seed, out, progress)
    start = dict(weights) if weights is not None else initial_weights(graph, seed)
    if weights is not None and any(name not in weights for name in graph.weights):
        start = initial_weights(graph, seed) | start
    run.trainer = found.trainer(model, start, settings, seed)
    if resume is not None:
        run.resume(resume)
    else:
        run.best_weights = start
    with _Deferred() as interruption:
        run.epochs(interruption)
    return run.result()


def adjusted_settings(graph: Graph, **changes: Any) -> TrainSettings:
    """The settings of the graph, or the defaults, with these changes.  Raises `TrainingError` E801."""
    try:
        return adjusted(graph.settings or TrainSettings(), **changes)
    except Fault as fault:
        raise TrainingError(Diagnostic(fault.code, fault.message)) from None


def frozen(graph: Graph, settings: TrainSettings) -> Graph:
    """The graph with what `freeze` says frozen.  Raises `TrainingError` E807, E808."""
    try:
        return freeze_weights(graph, frozen_names(graph.weights, settings.freeze))
    except Faults as found:
        raise TrainingError([Diagnostic(fault.code, fault.message, notes=fault.notes, help=fault.help)
                             for _, fault in found.faults]) from None


class _Training:
    """One run: what stays the same, and where it stands."""

    trainer: Trainer

    def __init__(self, graph: Graph, data: Dataset, settings: TrainSettings, backend: str,
                 seed: int, out: str | os.PathLike[str] | None, progress: Progressing | None) -> None:
        self.graph, self.settings, self.seed = graph, settings, seed
        self.images, self.test = Prepared(data.train, graph), Prepared(data.test, graph)
        self.outputs = next(iter(graph.outputs.values())).shape[0]
        self.classes = data.classes
        self.out = None if out is None else Path(out)
        self.report = progress or (lambda _: None)
        self.steps = batches(len(self.images), settings.batch)
        self.at = Progress()
        self.done: list[Epoch] = []
        self.best_weights: Weights = {}
        self.identity = {a.name: as_written(getattr(settings, a.name)) for a in settings.args()}
        if isinstance(settings.schedule, Constant):
            # The number of epochs changes nothing that was done, so more may be added.
            del self.identity["epochs"]
        self.identity |= {"seed": str(seed), "backend": backend, "data": _fingerprint(data)}

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint; the best epoch's weights come from the best checkpoint, if it is there."""
        saved = checkpoint.restore(path, self.graph, self.identity)
        self.at = saved.progress
        self.trainer.restore(saved.weights, saved.state)
        self.done = [self.epoch(i, numbers) for i, numbers in enumerate(self.at.history)]
        self.best_weights = saved.weights
        # The file holds the best epoch's weights only if it was written at the end of that epoch.
        is_best = self.at.best_epoch == len(self.at.history) - 1 and not self.at.seen
        if self.out is not None and self.out.exists() and self.at.best_epoch >= 0 and not is_best:
            best = checkpoint.restore(self.out, self.graph, self.identity)
            if best.progress.best_epoch == self.at.best_epoch:
                self.best_weights = best.weights

    def epoch(self, number: int, numbers: Mapping[str, float]) -> Epoch:
        """The report of a finished epoch from its row of the history."""
        best = max(row["accuracy"] for row in self.at.history[: number + 1])
        first = next(i for i, row in enumerate(self.at.history) if row["accuracy"] == best)
        test = {key: value for key, value in numbers.items() if not key.startswith("train_")}
        return Epoch(number, self.settings.epochs, numbers["train_loss"], numbers["train_accuracy"], test,
                     first == number)

    def epochs(self, interruption: _Deferred) -> None:
        """Run what is left."""
        for number in range(len(self.at.history), self.settings.epochs):
            order = Stream(self.seed, f"epoch/{number}").permutation(len(self.images))
            for step in range(self.at.step - number * self.steps, self.steps):
                self.step(number, step, order)
                if interruption.signal is not None:
                    self.save(None)
                    return
            self.finish()

    def step(self, number: int, step: int, order: NDArray[np.int64]) -> None:
        size = self.settings.batch
        chosen = order[step * size : (step + 1) * size if step + 1 < self.steps else None]
        labels = self.images.labels[chosen]
        rate = learning_rate(self.settings, self.at.step, self.steps)
        loss, logits = self.trainer.step(self.images.take(chosen), labels, rate)
        if not math.isfinite(loss):
            raise TrainingError(Diagnostic(
                "E804", f"the loss is {loss} at step {step} of epoch {number + 1}: the training has diverged",
                help=(f"a lower learning rate than {self.settings.optimizer.lr:g}, or `schedule ="
                      " cosine(warmup = 1)`",)))
        self.at.step += 1
        self.at.loss += loss * len(chosen)
        self.at.correct += int((logits.argmax(axis=1) == labels).sum())
        self.at.seen += len(chosen)
        accuracy = self.at.correct / self.at.seen
        self.report(Step(number, self.settings.epochs, step, self.steps, loss, accuracy, rate))

    def finish(self) -> None:
        """Measure the epoch, and save."""
        tally = measured(self.trainer.predict, self.test, self.outputs).metrics()
        kept = {key: tally[key] for key in ("loss", "accuracy", *self.settings.metrics)}
        self.at.history.append({"train_loss": self.at.loss / self.at.seen,
                                "train_accuracy": self.at.correct / self.at.seen, **kept})
        self.at.loss, self.at.correct, self.at.seen = 0.0, 0, 0
        number = len(self.at.history) - 1
        if kept["accuracy"] > self.at.best:
            self.at.best, self.at.best_epoch = kept["accuracy"], number
            self.best_weights = {name: np.array(a) for name, a in self.trainer.weights().items()}
        self.done.append(self.epoch(number, self.at.history[-1]))
        self.save(number)
        self.report(self.done[-1])

    def save(self, number: int | None) -> None:
        """Write the last checkpoint, and the best if this epoch is it."""
        if self.out is None:
            return
        now = Checkpoint(self.trainer.weights(), self.trainer.state(), self.at, self.identity)
        if number == self.at.best_epoch:
            checkpoint.save(self.out, self.graph, now, self.classes)
        checkpoint.save(last_path(self.out), self.graph, now, self.classes)

    def result(self) -> Result:
        last = None if self.out is None else last_path(self.out)
        return Result({name: self.best_weights[name] for name in self.graph.weights}, tuple(self.done),
                      self.at.best_epoch, self.settings, self.classes, self.out, last)


class _Deferred(AbstractContextManager["_Deferred"]):
    """Holds SIGINT and SIGTERM back until a step is complete, and passes them on at the end.

    Half a step would leave weights and optimiser out of tune.  A second signal is not held back.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Deferred:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                # What ends the process at once (the default of SIGTERM) is left as it is.
                if callable(signal.getsignal(number)):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            self._restore()
            signal.raise_signal(number)
        self.signal = number

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def __exit__(self, *exception: object) -> None:
        self._restore()
        if self.signal is not None and exception[0] is None:
            signal.raise_signal(self.signal)


def _fingerprint(data: Dataset) -> str:
    """The labels of both splits, hashed: another data set, or another split of it, has another."""
    digest = hashlib.sha256("\n".join(data.classes).encode())
    for split in (data.train, data.test):
        digest.update(np.ascontiguousarray(split.labels, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]
