"""Mutants that no test can catch, each with the reason, from `survivors.toml`.

An entry names a file, a line of it as it stands there (without its indentation), and what the line is
after the mutation; a reason that starts with "survivor:" is for one that a test could catch.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Edit

#: How the reason of a mutant begins that a test could catch.
SURVIVOR = "survivor:"

TABLE = Path(__file__).parent / "survivors.toml"


@dataclass(frozen=True)
class Entry:
    """`line` of `file` becomes `mutant`; `why` nothing notices."""

    file: str
    line: str
    mutant: str
    why: str


@dataclass(frozen=True)
class Known:
    """The table."""

    entries: tuple[Entry, ...]

    def reason(self, edit: Edit, source: str) -> str | None:
        """Why a mutant is equivalent, if it is listed as such."""
        line, mutant = edit.lines(source)
        for entry in self.entries:
            if entry.file == edit.file and _plain(entry.line) == line and _plain(entry.mutant) == mutant:
                return entry.why
        return None


def _plain(text: str) -> str:
    return " ".join(text.split())


def known() -> Known:
    """The table as it is on disk."""
    with TABLE.open("rb") as file:
        table = tomllib.load(file)
    return Known(tuple(Entry(**row) for row in table.get("equivalent", [])))
