"""What can be said about an input: plain data, and the exceptions that carry it.

A `Diagnostic` is a fact with places.  `render.py` turns it into text or JSON; nothing else
formats messages.  Every code is explained in `codes/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spec_lang.frozen import frozen
from spec_lang.source import Span


@frozen
class Label:
    """A second place that a diagnostic points at (`first bound here`)."""

    span: Span
    text: str


@frozen
class Diagnostic:
    """One thing that is wrong (E...) or suspicious (W...).

    `message` is one sentence with the numbers filled in, without a final period.  `label` is
    the few words at the caret.  `notes` tell what led there (the chain of shapes), `help` are
    edits that can be pasted.  A diagnostic about a file that is not a spec has no `span` but a
    `place`, such as `weights.safetensors:8` (byte offset).
    """

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    place: str = ""

    @property
    def is_error(self) -> bool:
        return self.code.startswith("E")


class Error(Exception):
    """The base of every exception that this project raises for a user's mistake."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        if isinstance(diagnostics, Diagnostic):
            diagnostics = (diagnostics,)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from spec_lang.render import render_text

        return render_text(self.diagnostics)


class SpecError(Error):
    """A spec that cannot be read, understood or evaluated.

    `partial` is what could still be read of a text with mistakes (a `syntax.File` without the
    statements that hold them), where its braces tell which statement belongs where; else None.
    """

    partial: Any = None


def nearest(name: str, candidates: Iterable[str], limit: int = 1) -> tuple[str, ...]:
    """The candidates that a person may have meant, best first.

    A different case counts as equal; otherwise the closest by similarity, at least 0.65.
    """
    import difflib

    pool = sorted(set(candidates))
    same = [c for c in pool if c.lower() == name.lower()]
    return tuple((same or difflib.get_close_matches(name, pool, n=limit, cutoff=0.65))[:limit])


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By place (files in the order in which they come up), each once; those without a span first."""
    unique = {(d.code, d.span, d.place, d.message): d for d in diagnostics}
    files: dict[int, int] = {}
    for diagnostic in unique.values():
        if diagnostic.span is not None:
            files.setdefault(id(diagnostic.span.source), len(files))

    def key(diagnostic: Diagnostic) -> tuple[int, int, int]:
        span = diagnostic.span
        return (-1, 0, 0) if span is None else (files[id(span.source)], span.start, span.end)

    return sorted(unique.values(), key=key)
