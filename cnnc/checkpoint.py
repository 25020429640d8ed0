"""Checkpoints: all that a training needs to go on as if it had never stopped.

One safetensors file: the weights under their names (so that it serves wherever weights do), the
optimiser's and random generators' arrays under `state:`, and in the metadata where the training stands
and what it was a training of.  The checksum is over all of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnnc.weights_io import STATE, describing, read, read_weights, safetensors
from compiler.graph import Graph
from compiler.training import TrainingError
from compiler.weights import WeightsError
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        step: steps done, over all epochs; the schedule's position.
        history: the metrics of each finished epoch.
        best: test accuracy of the best epoch, and which it was (from 0); -1 before the first.
        loss, correct, seen: sums over the epoch that is under way.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = -1.0
    best_epoch: int = -1
    loss: float = 0.0
    correct: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: arrays, where the training stood, and what identifies it."""

    weights: Mapping[str, NDArray[Any]]
    state: Mapping[str, NDArray[Any]]
    progress: Progress
    identity: Mapping[str, str]


def save(path: str | os.PathLike[str], graph: Graph, checkpoint: Checkpoint,
         classes: Sequence[str] = ()) -> None:
    """Write a checkpoint, whole or not at all; the same bytes for the same content.  Raises `OutputError`."""
    tensors = {name: checkpoint.weights[name] for name in graph.weights if name in checkpoint.weights}
    tensors |= {STATE + name: array for name, array in sorted(checkpoint.state.items())}
    safetensors.write(path, tensors, {
        "kind": "checkpoint", **describing(graph, classes),
        "progress": json.dumps(vars(checkpoint.progress), sort_keys=True),
        "identity": json.dumps(dict(checkpoint.identity), sort_keys=True),
    })


def _sound(progress: Progress) -> bool:
    """Whether each field is of its kind, so that a forged file is refused here and not in the middle."""
    counts = (progress.step, progress.correct, progress.seen, progress.best_epoch)
    rows = progress.history
    return (
        all(type(count) is int for count in counts)
        and min(progress.step, progress.correct, progress.seen) >= 0
        and all(isinstance(number, (int, float)) for number in (progress.best, progress.loss))
        and isinstance(rows, list)
        and all(isinstance(row, dict) and {"train_loss", "train_accuracy", "accuracy"} <= row.keys()
                and all(isinstance(number, (int, float)) for number in row.values()) for row in rows)
        and -1 <= progress.best_epoch < max(len(rows), 1)
    )


def restore(path: str | os.PathLike[str], graph: Graph, identity: Mapping[str, str]) -> Checkpoint:
    """Read a checkpoint of exactly this training.

    Raises:
        WeightsError: E51x for a file that is damaged or has other weights.
        TrainingError: E806 for a file that is no checkpoint, or of a training with another identity.
    """
    opened = read(path)
    if opened.metadata.get("kind") != "checkpoint":
        raise TrainingError(Diagnostic(
            "E806", "the file holds weights and no checkpoint, so training cannot go on from it",
            place=opened.path, help=("--weights starts a new training from these weights",)))
    weights = read_weights(path, graph, training=True, allow_nonfinite=True).weights
    try:
        saved = json.loads(opened.metadata["identity"])
        progress = Progress(**json.loads(opened.metadata["progress"]))
        sound = isinstance(saved, dict) and _sound(progress)
    except (KeyError, TypeError, ValueError, RecursionError):
        sound = False
    if not sound:
        raise WeightsError(Diagnostic("E516", "the checkpoint does not say where its training stands",
                                      place=opened.path))
    for key, value in identity.items():
        if saved.get(key) != value:
            raise TrainingError(Diagnostic(
                "E806", f"the checkpoint is of another training: `{key}` is {saved.get(key)} there,"
                f" not {value}",
                place=opened.path, help=("--weights starts a new training from its weights",)))
    state = {name.removeprefix(STATE): entry.read() for name, entry in opened.entries.items()
             if name.startswith(STATE)}
    return Checkpoint(weights, state, progress, saved)
