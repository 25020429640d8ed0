"""The generated file: header, class, and the kernels that it uses."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from backends.layout import Bracket, lines_of
from backends.notes import described, flow
from backends.numpy.emit.base import shown
from backends.numpy.emit.blocks import uses_parts, write_block, write_inner
from backends.numpy.emit.body import Body
from backends.numpy.emit.classes import FILE_NAMES, Classes, classes_of
from backends.numpy.emit.lines import WIDTH, classes_inside, put, reads, write_signature, write_statements
from backends.numpy.emit.network import Network
from backends.numpy.include import included, kernels
from backends.writer import Names, Writer, comment, identifier, literal
from compiler.graph import Graph, Value
from compiler.ops.checks import listed
from compiler.ops.dropout import Dropout
from compiler.ops.norm import BatchNorm
from compiler.passes.remove_dead_code import remove_dead_code

#: How the names of running statistics end, and how many of them are listed in any case.
_STATISTICS, _FEW = (".running_mean", ".running_var"), 8


def class_name(graph: Graph) -> str:
    """The model's name in the form of a class: `vgg16_bn` becomes `Vgg16Bn`."""
    words = [word for word in identifier(graph.name).split("_") if word]
    made = "".join(word[0].upper() + word[1:] for word in words) or "Model"
    return Names((*kernels(), *FILE_NAMES)).fresh(made)


def file_name(graph: Graph) -> str:
    """`vgg16_bn.py`; a name that would hide NumPy or a module of Python's own gets `_model` behind it."""
    made = identifier(graph.name)
    hides = made in sys.stdlib_module_names or made in ("numpy", "torch", "onnx", "onnxruntime", "cnnc")
    return f"{made}_model.py" if hides else f"{made}.py"


def module_source(graph: Graph) -> str:
    """The file for a graph and for what it has in training."""
    costs = graph
    graph = _live(graph)
    classes = classes_of(Network(graph), class_name(graph))
    body = classes.model
    if any(map(uses_parts, classes.plans)):
        body.kernels.add("Part")
    if _optional(graph):
        body.kernels.add("check_present")
    writer = Writer()
    chosen = included(body.kernels)
    iterates = any("Iterator[" in kernel.source for kernel in chosen)
    _write_header(writer, costs, body, "Iterator, Mapping" if iterates else "Mapping")
    for plan in classes.plans:
        write_block(writer, plan, classes)
    _write_class(writer, graph, classes)
    writer.blank(2)
    writer.line("# -- kernels " + "-" * 90)
    for kernel in chosen:
        writer.blank(1 if kernel.is_constant else 2)
        writer.lines(kernel.source)
    return writer.text()


def _live(graph: Graph) -> Graph:
    """The graph without results that nobody uses, in training too: nothing there moves running statistics."""
    live, _ = remove_dead_code(graph)
    if graph.training_graph is None:
        return live
    whole, _ = remove_dead_code(graph.training_graph)
    return replace(live, training_graph=whole)


def _write_header(writer: Writer, graph: Graph, body: Body, protocols: str) -> None:
    # Foreign text stands on the third line or later: Python reads `coding:` in the first two.
    writer.line('"""A convolutional network in NumPy, forward and backward.')
    writer.blank()
    doc = comment(" ".join(graph.doc.split()))
    for line in textwrap.wrap(f"{comment(graph.name)}: {doc}" if doc else "", WIDTH - 2):
        writer.line(line)
    for line in described(graph):
        writer.line(line)
    writer.line(f"Written by cnnc {_version()}.")
    writer.blank()
    writer.line(f"    model = {class_name(graph)}(weights)  # a mapping from dotted name to array")
    writer.line(
        f"    {'outputs' if body.net.single is None else 'y'} = model.forward({', '.join(body.parameters)})"
    )
    writer.line('"""')
    writer.blank()
    writer.line("from __future__ import annotations")
    writer.blank()
    writer.line(f"from collections.abc import {protocols}")
    writer.line("from typing import Any, TypeAlias")
    writer.blank()
    writer.line("import numpy as np")
    writer.blank()
    writer.line("# np.ndarray; NumPy's own types do not follow one of any rank through computed indices.")
    writer.line("Array: TypeAlias = Any")
    writer.line("Arrays = dict[str, Array]")


