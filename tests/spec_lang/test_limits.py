"""Limits on text: at the limit a spec is read, one above it is refused, and neither takes long."""

from __future__ import annotations

import time

import pytest

from spec_lang.diagnostics import SpecError
from spec_lang.limits import Limits
from spec_lang.parser import decode, parse
from spec_lang.source import Source


def codes(text, limits=None):
    try:
        parse(Source("t", text), limits or Limits())
    except SpecError as error:
        return [d.code for d in error.diagnostics]
    return []


def model(line):
    return f"model m {{\n{line}\n}}\n"


def nested(count):
    """A text with `count` brackets open at once, the model's brace among them."""
    return model("let a = " + "(" * (count - 1) + "1" + ")" * (count - 1))


def braces(count):
    return "model m " + "{ seq " * (count - 1) + "{ relu }" + " }" * (count - 1)


def summed(count):
    """An expression with `count` operators nested in each other."""
    return model("let a = " + " + ".join("1" * (count + 1)))


def ladder(count):
    return model("if a { }" + " else if a { }" * count)


ROWS = {
    "E403": lambda n: nested(200 + n),
    "E404": lambda n: model("a" * (64 + n)),
    "E405": lambda n: model("let a = " + "9" * (18 + n)),
    "E406": lambda n: summed(250 + n),
}
MORE = {
    "braces": ("E403", lambda n: braces(200 + n)),
    "a label": ("E404", lambda n: model("a" * (64 + n) + ": relu")),
    "an extent": ("E405", lambda n: model("conv(4, 3x" + "9" * (18 + n) + ")")),
    "a sign": ("E406", lambda n: model("let a = " + "-" * (250 + n) + "1")),
    "not": ("E406", lambda n: model("let a = " + "not " * (250 + n) + "b")),
    "powers": ("E406", lambda n: model("let a = " + "1 ** " * (250 + n) + "1")),
    "attributes": ("E406", lambda n: model("let a = b" + ".c" * (250 + n))),
    "conditions": ("E406", lambda n: model("let a = " + "if a then 1 else " * (250 + n) + "1")),
    "a ladder": ("E406", lambda n: ladder(250 + n)),
}
CASES = {code: (code, make) for code, make in ROWS.items()} | MORE


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_limit_is_the_largest_value_accepted(case, over):
    code, make = CASES[case]
    assert codes(make(over)) == ([code] if over > 0 else [])


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_number_of_tokens(over):
    text = model("x\n" * (1_000 - 5 + over) + "x")
    assert codes(text, Limits(tokens=1_000)) == (["E402"] if over > 0 else [])


def test_the_number_of_tokens_is_a_hundred_thousand():
    assert codes(model("x\n" * (100_000 - 3))) == ["E402"]


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_size_of_a_file(over):
    data = b"#" * (256 * 1024 + over)
    if over <= 0:
        assert parse(decode(data, "t")).definitions == ()
        return
    for read in (lambda: decode(data, "t"), lambda: parse(Source("t", data.decode()))):
        with pytest.raises(SpecError) as caught:
            read()
        assert [d.code for d in caught.value.diagnostics] == ["E401"]


def test_bytes_are_counted_not_characters():
    text = "#" + "\u4e2d" * 90_000
    assert codes(text) == ["E401"]


def test_limits_can_be_set():
    assert codes(nested(11), Limits(nesting=10)) == ["E403"]
    assert codes(nested(10), Limits(nesting=10)) == []


LONG_STRING = model('"' + "{a}" * 20_000 + '": a')


def test_a_long_chain_and_many_lines_are_read_in_linear_time():
    for text in (
        model("a -> " * 20_000 + "a"),
        model("a\n" * 20_000),
        model("a\n-> " * 20_000 + "a"),
        LONG_STRING,
    ):
        started = time.process_time()
        assert codes(text) == []
        assert time.process_time() - started < 5


NASTY = {
    "open brackets": "(" * 100_000,
    "closing brackets": ")" * 100_000,
    "open braces": "a {" * 30_000,
    "closing braces": "}" * 99_000,
    "quotes": '"' * 200_000,
    "semicolons": "; " * 90_000,
    "unknown": "$" * 250_000,
    "wrong statements": "model m {\n" + "a a\n" * 40_000 + "}",
    "arrows": "model m {\n" + "-> " * 90_000 + "}",
    "wrong lines": "model m {\n" + ") = (\n" * 30_000 + "}",
    "labels without layers": "model m {\n" + "a:\n" * 40_000 + "}",
    "one long word": "a" * 250_000,
    "one long number": "9" * 250_000,
    "one long float": "let a = 1." + "9" * 200_000 + "x",
    "definitions": "block\n" * 40_000,
    "heads": "model m {\n" + "if a\n" * 30_000 + "}",
    "braces in a string": 'model m {\n"' + "{" * 200_001 + '": a\n}',
    "mistakes in a string": 'model m {\n"' + "{a b}" * 20_000 + '": a\n}',
    "a line of mistakes": "model m {\n" + "conv(a b) " * 20_000 + "\n}",
    "definitions in braces": "model m {\n" * 20_000,
    "mismatched": "([" * 40_000 + ")]" * 40_000,
}


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_text_is_refused_soon(name):
    started = time.process_time()
    with pytest.raises(SpecError) as caught:
        parse(Source("t", NASTY[name]))
    assert str(caught.value)
    assert len(caught.value.diagnostics) <= 100
    assert time.process_time() - started < 4
