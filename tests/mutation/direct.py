"""Calling tests without pytest, which takes longer to collect a file than most mutants take to fail.

Only functions whose arguments are all parameters, by their places in `parametrize`; what needs a fixture, or
draws its examples, is left to pytest.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest


class Places:
    """A pytest plugin: writes {test: {argument: place of its value}} of what is collected to a file."""

    def __init__(self, to: str) -> None:
        self.to = Path(to)

    def pytest_collection_finish(self, session: Any) -> None:
        found = {
            item.nodeid: dict(getattr(getattr(item, "callspec", None), "indices", {}))
            for item in session.items
        }
        self.to.write_text(json.dumps(found), encoding="utf-8")


def prepared(test: str, places: Mapping[str, int]) -> Callable[[], Any] | None:
    """The test as a function without arguments; None where only pytest can call it."""
    file, *names = test.split("[")[0].split("::")
    if len(names) != 1:
        return None
    function = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), names[0])
    given: dict[str, Any] = {}
    marks = getattr(function, "pytestmark", [])
    if [mark.name for mark in marks] == ["parametrize"]:  # of several, pytest counts the combinations
        arguments, values = marks[0].args[0], list(marks[0].args[1])
        called = arguments.replace(" ", "").split(",") if isinstance(arguments, str) else list(arguments)
        value = values[places[called[0]]]
        if isinstance(value, type(pytest.param())):
            given.update(zip(called, value.values, strict=True))
        else:
            given.update({called[0]: value} if len(called) == 1 else zip(called, value, strict=True))
    elif marks:
        return None
    if hasattr(function, "hypothesis") or set(inspect.signature(function).parameters) != set(given):
        return None
    return lambda: function(**given)


def first_failure(tests: Sequence[str], places: Mapping[str, Mapping[str, int]]) -> str:
    """The first of these tests that fails, of those that can be called; empty if none does."""
    for test in tests:
        try:
            call = prepared(test, places[test])
        except Exception:  # A mutant that cannot be imported, say: pytest will tell.
            continue
        if call is None:
            continue
        try:
            call()
        except pytest.skip.Exception:
            continue
        except (Exception, pytest.fail.Exception):
            return test
    return ""
