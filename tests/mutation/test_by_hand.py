"""Mistakes made by hand in emitters and declarations: the tests notice them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.mutation.by_hand import MISTAKES, Mistake
from tests.mutation.hand import judged
from tests.mutation.modules import MODULES, ROOT

#: Every run of the tests makes so many of the mistakes; the long ones make all.
SOME = 16


def unnoticed(mistakes: list[Mistake]) -> list[str]:
    """Those at which no test failed; each is noticed by a test, not by an error around the tests."""
    answers = list(judged(mistakes))
    assert len(answers) == len(mistakes)
    return [f"{m}: {answer}" for m, answer in answers if answer["code"] != 1 or "::" not in answer["failed"]]


def test_some_mistakes_are_noticed() -> None:
    assert unnoticed(random.Random(3).sample(MISTAKES, SOME)) == []


@pytest.mark.long
def test_every_mistake_is_noticed() -> None:
    assert unnoticed(list(MISTAKES)) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_fits_its_file(mistake: Mistake) -> None:
    source = (ROOT / mistake.file).read_text(encoding="utf-8")
    changed = mistake.apply(source)
    compile(changed, mistake.file, "exec")
    assert changed != source and (ROOT / mistake.tests).exists()


def test_a_mistake_that_no_longer_fits_is_an_error() -> None:
    with pytest.raises(LookupError, match="conv.py has 0 times, not once"):
        Mistake("conv.py", "old", "new", "", "", ()).apply("text")
    with pytest.raises(LookupError, match="2 times"):
        Mistake("conv.py", "x", "y", "", "", ()).apply("x x")


def test_there_are_mistakes_in_every_module_and_none_twice() -> None:
    folders = {m.name: {str(Path(f).parent) for f in m.files} for m in MODULES}
    for name, places in folders.items():
        assert sum(str(Path(m.file).parent) in places for m in MISTAKES) >= 10, name
    assert len({(m.file, m.old, m.new) for m in MISTAKES}) == len(MISTAKES) >= 60
