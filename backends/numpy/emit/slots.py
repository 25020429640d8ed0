"""Statements as text with slots: the numbers and choices that may differ where blocks share a class."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from backends.numpy.emit.base import Call, Expression, shown
from backends.numpy.include import kernels


@dataclass(frozen=True)
class Slot:
    """A number or choice in the text of a statement, as source."""

    name: str
    text: str


Pieces: TypeAlias = "tuple[str | Slot, ...]"


@cache
def signature(name: str) -> dict[str, str | None]:
    """The parameters of a kernel with their defaults as source, None where there is none."""
    known = kernels().get(name)
    if known is None:
        return {}
    statement = ast.parse(known.source).body[0]
    if not isinstance(statement, ast.FunctionDef):
        return {}
    given = statement.args
    names = [one.arg for one in given.args]
    defaults: list[ast.expr | None] = [None] * (len(names) - len(given.defaults))
    pairs = list(zip(names, [*defaults, *given.defaults], strict=True))
    pairs += [(one.arg, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return {name: None if default is None else shown(ast.literal_eval(default)) for name, default in pairs}


@cache
def _pieces(text: str, name: str) -> Pieces:
    """The text, with its numbers as slots; a text that is a literal as a whole is one slot."""
    if _is_literal(text):
        return (Slot(name, text),)
    if not any(map(str.isdigit, text)) or text.count("[") != text.count("]"):  # a part of a list
        return (text,)
    made: list[str | Slot] = []
    end = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NUMBER:
            begin = token.start[1]
            named = re.search(r"(\w+)=$", text[:begin])
            made += [text[end:begin], Slot(named[1] if named else name, token.string)]
            end = token.end[1]
    return (*made, text[end:])


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def parts(expression: Expression) -> tuple[tuple[Pieces, ...], dict[str, Pieces]]:
    """The pieces of an expression, or of a call's callee and arguments; those that are named apart."""
    if isinstance(expression, str):
        return (_pieces(expression, "size"),), {}
    names = list(signature(kernel(expression)))
    plain: list[Pieces] = [_pieces(expression.callee, "size")]
    named: dict[str, Pieces] = {}
    for place, argument in enumerate(expression.arguments):
        keyword = re.match(r"([A-Za-z_]\w*)=(?!=)", argument)
        if keyword:
            named[keyword[1]] = _pieces(argument[keyword.end() :], keyword[1])
        else:
            plain.append(_pieces(argument, names[place] if place < len(names) else "value"))
    return tuple(plain), named


def kernel(call: Call) -> str:
    """The name of what is called."""
    return call.callee.rpartition(" ")[2]


def masked(expression: Expression) -> Any:
    """An expression without what may differ in blocks of one class."""
    plain, named = parts(expression)
    fixed = {name: mask(pieces) for name, pieces in named.items() if name != "inputs" and not is_slot(pieces)}
    return (type(expression).__name__, tuple(map(mask, plain)), tuple(sorted(fixed.items())))


def mask(pieces: Pieces) -> tuple[str, ...]:
    return tuple("#" if isinstance(piece, Slot) else piece for piece in pieces)


def is_slot(pieces: Pieces) -> bool:
    return len(pieces) == 1 and isinstance(pieces[0], Slot)
