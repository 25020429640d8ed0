"""Text to AST: `decode` makes a `Source` of bytes, `parse` makes a `File` of a `Source`.

All that is wrong with a text is reported in one run, as one `SpecError`.
"""

from __future__ import annotations

import re
from typing import Any

from spec_lang import brackets
from spec_lang.build import Builder
from spec_lang.diagnostics import Diagnostic, SpecError, in_order
from spec_lang.frozen import frozen, replace
from spec_lang.lalr import MOST_FAILURES, Automaton, executable
from spec_lang.lexer import Token, tokenize
from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.mistakes import Mistakes
from spec_lang.source import Source, Span
from spec_lang.syntax import Comment, Expr, File, Formatted, Name, Template
from spec_lang.tables import tables
from spec_lang.template import split_template

MOST_REPORTED = 100
"""Diagnostics that one file gives; the last one says how many more there are."""

_BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def decode(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Source:
    """The text of a file: UTF-8, with or without a byte-order mark.

    Raises `SpecError` for another encoding (E101) and for a file that is too large (E401).
    """
    if len(data) > limits.source_bytes:
        raise SpecError(_too_large(len(data), limits, place=name))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(Diagnostic("E101", "the file is UTF-16; a spec is UTF-8", place=f"{name}:0"))
    try:
        return Source(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        # `utf-8-sig` counts without the mark.
        offset = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        raise SpecError(_not_utf8(data, offset, name)) from None


def _not_utf8(data: bytes, offset: int, name: str) -> Diagnostic:
    """Point at the byte in the text that can be read, with the rest shown as replaced."""
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    source = Source(name, data[mark:].decode("utf-8", errors="replace"))
    start = len(data[mark:offset].decode("utf-8"))
    return Diagnostic(
        "E101",
        f"byte {data[offset]:#04x} at offset {offset} is not UTF-8",
        Span(source, start, start + 1),
        help=("save the file as UTF-8",),
    )


def _too_large(size: int, limits: Limits, place: str) -> Diagnostic:
    return Diagnostic("E401", f"the file has {size:,} bytes, more than {limits.source_bytes:,}", place=place)


def parse(source: Source, limits: Limits = DEFAULT_LIMITS) -> File:
    """Parse a whole file.

    Raises:
        SpecError: with every mistake of the text (E1) or the limit that it breaks (E4).
    """
    return analyse(source, limits).file


@frozen
class Parsed:
    """A file with its tokens, for what looks at the text itself (the formatter)."""

    file: File
    tokens: list[Token]
    """Keywords that are names where they stand are of kind `NAME`."""
    items: dict[int, str]
    """The tokens at which definitions, statements, settings, `init` rules and branches begin."""


def analyse(source: Source, limits: Limits = DEFAULT_LIMITS) -> Parsed:
    """Parse a whole file and keep its tokens; raises as `parse` does."""
    size = len(source.text)
    if size * 4 > limits.source_bytes:
        size = len(source.text.encode("utf-8", errors="replace"))
    if size > limits.source_bytes:
        raise SpecError(_too_large(size, limits, place=source.name))
    return _Parsing(source, limits).file()


def parse_expression(source: Source, limits: Limits = DEFAULT_LIMITS) -> Expr:
    """Parse a text that is one expression (the value of a `--set`).

    Raises:
        SpecError: as `parse` does.
    """
    return _Parsing(source, limits).expression()


class _Parsing:
    """The parsing of one source, with what was found wrong so far."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.found: list[Diagnostic] = []
        self.builder = Builder(source, limits, self.found.append, self._template)
        self.rules = executable(tables(), self.builder)

    def file(self) -> Parsed:
        self._characters()
        tokens = tokenize(self.source, self.limits)
        self.found += tokens.diagnostics
        self._stop_at_limits()
        matched, unmatched = brackets.match(self.source, tokens, self.limits)
        self.found += unmatched
        self._stop_at_limits()
        self.builder.docs = _docs(self.source, tokens.comments, matched)
        mistakes = Mistakes(self.source, self.found.append)
        automaton = Automaton(tables(), matched, self.rules, mistakes)
        definitions = automaton.run("file")
        self._finish(definitions, tokens.comments)
        for at in automaton.names:
            matched[at] = matched[at]._replace(kind="NAME")
        items = {at: item for at, item in automaton.items.items() if matched[at].kind != "RBRACE"}
        return Parsed(File(self.source, definitions, tokens.comments), matched, items)

    def expression(self) -> Expr:
        self._characters()
        value = self._expression(0, len(self.source.text))
        self._finish()
        assert value is not None
        return value

    def _finish(self, definitions: Any = None, comments: tuple[Comment, ...] = ()) -> None:
        if self.found:
            unreliable = {"E106", "E110", "E111", "E135"}  # whose braces may not be where they seem
            readable = definitions is not None and not any(d.code in unreliable for d in self.found)
            found = _without_echoes(in_order(self.found))
            if len(found) > MOST_REPORTED:
                more = f"{len(found) - MOST_REPORTED:,} more mistakes follow in this file"
                found = found[:MOST_REPORTED]
                found[-1] = replace(found[-1], notes=(*found[-1].notes, more))
            error = SpecError(found)
            error.partial = File(self.source, definitions, comments) if readable else None
            raise error

    def _stop_at_limits(self) -> None:
        """What is beyond a limit, or no text at all, is not parsed."""
        fatal = [found for found in self.found if found.code in ("E402", "E403") or "NUL" in found.message]
        if fatal:
            raise SpecError(fatal[0])

    def _characters(self) -> None:
        """Characters that may stand nowhere, not even in comments and strings."""
        text = self.source.text
        if text.isascii() and text.isprintable():
            return
        for match in _CONTROL.finditer(text):
            code = ord(match[0])
            what = "a NUL" if code == 0 else f"the control character U+{code:04X}"
            self.found.append(Diagnostic("E102", f"{what} in the text", Span(self.source, *match.span())))
            self._stop_at_limits()
            break  # a binary file has thousands
        if text.isascii():
            return
        for match in _BIDIRECTIONAL.finditer(text):
            self.found.append(
                Diagnostic(
                    "E103",
                    f"U+{ord(match[0]):04X} changes the direction in which text is shown",
                    Span(self.source, *match.span()),
                    help=("delete it: what is read must be what is seen",),
                )
            )

    # ---- strings with expressions

    def _template(self, token: Token) -> Template:
        """The parts of a string token."""
        span = Span(self.source, token.start, token.end)
        content = token.text[1:-1]
        if "{" not in content and "}" not in content:
            return Template(span, (content,) if content else ())
        parts: list[str | Expr | Formatted] = []
        for piece in split_template(self.source, token.start + 1, token.end - 1, self.found.append):
            if isinstance(piece, str):
                parts.append(piece)
            else:
                value = self._filled_in(piece.start, piece.end)
                if value is not None and piece.format is not None:
                    place = Span(self.source, value.span.start, piece.close)
                    parts.append(Formatted(place, value, piece.format))
                elif value is not None:
                    parts.append(value)
        return Template(span, tuple(parts))

    def _filled_in(self, start: int, end: int) -> Expr | None:
        text = self.source.text[start:end]
        if text.isidentifier() and text.isascii() and text not in tables().keywords:
            if len(text) <= self.limits.identifier_length:
                return Name(Span(self.source, start, end), text)  # what nearly all of them are
        return self._expression(start, end)

    def _expression(self, start: int, end: int) -> Expr | None:
        if len(self.found) > MOST_FAILURES:
            return None
        tokens = tokenize(self.source, self.limits, start, end)
        matched, unmatched = brackets.match(self.source, tokens, self.limits)
        self.found += tokens.diagnostics
        self.found += unmatched
        if tokens.diagnostics or unmatched:
            return None
        mistakes = Mistakes(self.source, self.found.append)
        value: Expr | None = Automaton(tables(), matched, self.rules, mistakes).run("expr", recover=False)
        return value


def _docs(source: Source, comments: tuple[Comment, ...], tokens: list[Token]) -> dict[int, str]:
    """The `##` lines directly above a definition, by the offset at which it starts.

    `##` without a space is no different; `###` is an ordinary comment.
    """
    lines = [c for c in comments if c.own_line and c.text.startswith("##") and not c.text.startswith("###")]
    if not lines:
        return {}
    text = {comment.span.line: comment.text[2:].removeprefix(" ") for comment in lines}
    starts = {token.line: token.start for token in reversed(tokens)}
    docs = {}
    for line in text:
        if line + 1 in text or line + 1 not in starts:
            continue
        first = line
        while first - 1 in text:
            first -= 1
        docs[starts[line + 1]] = "\n".join(text[number] for number in range(first, line + 1)).strip()
    return docs


def _without_echoes(found: list[Diagnostic]) -> list[Diagnostic]:
    """Leave out what only follows from another report.

    That is a `}` that closes nothing because the `{` of a body above it is missing, and what the
    parser makes of a place that was reported before parsing.
    """
    reported = {
        d.span.start for d in found if d.span is not None and d.code in ("E105", "E106", "E107", "E110")
    }
    deceiving = {d.span.start for d in found if d.span is not None and d.code in ("E102", "E103")}
    result: list[Diagnostic] = []
    missing = 0
    for diagnostic in found:
        if diagnostic.code == "E135":
            missing += 1
        elif diagnostic.span is not None:
            if diagnostic.code == "E111" and missing and diagnostic.span.text == "}":
                missing -= 1
                continue
            if diagnostic.code == "E105" and diagnostic.span.start in deceiving:
                continue
            if diagnostic.code >= "E120" and diagnostic.code < "E140" and diagnostic.span.start in reported:
                continue
        result.append(diagnostic)
    return result
