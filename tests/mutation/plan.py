"""Which tests are run for a mutant, and in which order: those that run its line, the quickest first."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from tests.mutation.mutants import Edit
from tests.mutation.trace import functions

#: With fewer tests than this on a line, the others of the module follow: what is remembered between
#: tests is run by the first of them alone.
FEW = 4


@dataclass(frozen=True)
class Traced:
    """What `trace` found out about the tests of a module."""

    seconds: dict[str, float]
    lines: dict[str, list[str]]

    @staticmethod
    def of(data: dict[str, Any]) -> Traced:
        return Traced(data["seconds"], data["lines"])

    def quickest(self, tests: set[str]) -> list[str]:
        return sorted(tests, key=lambda t: (self.seconds[t], t))


def statement(source: str, line: int) -> range:
    """The lines of the smallest simple statement, or of the head of a compound one, around a line."""
    best = range(line, line + 1)
    size = None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            if line <= max(last, node.lineno) and (size is None or last - node.lineno <= size):
                best, size = range(node.lineno, max(last, node.lineno) + 1), last - node.lineno
    return best


def chosen_tests(edit: Edit, source: str, included: list[str], traced: Traced) -> list[str]:
    """The tests to be run for a mutant, in their order; `included` are the files that are copied as text."""
    line = edit.line(source)
    inside = next(((n, a) for n, a, b in functions(source) if a <= line <= b), None)
    near = statement(source, line)
    found: set[str] = set()
    for number in near:
        found.update(traced.lines.get(f"{edit.file}:{number}", ()))
        if inside is not None and edit.file in included:
            found.update(traced.lines.get(f"{inside[0]}+{number - inside[1]}", ()))
    ordered = traced.quickest(found)
    if inside is not None and len(found) >= FEW:
        return ordered
    # At the level of the module or a class: the tests of what stands there come first.
    words = [f"[{word}:" for word in _names(source, line)]
    rest = [t for t in traced.quickest(set(traced.seconds)) if t not in found]
    likely = [t for t in rest if any(word in t for word in words)]
    return [*ordered, *likely, *(t for t in rest if t not in set(likely))]


def _names(source: str, line: int) -> list[str]:
    """The names of the layers that the class around a line declares."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0):
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and ast.unparse(part.target) == "name" and part.value:
                    return [str(ast.literal_eval(part.value))]
    return []
