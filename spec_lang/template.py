"""Strings with expressions in them: `"layer{i}"`, `"l{i:03}_conv"`; `{{` and `}}` are braces."""

from __future__ import annotations

import re
from typing import NamedTuple

from spec_lang.build import Report
from spec_lang.diagnostics import Diagnostic
from spec_lang.source import Source, Span

_FORMAT = re.compile(r"0?[0-9]{0,2}d?")
_PIECE = re.compile(r"\{\{|\}\}|[{}]|[^{}]+")


class Piece(NamedTuple):
    """An expression at `source.text[start:end]`; `format` is None without `:`; `close` is the `}`."""

    start: int
    end: int
    format: str | None
    close: int


def split_template(source: Source, start: int, end: int, report: Report) -> list[str | Piece]:
    """Take the content of a string apart.  Mistakes are reported, and what holds them is left out."""
    text = source.text
    pieces: list[str | Piece] = []
    plain = ""
    at = start
    while at < end:
        match = _PIECE.match(text, at, end)
        assert match is not None
        part = match[0]
        at = match.end()
        if part == "}":
            span = Span(source, at - 1, at)
            report(
                Diagnostic(
                    "E140", "this `}` closes nothing", span, help=("a brace in a string is written `}}`",)
                )
            )
        elif part != "{":
            plain += part[0] if part in ("{{", "}}") else part
        else:
            close = _closing(text, at, end)
            if close is None:
                span = Span(source, at - 1, at)
                advice = "close it with `}`, or write `{{` for a brace"
                report(Diagnostic("E140", "this `{` is never closed within its string", span, help=(advice,)))
                break
            if plain:
                pieces.append(plain)
                plain = ""
            piece = _piece(source, at, close, report)
            if piece is not None:
                pieces.append(piece)
            at = close + 1
    if plain:
        pieces.append(plain)
    return pieces


def _closing(text: str, start: int, end: int) -> int | None:
    """The brace that closes the one before `start`; an expression has no braces of its own."""
    at = text.find("}", start, end)
    if at < 0 or text.find("{", start, at) >= 0:
        return None
    return at


def _piece(source: Source, start: int, end: int, report: Report) -> Piece | None:
    text = source.text
    colon = text.find(":", start, end)
    stop = end if colon < 0 else colon
    if not text[start:stop].strip():
        span = Span(source, start - 1, end + 1)
        report(Diagnostic("E140", "there is no expression between the braces", span))
        return None
    if colon < 0:
        return Piece(start, end, None, end)
    width = text[colon + 1 : end].strip()
    if not width or not _FORMAT.fullmatch(width):
        span = Span(source, colon, end)
        advice = "digits may follow the colon: `{i:03}` is i with zeros in front, three digits in all"
        report(Diagnostic("E140", f"`{text[colon:end]}` is not a number format", span, help=(advice,)))
        return None
    return Piece(start, stop, width, end)
