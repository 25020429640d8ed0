"""Statements as `ruff format` lays them out at 100 columns."""

from __future__ import annotations

from typing import Any

from backends.torch.emit.forms import Bracket, Named

WIDTH = 100


def flat(tree: Any) -> str:
    """An expression on one line."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, Named):
        return tree.before + flat(tree.tree)
    assert isinstance(tree, Bracket)
    return tree.open + ", ".join(map(flat, tree.items)) + tree.close


def is_tall(tree: Any) -> bool:
    """Whether something in it asks for one item a line."""
    if isinstance(tree, Named):
        return bool(tree.comment) or is_tall(tree.tree)
    return isinstance(tree, Bracket) and (tree.tall or any(map(is_tall, tree.items)))


def lines_of(before: str, tree: Any, after: str = "", depth: int = 0, comment: str = "") -> list[str]:
    """`before tree after`, indented by `depth` steps, on one line or one item a line.

    A comment stands behind the statement, or above it where there is no room behind.
    """
    indent = "    " * depth
    if isinstance(tree, Named):
        return lines_of(before + tree.before, tree.tree, after, depth, tree.comment)
    if not is_tall(tree):
        line = indent + before + flat(tree) + after
        behind = f"{line}  # {comment}" if comment else line
        if len(behind) <= WIDTH:
            return [behind]
        if len(line) <= WIDTH:
            return [f"{indent}# {comment}", line]
        if not isinstance(tree, Bracket) or not tree.items:
            return [f"{line}  # fmt: skip"]
    made = [indent + before + tree.open]
    alone = len(tree.items) == 1 and isinstance(tree.items[0], Bracket)
    for item in tree.items:
        made += lines_of("", item, "" if alone else ",", depth + 1)
    made.append(indent + tree.close + after)
    if comment:
        behind = f"{made[-1]}  # {comment}"
        made = [*made[:-1], behind] if len(behind) <= WIDTH else [f"{indent}# {comment}", *made]
    return made
