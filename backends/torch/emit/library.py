"""The sources of `backends.torch.modules`, copied into the files that use them.

They are read as text and never imported here; what a class or function uses is found in its
syntax tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILES = ("checks", "tree", "windows", "norms", "dense", "dropout", "shapes")


@dataclass(frozen=True)
class Helper:
    """A class or function: its source, the other helpers that it uses, and all names that it reads."""

    name: str
    source: str
    uses: frozenset[str]
    names: frozenset[str]


@cache
def helpers() -> dict[str, Helper]:
    """Every helper by its name, in the order of the files."""
    found: dict[str, tuple[str, ast.stmt]] = {}
    for name in FILES:
        text = (Path(__file__).parents[1] / "modules" / f"{name}.py").read_text(encoding="utf-8")
        for statement in ast.parse(text).body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                assert statement.name not in found, statement.name
                lines = text.splitlines()[statement.lineno - 1 : statement.end_lineno]
                found[statement.name] = ("\n".join(lines), statement)
    made = {}
    for name, (source, statement) in found.items():
        read = frozenset(node.id for node in ast.walk(statement) if isinstance(node, ast.Name))
        made[name] = Helper(name, source, read & found.keys() - {name}, read)
    return made


def mentioned(code: str) -> set[str]:
    """The helpers whose names stand in a piece of code (outside of strings)."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*(?![\w=])", bare)) & helpers().keys()


def included(wanted: Iterable[str]) -> list[Helper]:
    """The wanted helpers and all that they use, in the order of the files."""
    needed: set[str] = set()
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            queue.extend(helpers()[name].uses)
    return [helper for name, helper in helpers().items() if name in needed]
