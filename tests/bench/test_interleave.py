"""What counts as a missed goal."""

from __future__ import annotations

import pytest

from bench.interleave import Line, Ratio


@pytest.mark.parametrize(
    ("best", "paired", "alone", "verdict"),
    [
        (1.0, 1.0, False, "met"),
        (1.5, 1.0, False, "met"),
        (1.0, 1.5, False, "met"),
        (1.5, 1.5, False, "missed"),
        (1.5, 1.0, True, "met"),
        (1.0, 1.5, True, "missed"),
    ],
)
def test_a_goal_is_missed_by_both_ratios_or_by_the_paired_one_where_it_is_for_that(
    best: float, paired: float, alone: bool, verdict: str
) -> None:
    assert Line("c", "what", "peer", Ratio(best, paired), 1.02, alone).verdict == verdict
    assert Line("c", "what", "peer", Ratio(best, paired), None, alone).verdict == ""
