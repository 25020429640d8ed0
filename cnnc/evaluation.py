"""A trained classifier at work: how good it is on labelled images, and what it says of new ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendError, Runnable
from backends.base import backend as find_backend
from backends.logits import logits_graph
from cnnc.data import Prepared
from cnnc.data.base import Dataset, Split, wrong
from cnnc.data.folders import read_image
from cnnc.data.prepare import check_fit, prepared, wanted_channels
from compiler.graph import Graph

#: Images that run through the model at once.
BATCH = 256

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Evaluation:
    """How a classifier does on labelled images.

    `loss` is the mean cross-entropy, `accuracy` and `top5` are shares from 0 to 1, and
    `confusion[i, j]` counts the images of class i that were taken for class j.
    """

    count: int
    loss: float
    accuracy: float
    top5: float
    confusion: NDArray[np.int64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one image: (class name, probability), most probable first."""

    source: str
    classes: tuple[tuple[str, float], ...]


class Tally:
    """Sums of the metrics over batches of logits."""

    def __init__(self, outputs: int) -> None:
        self.count, self.loss, self.correct, self.among_five = 0, 0.0, 0, 0
        self.confusion = np.zeros((outputs, outputs), dtype=np.int64)

    def add(self, logits: NDArray[Any], labels: NDArray[np.int64]) -> None:
        scores = logits.astype(np.float64)
        shifted = scores - scores.max(axis=1, keepdims=True)
        own = shifted[np.arange(len(labels)), labels]
        self.count += len(labels)
        self.loss += float((np.log(np.exp(shifted).sum(axis=1)) - own).sum())
        said = scores.argmax(axis=1)
        self.correct += int((said == labels).sum())
        # How many classes score higher than the right one: no sort, and ties count for the image.
        self.among_five += int(((shifted > own[:, None]).sum(axis=1) < 5).sum())
        np.add.at(self.confusion, (labels, said), 1)

    def metrics(self) -> dict[str, float]:
        """Mean loss, accuracy and top5."""
        return {"loss": self.loss / self.count, "accuracy": self.correct / self.count,
                "top5": self.among_five / self.count}


def measured(predict: Callable[[NDArray[np.float32]], NDArray[Any]], images: Prepared, outputs: int) -> Tally:
    """The metrics of a function from images to logits over a whole split."""
    tally = Tally(outputs)
    for start in range(0, len(images), BATCH):
        positions = range(start, min(start + BATCH, len(images)))
        tally.add(predict(images.take(positions)), images.labels[start : positions.stop])
    return tally


def evaluate(graph: Graph, weights: Weights, data: Dataset, backend: str = "torch", *, split: str = "test",
             classes: Sequence[str] = ()) -> Evaluation:
    """How well the classifier does on the data's test split (or its `train`).

    `classes` are the names that came with the weights, if any; they must be the data's.

    Raises:
        DataError: E70x data that does not fit, E705 other classes than the weights know.
        BackendError: E60x, E820 no classifier.
    """
    check_fit(data, graph)
    check_names(data, classes)
    chosen: Split = {"train": data.train, "test": data.test}[split]
    runnable = _logits(graph, weights, backend)
    outputs = next(iter(graph.outputs.values())).shape[0]
    tally = measured(runnable, Prepared(chosen, graph), outputs)
    numbers = tally.metrics()
    names = tuple(classes) or _names(data.classes, outputs)
    return Evaluation(tally.count, numbers["loss"], numbers["accuracy"], numbers["top5"], tally.confusion,
                      names)


def check_names(data: Dataset, classes: Sequence[str]) -> None:
    """Refuse data whose classes are not those that the weights were trained on (E705)."""
    if not classes or not data.named or tuple(classes) == data.classes:
        return
    place = next((i for i, (a, b) in enumerate(zip(data.classes, classes, strict=False)) if a != b), None)
    what = (f"class {place} is `{data.classes[place]}` in the data and `{classes[place]}` in the weights"
            if place is not None else f"the data has {len(data.classes)} classes, the weights {len(classes)}")
    raise wrong("E705", f"the weights were trained on other classes: {what}", data.name)


def predict(graph: Graph, weights: Weights,
            images: Sequence[str | os.PathLike[str] | NDArray[np.uint8]], backend: str = "torch", *,
            top: int = 3, classes: Sequence[str] = ()) -> list[Prediction]:
    """The most probable classes of images: paths of image files, or arrays (C, H, W) of 0 to 255.

    `classes` are the class names, usually from the weights' file; numbers stand in for
    missing ones.  Raises as `evaluate`, and `DataError` E707 for a file that is no image.
    """
    run = _logits(graph, weights, backend)
    channels = wanted_channels(graph)
    outputs = next(iter(graph.outputs.values())).shape[0]
    names = _names(classes, outputs)
    predictions = []
    for number, image in enumerate(images):
        if isinstance(image, (str, os.PathLike)):
            source, pixels = os.fspath(image), read_image(os.fspath(image), channels)
        else:
            source, pixels = f"image {number}", image
        try:
            scores = run(prepared(graph, [pixels]))[0].astype(np.float64)
        except BackendError as error:
            raise BackendError([d if d.place or d.span else replace(d, place=source)
                                for d in error.diagnostics]) from None
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = np.argsort(-shares, kind="stable")[:top]
        predictions.append(Prediction(source, tuple((names[i], float(shares[i])) for i in best)))
    return predictions


def _names(classes: Sequence[str], outputs: int) -> tuple[str, ...]:
    return tuple(classes) + tuple(str(i) for i in range(len(classes), outputs))


def _logits(graph: Graph, weights: Weights,
            backend: str) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """The model without a softmax at its end, as a function from images to logits."""
    # What the model is in training alone does not matter here.
    model = logits_graph(replace(graph, training_graph=None))
    found = find_backend(backend)
    found.check(model)
    runnable: Runnable = (found.plan if found.plans else found.load)(model, weights)
    [name], [output] = model.inputs, model.outputs
    return lambda images: runnable.run({name: images})[output]
