"""Timing candidates against each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Between two candidates, so that the workers of one runtime have gone to sleep.
PAUSE = 0.02


@dataclass(frozen=True)
class Ratio:
    """A candidate's time over the peer's: of the best times, and the median of the rounds' ratios."""

    best: float
    paired: float


def against(
    peer: str, candidates: Mapping[str, Callable[[], object]], rounds: int = 9, warm_up: int = 2
) -> dict[str, Ratio]:
    """Time all candidates, interleaved, and give the ratios to `peer`, which is one of them."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm_up + rounds):
        for name, run in candidates.items():
            time.sleep(PAUSE)
            begin = time.perf_counter()
            run()
            spent = time.perf_counter() - begin
            if number >= warm_up:
                times[name].append(spent)
    return {
        name: Ratio(
            min(mine) / min(times[peer]),
            statistics.median(a / b for a, b in zip(mine, times[peer], strict=True)),
        )
        for name, mine in times.items()
    }


def show(title: str, ratios: Mapping[str, Ratio]) -> None:
    """Print the ratios."""
    print(title)
    for name, ratio in ratios.items():
        print(f"  {name:<24} best {ratio.best:8.3f}   paired {ratio.paired:8.3f}")
