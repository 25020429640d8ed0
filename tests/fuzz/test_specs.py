"""Whatever the text: a graph, or diagnostics with codes and places; the same text after formatting; no hang."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.load import check, load
from spec_lang.codes import CODES
from spec_lang.diagnostics import Diagnostic, SpecError
from spec_lang.formatter import format_source
from spec_lang.limits import DEFAULT_LIMITS
from spec_lang.parser import decode, parse
from spec_lang.render import render_json, render_text
from spec_lang.source import Source
from tests.fuzz import texts
from tests.fuzz.effort import LONG, effort

#: Lower than the defaults, so that what does not end is found out quickly.
LIMITS = replace(DEFAULT_LIMITS, steps=200_000, layers=2_000)
SECONDS = 10.0


def sound(diagnostics: list[Diagnostic], length: int) -> None:
    """Known codes, places inside the text, and nothing that a terminal would obey."""
    for one in diagnostics:
        assert one.code in CODES and one.message and (one.span is not None or one.place), one
        if one.span is not None and one.span.source.name == "fuzz":
            assert 0 <= one.span.start <= one.span.end <= length, one
    assert all(c.isprintable() or c == "\n" for c in render_text(diagnostics))
    assert render_json(diagnostics).isascii()


def met(text: str) -> None:
    """The contract for any text."""
    began = time.process_time()
    found = check(Source("fuzz", text), limits=LIMITS)
    sound(found, len(text))
    try:
        source = decode(text.encode("utf-8", "surrogatepass"), "fuzz")
        parse(source)
    except SpecError as error:
        assert any(d.is_error for d in found)
        sound(list(error.diagnostics), len(text))
    else:
        formatted = format_source(source)
        assert format_source(Source("fuzz", formatted)) == formatted
        assert codes(check(Source("fuzz", formatted), limits=LIMITS)) == codes(found)
    assert time.process_time() - began < SECONDS


def codes(found: list[Diagnostic]) -> list[str]:
    return sorted(one.code for one in found)


@effort(60)
@given(texts.words)
def test_words_of_the_language(text: str) -> None:
    met(text)


@effort(120)
@given(texts.statements)
def test_words_of_the_language_in_a_model(text: str) -> None:
    met(text)


@effort(150)
@given(texts.damaged())
def test_specs_that_were_damaged(text: str) -> None:
    met(text)


@effort(100)
@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    met(text)


@effort(150)
@given(st.sampled_from(["n", "k", "act", "classes", "_"]), st.one_of(texts.words, st.text(max_size=30)))
def test_any_setting(name: str, value: str) -> None:
    try:
        load(Source("fuzz", texts.HEAD + "conv(n, k, pad = half) -> act\n}\n"), settings={name: value}, limits=LIMITS)
    except SpecError as error:
        sound(list(error.diagnostics), 1 << 30)


@pytest.mark.long
def test_twenty_thousand_texts() -> None:
    """Ours, not Hypothesis's: it spends its time on shrinking and variety, this one on numbers."""
    rng = random.Random(LONG)
    for _ in range(LONG or 20_000):
        text = rng.choice(texts.SPECS)
        for _ in range(rng.randint(1, 6)):
            start = rng.randrange(len(text) + 1)
            stop = min(len(text), start + rng.randint(0, 40))
            other = rng.choice(texts.SPECS)
            at = rng.randrange(len(other) + 1)
            piece = rng.choice([rng.choice(texts.WORDS), other[at : at + rng.randint(1, 60)], text[start:stop] * 2, ""])
            text = text[:start] + piece + text[stop:]
        try:
            met(text)
        except Exception as error:
            raise AssertionError(repr(text)) from error
