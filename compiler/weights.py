"""Which weights of a file go where in a graph, decided before a number is read.

Loading is strict: every weight of the graph must be there, under its name and in its shape,
and nothing else.  What differs on purpose is said: rules that rename (`compiler.rename`), named
operations (`compiler.adapt`), or `partial`.  `match` compares names, shapes and types and gives a
`Report`; reading files is left to `cnnc.weights_io`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from compiler.adapt import BGR_TO_RGB, FC_TO_CONV, HEAD, OPERATIONS, Misfit, Shape, adapted
from compiler.graph import Graph
from compiler.rename import Rule, renamed, rule_between
from spec_lang.diagnostics import Diagnostic, Error, nearest
from spec_lang.frozen import field, frozen, replace

#: Types that are converted without asking; the report says so.
FLOATS = ("float16", "bfloat16", "float32", "float64")
#: PyTorch's counters, which take no part in computing: that of every batch normalisation, and of an
#: averaged model.
COUNTERS = ("num_batches_tracked", "n_averaged")
#: What DataParallel and AveragedModel put in front of every name.
WRAPPER = "module."
#: How many names of one kind are reported one by one.
SHOWN = 10


class WeightsError(Error):
    """A file of weights that cannot be read, or that does not fit the graph (E5)."""


@frozen
class Report:
    """What became of every name.  All tuples keep the order of the graph, or else of the file.

    Attributes:
        source: graph name -> name in the file, for what is taken.
        missing: weights of the graph that the file lacks.
        absent: the same, for weights that only training uses: allowed for inference.
        unexpected: names in the file that the graph lacks.
        misshaped: names that both have, in different shapes.
        refused: (name, type in the file) that are not real floating-point numbers.
        converted: (name, type in the file) of those that change their float type.
        ignored: PyTorch's counters.
        stripped: what was taken off the front of every name in the file; empty mostly.
        partial: whether what is missing keeps its initial values, and what is unexpected is left out.
        renamed: name that a rule made -> name in the file.
        views: what is taken in another shape of as many numbers (`fc_to_conv`).
        reversed: whose input channels are turned round (`bgr_to_rgb`).
        head: what keeps its initial values because the number of classes differs (`head`).
        remedies: misshaped name -> the operation that would take it.
        mistakes: rules and operations that have no effect, or an effect that cannot be meant.
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
    partial: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    views: tuple[Misfit, ...] = ()
    reversed: tuple[str, ...] = ()
    head: tuple[Misfit, ...] = ()
    remedies: Mapping[str, str] = field(default_factory=dict)
    mistakes: tuple[Diagnostic, ...] = ()

    @property
    def matched(self) -> tuple[str, ...]:
        return tuple(self.source)

    @property
    def initial(self) -> frozenset[str]:
        """The weights that keep their initial values."""
        missing = self.missing if self.partial else ()
        return frozenset((*missing, *(misfit.name for misfit in self.head)))

    @property
    def fits(self) -> bool:
        names = self.partial or not (self.missing or self.unexpected)
        return names and not (self.misshaped or self.refused or self.mistakes)

    def summary(self) -> str:
        """One line: `10 matched, 1 missing, 0 unexpected, 0 of another shape`."""
        parts = [f"{len(self.matched)} matched", f"{len(self.missing)} missing",
                 f"{len(self.unexpected)} unexpected", f"{len(self.misshaped)} of another shape"]
        if self.refused:
            parts.append(f"{len(self.refused)} of a type that is refused")
        if self.head:
            parts.append(f"{len(self.head)} of the head left out")
        return ", ".join(parts)

    def notes(self) -> tuple[str, ...]:
        """What is worth knowing although it is no mistake, a line each; long lists are cut."""
        found = []
        if self.stripped:
            found.append(f"`{self.stripped}` was taken off the front of every name")
        if self.renamed:
            found.append(f"renamed: {_listed(f'{old} to {new}' for new, old in self.renamed.items())}")
        if self.views:
            found.append(f"{FC_TO_CONV}: {_listed(map(str, self.views))}")
        if self.reversed:
            found.append(f"{BGR_TO_RGB}: input channels turned round: {_listed(self.reversed)}")
        if self.head:
            found.append(f"{HEAD}: initial values instead of the file's: {_listed(map(str, self.head))}")
        if self.partial and self.missing:
            found.append(f"partial: not in the file, initial values: {_listed(self.missing)}")
        if self.partial and self.unexpected:
            found.append(f"partial: not in the model, left out: {_listed(self.unexpected)}")
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
        lines += [f"  head        {misfit}" for misfit in self.head]
        lines += [f"  view        {misfit}" for misfit in self.views]
        lines += [f"  reversed    {name}" for name in self.reversed]
        lines += [f"  renamed     {old} to {new}" for new, old in self.renamed.items()]
        lines += [f"  note        {note}" for note in self.notes()]
        return "\n".join(lines)

    def diagnostics(self, place: str = "", *, options: bool = False) -> tuple[Diagnostic, ...]:
        """An error for every name that does not fit, E510 to E513 and E519 to E521; long lists are cut.

        `options`: whether the help names what the loading of a file takes (`--partial` and so on).
        """
        made = [mistake if mistake.span else replace(mistake, place=place) for mistake in self.mistakes]

        def add(code: str, count: int, told: Iterable[tuple[str, tuple[str, ...]]], rest: str) -> None:
            # Only what is shown is worded: finding a name that is near takes a while.
            for message, help in islice(told, SHOWN):
                made.append(Diagnostic(code, message, place=place, help=help, notes=(self.summary(),)))
            if count > SHOWN:
                made.append(Diagnostic(code, f"{count - SHOWN} more {rest}", place=place))

        missing = () if self.partial else self.missing
        unexpected = () if self.partial else self.unexpected
        add("E510", len(missing), ((f"`{n}` is missing from the file", self._missing_help(n, options))
            for n in missing), "are missing")
        add("E511", len(unexpected), ((f"{self._named(n)} is in the file and not in the model", _suggest(
            n, self.missing, "the model has")) for n in unexpected), "are not in the model")
        add("E512", len(self.misshaped), ((f"`{m.name}` is {show_shape(m.found)} in the file and "
            f"{show_shape(m.wanted)} in the model", self._shape_help(m.name, options))
            for m in self.misshaped), "have another shape")
        add("E513", len(self.refused), ((f"`{n}` is {dtype} in the file, and weights are floating-point "
            "numbers", ()) for n, dtype in self.refused), "are of a type that is refused")
        return tuple(made)

    def _named(self, name: str) -> str:
        old = self.renamed.get(name)
        return f"`{name}`" if old is None else f"`{name}`, renamed from `{old}`,"

    def _missing_help(self, name: str, options: bool) -> tuple[str, ...]:
        near = _suggest(name, self.unexpected, "the file has")
        if not options:
            return near
        if not near:
            return ("`--partial` keeps initial values for what is missing",)
        found = near[0].split("`")[1]
        old = self.renamed.get(found)
        if old is not None:  # rules are about the names of the file
            (ours, _, last), (theirs, _, wanted) = old.rpartition("."), name.rpartition(".")
            own = Rule(ours, theirs) if ours and theirs and last == wanted else Rule(old, name)
            return (f"{near[0]}, made of `{old}`: `--rename {own}` instead of the rule that made it",)
        rule = rule_between(found, name)
        return near if rule is None else (f"{near[0]}: `--rename {rule}`",)

    def _shape_help(self, name: str, options: bool) -> tuple[str, ...]:
        if not options or name not in self.remedies:
            return ()
        operation = self.remedies[name]
        return (f"`--adapt {operation}` {OPERATIONS[operation]}",)


