"""Do all backends compute the same network?  Does this ONNX file?

The answer is what NumPy gives in float64.  Another backend in float64, and NumPy's own planned
mode, must agree to 1e-8 of the largest number of an output: mistakes of logic show there, rounding
does not.  In float32 each must agree to 2e-5, or, where the network itself amplifies rounding, to
20 times the error that another backend (PyTorch where there is one) makes on it; that allowance
ends at 1e-2, so that no backend's own mistake can excuse another's.  Beyond a thousand layers one behind
another, each may add half a unit in the last place: correct rounding costs that, and may always go one way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendError, Runnable, backend
from backends.base import backends as installed
from backends.inputs import check_room, check_weights, types_at
from cnnc.comparison import Comparison, compare
from compiler.graph import Graph, Value
from spec_lang.diagnostics import Diagnostic

EXACT = 1e-8
SINGLE = 2e-5
#: Half a unit in the last place of float32, relative to the number.
ROUNDING = 2.0**-24
#: So many layers one behind another are within `SINGLE`: more than any published network has.
DEEP = 1000
ALLOWANCE, LARGEST_ALLOWANCE = 20.0, 1e-2

#: Behind the name of a backend: its planned mode.
PLANNED = " planned"

Array = NDArray[np.floating[Any]]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Report:
    """What was compared, and whether all of it agreed.  `str` gives it as text."""

    model: str
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """All comparisons passed, and there was at least one."""
        return bool(self.comparisons) and all(one.passed for one in self.comparisons)

    @property
    def failures(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if not one.passed)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


@dataclass
class Trial:
    """One set of inputs: which ones in words, the arrays, and what came out of each candidate."""

    name: str
    inputs: Arrays
    answer: Arrays = field(default_factory=dict)


def verify(graph: Graph, weights: Arrays | None = None, *, seed: int = 0,
           onnx: str | os.PathLike[str] | None = None, backends: Sequence[str] | None = None) -> Report:
    """Compare the backends with each other, or an ONNX file with NumPy.

    Args:
        graph: the model.
        weights: dotted name -> array; without them, those of the file, or seeded ones in which
            nothing is zero or one.
        seed: of the inputs (standard normal) and of those weights.
        onnx: a file to compare instead of the backends.
        backends: which to compare; without it all that are installed.  What a missing
            package leaves out is said in the notes.

    Raises:
        BackendError: E600 a layer that a backend lacks, E604 and E605 a backend asked for by name
            that is not there, E608 weights that do not fit, E613 and E614 an unusable file, E615
            fewer than two to compare.
    """
    if onnx is not None:
        from cnnc.onnx_file import verify_file

        return verify_file(graph, weights, onnx, seed=seed)
    chosen = weights if weights is not None else varied_weights(graph, seed)
    check_weights(graph, chosen)
    notes: list[str] = []
    names = _usable(graph, backends, notes)
    trials = trials_of(graph, seed)
    reference = _reference(names)
    comparisons: list[Comparison] = []
    participants = [*names, *(f"{name}{PLANNED}" for name in names if backend(name).plans)]
    singles = _Singles(graph, chosen, names, trials)
    answer(graph, chosen, trials, reference)
    for name in participants:
        if name != reference and "float64" in backend(name.removesuffix(PLANNED)).dtypes:
            results = outcomes(_model(name, graph, chosen, "float64"), trials)
            for trial, result in zip(trials, results, strict=True):
                comparisons += judge(f"{name} float64", trial, result, EXACT)
    for name in participants:
        comparisons += singles.judged(name)
    return Report(graph.name, tuple(comparisons), (*notes, *_blind(trials)))


def answer(graph: Graph, weights: Arrays, trials: Sequence[Trial], name: str = "numpy") -> None:
    """Fill in what the reference gives in float64."""
    results = outcomes(backend(name).load(graph, weights, "float64"), trials)
    for trial, result in zip(trials, results, strict=True):
        trial.answer = result


def outcomes(model: Runnable, trials: Sequence[Trial], dtype: str | None = None) -> list[Arrays]:
    """What a model gives for each trial."""
    return [model.run(trial.inputs if dtype is None else _as(trial.inputs, dtype)) for trial in trials]


def judge(what: str, trial: Trial, got: Arrays, tolerance: float) -> Iterator[Comparison]:
    """Every output of a trial against its answer."""
    for name, expected in trial.answer.items():
        shown = f"{what}, {trial.name}"
        if name not in got:
            yield Comparison(shown, name, (), problem="the output is missing")
        else:
            yield compare(shown, name, got[name], expected, tolerance)


def single(graph: Graph) -> float:
    """The fixed tolerance of a graph in float32: 2e-5, and more only beyond a thousand layers."""
    return SINGLE + ROUNDING * max(0, longest_chain(graph) - DEEP)


def longest_chain(graph: Graph) -> int:
    """How many layers lie one behind another, at most."""
    depths: dict[Value, int] = {}
    for node in graph.nodes:
        depth = 1 + max((depths.get(value, 0) for value in node.inputs), default=0)
        depths.update(dict.fromkeys(node.outputs, depth))
    return max(depths.values(), default=0)


def judge_single(what: str, trials: Sequence[Trial], results: Sequence[Arrays], tolerance: float,
                 *yardsticks: Callable[[], Sequence[Arrays]]) -> list[Comparison]:
    """Float32 results, by the fixed tolerance first, then by others' errors on the same network.

    A yardstick gives results whose error is known to be rounding; it is asked only if it matters.
    """
    made = [one for trial, got in zip(trials, results, strict=True)
            for one in judge(what, trial, got, tolerance)]
    if all(one.passed for one in made):
        return made
    for yardstick in yardsticks:
        others = [one for trial, got in zip(trials, yardstick(), strict=True)
                  for one in judge("yardstick", trial, got, SINGLE)]
        made = [one.within(max(one.tolerance, allowed(other)))
                for one, other in zip(made, others, strict=True)]
    return made


def allowed(other: Comparison) -> float:
    """The tolerance where another's error is known."""
    measured = 0.0 if other.problem else other.relative
    return max(SINGLE, min(ALLOWANCE * measured, LARGEST_ALLOWANCE))


