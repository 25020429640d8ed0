"""Files of weights: safetensors in and out, PyTorch's files in.

    loaded = read_weights("resnet18.safetensors", graph, adapt=["head"])
    loaded.weights["conv1.weight"], loaded.report.render()
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnc.reading import open_regular
from cnnc.weights_io import safetensors, torch_file
from cnnc.weights_io.entries import Entry, WeightsFile
from cnnc.weights_io.renames import read_renames
from compiler.adapt import classifier_weights
from compiler.graph import Graph
from compiler.initial import check_memory, initial_weights
from compiler.preprocess import Bgr
from compiler.rename import Rule
from compiler.weights import Report, WeightsError, match
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: In front of what a checkpoint holds besides weights; no weight's name has a colon.
STATE = "state:"


#: Rules that rename: OLD -> NEW, pairs of them, or the path of a table (see `compiler.rename`).
Renames = Mapping[str, str] | Iterable[tuple[str, str] | Rule] | str | os.PathLike[str]


@dataclass(frozen=True)
class Loaded:
    """Weights that fit a graph, and the report of where they come from.

    `classes` are the class names that the file carries, empty if it has none or the last layer is not taken
    from it; `metadata` is all that a file of ours says of itself; `notes` are for the user.
    """

    weights: dict[str, NDArray[Any]]
    report: Report
    metadata: Mapping[str, str]
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


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


def read_weights(path: str | os.PathLike[str], graph: Graph, *, dtype: str = "float32",
                 training: bool = False, allow_nonfinite: bool = False, partial: bool = False,
                 rename: Renames = (), adapt: Collection[str] = (), seed: int = 0,
                 limits: Limits = DEFAULT_LIMITS) -> Loaded:
    """Read the weights of a graph from a file, with the report.

    Args:
        path: a `.safetensors` or `.pth` file; checkpoints of ours too.
        graph: the model; every weight must be there, in its shape, and nothing else.
        dtype: float32 or float64; other floats are converted, and the report says so.
        training: whether what only training uses must be there; otherwise it may be missing,
            and then is missing in the result.
        allow_nonfinite: accept NaN and infinity.
        partial: what is missing keeps its initial values, what is unexpected is left out.
        rename: rules for the names of the file: `{"backbone": "", "layers.*.norm": "features.*.1"}`, pairs,
            or the path of a table; see `compiler.rename`.
        adapt: named operations: `head`, `fc_to_conv`, `bgr_to_rgb`; see `compiler.adapt`.
        seed: of the initial values.

    Raises:
        WeightsError: E51x, E52x, E45x; nothing is loaded then.
    """
    import numpy as np

    rules = _rules(rename, limits)
    opened = read(path, limits)
    classes = _classes(opened)
    available = {name: (entry.shape, entry.dtype) for name, entry in opened.entries.items()
                 if not (name.startswith(STATE) and opened.metadata.get("kind") == "checkpoint")}
    report = match(graph, available, training=training, dtype=dtype, partial=partial, rename=rules,
                   adapt=_names(adapt))
    if not report.fits:
        raise WeightsError(report.diagnostics(opened.path, options=True))
    initial = report.initial
    size = sum(graph.weights[name].elements for name in (*report.source, *initial)) * np.dtype(dtype).itemsize
    check_memory(size, f"the weights of `{graph.name}`", limits)
    weights: dict[str, NDArray[Any]] = initial_weights(graph, seed, dtype, only=initial, limits=limits)
    nonfinite: list[Diagnostic] = []
    for name, source in report.source.items():
        numbers = _converted(opened.entries[source], dtype)
        if not allow_nonfinite and not np.isfinite(numbers).all():
            count = int(numbers.size - np.isfinite(numbers).sum())
            nonfinite.append(Diagnostic(
                "E514", f"`{name}` holds {count:,} numbers that are NaN or infinite", place=opened.path))
        numbers = numbers.reshape(graph.weights[name].shape)
        weights[name] = np.ascontiguousarray(numbers[:, ::-1]) if name in report.reversed else numbers
    if nonfinite:
        raise WeightsError(nonfinite[:10])
    notes = [*opened.notes, *report.notes()]
    if report.reversed and any(isinstance(step, Bgr) for step in graph.preprocess):
        notes.append("the spec's preprocess ends in blue, green, red (`bgr`): is the file for RGB?")
    if classes and initial & classifier_weights(graph):
        notes.append("the class names in the file are left out, as its last layer is")
        classes = ()
    ordered = {name: weights[name] for name in graph.weights if name in weights}
    return Loaded(ordered, report, opened.metadata, tuple(notes), classes)


def _rules(rename: Renames, limits: Limits) -> tuple[Rule, ...]:
    if isinstance(rename, (str, os.PathLike)):
        return read_renames(rename, limits)
    pairs = rename.items() if isinstance(rename, Mapping) else rename
    return tuple(pair if isinstance(pair, Rule) else Rule(*pair) for pair in pairs)


def _names(adapt: Collection[str]) -> tuple[str, ...]:
    return (adapt,) if isinstance(adapt, str) else tuple(adapt)


def _classes(opened: WeightsFile) -> tuple[str, ...]:
    """The class names that the file carries; E516 unless they are a list of texts."""
    try:
        names = json.loads(opened.metadata.get("classes", "[]"))
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WeightsError(Diagnostic("E516", "the class names in the file are no list of names",
                                      place=opened.path))
    return tuple(names)


def load_weights(path: str | os.PathLike[str], graph: Graph, *, dtype: str = "float32",
                 allow_nonfinite: bool = False, partial: bool = False, rename: Renames = (),
                 adapt: Collection[str] = (), seed: int = 0) -> dict[str, NDArray[Any]]:
    """The weights of a graph from a file: dotted name -> array.  `read_weights` gives the report too."""
    return read_weights(path, graph, dtype=dtype, allow_nonfinite=allow_nonfinite, partial=partial,
                        rename=rename, adapt=adapt, seed=seed).weights


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


__all__ = ["STATE", "Loaded", "describing", "load_weights", "read", "read_weights", "save_weights"]