def match(graph: Graph, available: Mapping[str, tuple[Shape, str]], *, training: bool = False,
          dtype: str = "float32", partial: bool = False, rename: Sequence[Rule] = (),
          adapt: Collection[str] = ()) -> Report:
    """Compare the graph's weights with what a file has.

    Args:
        graph: the model.
        available: name -> (shape, type), as the file has them.
        training: whether weights that only training uses must be there too.
        dtype: the type that is wanted, for the list of conversions.
        partial: whether names may be missing and unexpected, as long as one matches.
        rename: rules for the names of the file, see `compiler.rename`.  What stands in front of every name
            of a file of `DataParallel` is taken off, unless a rule says what becomes of it.
        adapt: names of operations, see `compiler.adapt`.
    """
    names = {name: name for name in available}
    stripped = ""
    by_rule = any(f"{rule.old}.".startswith(WRAPPER) for rule in rename)
    if _wrapped(available) and not by_rule and not any(name.startswith(WRAPPER) for name in graph.weights):
        stripped = WRAPPER
        names = {name.removeprefix(WRAPPER): name for name in available}
    changes = renamed(tuple(names), rename)
    if changes.mistakes:
        return Report({}, stripped=stripped, mistakes=changes.mistakes)
    names = {new: names[old] for old, new in changes.names.items()}

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
            continue
        if tuple(shape) != weight.shape:
            misshaped.append(Misfit(name, weight.shape, tuple(shape)))
        else:
            source[name] = names[name]
        if found != dtype:
            converted.append((name, found))
    result = adapted(graph, misshaped, {*source, *(misfit.name for misfit in misshaped)}, adapt)
    views = {misfit.name for misfit in result.views}
    source = {name: names[name] for name in graph.weights if name in source or name in views}
    extra = [name for name in names if name not in graph.weights]
    counters = tuple(name for name in extra if name.rpartition(".")[2] in COUNTERS)
    unexpected = tuple(name for name in extra if name.rpartition(".")[2] not in COUNTERS)
    mistakes = result.mistakes
    if partial and not (source or mistakes or result.misshaped or refused):
        mistakes = (Diagnostic(
            "E521", f"nothing is taken from the file: none of its {len(names):,} names is one of the model's "
            f"{len(graph.weights):,}", help=_examples(names, graph)),)
    return Report(
        source, tuple(missing), tuple(absent), unexpected,
        result.misshaped, tuple(refused), tuple(pair for pair in converted if pair[0] in source), counters,
        stripped, partial, {new: old for old, new in changes.names.items() if new != old},
        result.views, result.reversed, result.head, result.remedies, mistakes,
    )


def show_shape(shape: Shape) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _wrapped(available: Collection[str]) -> bool:
    """Whether every name has the wrapper in front, but for an averaged model's counter beside it."""
    plain = [name for name in available if not name.startswith(WRAPPER)]
    return len(plain) < len(available) and all(name in COUNTERS for name in plain)


def _examples(names: Collection[str], graph: Graph) -> tuple[str, ...]:
    theirs, ours = next(iter(names), ""), next(iter(graph.weights), "")
    if not theirs or not ours:
        return ()
    return (f"the file's first name is `{theirs}`, the model's `{ours}`: `--rename` brings them together",)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _suggest(name: str, others: tuple[str, ...], who: str) -> tuple[str, ...]:
    # The nearest of thousands of names, for thousands of names, would take minutes.
    near = nearest(name, others) if len(others) <= 1000 else ()
    return (f"{who} `{near[0]}`",) if near else ()
