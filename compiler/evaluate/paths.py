"""Names of weights: the step that each member of a body adds to the path, and who has which path."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.evaluate.problems import Problem
from spec_lang.diagnostics import Label
from spec_lang.source import Span

Path = tuple[str, ...]


class Namer:
    """Gives the members of one body their step: labels, positions in a `seq`, counts elsewhere."""

    __slots__ = ("counts", "position", "prefix", "seq")

    def __init__(self, prefix: Path, seq: bool) -> None:
        self.prefix = prefix
        self.seq = seq
        self.counts: dict[str, int] = {}
        self.position = 0

    def step(self, kind: str, label: Path) -> Path:
        """The steps that a layer or block of this kind (`conv`) adds; labelled ones are counted too."""
        self.counts[kind] = count = self.counts.get(kind, 0) + 1
        position = self.position
        self.position += 1
        if label:
            return label
        return (str(position),) if self.seq else (f"{kind}{count}",)

    def enter(self, label: Path) -> Path:
        """The steps that a `seq`, group or join adds: none without a label, but its position in a `seq`."""
        position = self.position
        self.position += 1
        if label:
            return label
        return (str(position),) if self.seq else ()


class Paths:
    """The paths that are taken, by layers and by labels, and the steps that labels only go through."""

    def __init__(self) -> None:
        self.taken: dict[str, Span] = {}
        self.through: dict[str, Span] = {}
        #: Both in the order in which they came, so that what a block added can be read off.
        self.order: list[tuple[str, bool]] = []

    def between(self, start: int, stop: int, cut: int) -> list[tuple[str, bool, Span]]:
        """What was added from one time to another: without its first letters, and if it is gone through."""
        return [
            (path[cut:], through, (self.through if through else self.taken)[path])
            for path, through in self.order[start:stop]
        ]

    def take_again(self, path: str, added: Sequence[tuple[str, bool, Span]]) -> None:
        """Take what goes on from a path that is new, as it went on from another."""
        for rest, through, span in added:
            (self.through if through else self.taken)[path + rest] = span
            self.order.append((path + rest, through))

    def claim(self, path: Path, steps: int, span: Span, again: bool = False) -> None:
        """Take a path whose last `steps` are its own; E207 for a second use, and for a path inside another.

        `again` is for second and later applications of something `shared`: the same place may
        take its path once more.
        """
        dotted = ".".join(path)
        first = self.taken.get(dotted)
        if first is not None:
            if again and first == span:
                return
            raise Problem(
                "E207",
                f"two things are named `{dotted}`",
                span,
                labels=(Label(first, "first named here"),),
                help=("give one of them another label",),
            )
        if dotted in self.through:
            raise Problem(
                "E207",
                f"`{dotted}` is a name of its own and the beginning of another",
                span,
                labels=(Label(self.through[dotted], "the other name"),),
            )
        for end in range(len(path) - 1, len(path) - steps, -1):
            before = ".".join(path[:end])
            if before in self.taken:
                raise Problem(
                    "E207",
                    f"`{dotted}` goes through `{before}`, which is a name of its own",
                    span,
                    labels=(Label(self.taken[before], "named here"),),
                )
            if before in self.through:
                break  # and so is all that comes before it
            self.through[before] = span
            self.order.append((before, True))
        self.taken[dotted] = span
        self.order.append((dotted, False))
