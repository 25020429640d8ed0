"""What an examination finds, and the spec that is being examined."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compiler.graph import Graph
from spec_lang.diagnostics import Error


@dataclass(frozen=True)
class Finding:
    """What failed, and how; `kind` is what a smaller spec must fail at, too."""

    kind: str
    detail: str = field(compare=False)
    stage: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class Examined:
    """The findings of one text."""

    def __init__(self, text: str, seed: int = 0) -> None:
        self.text, self.seed = text, seed
        self.findings: list[Finding] = []
        self.skipped: list[str] = []
        self.graph: Graph | None = None
        self.stage = ""

    def found(self, kind: str, detail: str) -> None:
        self.findings.append(Finding(kind, detail, self.stage))

    def attempt(self, kind: str, step: Callable[[], Any]) -> Any:
        """What a step gives; an exception is a finding."""
        try:
            return step()
        except Error as error:
            first = error.diagnostics[0]
            self.found(f"{kind}: {first.code}", first.message)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.found(
                f"{kind}: {type(error).__name__} in {Path(where.filename).name}", f"{error} ({where.line})"
            )
        return None
