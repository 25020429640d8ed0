"""Timing candidates against each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Between two candidates, so that the workers of one runtime have gone to sleep.
PAUSE = 0.02


@dataclass(frozen=True)
class Ratio:
    """A candidate's time over the peer's: of the best times, and the median of the rounds' ratios."""

    best: float
    paired: float
    times: tuple[float, ...] = ()

    def over(self, other: Ratio) -> Ratio:
        """This candidate's time over another's of the same rounds."""
        return ratio(self.times, other.times)


@dataclass(frozen=True)
class Line:
    """What was measured: a candidate over its peer, and the ratio it may have (None: no goal is set)."""

    command: str
    what: str
    peer: str
    ratio: Ratio
    goal: float | None = None
    paired: bool = False  # the goal is for the paired median alone, as where a control sets it

    @property
    def verdict(self) -> str:
        """A goal is missed only where both ratios exceed it, or the paired one where it is set for that."""
        if self.goal is None:
            return ""
        reached = self.ratio.paired if self.paired else min(self.ratio.best, self.ratio.paired)
        return "missed" if reached > self.goal else "met"


def against(
    peer: str,
    candidates: Mapping[str, Callable[[], object]],
    rounds: int = 9,
    warm_up: int = 2,
    before: Callable[[], object] = lambda: None,
    calls: int = 1,
) -> dict[str, Ratio]:
    """Time all candidates, interleaved, and give the ratios to `peer`, which is one of them.

    `before` is done before each, and not timed.  Of so many `calls` in a row the last is timed: the first
    finds caches and cores as the other candidate, and the pause, have left them.  Each round begins with
    another one, so that nobody is always the first.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    order = list(candidates.items())
    for number in range(warm_up + rounds):
        order = order[1:] + order[:1]
        for name, run in order:
            before()
            time.sleep(PAUSE)
            for _ in range(calls - 1):
                run()
            begin = time.perf_counter()
            run()
            spent = time.perf_counter() - begin
            if number >= warm_up:
                times[name].append(spent)
    return {name: ratio(mine, times[peer]) for name, mine in times.items()}


def ratio(mine: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of the times of the same rounds."""
    paired = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    return Ratio(min(mine) / min(theirs), paired, tuple(mine))
