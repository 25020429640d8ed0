"""Which kernels a generated file needs, and their source.

The modules of `kernels/` are read as text and never imported here; what a function calls is
found in its syntax tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: The order in which kernels stand in a generated file.
FAMILIES = ("checks", "conv", "pool", "dense", "norm", "activation", "dropout", "reshape", "join", "window")


@dataclass(frozen=True)
class Kernel:
    """A function, class or constant of a kernel module: its source, and the other kernels that it uses."""

    name: str
    source: str
    uses: tuple[str, ...]
    is_constant: bool


@cache
def kernels() -> dict[str, Kernel]:
    """Every kernel by its name, family by family, in the order of their files."""
    found: dict[str, tuple[str, ast.stmt]] = {}
    for family in FAMILIES:
        text = (Path(__file__).parent / "kernels" / f"{family}.py").read_text(encoding="utf-8")
        lines = text.splitlines()
        for statement in ast.parse(text).body:
            name = _name(statement)
            if name:
                assert name not in found, f"two kernels are named {name}"
                first = statement.lineno - 1
                while first and lines[first - 1].startswith("#"):
                    first -= 1
                found[name] = ("\n".join(lines[first : statement.end_lineno]), statement)
    return {
        name: Kernel(
            name,
            source,
            tuple(sorted(_mentioned(statement) & found.keys() - {name})),
            isinstance(statement, ast.Assign),
        )
        for name, (source, statement) in found.items()
    }


def _name(statement: ast.stmt) -> str:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _mentioned(statement: ast.stmt) -> set[str]:
    """Names that the statement reads; a parameter of the same name hides a kernel."""
    own = {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - own


def included(wanted: Iterable[str]) -> list[Kernel]:
    """The wanted kernels and all that they use: constants first, then in the order of `kernels`."""
    known, needed, queue = kernels(), set[str](), list(wanted)
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            queue.extend(known[name].uses)
    chosen = [kernel for kernel in known.values() if kernel.name in needed]
    return sorted(chosen, key=lambda kernel: not kernel.is_constant)
