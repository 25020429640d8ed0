"""Random networks compute the same on every backend, in every way that they can be written.

Longer runs: `python -m tests.generator --count 5000 --seed 1 --jobs 2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.generator.differential import examine
from tests.generator.random_spec import LARGEST, SEEDS, random_spec

AT_ONCE = 10
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.cnn"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_random_specs_agree_everywhere(first: int) -> None:
    found = []
    for seed in range(first, first + AT_ONCE):
        text = random_spec(seed, LARGEST).text
        found += [f"seed {seed}: {finding}" for finding in examine(text, seed).findings]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_failed_once_holds(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [str(finding) for finding in examine(text).findings] == []
