"""What the tables of the evaluator share.

A spec in a table is the body of a model with `input x: [3, 16, 16]`, or a whole file where it says
`model`.  In a spec that is refused, `§` stands where an error points.
"""

from __future__ import annotations

import pytest

from compiler.graph import Graph
from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source

FIRST = "model m {\n    input x: [3, 16, 16]\n"


def spec(text: str) -> str:
    """A whole file of the body of a model."""
    if "model " in text:
        return text
    return FIRST + "".join(f"    {line}\n" for line in text.strip("\n").split("\n")) + "}\n"


def graph(text: str, **options: object) -> Graph:
    """The graph of a spec, which has no warnings either."""
    whole = spec(text)
    assert [d.message for d in check(Source("spec.cnn", whole))] == []
    return load(Source("spec.cnn", whole), **options)  # type: ignore[arg-type]


def paths(graph: Graph) -> str:
    """The paths of layers with weights, in order, each once."""
    return " ".join(dict.fromkeys(name.rpartition(".")[0] or name for name in graph.weights))


def shape(text: str) -> tuple[int, ...]:
    """The shape of the last output."""
    return list(graph(text).outputs.values())[-1].shape


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """A spec without its marks, and their lines and columns."""
    whole, places = spec(text), []
    while "§" in whole:
        at = whole.index("§")
        before = whole[:at]
        places.append((before.count("\n") + 1, at - before.rfind("\n")))
        whole = before + whole[at + 1:]
    return whole, places


def refuse(text: str, *codes: str) -> list[str]:
    """Assert that a spec gives exactly these errors, each at its mark; the messages, in order of place."""
    whole, places = marked(text)
    found = [d for d in check(Source("spec.cnn", whole)) if d.is_error]
    got = [(d.code, d.span.line, d.span.column) if d.span else (d.code,) for d in found]
    assert got == [(code, *place) for code, place in zip(codes, places, strict=True)], [d.message for d in found]
    with pytest.raises(SpecError):
        load(Source("spec.cnn", whole))
    return [d.message for d in found]
