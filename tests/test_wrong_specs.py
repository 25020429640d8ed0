"""Specs made wrong on purpose: what PyTorch refuses is refused, and what is accepted runs on all backends."""

from __future__ import annotations

import pytest

from tests.generator.random_spec import random_spec
from tests.generator.wrong import accepted_against_pytorch, examine_wrong


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_what_check_accepts_of_wrong_specs_runs_everywhere(first: int) -> None:
    found = []
    for seed in range(first, first + 10):
        text = random_spec(seed, 10).text
        found += [f"seed {seed}: {finding}\n{text}" for finding, text in examine_wrong(text, seed, 5)]
    assert not found, "\n".join(found)


def test_what_pytorch_refuses_is_refused() -> None:
    refused, found = 0, []
    for seed in range(50):
        count, accepted = accepted_against_pytorch(random_spec(seed, 16).text, seed, 45)
        refused += count
        found += [f"seed {seed}: {finding}\n{text}" for finding, text in accepted]
    assert not found, "\n".join(found)
    assert refused >= 500
