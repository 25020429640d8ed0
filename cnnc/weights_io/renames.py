"""Tables of rules that rename: a text with a rule `OLD = NEW` a line, where `#` starts a comment."""

from __future__ import annotations

import os

from cnnc.reading import open_regular
from compiler.rename import Rule
from compiler.weights import WeightsError
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.source import Source, Span

#: Bytes of a table.
MAX_TABLE = 4 * 1024**2


def read_renames(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> tuple[Rule, ...]:
    """The rules of a table, each with its place.

    Raises:
        WeightsError: E519 no readable text, or a line that is no rule; E452 too large.
    """
    shown = os.fspath(path)
    file, _ = open_regular(path, min(MAX_TABLE, limits.allocation_bytes), WeightsError, "E519")
    with file:
        content = file.read()
    try:
        source = Source(shown, content.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        place = f"{shown}:{problem.start}"
        raise WeightsError(Diagnostic("E519", "the table is not UTF-8", place=place)) from None
    rules: list[Rule] = []
    wrong: list[Diagnostic] = []
    for number, start in enumerate(source.line_starts, start=1):
        line = source.line(number).partition("#")[0]
        written = line.strip()
        begin = start + len(line) - len(line.lstrip())
        span = Span(source, begin, begin + len(written))
        if "=" in written:
            rules.append(parsed(written, span))
        elif written:
            wrong.append(Diagnostic("E519", "a rule that renames is of the form OLD = NEW", span,
                                    help=("`backbone.fc = head`",)))
    if wrong:
        raise WeightsError(wrong[:10])
    return tuple(rules)


def parsed(text: str, span: Span | None = None) -> Rule:
    """The rule that is written `OLD=NEW`; a name holds no `=`."""
    old, _, new = text.partition("=")
    return Rule(old.strip(), new.strip(), span)
