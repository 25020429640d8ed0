"""An ONNX file that somebody hands in: read with care, and compared with NumPy."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.base import BackendError, backend
from backends.inputs import check_weights
from cnnc import preprocess
from cnnc.comparison import Comparison
from cnnc.verification import (
    Array,
    Arrays,
    Report,
    Trial,
    answer,
    judge_single,
    outcomes,
    single,
    trials_of,
)
from compiler.graph import Graph
from compiler.preprocess import CenterCrop, Resize, image_input, source_channels
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    import onnx
    import onnxruntime


#: Of 255: how far a resized pixel may be off in single precision.
PIXEL_NOISE = 0.002


def verify_file(graph: Graph, weights: Arrays | None, path: str | os.PathLike[str], *, seed: int = 0,
                limits: Limits = DEFAULT_LIMITS) -> Report:
    """Compare a file with NumPy's float64; without weights, with those that the file holds.

    Raises E605, E608, E613, E614 where there is nothing to compare.
    """
    absent = [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]
    if absent:
        raise BackendError(Diagnostic(
            "E605", f"running an ONNX file needs {absent[0]}, which is not installed",
            help=('pip install "cnnc[onnx]"',)))
    from backends.onnx.runnable import session

    content = read(path, limits)
    model = parsed(content, str(path), limits)
    notes: tuple[str, ...] = ()
    if weights is None:
        weights = held_weights(graph, model, str(path))
        notes = ("the weights are those that the file holds",)
    check_weights(graph, weights)
    try:
        loaded = session(content, nodes=len(model.graph.node))
    except BackendError as error:
        # What onnxruntime says quotes the file.
        raise _unusable(str(path), "onnxruntime cannot load it") from error
    report = compare_file(graph, weights, loaded, pixels=takes_pixels(model), seed=seed, shown=str(path))
    return Report(report.model, report.comparisons, (*report.notes, *notes))


def compare_file(graph: Graph, weights: Arrays, session: onnxruntime.InferenceSession, *, pixels: bool,
                 seed: int = 0, shown: str = "") -> Report:
    """Compare a loaded file with NumPy: two batch sizes, a second size where extents are free.

    `pixels` says that the file does the pre-processing itself: then it gets images, and NumPy
    what `cnnc.preprocess` makes of them.
    """
    from backends.onnx.runnable import run

    check_interface(graph, session, pixels, shown)
    given, trials = pixel_trials(graph, seed) if pixels else _plain_trials(graph, seed)
    results = [run(session, inputs) for inputs in given]
    answer(graph, weights, trials)

    def yardstick() -> list[Arrays]:
        name = "torch" if find_spec("torch") is not None else "numpy"
        return outcomes(backend(name).load(graph, weights, "float32"), trials, "float32")

    def disturbed() -> list[Arrays]:
        # A resize in single precision places its windows to some 1e-5 of a pixel.
        shaken = [_shaken(graph, trial, images, seed) for trial, images in zip(trials, given, strict=True)]
        return outcomes(backend("numpy").load(graph, weights, "float64"), shaken)

    yardsticks = [yardstick, disturbed] if pixels else [yardstick]
    comparisons: list[Comparison] = judge_single("onnxruntime", trials, results, single(graph), *yardsticks)
    return Report(graph.name, tuple(comparisons))


def read(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a regular file of bounded size.  E613."""
    shown = os.fspath(path)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise _unusable(shown, "it is not a regular file")
        if found.st_size > limits.onnx_bytes:
            raise _unusable(shown, f"it has {found.st_size:,} bytes, and the limit is {limits.onnx_bytes:,}")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise _unusable(shown, getattr(error, "strerror", None) or "it cannot be opened") from error


def parsed(content: bytes, shown: str, limits: Limits = DEFAULT_LIMITS) -> onnx.ModelProto:
    """The model in these bytes.  E613 for none, or one that is too large or not whole in itself."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise _unusable(shown, "it is not an ONNX model") from error
    if not model.ir_version:  # no bytes at all are a message, too
        raise _unusable(shown, "it is not an ONNX model")
    _check_graph(model.graph, shown, limits)
    return model


def takes_pixels(model: onnx.ModelProto) -> bool:
    """Whether the file pre-processes images itself, by its metadata."""
    from backends.onnx.model import PREPROCESSED

    return any(entry.key == PREPROCESSED and entry.value == "true" for entry in model.metadata_props)


def held_weights(graph: Graph, model: onnx.ModelProto, shown: str) -> dict[str, Array]:
    """The weights of the spec's names in a file.  E608 where one is not there (folded away, say)."""
    from onnx import numpy_helper

    held = {tensor.name: tensor for tensor in model.graph.initializer}
    missing = [name for name, weight in graph.weights.items() if name not in held and not weight.training]
    if missing:
        raise BackendError(Diagnostic(
            "E608", f"the file does not hold `{missing[0]}` of `{graph.name}`", place=shown,
            help=("give the weights that were exported (`--weights`)",)))
    return {name: numpy_helper.to_array(held[name]) for name in graph.weights if name in held}


