"""Which test runs which lines: a pytest plugin that watches functions of the mutated files.

A line is `file:number`; in functions whose text is copied into generated files it is
`name of the function + lines from its first`, wherever that function runs.
"""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest


def outer(qualname: str) -> str:
    """The function or method that a comprehension, lambda or inner function stands in."""
    return qualname.split(".<locals>")[0]


def functions(source: str) -> Iterator[tuple[str, int, int]]:
    """(qualified name, first line, last line) of the functions and methods, without inner ones."""

    def within(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, int, int]]:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                yield prefix + node.name, first, node.end_lineno or first
            elif isinstance(node, ast.ClassDef):
                yield from within(node.body, f"{prefix}{node.name}.")

    return within(ast.parse(source).body, "")


class Tracer:
    """Writes {"seconds": {test: time}, "lines": {line: [tests]}} to a file."""

    def __init__(self, to: str, files: list[str], included: list[str]) -> None:
        self.to = Path(to)
        self.files = {str(Path(name).resolve()): name for name in files}
        self.names = {
            name for file in included for name, _, _ in functions(Path(file).read_text(encoding="utf-8"))
        }
        self.included = set(included)
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, dict[str, None]] = {}
        self.first: dict[str, int] = {}  # function or method -> its first line where it was called last
        self.watchers: dict[CodeType, Callable[..., Any] | None] = {}
        self.test = ""

    def watcher(self, code: CodeType) -> Callable[..., Any] | None:
        """What watches the lines of this code; None for code that is not mutated."""
        name = self.files.get(code.co_filename)
        generated = not code.co_filename.endswith(".py")
        whole = outer(code.co_qualname)
        copied = whole in self.names and (generated or name in self.included)
        if not copied and name is None:
            return None
        start = self.first.get(whole, 0)

        def mark(line: int) -> None:
            key = f"{whole}+{line - start}" if copied else f"{name}:{line}"
            self.lines.setdefault(key, {})[self.test] = None

        def watch(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            if event in ("line", "call"):
                mark(frame.f_lineno)
            return watch

        return watch

    def called(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if "<locals>" not in code.co_qualname:
            self.first[code.co_qualname] = code.co_firstlineno
        if code not in self.watchers:
            self.watchers[code] = self.watcher(code)
        watch = self.watchers[code]
        if watch is not None:
            watch(frame, "call", argument)
        return watch

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self.test, start = item.nodeid, time.process_time()
        sys.settrace(self.called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[self.test] = round(time.process_time() - start, 4)

    def pytest_sessionfinish(self) -> None:
        found = {line: list(tests) for line, tests in sorted(self.lines.items())}
        self.to.write_text(json.dumps({"seconds": self.seconds, "lines": found}), encoding="utf-8")