def _model(name: str, graph: Graph, weights: Arrays, dtype: str) -> Runnable:
    """A backend's model, or its planned one where the name says so."""
    found = backend(name.removesuffix(PLANNED))
    return (found.plan if name.endswith(PLANNED) else found.load)(graph, weights, dtype)


class _Singles:
    """The float32 results of every backend, each computed once and when it is needed."""

    def __init__(self, graph: Graph, weights: Arrays, names: Sequence[str], trials: Sequence[Trial]) -> None:
        self._graph, self._weights, self._names, self._trials = graph, weights, names, trials
        self._results: dict[str, list[Arrays]] = {}

    def of(self, name: str) -> list[Arrays]:
        if name not in self._results:
            model = _model(name, self._graph, self._weights, "float32")
            self._results[name] = outcomes(model, self._trials, "float32")
        return self._results[name]

    def judged(self, name: str) -> list[Comparison]:
        others = [one for one in ("torch", "numpy", *self._names) if one in self._names and one != name]
        return judge_single(f"{name} float32", self._trials, self.of(name), single(self._graph),
                            lambda: self.of(others[0]))


def varied_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Initial weights, but with biases, factors and running statistics that are not all zero or one.

    With those, a backend that mixed up mean and offset, or forgot a bias, would still look right.
    """
    from compiler.initial import initial_weights

    made: dict[str, Array] = initial_weights(graph, seed=seed)
    ranges = {"bias": (-0.2, 0.2), "norm_bias": (-0.2, 0.2), "norm_weight": (0.7, 1.3), "slope": (0.1, 0.4),
              "running_mean": (-0.2, 0.2), "running_var": (0.5, 1.5)}
    for position, (name, weight) in enumerate(graph.weights.items()):
        if weight.role in ranges:
            rng = np.random.default_rng([seed, position])
            made[name] = rng.uniform(*ranges[weight.role], weight.shape).astype(np.float32)
    return made


def trials_of(graph: Graph, seed: int = 0) -> list[Trial]:
    """Two batch sizes, and a second size where extents are free."""
    check_room(graph, 2)
    nominal = {name: value.shape for name, value in graph.inputs.items()}
    trials = [_trial(graph, nominal, batch, seed) for batch in (2, 1)]
    other = another_size(graph)
    return [*trials, _trial(graph, other, 2, seed)] if other is not None else trials


def another_size(graph: Graph) -> dict[str, tuple[int, ...]] | None:
    """Shapes of the inputs at other free extents that every layer takes; None if there are none."""
    if not graph.free:
        return None
    # One name is one extent wherever it stands; other names grow by other steps first.
    factors = {place: 1 + places[0][1] for places in graph.free.values() for place in places}
    for step in (*range(1, 65), *range(96, 1025, 32)):
        shapes = {}
        for name, value in graph.inputs.items():
            shapes[name] = tuple(
                extent + step * (factors.get((name, axis), 1) if step < 9 else 1) if free else extent
                for axis, (extent, free) in enumerate(zip(value.shape, value.type.free, strict=True)))
        try:
            types_at(graph, shapes)
        except BackendError:
            continue
        return shapes
    return None


def _trial(graph: Graph, shapes: Mapping[str, tuple[int, ...]], batch: int, seed: int) -> Trial:
    inputs: dict[str, Array] = {}
    for position, (name, value) in enumerate(graph.inputs.items()):
        rows = batch if value.type.rows != name else batch + 1
        rng = np.random.default_rng([seed, position, batch, *shapes[name]])
        inputs[name] = rng.standard_normal((rows, *shapes[name])).astype(np.float32).astype(np.float64)
    nominal = all(shapes[name] == value.shape for name, value in graph.inputs.items())
    sizes = "" if nominal else " at " + ", ".join(
        f"{extent} = {shapes[name][axis]}" for extent, ((name, axis), *_) in graph.free.items())
    return Trial(f"batch {batch}{sizes}", inputs)


def _usable(graph: Graph, wanted: Sequence[str] | None, notes: list[str]) -> list[str]:
    """The backends that can be compared, the reference first; at least two."""
    names = []
    for name in dict.fromkeys(wanted if wanted is not None else installed()):
        try:
            found = backend(name)
            found.check(graph)
            absent = [package for package in found.needs if find_spec(package) is None]
            if absent:
                raise BackendError(Diagnostic(
                    "E605", f"the backend `{name}` needs {absent[0]}, which is not installed",
                    help=(f'pip install "cnnc[{name}]"',)))
            names.append(name)
        except BackendError as error:
            if wanted is not None or error.diagnostics[0].code != "E605":
                raise
            notes.append(f"not compared: {error.diagnostics[0].message}")
    if len(names) < 2:
        if wanted is not None:
            raise BackendError(Diagnostic(
                "E615", f"there is nothing to compare: {', '.join(names) or 'no backend'} alone is asked for",
                help=("name another backend beside it, or none for all that are installed",)))
        raise BackendError(Diagnostic(
            "E615", f"there is nothing to compare: {', '.join(names) or 'no backend'} alone is here",
            notes=tuple(notes), help=('pip install "cnnc[torch,onnx]"',)))
    return names


def _reference(names: Sequence[str]) -> str:
    """NumPy, or else the first that has float64."""
    able = [name for name in ("numpy", *names) if name in names and "float64" in backend(name).dtypes]
    if not able:
        raise BackendError(Diagnostic(
            "E615", f"none of {', '.join(names)} computes in float64, which the answer needs",
            help=("add `numpy`",)))
    return able[0]


def _as(inputs: Arrays, dtype: str) -> Arrays:
    return {name: array.astype(dtype) for name, array in inputs.items()}


def _blind(trials: Sequence[Trial]) -> Iterator[str]:
    """Outputs that say little: the same numbers for different images."""
    for name, array in trials[0].answer.items():
        if len(array) > 1 and np.array_equal(array[0], array[1]):
            yield f"`{name}` is the same for two images: here it says nothing of the layers before it"


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.model}: {'all agree' if report.passed else 'THEY DIFFER'}"
    rows = [("", "output", "largest error", "of the largest", "allowed", "ulp max", "ulp 99.9 %", "at")]
    for one in report.comparisons:
        if one.problem:
            rows.append((one.what, one.output, one.problem, "", "", "", "", "FAILED"))
            continue
        at = "[" + ", ".join(map(str, one.where)) + "]" + ("" if one.passed else "  FAILED")
        rows.append((one.what, one.output, f"{one.error:.3g}", f"{one.relative:.2g}", f"{one.tolerance:.2g}",
                     f"{one.ulp_max:.3g}", f"{one.ulp_999:.3g}", at))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"note: {note}" for note in report.notes)