def _optional(graph: Graph) -> list[str]:
    """Weights that training alone needs; none of them where the graph itself is that of training."""
    if graph.with_training is graph:
        return []
    return [name for name, weight in graph.weights.items() if weight.training]


def _version() -> str:
    try:
        return version("cnnc")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "(not installed)"


def _write_class(writer: Writer, graph: Graph, classes: Classes) -> None:
    body = classes.model
    drops = any(isinstance(node.op, Dropout) for node in graph.with_training.nodes)
    statistics = [
        name
        for node in graph.with_training.nodes
        if isinstance(node.op, BatchNorm) and not node.op.frozen
        for own, name in node.weights.items()
        if own.startswith("running_")
    ]
    training_only = _optional(graph)
    writer.blank(2)
    writer.line(f"class {class_name(graph)}:")
    with writer.indent():
        _write_docstring(writer, graph, body, drops)
        writer.blank()
        writer.line("#: The shape of every weight, by its name in the spec.")
        _write_table(
            writer,
            "SHAPES: dict[str, tuple[int, ...]]",
            [f"{literal(name)}: {shown(weight.shape)}" for name, weight in graph.weights.items()],
            "{}",
        )
        if statistics:
            writer.line("#: What batchnorm changes while it trains.")
            _write_statistics(writer, graph, list(dict.fromkeys(statistics)))
        if training_only:
            writer.line("#: What is used in training alone, and may be missing otherwise.")
            _write_table(writer, "TRAINING_ONLY", [literal(name) for name in training_only], "()")
        writer.blank()
        writer.line(
            "def __init__(self, weights: Mapping[str, Array], dtype: type = np.float32"
            f"{', seed: int = 0' if drops else ''}) -> None:"
        )
        with writer.indent():
            optional = ", optional=self.TRAINING_ONLY" if training_only else ""
            writer.line("self.dtype = dtype")
            writer.line(f"self.weights = checked_weights(weights, self.SHAPES, dtype{optional})")
            if statistics:
                writer.line("for name in self.STATISTICS:")
                writer.line("    if name in self.weights:")
                writer.line("        self.weights[name] = self.weights[name].copy()")
            if drops:
                writer.line("self.generator = np.random.default_rng(seed)")
            writer.line("self._saved = Saved(keep=False, training=False)")
            write_inner(writer, body, classes)
        writer.blank()
        _write_forward(writer, graph, body, training_only)
        writer.blank()
        _write_backward(writer, graph, body)


def _write_statistics(writer: Writer, graph: Graph, names: Sequence[str]) -> None:
    """The names of running statistics: said in a line where their ends tell them from all others."""
    if len(names) > _FEW and list(names) == [name for name in graph.weights if name.endswith(_STATISTICS)]:
        ends = ", ".join(map(literal, _STATISTICS))
        writer.line(f"STATISTICS = tuple(name for name in SHAPES if name.endswith(({ends})))")
    else:
        _write_table(writer, "STATISTICS", [literal(name) for name in names], "()")


def _write_docstring(writer: Writer, graph: Graph, body: Body, drops: bool) -> None:
    doc = comment(" ".join(graph.doc.split())) or f"The model `{comment(graph.name)}`: {flow(graph)}."
    first, *rest = textwrap.wrap(doc, WIDTH - 12)
    writer.line(f'"""{first}')
    for line in rest:
        writer.line(line)
    writer.blank()
    writer.line(
        "`weights` maps each name of `SHAPES` to an array; they, and what flows, are of type `dtype`."
    )
    if drops:
        writer.line("`seed` starts the generator of dropout.")
    writer.blank()
    writer.line(
        "In the methods `w` are the weights, `x` is what flows on, `s` what `forward` keeps for `backward`,"
    )
    writer.line("`d` the gradient of what flowed, and `g` those of the weights.")
    writer.line('"""')


def _write_table(writer: Writer, name: str, rows: Sequence[str], brackets: str) -> None:
    """A class attribute with a row per line, or an empty one."""
    if not rows:
        writer.line(f"{name} = {brackets}")
        return
    writer.line(f"{name} = {brackets[0]}")
    for row in rows:
        writer.line(f"    {row},")
    writer.line(brackets[1])


