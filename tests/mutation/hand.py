"""The short form: every mistake of `by_hand` against the tests that have to notice it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.mutation.by_hand import Mistake
from tests.mutation.modules import ROOT
from tests.mutation.workplace import Workplace

#: Time of the processor for the tests of one mistake.
SECONDS = 60


def judged(mistakes: Sequence[Mistake]) -> Iterator[tuple[Mistake, dict[str, Any]]]:
    """Each mistake with what its tests say.  `code` is 0 where nothing notices, 1 where a test fails."""
    with Workplace() as workplace:
        for mistake in mistakes:
            source = (ROOT / mistake.file).read_text(encoding="utf-8")
            yield (
                mistake,
                workplace.ask(
                    file=mistake.file,
                    source=mistake.apply(source),
                    paths=[mistake.tests],
                    words=list(mistake.words),
                    seconds=SECONDS,
                ),
            )
