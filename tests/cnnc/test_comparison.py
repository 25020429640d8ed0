"""Two arrays agree or they do not, and the numbers say how far apart they are."""

from __future__ import annotations

import numpy as np
import pytest

from cnnc.comparison import compare

NAN, INF = float("nan"), float("inf")


def test_the_largest_error_its_place_and_its_size_are_reported() -> None:
    answer = np.array([[1.0, -8.0], [2.0, 0.5]])
    got = answer.astype(np.float32)
    got[1, 0] += 0.004
    made = compare("x", "y", got, answer, 1e-3)
    assert made.where == (1, 0)
    assert made.error == pytest.approx(0.004, rel=1e-3)
    assert made.relative == pytest.approx(0.0005, rel=1e-3)  # of 8
    assert made.ulp_max == pytest.approx(0.004 / np.spacing(np.float32(2.0)), rel=1e-3)
    assert made.passed
    assert not made.within(4e-4).passed


def test_one_ulp_is_one_ulp() -> None:
    answer = np.array([3.0, 1e-3, 1e20])
    got = np.nextafter(answer.astype(np.float32), np.float32(INF))
    assert compare("x", "y", got, got.astype(np.float64), 0.0).ulp_max == 0.0
    assert compare("x", "y", got, answer.astype(np.float32).astype(np.float64), 1e-6).ulp_max == 1.0


@pytest.mark.parametrize(("got", "answer", "passes"), [
    ([1.0, 2.0], [1.0, 2.0], True),
    ([0.0, -0.0], [-0.0, 0.0], True),
    ([0.0, 0.0], [0.0, 0.0], True),
    ([0.0, 1e-30], [0.0, 0.0], False),
    ([NAN, 2.0], [NAN, 2.0], True),
    ([INF, 2.0], [INF, 2.0], True),
    ([-INF, 2.0], [INF, 2.0], False),
    ([NAN, 2.0], [INF, 2.0], False),
    ([INF, 2.0], [NAN, 2.0], False),
    ([2.0, NAN], [NAN, 2.0], False),
    ([1.0, NAN], [1.0, 2.0], False),
    ([1.0, INF], [1.0, 2.0], False),
    ([1.0, 2.0], [1.0, NAN], False),
    ([NAN, NAN], [NAN, NAN], False),  # nothing finite: that proves nothing
    ([1.0], [1.0, 2.0], False),
    ([[1.0, 2.0]], [1.0, 2.0], False),
    ([], [], False),
    ([1.0, 1.002], [1.0, 1.0], False),
])
def test_what_agrees(got: list[float], answer: list[float], passes: bool) -> None:
    made = compare("x", "y", np.array(got, np.float32), np.array(answer, np.float64), 1e-3)
    assert made.passed is passes
