"""Formatting a spec changes nothing of what it means, and nothing at all the second time."""

from __future__ import annotations

from typing import Any

from compiler.graph import Graph
from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.formatter import format_source
from spec_lang.node import Node
from spec_lang.parser import parse
from spec_lang.source import Source, Span
from tests.generator.findings import Examined


def plain(node: Any) -> Any:
    """An AST without its places."""
    if isinstance(node, tuple):
        return tuple(plain(item) for item in node)
    if isinstance(node, Node):
        values = [getattr(node, n) for n in node.__match_args__ if n not in ("source", "comments")]
        return (type(node).__name__, *(plain(v) for v in values if not isinstance(v, Span)))
    return node


def facts(graph: Graph) -> Any:
    """What a spec means: nodes with their arguments and names, weights, costs."""
    numbered: dict[Any, int] = {}
    values = [*graph.inputs.values(), *(v for n in graph.nodes for v in n.outputs)]
    for value in values:
        numbered.setdefault(value, len(numbered))
    nodes = [
        (
            n.name,
            n.path,
            n.op,
            [numbered.get(v, v.weight) for v in n.inputs],
            [v.type for v in n.outputs],
            dict(n.weights),
        )
        for n in graph.nodes
    ]
    weights = [
        (w.name, w.shape, w.role, w.trainable, w.training, w.initialiser) for w in graph.weights.values()
    ]
    outputs = {name: numbered.get(value) for name, value in graph.outputs.items()}
    return nodes, weights, outputs, graph.params, graph.macs, graph.memory


def formatted(made: Examined, graph: Graph) -> None:
    source = Source("random.cnn", made.text)
    printed = format_source(source)
    again = format_source(Source("random.cnn", printed))
    if again != printed:
        made.found("fmt is not idempotent", _first_difference(printed, again))
    if plain(parse(source).definitions) != plain(parse(Source("random.cnn", printed)).definitions):
        made.found("fmt changes the AST", "")
    if facts(load(Source("random.cnn", printed)).with_training) != facts(graph.with_training):
        made.found("fmt changes the graph", "")


def _first_difference(one: str, other: str) -> str:
    pairs = zip(one.splitlines(), other.splitlines(), strict=False)
    return next((f"{a!r} / {b!r}" for a, b in pairs if a != b), "length")


def accepted(text: str) -> Graph:
    errors = [d for d in check(Source("random.cnn", text)) if d.is_error]
    if errors:
        raise SpecError(errors)
    return load(Source("random.cnn", text))