def _check_graph(graph: onnx.GraphProto, shown: str, limits: Limits) -> None:
    """Bounded in nodes and depth, and whole in itself: nothing is read from other files."""
    import onnx

    nodes, stack = 0, [(graph, 1)]
    while stack:
        current, depth = stack.pop()
        nodes += len(current.node)
        if nodes > limits.onnx_nodes:
            raise _unusable(shown, f"it has more than {limits.onnx_nodes:,} nodes")
        if depth > limits.onnx_depth:
            raise _unusable(shown, f"its graphs are nested deeper than {limits.onnx_depth}")
        tensors = list(current.initializer)
        for node in current.node:
            for attribute in node.attribute:
                stack += [(inner, depth + 1) for inner in (*attribute.graphs, attribute.g) if inner.node]
                tensors += [attribute.t, *attribute.tensors]
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
            raise _unusable(shown, "its weights lie in other files")


def check_interface(graph: Graph, session: onnxruntime.InferenceSession, pixels: bool, shown: str) -> None:
    """E614 unless names, types and fixed sizes of inputs and outputs are the graph's."""
    wrong = []
    image = image_input(graph)[0] if pixels else None
    found = {argument.name: argument for argument in session.get_inputs()}
    for name, value in graph.inputs.items():
        if name not in found:
            if graph.uses.get(value):
                wrong.append(f"it has no input `{name}`")
            continue
        wanted = "tensor(uint8)" if name == image else "tensor(float)"
        if found[name].type != wanted:
            wrong.append(f"its input `{name}` is {found[name].type}, not {wanted}")
        elif name != image and not _fits(found[name].shape, (None, *value.shape)):
            wrong.append(f"its input `{name}` is {found[name].shape}, not {['N', *value.shape]}")
    wrong += [f"it has an input `{name}`" for name in found if name not in graph.inputs]
    outputs = {argument.name: argument for argument in session.get_outputs()}
    for name, value in graph.outputs.items():
        if name not in outputs:
            wrong.append(f"it has no output `{name}`")
        elif outputs[name].type != "tensor(float)" or not _fits(outputs[name].shape, (None, *value.shape)):
            wrong.append(f"its output `{name}` is {outputs[name].type} {outputs[name].shape}")
    if wrong:
        raise BackendError(Diagnostic("E614", f"the file is not of `{graph.name}`: {wrong[0]}",
                                      notes=tuple(wrong[1:10]), place=shown))


def _fits(found: Sequence[Any], wanted: Sequence[int | None]) -> bool:
    """Fixed extents agree; names and unknown ones fit anything."""
    return len(found) == len(wanted) and all(
        not isinstance(have, int) or want is None or have == want
        for have, want in zip(found, wanted, strict=True))


def _plain_trials(graph: Graph, seed: int) -> tuple[list[Mapping[str, Array]], list[Trial]]:
    trials = trials_of(graph, seed)
    given: list[Mapping[str, Array]] = [
        {name: array.astype(np.float32) for name, array in trial.inputs.items()} for trial in trials]
    return given, trials


def pixel_trials(graph: Graph, seed: int) -> tuple[list[Mapping[str, Any]], list[Trial]]:
    """Images of two sizes where the steps allow it, at two batch sizes, and what the model gets of them."""
    name, value = image_input(graph)
    channels = source_channels(graph.preprocess, value.shape[0])
    height, width = value.type.spatial
    given: list[Mapping[str, Any]] = []
    trials = trials_of(graph, seed)[:2]
    for trial, (h, w) in zip(trials, _image_sizes(graph, height, width), strict=True):
        rng = np.random.default_rng([seed, h, w])
        images = rng.integers(0, 256, (len(trial.inputs[name]), channels, h, w), np.uint8)
        rest = {other: array.astype(np.float32) for other, array in trial.inputs.items() if other != name}
        given.append({**rest, name: images})
        trial.inputs = {**trial.inputs, name: preprocess.apply(graph, images, "float64")}
        trial.name += f", images of {h}x{w}"
    return given, trials


def _shaken(graph: Graph, trial: Trial, images: Mapping[str, Any], seed: int) -> Trial:
    """The same trial with every pixel off by up to `PIXEL_NOISE`."""
    name = image_input(graph)[0]
    noise = np.random.default_rng([seed, 1]).uniform(-PIXEL_NOISE, PIXEL_NOISE, images[name].shape)
    made = preprocess.apply(graph, images[name].astype(np.float64) + noise, "float64")
    return Trial(trial.name, {**trial.inputs, name: made}, trial.answer)


def _image_sizes(graph: Graph, height: int, width: int) -> list[tuple[int, int]]:
    """Sizes of images: any before a `resize`, at least the crop before a `centercrop`, else the model's."""
    for step in graph.preprocess:
        if isinstance(step, Resize):
            high, wide = step.size
            return [(2 * high + 3, 2 * wide + 8), (max(1, high // 2), wide + 1)]
        if isinstance(step, CenterCrop):
            return [(step.size[0] + 5, step.size[1] + 2), (step.size[0], step.size[1] + 1)]
    return [(height, width)] * 2


def _unusable(shown: str, why: str) -> BackendError:
    return BackendError(Diagnostic("E613", f"not a usable ONNX file: {why}", place=shown))
