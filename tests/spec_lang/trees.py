"""ASTs as nested tuples without places, so that tests can write and compare them."""

from __future__ import annotations

from typing import Any

import pytest

from spec_lang.diagnostics import Diagnostic, SpecError
from spec_lang.node import Node
from spec_lang.parser import parse
from spec_lang.source import Source, Span


def plain(node: Any) -> Any:
    """`Int(span, 3)` as `("Int", 3)`; tuples element by element; comments and sources left out."""
    if isinstance(node, Span):
        return None
    if isinstance(node, tuple):
        return tuple(plain(item) for item in node)
    if isinstance(node, Node):
        values = [getattr(node, name) for name in node.__match_args__ if name not in ("source", "comments")]
        return (type(node).__name__, *(plain(v) for v in values if not isinstance(v, Span)))
    return node


def definitions(text: str) -> Any:
    """The definitions of a file, plain."""
    return plain(parse(Source("test.cnn", text)).definitions)


def statements(text: str) -> Any:
    """The statements of a body, plain."""
    return definitions(f"model m {{\n{text}\n}}\n")[0][3][1]


def expression(text: str) -> Any:
    """An expression, plain."""
    return definitions(f"let x = {text}\n")[0][2]


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    """What is reported for a text that does not parse."""
    with pytest.raises(SpecError) as caught:
        parse(Source("test.cnn", text))
    return caught.value.diagnostics


def places(text: str) -> list[tuple[str, int, int]]:
    """Code, line and column of each mistake of a text."""
    return [(d.code, d.span.line, d.span.column) for d in mistakes(text) if d.span is not None]
