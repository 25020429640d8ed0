"""Which weights of a file go where in a graph, decided before a number is read.

Loading is strict: every weight of the graph must be there, under its name and in its shape,
and nothing else.  `match` compares names, shapes and types and gives a `Report`; reading
files is left to `cnnc.weights_io`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from compiler.graph import Graph
from spec_lang.diagnostics import Diagnostic, Error, nearest
from spec_lang.frozen import frozen

Shape = tuple[int, ...]

#: Types that are converted without asking; the report says so.
FLOATS = ("float16", "bfloat16", "float32", "float64")
#: PyTorch's counter beside every batch normalisation, which takes no part in computing.
COUNTER = "num_batches_tracked"
#: What DataParallel puts in front of every name.
WRAPPER = "module."
#: How many names of one kind are reported one by one.
SHOWN = 10


class WeightsError(Error):
    """A file of weights that cannot be read, or that does not fit the graph (E5)."""


@frozen
class Misfit:
    """A weight whose shape in the file is not the graph's."""

    name: str
    wanted: Shape
    found: Shape


@frozen
class Report:
    """What became of every name.  All tuples keep the order of the graph, or else of the file.

    Attributes:
        source: graph name -> name in the file, for what matched.
        missing: weights of the graph that the file lacks.
        absent: the same, for weights that only training uses: allowed for inference.
        unexpected: names in the file that the graph lacks.
        misshaped: names that both have, in different shapes.
        refused: (name, type in the file) that are not real floating-point numbers.
        converted: (name, type in the file) of those that change their float type.
        ignored: PyTorch's counters.
        stripped: what was taken off the front of every name in the file; empty mostly.
    """

    source: Mapping[str, str]
    missing: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshaped: tuple[Misfit, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    converted: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    stripped: str = ""

    @property
    def matched(self) -> tuple[str, ...]:
        return tuple(self.source)

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped or self.refused)

    def summary(self) -> str:
        """One line: `10 matched, 1 missing, 0 unexpected, 0 of another shape`."""
        parts = [f"{len(self.matched)} matched", f"{len(self.missing)} missing",
                 f"{len(self.unexpected)} unexpected", f"{len(self.misshaped)} of another shape"]
        if self.refused:
            parts.append(f"{len(self.refused)} of a type that is refused")
        return ", ".join(parts)

    def notes(self) -> tuple[str, ...]:
        """What was done without asking, a line each."""
        found = []
        if self.stripped:
            found.append(f"`{self.stripped}` was taken off the front of every name")
        for dtype in dict.fromkeys(dtype for _, dtype in self.converted):
            names = [name for name, other in self.converted if other == dtype]
            found.append(f"converted from {dtype}: {_listed(names)}")
        if self.ignored:
            found.append(f"ignored: {_listed(self.ignored)}")
        if self.absent:
            found.append(f"not in the file, used in training alone: {_listed(self.absent)}")
        return tuple(found)

    def render(self) -> str:
        """The whole report as text, a name a line."""
        lines = [self.summary()]
        lines += [f"  missing     {name}" for name in self.missing]
        lines += [f"  unexpected  {name}" for name in self.unexpected]
        lines += [f"  shape       {m.name}: {show_shape(m.found)} in the file, {show_shape(m.wanted)} wanted"
                  for m in self.misshaped]
        lines += [f"  refused     {name}: {dtype}" for name, dtype in self.refused]
        lines += [f"  note        {note}" for note in self.notes()]
        return "\n".join(lines)

    def diagnostics(self, place: str = "") -> tuple[Diagnostic, ...]:
        """An error for every name that does not fit, E510 to E513; long lists are cut."""
        made: list[Diagnostic] = []

        def add(code: str, count: int, told: Iterable[tuple[str, tuple[str, ...]]], rest: str) -> None:
            # Only what is shown is worded: finding a name that is near takes a while.
            for message, help in islice(told, SHOWN):
                made.append(Diagnostic(code, message, place=place, help=help, notes=(self.summary(),)))
            if count > SHOWN:
                made.append(Diagnostic(code, f"{count - SHOWN} more {rest}", place=place))

        add("E510", len(self.missing), ((f"`{n}` is missing from the file", _suggest(
            n, self.unexpected, "the file has")) for n in self.missing), "are missing")
        add("E511", len(self.unexpected), ((f"`{n}` is in the file and not in the model", _suggest(
            n, self.missing, "the model has")) for n in self.unexpected), "are not in the model")
        add("E512", len(self.misshaped), ((f"`{m.name}` is {show_shape(m.found)} in the file and "
            f"{show_shape(m.wanted)} in the model", ()) for m in self.misshaped), "have another shape")
        add("E513", len(self.refused), ((f"`{n}` is {dtype} in the file, and weights are floating-point "
            "numbers", ()) for n, dtype in self.refused), "are of a type that is refused")
        return tuple(made)


def match(graph: Graph, available: Mapping[str, tuple[Shape, str]], *, training: bool = False,
          dtype: str = "float32") -> Report:
    """Compare the graph's weights with what a file has.

    Args:
        graph: the model.
        available: name -> (shape, type), as the file has them.
        training: whether weights that only training uses must be there too.
        dtype: the type that is wanted, for the list of conversions.
    """
    names = {name: name for name in available}
    stripped = ""
    if available and all(name.startswith(WRAPPER) for name in available) \
            and not any(name.startswith(WRAPPER) for name in graph.weights):
        stripped = WRAPPER
        names = {name.removeprefix(WRAPPER): name for name in available}

    source: dict[str, str] = {}
    missing: list[str] = []
    absent: list[str] = []
    misshaped: list[Misfit] = []
    refused: list[tuple[str, str]] = []
    converted: list[tuple[str, str]] = []
    for name, weight in graph.weights.items():
        if name not in names:
            (absent if weight.training and not training else missing).append(name)
            continue
        shape, found = available[names[name]]
        if found not in FLOATS:
            refused.append((name, found))
        elif tuple(shape) != weight.shape:
            misshaped.append(Misfit(name, weight.shape, tuple(shape)))
        else:
            source[name] = names[name]
            if found != dtype:
                converted.append((name, found))
    extra = [name for name in names if name not in graph.weights]
    counters = [name for name in extra if name.rpartition(".")[2] == COUNTER]
    unexpected = [name for name in extra if name.rpartition(".")[2] != COUNTER]
    return Report(
        source, tuple(missing), tuple(absent), tuple(unexpected),
        tuple(misshaped), tuple(refused), tuple(converted), tuple(counters), stripped,
    )


def show_shape(shape: Shape) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _suggest(name: str, others: tuple[str, ...], who: str) -> tuple[str, ...]:
    # The nearest of thousands of names, for thousands of names, would take minutes.
    near = nearest(name, others) if len(others) <= 1000 else ()
    return (f"{who} `{near[0]}`",) if near else ()
