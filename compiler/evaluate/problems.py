"""How evaluation stops: at a statement, silently, or altogether."""

from __future__ import annotations

from collections.abc import Sequence

from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.source import Span


class Problem(Exception):
    """A mistake at a place: the statement or link that holds it is given up, the rest goes on."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        label: str = "",
        labels: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, label, tuple(labels), tuple(notes), tuple(help))


class Exhausted(Problem):
    """A limit: the whole evaluation is given up."""


class Poisoned(Exception):
    """What was asked for is unknown because of a mistake that has been reported already."""
