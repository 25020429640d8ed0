"""Warnings that a comment on their line silences: `# allow W202`, or `# allow W201, W202`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spec_lang.diagnostics import Diagnostic
from spec_lang.syntax import File

_ALLOW = re.compile(r"#\s*allow\s+(W\d+(?:\s*,\s*W\d+)*)\b")


def silenced(file: File, diagnostic: Diagnostic) -> bool:
    """Whether a comment of `file` on the diagnostic's first line allows it.  Errors cannot be silenced."""
    span = diagnostic.span
    if diagnostic.is_error or span is None or span.source is not file.source:
        return False
    return any(
        diagnostic.code in _allowed(comment.text)
        for comment in file.comments
        if "allow" in comment.text and comment.span.line == span.line
    )


def audible(files: Iterable[File], diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics that no comment in any of `files` silences."""
    sources = list(files)
    return [d for d in diagnostics if not any(silenced(file, d) for file in sources)]


def _allowed(comment: str) -> set[str]:
    match = _ALLOW.match(comment)
    return set(re.split(r"\s*,\s*", match[1])) if match else set()
