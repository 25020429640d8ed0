"""Random networks compute the same on every backend, in every way that they can be written.

Longer runs: `python -m tests.generator --count 5000 --seed 1 --jobs 2`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from compiler.load import load
from compiler.ops import OPS
from spec_lang.source import Source
from tests.generator.coverage import expected, seen
from tests.generator.differential import examine
from tests.generator.random_spec import random_spec
from tests.generator.wrong import accepted_against_pytorch, examine_wrong

COUNT, LARGEST, AT_ONCE = 200, 24, 10
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.cnn"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_random_specs_agree_everywhere(first: int) -> None:
    found = []
    for seed in range(first, first + AT_ONCE):
        text = random_spec(seed, LARGEST).text
        found += [f"seed {seed}: {finding}" for finding in examine(text, seed).findings]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("first", range(0, 100, AT_ONCE))
def test_what_check_accepts_of_wrong_specs_runs_everywhere(first: int) -> None:
    found = []
    for seed in range(first, first + AT_ONCE):
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


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_failed_once_holds(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [str(finding) for finding in examine(text).findings] == []


def test_every_layer_and_every_choice_is_drawn() -> None:
    drawn = set()
    for seed in range(1_000, 1_400):
        drawn |= seen(load(Source("random.cnn", random_spec(seed, LARGEST).text)).with_training)
        if drawn >= expected():
            break
    assert expected() <= drawn, sorted(expected() - drawn)
    assert {name for name, _, _ in drawn} == set(OPS)


def test_the_same_seed_gives_the_same_spec() -> None:
    assert [random_spec(seed).text for seed in range(8)] == [random_spec(seed).text for seed in range(8)]
