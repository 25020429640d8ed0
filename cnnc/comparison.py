"""How far two arrays are apart: the largest error, where it is, and in units in the last place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Comparison:
    """One output of one model against the answer.

    `error` is the largest absolute difference and `where` its index, batch first; `relative` is
    `error` over the largest number of the answer.  `ulp_max` and `ulp_999` (the 99.9th percentile) count in
    units in the last place of the model's own float type.  `problem` says what is wrong beyond size: another
    shape, NaN or infinity in other places, nothing finite to compare.
    """

    what: str
    output: str
    shape: tuple[int, ...]
    error: float = 0.0
    where: tuple[int, ...] = ()
    relative: float = 0.0
    ulp_max: float = 0.0
    ulp_999: float = 0.0
    tolerance: float = 0.0
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error lies within the tolerance, which is relative to the answer's largest number."""
        return not self.problem and self.relative <= self.tolerance

    def within(self, tolerance: float) -> Comparison:
        """The same measurement, judged by another tolerance."""
        return replace(self, tolerance=tolerance)


def compare(what: str, output: str, got: Array, answer: Array, tolerance: float) -> Comparison:
    """Measure `got` against `answer` (float64), and judge it.

    NaN and infinity must stand in the same places with the same sign; what is finite is measured.
    """
    plain = Comparison(what, output, tuple(got.shape), tolerance=tolerance)
    if got.shape != answer.shape:
        return replace(plain, problem=f"shape {got.shape} instead of {answer.shape}")
    if not answer.size:
        return replace(plain, problem="there are no numbers to compare")
    finite = np.isfinite(answer)
    wild_got, wild_answer = got[~finite], answer[~finite]
    same = np.array_equal(np.isnan(wild_got), np.isnan(wild_answer)) and np.array_equal(
        wild_got[~np.isnan(wild_got)], wild_answer[~np.isnan(wild_answer)])
    if not same or not np.isfinite(got[finite]).all():
        return replace(plain, problem="NaN or infinity stands in other places")
    if not finite.any():
        return replace(plain, problem="the answer has no finite number to compare")
    difference = np.where(finite, np.abs(np.subtract(got, answer, where=finite, dtype=np.float64,
                                                     out=np.zeros(answer.shape))), 0.0)
    largest = float(np.abs(answer[finite]).max())
    worst = int(np.argmax(difference))
    error = float(difference.reshape(-1)[worst])
    smallest = np.finfo(got.dtype).tiny
    # In float64 whatever the model computes in: the unit of a small number is below what float32 holds.
    unit = np.spacing(np.maximum(np.abs(answer[finite]), smallest).astype(got.dtype)).astype(np.float64)
    with np.errstate(over="ignore"):
        ulps = np.minimum(difference[finite] / unit, np.finfo(np.float64).max)
    return replace(
        plain, error=error, where=tuple(int(i) for i in np.unravel_index(worst, answer.shape)),
        relative=error / largest if largest > 0.0 else (0.0 if error == 0.0 else float("inf")),
        ulp_max=float(ulps.max()), ulp_999=float(np.quantile(ulps, 0.999)))
