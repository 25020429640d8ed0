"""An ONNX model on onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from backends.base import BackendError, Runnable
from backends.inputs import as_arrays, check_inputs, check_weights
from backends.onnx.model import build
from compiler.graph import Graph
from spec_lang.diagnostics import Diagnostic

#: From so many nodes on, onnxruntime loads without its last optimisations (a layout of its own for
#: convolutions): their time grows with the square of the number of nodes, to minutes for 20,000.
LARGE = 5_000


class OnnxRunnable(Runnable):
    """The file in memory, loaded.  Sizes are checked here first, since a file cannot refuse them."""

    def __init__(self, graph: Graph, weights: Mapping[str, NDArray[Any]], *, threads: int = 0) -> None:
        check_weights(graph, weights)
        self.graph = graph
        self._weights = {name: weights[name] for name in graph.weights if name in weights}
        self._session = session(build(graph, weights).content(), threads=threads, nodes=len(graph.nodes))

    def run(self, inputs: Mapping[str, NDArray[Any]], *, training: bool = False) -> dict[str, NDArray[Any]]:
        if training:
            raise BackendError(Diagnostic("E602", "the backend `onnx` only infers: it has no training mode"))
        arrays = as_arrays(inputs)
        check_inputs(self.graph, arrays)
        return run(self._session, {name: np.asarray(array, np.float32) for name, array in arrays.items()})

    def weights(self) -> dict[str, NDArray[Any]]:
        return dict(self._weights)


def session(model: bytes | str, *, threads: int = 0, nodes: int = 0) -> onnxruntime.InferenceSession:
    """onnxruntime on a file's bytes or a path, quiet; `nodes` says how many it has.  E613 if it refuses."""
    options = onnxruntime.SessionOptions()
    if nodes > LARGE:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    if threads == 1:
        options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common base
        why = first_line(error)
        raise BackendError(Diagnostic("E613", f"onnxruntime refuses the model: {why}")) from error


def run(session: onnxruntime.InferenceSession, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Output name -> array; inputs that the file does not use are left out.  E606 if it fails."""
    wanted = {argument.name for argument in session.get_inputs()}
    names = [argument.name for argument in session.get_outputs()]
    try:
        results = session.run(names, {name: array for name, array in inputs.items() if name in wanted})
    except Exception as error:
        why = first_line(error)
        raise BackendError(Diagnostic("E606", f"onnxruntime cannot run the model: {why}")) from error
    return dict(zip(names, results, strict=True))


def first_line(error: Exception) -> str:
    """The gist of an exception of onnx or onnxruntime, printable and short."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return "".join(c if c.isprintable() else "?" for c in text)[:300]
