"""Limits: met at the limit, refused one beyond, before time or memory is spent."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from compiler.evaluate.context import MAX_DEPTH
from compiler.evaluate.expressions import MAX_NESTING
from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.limits import DEFAULT_LIMITS
from spec_lang.source import Source

HEAD = "model m {\n    input x: [3, 8, 8]\n"


def codes(text: str, **limits: int) -> list[str]:
    """The codes of the errors of loading a text under these limits."""
    try:
        load(Source("a.cnn", text), limits=replace(DEFAULT_LIMITS, **limits))
    except SpecError as error:
        return [d.code for d in error.diagnostics]
    return []


# what it shows, text at the limit, text beyond, code
AT_AND_BEYOND = [
    ("bits of an integer", HEAD + "let n = 2 ** 511\nrelu }", HEAD + "let n = 2 ** 512\nrelu }", "E413"),
    ("bits of a product", HEAD + "let n = 2 ** 255 * 2 ** 256\nrelu }", HEAD + "let n = 2 ** 256 * 2 ** 256\nrelu }", "E413"),
    ("an extent", HEAD.replace("8]", "2 ** 31 - 1]") + "relu }", HEAD.replace("8]", "2 ** 31]") + "relu }", "E414"),
    ("elements of an input", "model m {\n input x: [2 ** 16, 2 ** 32 // 2 ** 8, 2 ** 8]\n relu }", "model m {\n input x: [2 ** 16 + 1, 2 ** 24, 2 ** 8]\n relu }", "E415"),
    ("elements of a weight", "model m {\n input x: [2 ** 24]\n fc(2 ** 24) }", "model m {\n input x: [2 ** 24]\n fc(2 ** 24 + 1) }", "E415"),
    ("an extent of a result", "model m {\n input x: [2 ** 30 - 1]\n concat(x, x) }", "model m {\n input x: [2 ** 30]\n concat(x, x) }", "E414"),
    ("nesting of a value", f"let f(n, v) = if n == 0 then v else f(n - 1, [v])\nlet a = f({MAX_NESTING}, 1)\n" + HEAD + "let b = a\nrelu }",
     f"let f(n, v) = if n == 0 then v else f(n - 1, [v])\nlet a = f({MAX_NESTING + 1}, 1)\n" + HEAD + "let b = a\nrelu }", "E420"),
    ("calls of blocks", "block R(n) { relu\n if n > 1 { R(n - 1) } }\n" + HEAD + f"R({MAX_DEPTH}) }}",
     "block R(n) { relu\n if n > 1 { R(n - 1) } }\n" + HEAD + f"R({MAX_DEPTH + 1}) }}", "E411"),
    ("calls of functions", "let f(n) = if n == 1 then 0 else f(n - 1)\n" + HEAD + f"let a = f({MAX_DEPTH})\nrelu }}",
     "let f(n) = if n == 1 then 0 else f(n - 1)\n" + HEAD + f"let a = f({MAX_DEPTH + 1})\nrelu }}", "E411"),
    ("steps of a label", HEAD + f'"{".".join("a" * 16)}": relu }}', HEAD + f'"{".".join("a" * 17)}": relu }}', "E208"),
    ("characters of a step", HEAD + f'"{"a" * 64}": relu }}', HEAD + f'"{"a" * 65}": relu }}', "E208"),
]


@pytest.mark.parametrize("fine, beyond, code", [r[1:] for r in AT_AND_BEYOND], ids=[r[0] for r in AT_AND_BEYOND])
def test_limits_are_exact(fine, beyond, code):
    assert codes(fine) == []
    assert codes(beyond) == [code]


def test_layers_after_expansion():
    text = HEAD + "repeat 50 { relu -> tanh } }"
    assert codes(text, layers=100) == []
    assert codes(text, layers=99) == ["E412"]
    assert DEFAULT_LIMITS.layers == 100_000


def test_steps_of_evaluation():
    text = HEAD + "let a = sum([i for i in 0..1000])\nrelu }"
    assert codes(text, steps=20_000) == []
    assert codes(text, steps=10_000) == ["E410"]
    assert DEFAULT_LIMITS.steps == 10_000_000


def test_a_partial_connection_table_of_two_hundred_thousand_entries_is_evaluated():
    assert codes(HEAD + "let t = [[(i * j) % 7 for j in 0..450] for i in 0..450]\nexpect t[449][449] == 449 * 449 % 7\nrelu }") == []


ENDLESS = [
    ("a loop", "repeat 100_000_000 { let a = 1 }", "E410"),
    ("a range", "for i in 0..100_000_000 { let a = i }", "E410"),
    ("a range beyond memory", "let a = 0..10 ** 17", "E410"),
    ("a comprehension", "let a = [i + j for i in 0..100_000 for j in 0..100_000]", "E410"),
    ("doubled lists", "let d(n, v) = if n == 0 then v else d(n - 1, v + v)\nlet a = d(60, [1])", "E410"),
    ("lists that hold themselves twice", "let d(n, v) = if n == 0 then v else d(n - 1, [v, v])\nlet a = d(60, [1])", "E420"),
    ("layers that hold themselves twice", "let d(n, v) = if n == 0 then v else d(n - 1, relu(v, v))\nlet a = d(60, relu)", "E420"),
    ("a recursion of functions", "let d(n) = d(n)\nlet a = d(1)", "E411"),
    ("a recursion that doubles", "let d(n) = if n == 0 then 0 else d(n - 1) + d(n - 1)\nlet a = d(100)", "E410"),
    ("powers of powers", "let a = 9 ** 9 ** 9 ** 9", "E413"),
    ("a label", 'for i in 0..1_000_000 { "a{i}.b.c.d.e.f.g.h": seq { } }', "E410"),
]


@pytest.mark.long
@pytest.mark.parametrize("line, code", [e[1:] for e in ENDLESS], ids=[e[0] for e in ENDLESS])
def test_what_does_not_end_is_ended(line, code):
    started = time.process_time()
    assert codes(HEAD + line + "\nrelu }") == [code]
    assert time.process_time() - started < 30


@pytest.mark.parametrize("line, code", [e[1:] for e in ENDLESS], ids=[e[0] for e in ENDLESS])
def test_what_does_not_end_is_ended_by_a_smaller_limit(line, code):
    assert codes(HEAD + line + "\nrelu }", steps=50_000) == [code]


def test_deep_nesting_of_everything_at_once():
    """Blocks in blocks, each with nested loops and conditions around a nested expression."""
    inner = "R(n - 1)"
    for _ in range(30):
        inner = f"if true {{ for i in 0..1 {{ {inner} }} }}".replace("for i", "for _")
    expression = "(" * 60 + "n" + ")" * 60
    text = f"block R(n) {{\n relu\n if {expression} > 1 {{ {inner} }} }}\n" + HEAD + f"R({MAX_DEPTH}) }}"
    assert codes(text) == []


def test_constants_in_a_long_row_are_evaluated():
    lines = "".join(f"let a{i} = a{i + 1} + 1\n" for i in range(5_000)) + "let a5000 = 0\n"
    assert check(Source("a.cnn", lines + HEAD + "    let n = a0\n    expect n == 5_000\n    relu\n}\n")) == []


def test_names_of_all_layers_together():
    text = "block R(n) { relu\n if n > 1 { " + f'"{"x" * 64}": R(n - 1)' + " } }\n" + HEAD + "repeat 100 { R(150) } }"
    assert codes(text) == ["E418"]


@pytest.mark.long
def test_a_hundred_thousand_layers_and_no_more():
    text = HEAD + "repeat 50_000 { conv(3, 3x3, pad = half) -> relu } }"
    started = time.process_time()
    assert len(load(Source("a.cnn", text)).nodes) == 100_000
    assert time.process_time() - started < 15
    assert codes(text.replace("{ conv", "{ relu -> conv")) == ["E412"]


def test_twenty_thousand_links_of_a_chain():
    started = time.process_time()
    assert len(load(Source("a.cnn", HEAD + "relu" + " -> relu" * 19_999 + " }")).nodes) == 20_000
    assert time.process_time() - started < 15


def test_time_grows_with_the_number_of_layers_and_no_faster():
    """Eight times as many layers, names, scopes and arrays take about eight times as long."""
    def seconds(n: int) -> float:
        text = (HEAD + f"for i in 0..{n} {{ \"l{{i}}\": {{ seq {{ a: conv(3, 1x1) as y[i] -> relu as t }} }} -> add(t, it) }}\n"
                f"concat(y[0..{n}], it) }}")
        return min(timed(text) for _ in range(2))

    def timed(text: str) -> float:
        started = time.process_time()
        load(Source("a.cnn", text))
        return time.process_time() - started

    seconds(50)
    assert seconds(2_400) < 30 * seconds(300)
