"""Statements of generated code as `ruff format` lays them out.

What does not fit on a line has one item a line, each with its comma: so it stays as it is
under every longer line length too.  A comprehension, which has none, is kept by a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: The line length that `ruff format` has by default.
WIDTH = 88


@dataclass(frozen=True)
class Bracket:
    """`open item, item, ... close`, one item a line where it is too long for one, or if `tall`."""

    open: str
    items: tuple[Any, ...]
    close: str
    tall: bool = False


@dataclass(frozen=True)
class Named:
    """An item of a bracket with what stands in front of it (`bias=`, `"conv1": `) and a comment behind."""

    before: str
    tree: Any
    comment: str = ""


@dataclass(frozen=True)
class Comprehension:
    """The only item of a bracket: `element clause`; where it is too long, on two lines, with a comment."""

    element: Any
    clause: str
    comment: str = ""


def flat(tree: Any) -> str:
    """An expression on one line."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, Comprehension):
        return f"{flat(tree.element)} {tree.clause}"
    if isinstance(tree, Named):
        return tree.before + flat(tree.tree)
    assert isinstance(tree, Bracket)
    return tree.open + ", ".join(map(flat, tree.items)) + tree.close


def is_tall(tree: Any) -> bool:
    """Whether something in it asks for one item a line."""
    if isinstance(tree, Named):
        return bool(tree.comment) or is_tall(tree.tree)
    if isinstance(tree, Comprehension):
        return is_tall(tree.element)
    return isinstance(tree, Bracket) and (tree.tall or any(map(is_tall, tree.items)))


def lines_of(
    before: str, tree: Any, after: str = "", depth: int = 0, comment: str = "", width: int = WIDTH
) -> list[str]:
    """`before tree after`, indented by `depth` steps, on one line or one item a line.

    A comment stands behind the statement, or above it where there is no room behind.
    """
    indent = "    " * depth
    if isinstance(tree, Named):
        return lines_of(before + tree.before, tree.tree, after, depth, tree.comment or comment, width)
    if not is_tall(tree):
        line = indent + before + flat(tree) + after
        behind = f"{line}  # {comment}" if comment else line
        if len(behind) <= width:
            return [behind]
        if len(line) <= width:
            return [f"{indent}# {comment}", line]
        if not isinstance(tree, Bracket) or not tree.items:
            return [f"{line}  # fmt: skip"]
    if _counts(tree):
        return _counted(before, tree, after, depth, comment, width)
    made = [indent + before + tree.open]
    # A call's only argument has no comma behind it.
    alone = tree.close == ")" and len(tree.items) == 1 and isinstance(tree.items[0], Bracket)
    for item in tree.items:
        made += lines_of("", item, "" if alone else ",", depth + 1, width=width)
    made.append(indent + tree.close + after)
    if comment:
        behind = f"{made[-1]}  # {comment}"
        made = [*made[:-1], behind] if len(behind) <= width else [f"{indent}# {comment}", *made]
    return made


def _counts(tree: Any) -> bool:
    """Whether it is brackets around nothing but a comprehension."""
    while isinstance(tree, Bracket) and len(tree.items) == 1:
        tree = tree.items[0]
    return isinstance(tree, Comprehension)


def _counted(before: str, tree: Any, after: str, depth: int, comment: str, width: int) -> list[str]:
    """A comprehension, or brackets around one, on several lines, with what is said beside the element."""
    indent = "    " * depth
    if isinstance(tree, Comprehension):
        comment = comment or tree.comment
        element = tree.element if comment else _tall(tree.element)
        return [*lines_of("", element, "", depth, comment, width), indent + tree.clause]
    inner = _counted("", tree.items[0], "", depth + 1, comment, width)
    return [indent + before + tree.open, *inner, indent + tree.close + after]


def _tall(tree: Any) -> Any:
    """The expression with one item a line."""
    if isinstance(tree, Named):
        return Named(tree.before, _tall(tree.tree), tree.comment)
    return Bracket(tree.open, tree.items, tree.close, tall=True) if isinstance(tree, Bracket) else tree
