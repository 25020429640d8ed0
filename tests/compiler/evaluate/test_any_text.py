"""Whatever the text is, loading it ends with a graph or a `SpecError`, and twice with the same."""

from __future__ import annotations

import random
import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.load import check, load, shipped
from spec_lang.diagnostics import SpecError
from spec_lang.limits import Limits
from spec_lang.source import Source

TEXTS = {one.file: one.path.read_text(encoding="utf-8") for one in shipped().values()}
SMALL = Limits(steps=60_000, layers=2_000)
QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=4_000, deadline=None, suppress_health_check=list(HealthCheck))

PIECES = [
    "0", "1", "-1", "2 ** 40", "3x3", "it", "in", "half", "relu", "conv", "x", "n", "{", "}", "(", ")", "[", "]", ":", "as", "->",
    "seq", "add", "branch", "for i in 0..3", "if true", "repeat 2", "shared", "weight", "training", "aside", "output", "let", "block", "model",
    "true", "none", '"a"', '"{i}"', "..", "**", "//", ".channels", ".shape", "as y[i]", "y[0]", "expect", "params", "\n", "input", "inline",
    "import", "0.5", "9" * 18, "as (a, b)", "_", "1 // 0", "frozen = true", "like = it", "axis = channels", "per image", "H = 4", "é", "\0", "#",
]


def outcome(text: str) -> tuple[object, ...]:
    """What comes of a text, in a form that can be compared."""
    before = sys.getrecursionlimit()
    found = tuple((d.code, d.message, str(d.span)) for d in check(Source("a.cnn", text), limits=SMALL))
    try:
        graph = load(Source("a.cnn", text), limits=SMALL)
    except SpecError as error:
        assert error.diagnostics and all(d.is_error and d.message for d in error.diagnostics)
        last: tuple[object, ...] = tuple((d.code, d.message, str(d.span)) for d in error.diagnostics)
    else:
        assert not any(code.startswith("E") for code, _, place in found) or "model" in text
        last = (graph.name, [(n.name, n.op, n.output.shape) for n in graph.nodes], list(graph.weights), graph.macs)
    assert sys.getrecursionlimit() == before
    return found, last


@st.composite
def changed(draw: st.DrawFn) -> str:
    """A shipped spec with a few words replaced, dropped, doubled or swapped."""
    text = draw(st.sampled_from(sorted(TEXTS.values())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 1, 2, 5, 20, 200]))
        what = draw(st.one_of(st.sampled_from(PIECES), st.just(text[at:at + length] * 2), st.text(max_size=3)))
        text = text[:at] + f" {what} " + text[at + length:]
    return text


ATOMS = ["1", "2", "3", "4", "0", "0.5", "3x3", "1x1", "true", "half", "relu", "floor", "it", "in", "it.channels", "x.height", "it.shape", "y[0]", "y[i]", "none", "x", "n", "a", "b", "y", "B", "C", "f", "k", "act", "i"] + ["[1, 2]", "(2, 3)", '"a"']
EXPRESSIONS = [
    "E + E", "E * E", "(E // E)", "2 ** E", "E == E", "(E < E)", "if E then E else E", "[E for i in E]", "0..E", "min(E, E)", "len(E)",
    "f(E)", "zip(E, E)", "[E, E][E]", "leakyrelu(E)", "B(E)", "not E", "-E", "sum(E)", "conv(E, E)", "(E).size",
]
LAYERS = [
    "relu", "conv(4, 3x3, pad = half)", "conv(n, 1x1)", "batchnorm", "maxpool(2x2)", "flatten", "fc(5)", "dropout", "identity", "h", "x",
    "a", "y[0]", "B", "B(3)", "C", "act", "add(it, a)", "concat(it, x)", "multiply(it, 2)", "globalavgpool", "conv(E, E)", "add(E, it)",
    "B(E)", "reshape([E])", "upsample(E)", "softmax",
]
STATEMENTS = [
    "L", "L", "L -> L -> L", "let k = E", "let q = E", "let g(t) = E", "expect E", "weight w: [E, 1, 1]", "shared h: conv(3, 1x1)",
    "shared h: B", "expect params == E", "multiply(it, w)", "output o", "output p",
]
COMPOUND = [
    "for i in E S", "repeat E S", "if E S else S", "aside S", "training S", "seq S", "s: seq S", '"g{n}": S', "shared h: S",
    "add {\nbranch S\nbranch S\n}", "concat {\nfor i in E {\nbranch S\n}\n}",
]


class Writer:
    """Small specs that the grammar accepts, mostly wrong in what they mean."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def filled(self, text: str, depth: int) -> str:
        """A form with what its capital letters stand for: an expression, a link, a body."""
        made = {"E": self.expression, "L": self.link, "S": self.body}
        return re.sub(r"\b[ELS]\b", lambda match: made[match[0]](depth + 1), text)

    def expression(self, depth: int) -> str:
        if depth > 4 or self.random.random() < 0.6:
            return self.random.choice(ATOMS)
        return self.filled(self.random.choice(EXPRESSIONS), depth)

    def link(self, depth: int) -> str:
        label = self.random.choice(["", "", "", "l: ", '"c{n}": ', '"a.b": ', '"{i}": '])
        bound = self.random.choice(["", "", "", " as a", " as b", " as y[0]", " as y[i]", " as (a, b)", " as _"])
        return label + self.filled(self.random.choice(LAYERS), depth) + bound

    def body(self, depth: int) -> str:
        lines = []
        for _ in range(self.random.randint(1, 4)):
            forms = STATEMENTS if depth > 4 or self.random.random() < 0.7 else COMPOUND
            lines.append(self.filled(self.random.choice(forms), depth))
        return "{\n" + "\n".join(lines) + "\n}"

    def spec(self) -> str:
        inputs = self.random.choice([
            "input x: [3, 8, 8]", "input x: [3, H = 8, W = 8]", "input x: [3, 8, 8]\ninput z: [2]", "input x: [E, 8]"])
        variant = self.random.choice(["", "model v = m(E)\n"])
        return self.filled(
            f"let k = E\nlet f(t) = E\nblock B(n = E, act = relu) S\n{self.random.choice(['', 'inline '])}block C S\n"
            f"model m(n = E) {{\n{inputs}\n{self.body(0)[2:]}\n{variant}", 0)


@QUICK
@given(changed())
def test_a_shipped_spec_with_mistakes_put_in(text):
    assert outcome(text) == outcome(text)


@QUICK
@given(st.integers(0, 2**32))
def test_a_small_spec_of_the_grammar(seed):
    text = Writer(seed).spec()
    assert outcome(text) == outcome(text)


@pytest.mark.long
@LONG
@given(changed())
def test_many_shipped_specs_with_mistakes_put_in(text):
    outcome(text)


@pytest.mark.long
@LONG
@given(st.integers(0, 2**32))
def test_many_small_specs_of_the_grammar(seed):
    outcome(Writer(seed).spec())


def test_the_small_specs_are_not_all_refused_by_the_parser():
    codes = [[d.code for d in check(Source("a.cnn", Writer(seed).spec()), limits=SMALL)] for seed in range(60)]
    assert sum(not any(c.startswith("E1") for c in found) for found in codes) > 30
    assert len({c for found in codes for c in found}) > 8
