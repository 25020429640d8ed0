"""What every backend asks of the arrays that it is given, said once.

Shapes are checked against the graph before anything runs; where extents are free, every
layer is inferred again at the sizes that came, so that a size that a layer cannot honour is
refused by name and not computed wrongly.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.base import BackendError
from compiler.declare import Fault
from compiler.graph import Graph, Value, Weight
from compiler.initial import check_memory
from compiler.ops.base import TensorType
from compiler.ops.norm import BatchNorm
from spec_lang.diagnostics import Diagnostic, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bytes from which on it is worth asking how much memory there is.
NOTICED = 1 << 28


def check_inputs(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """The number of rows of each row axis (`batch`, or an input that is `per image`).

    Raises `BackendError`: E606 an input that is missing, unknown or of another shape, E607 a
    free extent at which a layer does not work out.
    """
    for name in inputs:
        if name not in graph.inputs:
            near = nearest(name, graph.inputs)
            raise _misfit(f"the model has no input `{name}`",
                          f"did you mean `{near[0]}`?" if near else f"inputs: {', '.join(graph.inputs)}")
    rows: dict[str, int] = {}
    extents: dict[str, int] = {}
    named = {place: extent for extent, places in graph.free.items() for place in places}
    for name, value in graph.inputs.items():
        if name not in inputs:
            raise _misfit(f"the input `{name}` is missing")
        array, wanted = inputs[name], value.type
        if array.dtype.kind not in "fiub":
            raise _misfit(f"the input `{name}` holds {array.dtype}, not numbers")
        shape = tuple(array.shape)
        fits = len(shape) == wanted.rank + 1 and all(
            have == want or (free and have > 0)
            for have, want, free in zip(shape[1:], wanted.shape, wanted.free, strict=True))
        if not fits:
            raise _misfit(f"the input `{name}` is {_show(shape)}, not {_expected(wanted)}")
        row = wanted.rows or name
        if rows.setdefault(row, shape[0]) != shape[0]:
            raise _misfit(f"the input `{name}` has {shape[0]} rows where another has {rows[row]}")
        for axis, extent in enumerate(shape[1:]):
            word = named.get((name, axis))
            if word is not None and extents.setdefault(word, extent) != extent:
                raise _misfit(f"the input `{name}` has {word} = {extent} where another has {extents[word]}")
    if graph.free:
        types_at(graph, {name: tuple(inputs[name].shape[1:]) for name in graph.inputs})
    else:
        # The least number of rows, so that nothing is refused that fits.
        check_room(graph, min(rows.values(), default=1))
    return rows


def as_arrays(inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The inputs as NumPy arrays; E606 for what is no mapping."""
    if not isinstance(inputs, Mapping):
        raise _misfit(f"inputs are a mapping from name to array, not a {type(inputs).__name__}")
    return {name: np.asarray(array) for name, array in inputs.items()}


def check_room(graph: Graph, rows: int) -> None:
    """Refuse a network whose largest tensor alone would not fit (E450, E451), before it is computed."""
    size = graph.largest * rows * 4
    if size > NOTICED:
        check_memory(size, f"the largest tensor of `{graph.name}` for {rows} images")


def check_weights(graph: Graph, weights: Mapping[str, Any]) -> None:
    """E608 for all weights that are missing, no arrays of real numbers, or of another shape.

    Those of training may be missing, unless the graph is the one with training in it.
    """
    if not isinstance(weights, Mapping):
        raise BackendError(Diagnostic("E608", "weights are a mapping from name to array, "
                                              f"not a {type(weights).__name__}"))
    problems = []
    for name, weight in graph.weights.items():
        if name not in weights:
            if not weight.training or graph.with_training is graph:
                problems.append(_missing(weight))
            continue
        kind = getattr(weights[name], "dtype", None)
        if kind is None or getattr(kind, "kind", "f") not in "fiub":
            held = f"a {type(weights[name]).__name__}" if kind is None else f"an array of {kind}"
            problems.append(Diagnostic("E608", f"the weight `{name}` is {held}, not an array of real numbers",
                                       weight.span))
        elif tuple(np.shape(weights[name])) != weight.shape:
            problems.append(Diagnostic(
                "E608", f"the weight `{name}` is {list(np.shape(weights[name]))}, not {list(weight.shape)}",
                weight.span))
    if problems:
        raise BackendError(problems)


def trained(graph: Graph, training: bool) -> list[str]:
    """The names of the weights that have gradients: those that are used, and not frozen or constant."""
    whole = training or graph.with_training is graph
    return [name for name, weight in graph.weights.items()
            if weight.trainable and (whole or not weight.training)]


def check_training(graph: Graph, inputs: Mapping[str, NDArray[Any]], weights: Container[str]) -> None:
    """Refuse to train without the weights of training (E608), or batchnorm on one number (E606).

    `graph` is the one with training in it, `inputs` have passed `check_inputs`, `weights` are the names that
    there are.
    """
    missing = [_missing(weight) for name, weight in graph.weights.items() if name not in weights]
    if missing:
        raise BackendError(missing)
    rows = {value.type.rows or name: inputs[name].shape[0] for name, value in graph.inputs.items()}
    types = types_at(graph, {name: tuple(inputs[name].shape[1:]) for name in graph.inputs})
    for node in graph.nodes:
        x = types.get(node.inputs[0], node.inputs[0].type)
        by_batch = isinstance(node.op, BatchNorm) and not node.op.frozen
        if by_batch and x.elements == x.shape[0] and rows.get(x.rows or "") == 1:
            raise BackendError(Diagnostic(
                "E606", f"`{node.name}` cannot train on one row: a channel's statistics need more numbers",
                node.span, help=("take a larger batch",)))


def _missing(weight: Weight) -> Diagnostic:
    return Diagnostic("E608", f"the weight `{weight.name}` {list(weight.shape)} is missing", weight.span)


def types_at(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> dict[Value, TensorType]:
    """The type of every value when the inputs have these shapes (no batch axis).

    Raises `BackendError` E607 at the first layer that does not work out.
    """
    types = {value: value.type.with_shape(shapes[name], value.type.free)
             for name, value in graph.inputs.items()}
    if all(types[value].shape == value.shape for value in graph.inputs.values()):
        return types | {value: value.type for node in graph.nodes for value in (*node.inputs, *node.outputs)}
    for node in graph.nodes:
        incoming = [types.get(value, value.type) for value in node.inputs]
        try:
            results = node.op.infer(incoming)
        except Fault as fault:
            raise BackendError(Diagnostic(
                "E607", f"`{node.name}` does not work out at this size: {fault.message}", node.span,
                notes=tuple(f"input `{name}`: {_show(shape)}" for name, shape in shapes.items()),
                help=fault.help)) from None
        for value, result in zip(node.outputs, results, strict=True):
            types[value] = replace(result, rows=value.type.rows)
    return types


def _misfit(message: str, help: str = "") -> BackendError:
    return BackendError(Diagnostic("E606", message, help=(help,) if help else ()))


def _show(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _expected(wanted: TensorType) -> str:
    extents = [f"any ({extent})" if free else str(extent)
               for extent, free in zip(wanted.shape, wanted.free, strict=True)]
    return "(" + ", ".join(["N", *extents]) + ("," if not extents else "") + ")"
