"""Files of weights: safetensors in and out, PyTorch's files in.

    loaded = load("resnet18.safetensors", graph)
    loaded.weights["conv1.weight"], loaded.report.render()
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnc.reading import open_regular
from cnnc.weights_io import safetensors, torch_file
from cnnc.weights_io.entries import Entry, WeightsFile
from compiler.graph import Graph
from compiler.initial import check_memory
from compiler.weights import Report, WeightsError, match
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: In front of what a checkpoint holds besides weights; no weight's name has a colon.
STATE = "state:"


@dataclass(frozen=True)
class Loaded:
    """Weights that fit a graph.

    `classes` are the class names that the file carries, empty if none; `metadata` is all
    that a file of ours says of itself; `notes` are for the user.
    """

    weights: dict[str, NDArray[Any]]
    report: Report
    metadata: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(json.loads(self.metadata.get("classes", "[]")))


def read(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> WeightsFile:
    """Open a file of weights, whatever its name says: the format is told by its content.

    Raises `WeightsError`, see the readers.
    """
    file, _ = open_regular(path, limits.allocation_bytes, WeightsError, "E515")
    with file:
        first = file.read(9)
    if first[8:9] == b"{":
        return safetensors.read(path, limits)
    if first[:4] == b"PK\x03\x04" or first[:2] == b"\x80\x02":  # a zip archive, or a pickle of protocol 2
        return torch_file.read(path, limits)
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix in (".pth", ".pt"):
        return torch_file.read(path, limits)
    if suffix == ".safetensors":
        return safetensors.read(path, limits)
    raise WeightsError(Diagnostic("E515", "the file is neither safetensors nor a PyTorch file",
                                  place=os.fspath(path)))


def load(path: str | os.PathLike[str], graph: Graph, *, dtype: str = "float32", training: bool = False,
         allow_nonfinite: bool = False, limits: Limits = DEFAULT_LIMITS) -> Loaded:
    """Read the weights of a graph from a file.

    Args:
        path: a `.safetensors` or `.pth` file; checkpoints of ours too.
        graph: the model; every weight must be there, in its shape, and nothing else.
        dtype: float32 or float64; other floats are converted, and the report says so.
        training: whether what only training uses must be there; otherwise it may be missing,
            and then is missing in the result.
        allow_nonfinite: accept NaN and infinity.

    Raises:
        WeightsError: E51x, E45x; nothing is loaded then.
    """
    import numpy as np

    opened = read(path, limits)
    _check_classes(opened)
    available = {name: (entry.shape, entry.dtype) for name, entry in opened.entries.items()
                 if not (name.startswith(STATE) and opened.metadata.get("kind") == "checkpoint")}
    report = match(graph, available, training=training, dtype=dtype)
    if not report.fits:
        raise WeightsError(report.diagnostics(opened.path))
    size = sum(graph.weights[name].elements for name in report.source) * np.dtype(dtype).itemsize
    check_memory(size, f"the weights of `{graph.name}`", limits)
    weights: dict[str, NDArray[Any]] = {}
    nonfinite: list[Diagnostic] = []
    for name, source in report.source.items():
        numbers = _converted(opened.entries[source], dtype)
        if not allow_nonfinite and not np.isfinite(numbers).all():
            count = int(numbers.size - np.isfinite(numbers).sum())
            nonfinite.append(Diagnostic(
                "E514", f"`{name}` holds {count:,} numbers that are NaN or infinite", place=opened.path))
        weights[name] = numbers
    if nonfinite:
        raise WeightsError(nonfinite[:10])
    return Loaded(weights, report, opened.metadata, (*opened.notes, *report.notes()))


def _check_classes(opened: WeightsFile) -> None:
    """E516 unless the class names that the file carries are a list of texts."""
    try:
        names = json.loads(opened.metadata.get("classes", "[]"))
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WeightsError(Diagnostic("E516", "the class names in the file are no list of names",
                                      place=opened.path))


def load_weights(path: str | os.PathLike[str], graph: Graph, *, dtype: str = "float32",
                 allow_nonfinite: bool = False) -> dict[str, NDArray[Any]]:
    """The weights of a graph from a file: dotted name -> array.  See `load`."""
    return load(path, graph, dtype=dtype, allow_nonfinite=allow_nonfinite).weights


def _converted(entry: Entry, dtype: str) -> NDArray[Any]:
    import numpy as np

    with np.errstate(over="ignore"):  # what overflows is infinite, and is reported by name
        return np.ascontiguousarray(entry.read().astype(dtype, copy=False)).reshape(entry.shape)


def save_weights(path: str | os.PathLike[str], weights: Mapping[str, NDArray[Any]], graph: Graph, *,
                 classes: Sequence[str] = (), inputs: Sequence[str | os.PathLike[str]] = ()) -> None:
    """Write the weights of a graph as safetensors, in the graph's order, whole or not at all.

    The metadata says which model they are of, the hash of its spec, and the class names.  The files of the
    spec, and `inputs`, are not overwritten.

    Raises:
        WeightsError: E510 to E513 for weights that do not fit the graph.
        OutputError: E9.
    """
    import numpy as np

    weights = {name: np.asarray(array) for name, array in weights.items()}
    report = match(graph, {name: (array.shape, array.dtype.name) for name, array in weights.items()})
    if not report.fits:
        raise WeightsError(report.diagnostics(os.fspath(path)))
    ordered = {name: weights[name] for name in graph.weights if name in weights}
    safetensors.write(path, ordered, {"kind": "weights", **describing(graph, classes)},
                      inputs=(*graph.files, *inputs))


def describing(graph: Graph, classes: Sequence[str] = ()) -> dict[str, str]:
    """Metadata of every file that we write about a graph."""
    made = {"model": graph.name}
    if graph.source_text:
        made["spec_sha256"] = hashlib.sha256(graph.source_text.encode()).hexdigest()
    if classes:
        made["classes"] = json.dumps(list(classes))
    return made


__all__ = ["STATE", "Loaded", "describing", "load", "load_weights", "read", "save_weights"]
