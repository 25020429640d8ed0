"""Statements of the generated methods as lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from backends.layout import Bracket, lines_of
from backends.numpy.emit.base import Call
from backends.numpy.emit.body import Body
from backends.numpy.emit.network import Statement
from backends.writer import Writer
from compiler.graph import Node

#: The line length of the kernels, which the classes have too.
WIDTH = 110


def reads(statements: Iterable[Statement], name: str) -> bool:
    """Whether `name` (`w`, `s`, `g`) stands in one of the statements."""
    found = re.compile(rf"\b{name}\b(?=[\[,)])")
    return any(
        found.search(_bare(text)) for one in statements for text in (*one.targets, str(one.expression))
    )


def _bare(text: str) -> str:
    """The source without what its string literals hold."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)


def classes_inside(body: Body) -> bool:
    """Whether the class calls blocks."""
    return any(not isinstance(item, Node) for item in body.items)


def write_signature(writer: Writer, name: str, parameters: Sequence[str], result: str) -> None:
    """`def name(self, ...) -> result:`, with a parameter a line where it is too long for one."""
    tree = Bracket("(", ("self", *parameters), ")")
    for line in lines_of(f"def {name}", tree, f" -> {result}:", 1, width=WIDTH):
        writer.line(line[4:])


def write_statements(writer: Writer, statements: Sequence[Statement], training: str) -> None:
    """Lines with their remarks behind them; runs of what is conditional stand under one `if`."""
    open_condition = ""
    for one in statements:
        condition = " and ".join([*([training] if one.training else []), *(["inputs"] if one.inputs else [])])
        if condition != open_condition and condition:
            writer.line(f"if {condition}:")
        open_condition = condition
        depth = 3 if condition else 2
        if one.loop:
            put(writer, ["    " * depth + one.loop])
            depth += 1
        put(writer, _lines(one, depth))


def _lines(one: Statement, depth: int) -> list[str]:
    """The statement with its remark, broken between arguments (and targets) where it is too long."""
    expression, start = one.expression, f"{', '.join(one.targets)} = " if one.targets else ""
    tree = _bracket(expression) if isinstance(expression, Call) else expression
    opening = tree.open if isinstance(tree, Bracket) else tree
    if 4 * depth + len(start + opening) <= WIDTH:
        return lines_of(start, tree, "", depth, one.remark, WIDTH)
    if len(one.targets) > 1:
        broken = lines_of("", Bracket("(", one.targets, ")", tall=True), " = ", depth, width=WIDTH)
        last = broken.pop().strip()
        return [*broken, *lines_of(f"{last} ", tree, "", depth, one.remark, WIDTH)]
    # `local = s["..."] = expression` as two statements.
    local, *kept = start.removesuffix(" = ").split(" = ") if start else [""]
    lines = lines_of(f"{local} = " if local else "", tree, "", depth, one.remark, WIDTH)
    return lines + [f"{'    ' * depth}{place} = {local}" for place in kept]


def _bracket(call: Call) -> Bracket:
    return Bracket(call.callee + call.opening, tuple(map(_argument, call.arguments)), call.closing)


def _argument(source: str) -> str | Bracket:
    """An argument that can be broken where it is a tuple of several."""
    if not source.startswith("(") or "[" not in source:
        return source
    tree = ast.parse(source, mode="eval").body
    if not isinstance(tree, ast.Tuple) or len(tree.elts) < 2:
        return source
    # Generated source is ASCII, so that columns are characters.
    return Bracket("(", tuple(source[one.col_offset : one.end_col_offset] for one in tree.elts), ")")


def put(writer: Writer, lines: Sequence[str]) -> None:
    """Lines of a method's body that are laid out with their indentation already."""
    for line in lines:
        writer.line(line[8:])