def _write_forward(writer: Writer, graph: Graph, body: Body, training_only: Sequence[str]) -> None:
    result = "Array" if body.net.single is not None else "Arrays"
    options = ("*", "training: bool = False", "keep: bool | None = None")
    write_signature(writer, "forward", [*(f"{p}: Array" for p in body.parameters), *options], result)
    with writer.indent():
        writer.line(f'"""{"The output" if body.net.single is not None else "The outputs by name"}.')
        writer.blank()
        differs = _differs_in_training(graph, body)
        if differs:
            writer.line(f"In `training` with {listed(differs)}.")
        writer.line("`keep` keeps what `backward` needs; it is kept in training unless told otherwise.")
        writer.line('"""')
        if graph.weights or classes_inside(body):
            writer.line("w = self.weights")
        writer.line("s = self._saved = Saved(training if keep is None else keep, training)")
        if training_only:
            writer.line("if training:")
            writer.line("    check_present(w, self.TRAINING_ONLY)")
        writer.blank()
        write_statements(writer, body.forward, "training")
        if body.net.single is not None:
            writer.line(f"return {body.local(body.net.outputs[body.net.single])}")
            return
        rest = {name: body.net.outputs[name] for name in body.net.training_outputs}
        always = {name: value for name, value in body.net.outputs.items() if name not in rest}
        _write_pairs(writer, "outputs =" if rest else "return", body, always)
        if rest:
            writer.line("if training:")
            for name, value in rest.items():
                writer.line(f"    outputs[{literal(name)}] = {body.local(value)}")
            writer.line("return outputs")


def _differs_in_training(graph: Graph, body: Body) -> list[str]:
    """What `forward` has in training that it has not otherwise."""
    nodes = body.net.nodes
    ops = {type(node.op) for node in nodes if not (isinstance(node.op, BatchNorm) and node.op.frozen)}
    return [
        *(["the outputs of training"] if graph.with_training is not graph else []),
        *(["dropout"] if Dropout in ops else []),
        *(["the statistics of the batch"] if BatchNorm in ops else []),
    ]


def _write_pairs(writer: Writer, start: str, body: Body, values: Mapping[str, Value]) -> None:
    pairs = tuple(f"{literal(name)}: {body.local(body.net.outputs[name])}" for name in values)
    put(writer, lines_of(f"{start} ", Bracket("{", pairs, "}"), "", 2, width=WIDTH))


def _write_backward(writer: Writer, graph: Graph, body: Body) -> None:
    if body.net.single is not None:
        given = body.backward.of(body.net.outputs[body.net.single])
        taken = f"{given}: Array"
    else:
        taken = "gradients: Mapping[str, Array]"
    write_signature(writer, "backward", [taken, "*", "inputs: bool = True"], "tuple[Arrays, Arrays]")
    with writer.indent():
        given = "that of the output" if body.net.single is not None else "those of the outputs, by name"
        writer.line(f'"""Gradients of the weights and of the inputs, from {given}.')
        writer.blank()
        writer.line("It goes back through what `forward` kept (`keep`).  Without `inputs` the gradients of")
        writer.line("the inputs are left out, and the time that they take.")
        writer.line('"""')
        writer.line("if not self._saved.keep:")
        writer.line(
            '    raise ValueError("nothing was kept: call forward with keep=True, or training=True, first")'
        )
        trained = any(weight.trainable for weight in graph.weights.values())
        if reads(body.backward.statements, "w"):
            writer.line("w = self.weights")
        writer.line("s = self._saved")
        if trained or reads(body.backward.statements, "g"):
            writer.line("g: Arrays = {}")
        writer.blank()
        write_statements(writer, body.backward.statements, "s.training")
        pairs = tuple(f"{literal(name)}: {body.backward.of(value)}" for name, value in graph.inputs.items())
        start = f"return {'g' if trained else '{}'}, "
        put(writer, lines_of(start, Bracket("{", pairs, "}"), " if inputs else {}", 2, width=WIDTH))
