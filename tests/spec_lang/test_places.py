"""Spans: every node knows its place in the text."""

from __future__ import annotations

import pytest

from spec_lang import syntax
from spec_lang.node import Node
from spec_lang.parser import parse, parse_expression
from spec_lang.source import Source, Span

TEXT = """\
import "a.cnn" (Conv)
block B(w, k = 3x3) {
    let n = -(w + 1) * 2
    stem: conv(n, k, pad = half) -> relu as y[0, 1]
    add { branch { relu } branch { identity } }
    "l{n + 1}.{k:02}": seq { if n > 1 { relu } else { tanh } }
    expect it.shape == [1, 2], "at {n}"
}
model v = B(1)
"""


def nodes(node):
    if isinstance(node, tuple):
        for item in node:
            yield from nodes(item)
    elif isinstance(node, Node):
        yield node
        for name in node.__match_args__:
            if name not in ("source", "comments"):
                value = getattr(node, name)
                if not isinstance(value, Span):
                    yield from nodes(value)


ALL = list(nodes(parse(Source("t", TEXT)).definitions))


def texts(kind):
    return [n.span.text for n in ALL if isinstance(n, kind)]


PLACES = {
    syntax.Import: ['import "a.cnn" (Conv)'],
    syntax.Parameter: ["w", "k = 3x3"],
    syntax.Let: ["let n = -(w + 1) * 2"],
    syntax.Binary: ["-(w + 1) * 2", "w + 1", "n + 1", "n > 1", "it.shape == [1, 2]"],
    syntax.Unary: ["-(w + 1)"],
    syntax.Chain: [
        "stem: conv(n, k, pad = half) -> relu as y[0, 1]",
        "add { branch { relu } branch { identity } }",
        "relu",
        "identity",
        '"l{n + 1}.{k:02}": seq { if n > 1 { relu } else { tanh } }',
        "relu",
        "tanh",
    ],
    syntax.Target: ["y[0, 1]"],
    syntax.Argument: ["n", "k", "pad = half", "1"],
    syntax.Branch: ["branch { relu }", "branch { identity }"],
    syntax.Template: ["stem", '"l{n + 1}.{k:02}"', '"at {n}"'],
    syntax.Formatted: ["k:02"],
    syntax.Attribute: ["it.shape"],
    syntax.List: ["[1, 2]"],
    syntax.Variant: ["model v = B(1)"],
    syntax.If: ["if n > 1 { relu } else { tanh }"],
}


@pytest.mark.parametrize("kind", PLACES, ids=lambda kind: kind.__name__)
def test_a_node_spans_its_text(kind):
    assert texts(kind) == PLACES[kind]


def test_names_have_places_of_their_own():
    block = parse(Source("t", TEXT)).definitions[1]
    assert (block.name_span.text, block.name_span.line, block.name_span.column) == ("B", 2, 7)
    variant = parse(Source("t", TEXT)).definitions[2]
    assert (variant.base_span.text, variant.base_span.column) == ("B", 11)
    assert [span.text for _, span in parse(Source("t", TEXT)).definitions[0].names] == ["Conv"]


def test_children_lie_within_their_parents():
    for node in ALL:
        for name in node.__match_args__:
            value = getattr(node, name)
            for child in value if isinstance(value, tuple) else (value,):
                span = getattr(child, "span", None)
                if span is not None:
                    assert node.span.start <= span.start <= span.end <= node.span.end, (node, child)


def test_columns_count_code_points():
    source = Source("t", "# \u4e2d\U0001f600\nlet a = 3  # \U0001f600\nlet b = 4\n")
    second = parse(source).definitions[1]
    assert (second.span.line, second.span.column) == (3, 1)


def test_an_expression_alone_can_be_parsed():
    value = parse_expression(Source("--set", "[1, 2 * 3]"))
    assert isinstance(value, syntax.List)
    assert value.items[1].span.text == "2 * 3"


def test_nodes_behave_as_frozen_dataclasses_do():
    span = Span(Source("t", "3"), 0, 1)
    three = syntax.Int(span, 3)
    assert three == syntax.Int(span=span, value=3) == syntax.Int(span, value=3)
    assert three != syntax.Int(span, 4) and three != syntax.Float(span, 3)
    assert hash(three) == hash(syntax.Int(span, 3))
    assert repr(three).startswith("Int(span=Span(") and repr(three).endswith("value=3)")
    for wrong in (
        lambda: syntax.Int(span),
        lambda: syntax.Int(span, 3, 4),
        lambda: syntax.Int(span, 3, worth=4),
    ):
        with pytest.raises(TypeError):
            wrong()
    for change in (lambda: setattr(three, "value", 4), lambda: delattr(three, "value")):
        with pytest.raises(AttributeError):
            change()
    match three:
        case syntax.Int(_, value):
            assert value == 3
