"""Export to ONNX: written, checked, compared, and only then there.

The file is made under a temporary name in its folder, passes `onnx.checker`, is run by onnxruntime
against NumPy's float64 at two batch sizes (and a second size of free extents), and takes its
name when all of that went well.  On failure nothing is left.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from backends.base import BackendError, backend, not_installed
from backends.inputs import check_weights
from cnnc.comparison import Comparison
from cnnc.files import target, write_atomically
from cnnc.verification import (
    ALLOWANCE,
    LARGEST_ALLOWANCE,
    Arrays,
    Report,
    Trial,
    answer,
    judge,
    outcomes,
    trials_of,
)
from compiler.graph import Graph
from compiler.passes.fold_batchnorm import fold_batchnorm
from spec_lang.diagnostics import Diagnostic


def export(graph: Graph, weights: Arrays, path: str | os.PathLike[str], *, preprocess: bool = False,
           fold: bool = True, classes: Sequence[str] | None = None, seed: int = 0,
           inputs: Sequence[str | os.PathLike[str]] = ()) -> Report:
    """Write a model as an ONNX file and give the report of its comparison.

    Args:
        graph: the model, for inference.
        weights: dotted name -> array.
        path: where to write; a symlink is followed, a file is replaced whole.
        preprocess: put the spec's `preprocess` in front: the image input then takes raw pixels,
            uint8, (N, C, H, W), of any size where a step sets it.
        fold: fold batch normalisations into the convolutions before them.
        classes: labels of the classes for the metadata, one per number of the first output.
        seed: of the inputs that are compared.
        inputs: files that must not be overwritten besides those of the spec: the weights, say.

    Raises:
        OutputError: E900 to E903, before any work where that can be known.
        BackendError: E600 a layer that cannot be written, E608 weights that do not fit, E610 more
            than the format holds, E611 and E612 a file that fails its checks, E617 weights that overflow.
    """
    inputs = (*graph.files, *inputs)
    target(path, inputs=inputs)
    onnx = backend("onnx")
    onnx.check(graph)
    check_weights(graph, weights)
    _check_classes(graph, classes)
    if preprocess and not graph.preprocess:
        raise BackendError(Diagnostic("E609", f"`{graph.name}` has no `preprocess` to put in front",
                                      graph.root.span, help=("preprocess { rescale(1 / 255) }",)))
    try:
        import onnx as _onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as missing:
        raise not_installed("onnx", missing) from missing
    from backends.onnx.model import build

    written, numbers = graph, dict(weights)
    if fold:
        written, numbers, _ = fold_batchnorm(graph, weights)
    model = build(written, numbers, preprocess=preprocess, classes=classes)
    reports: list[Report] = []

    def check(temporary: Path) -> None:
        reports.append(checked(graph, weights, temporary, pixels=preprocess, seed=seed))

    write_atomically(path, model.chunks(), check=check, inputs=inputs)
    return reports[0]


def checked(graph: Graph, weights: Arrays, path: Path, *, pixels: bool, seed: int = 0) -> Report:
    """The report on a file that was just written; E611 if it is refused, E612 if it is wrong."""
    import onnx

    from backends.onnx.runnable import first_line, session
    from cnnc.onnx_file import compare_file, pixel_trials

    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        why = first_line(error)
        raise BackendError(Diagnostic("E611", f"onnx.checker refuses the exported file: {why}")) from error
    try:
        loaded = session(str(path), nodes=len(graph.nodes))
    except BackendError as error:
        raise BackendError(Diagnostic("E611", error.diagnostics[0].message)) from error
    report = compare_file(graph, weights, loaded, pixels=pixels, seed=seed)
    if not report.passed:
        trials = pixel_trials(graph, seed)[1] if pixels else trials_of(graph, seed)
        unfit = unfit_for_single(graph, weights, trials)
        if unfit:
            raise BackendError(Diagnostic("E617", unfit, help=("other weights, or normalise in between",)))
        raise BackendError(Diagnostic("E612", _difference(report.failures),
                                      notes=tuple(str(report).splitlines())))
    return report


def unfit_for_single(graph: Graph, weights: Arrays, trials: list[Trial]) -> str:
    """How the network's numbers fail in float32 on NumPy alone, where no exporter has a part; else empty."""
    answer(graph, weights, trials)
    results = outcomes(backend("numpy").load(graph, weights, "float32"), trials, "float32")
    for trial, got in zip(trials, results, strict=True):
        for one in judge("numpy float32", trial, got, LARGEST_ALLOWANCE / ALLOWANCE):
            if not one.passed:
                why = one.problem or f"off by {one.relative:.2g} of the largest number"
                return f"the network does not work in float32: on NumPy, too, `{one.output}` is wrong: {why}"
    return ""


def _difference(failures: Sequence[Comparison]) -> str:
    if not failures:
        return "the exported file was compared with nothing"
    worst = failures[0]
    size = f"off by {worst.relative:.2g} of the largest number, {worst.tolerance:.2g} is allowed"
    why = worst.problem or size
    return f"the exported file computes something else: `{worst.output}` ({worst.what}) is {why}"


def _check_classes(graph: Graph, classes: Sequence[str] | None) -> None:
    """E609 unless there is a label for each number of the first output."""
    if classes is None:
        return
    name, value = next(iter(graph.outputs.items()))
    if len(value.shape) != 1 or value.shape[0] != len(classes):
        raise BackendError(Diagnostic(
            "E609", f"{len(classes)} class labels for the output `{name}` of {value.type}"))
