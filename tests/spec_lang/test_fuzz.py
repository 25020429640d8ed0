"""Whatever the text, `parse` gives a file or a `SpecError`, and `format_source` keeps its promises."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec_lang.diagnostics import SpecError
from spec_lang.formatter import format_source
from spec_lang.parser import decode, parse
from spec_lang.render import render_json, render_text
from spec_lang.source import Source
from spec_lang.tables import tables
from tests.spec_lang.language import SPECS
from tests.spec_lang.test_syntax import EXPRESSIONS, STATEMENTS
from tests.spec_lang.trees import definitions

WORDS = [
    *tables().keywords, "conv", "relu", "x", "m", "it", "3", "0.5", "3x3", "lab:", '"l{i}"', '"a',
    "per image",
    "(", ")", "[", "]", "{", "}", ",", ":", "=", "->", "..", "+", "-", "**", "//", "==", "<", ".", ";", "$",
    "\u00d7",
    "# c", "## d", "\n", "\n", "\n", "\r\n", "\t", "  ", "{i}", "'", "\\", "\x00", "\u202e", "\x1b", "1e999",
]  # fmt: skip


def check(text):
    """The contract for any text."""
    source = Source("fuzz", text)
    try:
        file = parse(source)
    except SpecError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.code[0] == "E" and diagnostic.message
            if diagnostic.span is not None:
                assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        shown = render_text(error.diagnostics, width=100)
        assert all(c.isprintable() or c == "\n" for c in shown)
        assert render_json(error.diagnostics).isascii()
        with pytest.raises(SpecError):
            format_source(source)
        return
    result = format_source(source)
    again = Source("fuzz", result)
    assert definitions(result) == definitions(text)
    assert format_source(again) == result
    assert len(parse(again).comments) == len(file.comments)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_a_text_of_the_languages_words(words):
    check(" ".join(words))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_text(text):
    check(text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_any_bytes(data):
    try:
        source = decode(data, "fuzz")
    except SpecError as error:
        assert [d.code for d in error.diagnostics] == ["E101"]
        assert render_text(error.diagnostics)
    else:
        check(source.text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SPECS)), st.randoms(use_true_random=False))
def test_a_spec_with_a_few_changes(name, rng):
    text = SPECS[name]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        change = rng.choice(["drop", "insert", "double", "swap"])
        if change == "drop":
            text = text[:at] + text[at + rng.randint(1, 12) :]
        elif change == "insert":
            text = text[:at] + rng.choice(WORDS) + text[at:]
        elif change == "double":
            text = text[:at] + text[at : at + 30] + text[at:]
        else:
            lines = text.split("\n")
            a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            text = "\n".join(lines)
    check(text)


def random_body(rng, depth):
    """Valid statements with the white space and comments of a careless author."""
    lines = []
    for _ in range(rng.randint(0, 4)):
        text = (
            rng.choice(list(STATEMENTS)) if rng.random() < 0.7 else f"let x = {rng.choice(list(EXPRESSIONS))}"
        )
        if depth and rng.random() < 0.4:
            head = rng.choice(["repeat 2", "seq", "if a", "aside", "l: seq", "for i in a", "add { branch"])
            gap = rng.choice(["", " ", "\n", " # c\n"])
            text = f"{head} {{{gap}{random_body(rng, depth - 1)}\n}}"
            text += " }" if head.startswith("add") else ""
        chain = " -> ".join(["conv(64, 3x3, pad = half)"] * rng.randint(1, 6))
        lines.append(rng.choice([text, chain]) + rng.choice(["", "", "  # c", "\n", "\n# own\n", "\n\n\n"]))
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(40))
def test_a_valid_text_is_laid_out_without_a_change_of_meaning(seed):
    rng = random.Random(seed)
    text = f"{rng.choice(['# head', ''])}\nmodel m {{{random_body(rng, 3)}\n}}\n{rng.choice(['# tail', ''])}"
    parse(Source("t", text))
    check(text)
