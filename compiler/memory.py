"""The memory that a graph takes at inference and in training, in bytes of float32.

What is counted is what any implementation of the layers in this order needs; room that one needs beside
(columns of a convolution, buffers of a library, the framework itself) is not.

Inference: the weights, and the most that lives at one time of inputs and results.  All inputs are there
from the start.  A result lives from the layer that makes it to the last that reads it, which is over when
its own results are made; the model's outputs live to the end.  What works in place (see `Op.new_volume`)
takes the room of its input if nobody needs that any more, and views share their input's.

Training: the weights, their gradients, what the optimizer keeps for each, and the activations that the
gradients read again (`Op.kept`), each counted once however many layers keep it, and views with what they
show.  Only what a trained weight can be reached from is kept.  Gradients of activations, which come as
kept ones go, are left out, and so is the loss.
"""

from __future__ import annotations

from typing import Any

from compiler.cost import FLOAT32_BYTES
from compiler.graph import Graph, Value
from spec_lang.frozen import frozen


@frozen
class Inference:
    """Bytes at inference: `activations` is the most that lives at one time, which is while `peak` runs.

    `weights` includes running statistics and constants.
    """

    weights: int
    activations: int
    peak: str

    @property
    def total(self) -> int:
        return self.weights + self.activations


@frozen
class Training:
    """Bytes in training: `state` is what `optimizer` keeps, `activations` what the gradients read again."""

    weights: int
    gradients: int
    optimizer: str
    state: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.state + self.activations


@frozen
class Usage:
    """The memory of a graph for `batch` images at a time."""

    batch: int
    inference: Inference
    training: Training


def usage(graph: Graph, batch: int = 1) -> Usage:
    """The memory that a graph takes for so many images at a time."""
    peak, name = peak_activations(graph, batch)
    trained = _as_trained(graph)
    every = FLOAT32_BYTES * sum([weight.elements for weight in graph.weights.values()])
    aside = sum([w.elements for w in graph.weights.values() if w.training]) if not graph.training else 0
    gradients = FLOAT32_BYTES * trained.params
    optimizer, copies = optimizer_state(graph)
    return Usage(
        batch,
        Inference(every - FLOAT32_BYTES * aside, FLOAT32_BYTES * peak, name),
        Training(
            every,
            gradients,
            optimizer,
            copies * gradients,
            kept_activations(trained, batch),
        ),
    )


def _as_trained(graph: Graph) -> Graph:
    """The graph with what the `freeze` of its `train` section freezes."""
    if graph.settings is None or not graph.settings.freeze:
        return graph
    from compiler.freezing import frozen_names
    from compiler.passes.freeze import freeze

    return freeze(graph, frozen_names(graph.weights, graph.settings.freeze))


def optimizer_state(graph: Graph) -> tuple[str, int]:
    """The name of the graph's optimizer, and how many numbers it keeps for each trained one."""
    from compiler.training import Sgd, TrainSettings

    optimizer = (graph.settings or TrainSettings()).optimizer
    if isinstance(optimizer, Sgd):
        return optimizer.name, 1 if optimizer.momentum else 0
    return optimizer.name, 2  # Adam's two means


class _Sizes:
    """The numbers of values for so many images; what is made of raw weights alone has no batch."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.known: dict[int, int] = {}  # by type, which values that are alike share

    def __call__(self, value: Value) -> int:
        type = value.type
        size = self.known.get(id(type))
        if size is None:
            size = type.elements * (self.batch if type.rows is not None else 1)
            self.known[id(type)] = size
        return size


def peak_activations(graph: Graph, batch: int = 1) -> tuple[int, str]:
    """The most numbers that live at one time at inference, and the first node (else input) where."""
    # What is a view of what: a view lives and ends with what it shows.  All keys are identities.
    shown: dict[int, int] = {}
    last: dict[int, int] = {}
    for at, (node, work) in enumerate(zip(graph.nodes, graph.work, strict=True)):
        for value in node.inputs:
            last[shown.get(id(value), id(value))] = at
        if not work.memory and node.op.unchanged(node.input_types):
            first = id(node.inputs[0])
            shown[id(node.outputs[0])] = shown.get(first, first)
    forever = len(graph.nodes)
    for value in graph.outputs.values():
        last[shown.get(id(value), id(value))] = forever

    numbers = _Sizes(batch)
    sizes = {id(value): numbers(value) for value in graph.inputs.values()}
    live = sum(sizes.values())
    most, where = live, next(iter(graph.inputs), "")
    for at, (node, work) in enumerate(zip(graph.nodes, graph.work, strict=True)):
        before = live
        for value in node.outputs:
            key = id(value)
            if key not in shown:
                sizes[key] = size = numbers(value)
                live += size
        room = live
        if not work.memory and live > before:  # in place, if that ends here
            key = id(node.inputs[0])
            key = shown.get(key, key)
            if last[key] == at and sizes.get(key) == live - before:
                room = before
        if room > most:
            most, where = room, node.name
        for value in node.inputs:
            key = id(value)
            key = shown.get(key, key)
            if last[key] == at:
                live -= sizes.pop(key, 0)
        for value in node.outputs:
            if id(value) not in last and id(value) not in shown:
                live -= sizes.pop(id(value))  # nobody reads it
    return most, where


def kept_activations(graph: Graph, batch: int = 1) -> int:
    """The bytes of activations that the gradients of all trained weights read again."""
    graph = graph.with_training
    trained = {name for name, weight in graph.weights.items() if weight.trainable}
    # Values that a trained weight can be reached from, and what each view shows.
    moving: set[int] = set()
    shown: dict[int, Value] = {}
    kept: dict[int, Value] = {}
    marks = 0
    rules: dict[tuple[int, int, int], tuple[str, int]] = {}  # layers that are alike share their op
    for node in graph.nodes:
        own = bool(node.weights) and not trained.isdisjoint(node.weights.values())
        reached = own
        for value in node.inputs if not own else ():
            reached = reached or id(value) in moving or value.weight in trained
        if node.op.view:
            shown[id(node.outputs[0])] = shown.get(id(node.inputs[0]), node.inputs[0])
        if not reached:
            continue
        moving.update([id(value) for value in node.outputs])
        like = (id(node.op), len(node.inputs), id(node.outputs[0].type))
        rule = rules.get(like)
        if rule is None:
            rule = rules[like] = node.op.kept(node.input_types), node.op.marks(node.output_types)
        what, more = rule
        marks += more
        read: tuple[Value, ...] = ()
        if what in ("inputs", "both") or (what == "weights" and own):
            read = node.inputs
        elif what == "input":
            read = node.inputs[:1]
        if what in ("output", "both"):
            read += node.outputs
        for value in read:
            if value.weight is None:
                value = shown.get(id(value), value)
                kept[id(value)] = value
    numbers = _Sizes(batch)
    return FLOAT32_BYTES * sum([numbers(value) for value in kept.values()]) + batch * marks


def as_data(usage: Usage) -> dict[str, Any]:
    """The usage as plain dictionaries and numbers, totals included."""
    inference, training = usage.inference, usage.training
    return {
        "batch": usage.batch,
        "inference": {
            "weights": inference.weights,
            "activations": inference.activations,
            "peak": inference.peak,
            "total": inference.total,
        },
        "training": {
            "weights": training.weights,
            "gradients": training.gradients,
            "optimizer": training.optimizer,
            "state": training.state,
            "activations": training.activations,
            "total": training.total,
        },
    }
