"""Which weights `freeze` keeps as they are: patterns over the names of weights.

    freeze = "all but fc"
    freeze = ["conv1, bn1", "layer*.0"]

A pattern is `all`, `none`, `all but PATHS`, or PATHS: paths with commas between them.  A path is the
first steps of names of weights (`layer1`, `layer4.0.conv1`) or a whole name (`fc.bias`); a `*` in a step
stands for any characters of that step, a step `**` for any number of steps.  What several patterns name is
frozen together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from compiler.declare import BadValue, Called, Context, Fault, Faults, Kind, Word, show
from spec_lang.diagnostics import nearest
from spec_lang.frozen import frozen

if TYPE_CHECKING:
    from compiler.graph import Weight

#: Paths of one pattern, and patterns of one setting: each path is compared with each weight.
MOST = 64
#: How many paths that match nothing are reported one by one.
SHOWN = 10

#: The step that stands for any number of steps, as in the rules of `compiler.rename`.
ANY = "**"
_PATH = re.compile(r"[A-Za-z0-9_/*-]+(\.[A-Za-z0-9_/*-]+)*")


@frozen
class Pattern:
    """`paths`, or with `others` all but them: `all` has no paths and others, `none` neither."""

    text: str
    paths: tuple[str, ...]
    others: bool = False

    @property
    def described(self) -> str:
        """As it is written in a spec."""
        return f'"{self.text}"'

    @staticmethod
    def read(text: str) -> Pattern:
        """The pattern that a text is.  Raises `BadValue`."""
        words = " ".join(text.split())
        if words in ("all", "none"):
            return Pattern(words, (), words == "all")
        others = words == "all but" or words.startswith("all but ")
        listed = words.removeprefix("all but").split(",") if others else words.split(",")
        paths = tuple(dict.fromkeys(path.strip() for path in listed))
        if len(paths) > MOST:
            raise BadValue(f"at most {MOST} paths in one pattern, not {len(paths)}")
        for path in paths:
            if path in ("all", "none"):
                raise BadValue(f"a pattern, and `{path}` stands alone in one; all weights below `{path}` are"
                               f' "{path}.*"')
            if not _PATH.fullmatch(path):
                wrong = show(path or text)
                raise BadValue(f'a pattern such as "layer1, layer2.0" or "all but fc", not {wrong}')
            if path.split(".").count(ANY) > 1:
                raise BadValue(f"a pattern with one `{ANY}` in a path, not {show(path)}")
        return Pattern(("all but " if others else "") + ", ".join(paths), paths, others)


@frozen
class Patterns(Kind):
    """A pattern, or a list of them."""

    def describe(self) -> str:
        return 'a pattern of names of weights, such as "all but fc", or a list of them'

    def accept(self, value: Any, context: Context) -> tuple[Pattern, ...]:
        entries = value if isinstance(value, (tuple, list)) else (value,)
        if len(entries) > MOST:
            raise BadValue(f"at most {MOST} patterns, not {len(entries)}")
        made = []
        for entry in entries:
            if isinstance(entry, (Word, Called)):
                raise BadValue(f'{self.describe()}, in quotes: "{show(entry)}"')
            if not isinstance(entry, str):
                raise BadValue(f"{self.describe()}, not {show(entry)}")
            made.append(Pattern.read(entry))
        if len(made) > 1 and any(not pattern.paths and not pattern.others for pattern in made):
            raise BadValue('a list without "none", which stands alone')
        return tuple(made)


def frozen_names(weights: Mapping[str, Weight], patterns: Sequence[Pattern]) -> frozenset[str]:
    """The names that the patterns match, running statistics and constants among them.

    Raises:
        Faults: with the pattern's position (None: all together): E807 a path that no weight is at,
            E808 nothing is left to be trained.
    """
    steps = {name: name.split(".") for name in weights}
    chosen: set[str] = set()
    faults: list[tuple[int | None, Fault]] = []
    for position, pattern in enumerate(patterns):
        named: set[str] = set()
        for path in pattern.paths:
            wanted = path.split(".")
            found = [name for name, its in steps.items() if _begins(its, wanted)]
            if not found and len(faults) < SHOWN:
                faults.append((position, _unmatched(path, steps)))
            named.update(found)
        chosen |= weights.keys() - named if pattern.others else named
    trained = [name for name, weight in weights.items() if weight.trainable]
    if not faults and chosen and chosen.issuperset(trained):
        faults.append((None, _nothing_left(trained)))
    if faults:
        raise Faults(faults)
    return frozenset(chosen)


def _begins(steps: Sequence[str], path: Sequence[str]) -> bool:
    if ANY in path:
        gap = path.index(ANY)
        before, after = path[:gap], path[gap + 1 :]
        return _begins(steps, before) and any(_begins(steps[at:], after) for at in range(gap, len(steps)))
    return len(path) <= len(steps) and all(map(_fits, steps, path))


def _fits(step: str, pattern: str) -> bool:
    """Whether a step is what a pattern with `*` says, in time that grows with their lengths alone."""
    first, *middle = pattern.split("*")
    if not middle:
        return step == first
    last = middle.pop()
    if len(step) < len(first) + len(last) or not (step.startswith(first) and step.endswith(last)):
        return False
    at, end = len(first), len(step) - len(last)
    for piece in middle:
        at = step.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _unmatched(path: str, steps: Mapping[str, Sequence[str]]) -> Fault:
    beginnings = {".".join(its[:count]) for its in steps.values() for count in range(1, len(its) + 1)}
    near = nearest(path, beginnings)
    return Fault("E807", f"`freeze`: no weight is at the path `{path}`", argument="freeze",
                 notes=(f"paths begin with {_listed(its[0] for its in steps.values())}",) if steps else (),
                 help=(f'did you mean "{near[0]}"?',) if near else ())


def _nothing_left(trained: Sequence[str]) -> Fault:
    last = trained[-1].rpartition(".")[0] or trained[-1] if trained else ""
    return Fault("E808", "`freeze` keeps every weight as it is, so that nothing is left to be trained",
                 argument="freeze", help=(f'"all but {last}"',) if last else ())


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(f"`{name}`" for name in islice(every, SHOWN)) + more
