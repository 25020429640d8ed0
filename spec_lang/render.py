"""Diagnostics as text for a terminal and as JSON for programs.

What comes from the input is shown, never obeyed: control characters, terminal escapes and
characters that change the direction of text appear escaped.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Any

from spec_lang.diagnostics import Diagnostic, in_order
from spec_lang.source import Span

TAB = 4
"""Columns between tab stops in a snippet."""

_CUT = "..."
_NEAR = 500
"""Characters of a long line that are looked at before the caret (and twice that behind it)."""
_COLOURS = {
    "error": "1;31",
    "warning": "1;33",
    "bold": "1",
    "gutter": "1;34",
    "label": "1;34",
    "help": "1;32",
}


def render_text(diagnostics: Iterable[Diagnostic], *, color: bool = False, width: int = 160) -> str:
    """Every diagnostic with its snippets, in order of place, an empty line between two.

    `color` adds ANSI escapes.  Source lines wider than `width` columns are cut around the caret;
    messages are never cut.
    """
    pen = _Pen(color)
    return "\n\n".join("\n".join(_text(d, pen, width)) for d in in_order(diagnostics))


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list with one object for each diagnostic, in order of place.

    Fields: `code`, `severity` (error or warning), `message`, `file`, `line`, `column`, `end_line`,
    `end_column` (from 1, the end exclusive, in code points), `length`, `offset` (for a file that is
    not a spec, the byte it is about), `label`, `labels` (objects with the fields of a place and
    `text`), `notes`, `help` (lists of strings).  What does not apply is null.
    """
    return json.dumps([_object(d) for d in in_order(diagnostics)], indent=2)


def escape(text: str, keep: str = "") -> str:
    """Text with everything that a terminal would act on written as an escape, but for `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


# ---- text ------------------------------------------------------------------------------


class _Pen:
    """Paints a piece of text, where colour is wanted."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if self.color and text else text


def _severity(diagnostic: Diagnostic) -> str:
    return "error" if diagnostic.is_error else "warning"


def _text(diagnostic: Diagnostic, pen: _Pen, width: int) -> list[str]:
    severity = _severity(diagnostic)
    head = pen(severity, f"{severity}[{diagnostic.code}]") + pen("bold", f": {escape(diagnostic.message)}")
    lines = [head]
    spans = ([diagnostic.span] if diagnostic.span else []) + [label.span for label in diagnostic.labels]
    digits = max((len(str(span.line)) for span in spans), default=1)
    margin = " " * (digits + 2)
    bar = pen("gutter", margin + "|")

    if diagnostic.span is None:
        if diagnostic.place:
            lines.append(pen("gutter", margin[1:] + "--> ") + escape(diagnostic.place))
    first = True
    for span, marks in _snippets(diagnostic):
        arrow = "--> " if first else "::: "
        lines += [pen("gutter", margin[1:] + arrow) + escape(str(span)), bar]
        cells = _Cells(span, marks, width - len(margin) - 2)
        lines.append(pen("gutter", f" {span.line:>{digits}} |") + _after_bar(cells.shown))
        for mark, at, length in cells.marks:
            style = severity if mark.main else "label"
            under = ("^" if mark.main else "-") * length
            text = f"{under} {escape(mark.text)}".rstrip()
            lines.append(bar + " " + " " * at + pen(style, text))
        first = False

    remarks = [("", note) for note in diagnostic.notes] + [("help: ", help) for help in diagnostic.help]
    if remarks and not first:
        lines.append(bar)
    for title, remark in remarks:
        indent = "\n" + " " * (len(margin) + 2)
        lines.append(
            pen("gutter", margin + "= ") + pen("help", title) + escape(remark, "\n").replace("\n", indent)
        )
    return lines


def _after_bar(shown: str) -> str:
    return f" {shown}" if shown else ""


class _Mark:
    """What is underlined in a snippet, and the words at it."""

    def __init__(self, span: Span, text: str, main: bool) -> None:
        self.span, self.text, self.main = span, text, main


