"""Which tests are run for a mutant, and in which order: those that run its line, the quickest first."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any

from compiler.ops import OPS
from tests.mutation.mutants import Edit
from tests.mutation.trace import functions

#: So many seconds of tests (as they took when they were traced) are run for a mutant of a line that many tests run.
MOST = 60.0

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
        """The quickest case of every test, then the second of each, and so on."""
        cases: dict[str, list[str]] = {}
        for test in sorted(tests, key=lambda t: (self.seconds[t], t)):
            cases.setdefault(test.split("[")[0], []).append(test)
        return [test for rank in zip_longest(*cases.values()) for test in rank if test is not None]

    def within(self, tests: list[str], most: float) -> list[str]:
        """As many of the first tests as take `most` seconds together, and at least one."""
        total = accumulate(self.seconds[test] for test in tests)
        return [test for i, (test, sum) in enumerate(zip(tests, total, strict=True)) if sum <= most or not i]


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
    words = [f"[{layer}:" for layer in _layers(source)]
    own = [test for test in ordered if any(word in test for word in words)]
    ordered = [*own, *(test for test in ordered if test not in set(own))]
    if inside is not None and len(found) >= FEW and not _decorates(source, line):
        return traced.within(ordered, MOST)
    # At the level of the module or a class, or a decorator: the tests of what stands there come first.
    words = [f"[{word}:" for word in _names(source, line)]
    rest = [t for t in traced.quickest(set(traced.seconds)) if t not in found]
    likely = [t for t in rest if any(word in t for word in words)]
    return [*ordered, *likely, *(t for t in rest if t not in set(likely))]


def _layers(source: str) -> list[str]:
    """The layers that a file of emitters is about: those whose classes it imports."""
    classes = {op.__name__: name for name, op in OPS.items()}
    return [
        classes[alias.name]
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("compiler.ops.")
        for alias in node.names
        if alias.name in classes
    ]


def _decorates(source: str, line: int) -> bool:
    """Whether a decorator stands there: what it registers is used by others than the tests of its function."""
    return any(
        decorator.lineno <= line <= (decorator.end_lineno or 0)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
    )


def _names(source: str, line: int) -> list[str]:
    """The names of the layers that the class around a line declares."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0):
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and ast.unparse(part.target) == "name" and part.value:
                    return [str(ast.literal_eval(part.value))]
    return []
