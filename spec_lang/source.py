"""A text and the places in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

from spec_lang.frozen import unique

_LINE_END = re.compile(r"\r\n|\n|\r")


@unique
class Source:
    """One spec text under the name that messages show.

    `name` is what the user typed to get here (a path, mostly); `text` is decoded and
    has no byte-order mark.  Sources are compared by identity: two files may hold the
    same text.
    """

    name: str
    text: str

    def __repr__(self) -> str:
        return f"Source(name={self.name!r})"

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets at which lines begin (code points; lines end with LF, CR or CR LF)."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1, columns in code points."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line (from 1), without its end."""
        starts = self.line_starts
        stop = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : stop].rstrip("\r\n")


class Span(NamedTuple):
    """A stretch of a source, `start` inclusive, `end` exclusive, in code points."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of the other."""
        return Span(self.source, self.start, other.end)

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