def _snippets(diagnostic: Diagnostic) -> list[tuple[Span, list[_Mark]]]:
    """The lines to show: first that of the diagnostic, then those of its labels, each once."""
    marks = [_Mark(diagnostic.span, diagnostic.label, True)] if diagnostic.span else []
    marks += [_Mark(label.span, label.text, False) for label in diagnostic.labels]
    snippets: dict[tuple[int, int], tuple[Span, list[_Mark]]] = {}
    for mark in marks:
        place = (id(mark.span.source), mark.span.line)
        snippets.setdefault(place, (mark.span, []))[1].append(mark)
    return list(snippets.values())


class _Cells:
    """A source line as columns of a terminal: tabs expanded, wide characters counted twice."""

    def __init__(self, span: Span, marks: list[_Mark], width: int) -> None:
        line = span.source.line(span.line)
        begin = span.source.line_starts[span.line - 1]
        # Of a line of a hundred thousand characters only those near the caret are looked at.
        skipped = max(0, marks[0].span.start - begin - _NEAR)
        dropped = len(line) - skipped > 3 * _NEAR
        line = line[skipped : skipped + 3 * _NEAR]
        begin += skipped
        pieces: list[str] = []
        columns = [0]
        for character in line:
            piece, size = _cell(character, columns[-1])
            pieces.append(piece)
            columns.append(columns[-1] + size)
        places = []
        for mark in marks:
            left = min(max(mark.span.start - begin, 0), len(line))
            right = min(max(mark.span.end - begin, left), len(line))
            places.append((mark, left, right))

        first, last = 0, len(line)
        if columns[-1] > width:
            first, last = _window(columns, places[0][1], places[0][2], width)
        before = _CUT if first or skipped else ""
        after = _CUT if last < len(line) or dropped else ""
        shift = columns[first] - len(before)
        self.shown = before + "".join(pieces[first:last]) + after
        self.marks = []
        for mark, left, right in places:
            left, right = min(max(left, first), last), min(max(right, first), last)
            self.marks.append((mark, columns[left] - shift, max(columns[right] - columns[left], 1)))


def _cell(character: str, column: int) -> tuple[str, int]:
    """How a character is shown, and how many columns that takes."""
    if character.isascii() and character.isprintable():
        return character, 1
    if character == "\t":
        size = TAB - column % TAB
        return " " * size, size
    if not character.isprintable() and character != "\u3000":
        piece = _escaped(character)
        return piece, len(piece)
    if unicodedata.combining(character):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _window(columns: list[int], left: int, right: int, width: int) -> tuple[int, int]:
    """Which characters of a long line to show, so that the caret is in sight."""
    room = max(width - 2 * len(_CUT), 20)
    lead = max(room // 4, room - (columns[right] - columns[left]) - room // 3)
    first = left
    while first > 0 and columns[left] - columns[first - 1] <= lead:
        first -= 1
    last = first
    while last < len(columns) - 1 and columns[last + 1] - columns[first] <= room:
        last += 1
    while first > 0 and columns[last] - columns[first - 1] <= room:
        first -= 1
    return first, last


# ---- JSON ------------------------------------------------------------------------------


def _object(diagnostic: Diagnostic) -> dict[str, Any]:
    if diagnostic.span is not None:
        place, offset = _place(diagnostic.span), None
    else:
        file, _, number = diagnostic.place.rpartition(":")
        offset = int(number) if file and number.isdecimal() else None
        place = dict.fromkeys(_PLACE)
        place["file"] = (file if offset is not None else diagnostic.place) or None
    return {
        "code": diagnostic.code,
        "severity": _severity(diagnostic),
        "message": diagnostic.message,
        **place,
        "offset": offset,
        "label": diagnostic.label,
        "labels": [{**_place(label.span), "text": label.text} for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": list(diagnostic.help),
    }


_PLACE = ("file", "line", "column", "end_line", "end_column", "length")


def _place(span: Span) -> dict[str, Any]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(max(span.end, span.start))
    return dict(
        zip(
            _PLACE, (span.source.name, line, column, end_line, end_column, span.end - span.start), strict=True
        )
    )
