"""What evaluation does not reach is looked at for names and arguments, without false alarms."""

from __future__ import annotations

import pytest

from compiler.load import check, open_text, shipped
from compiler.unreached import unreached
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import marked

MAIN = "model m {\n    input x: [3, 8, 8]\n    relu\n}\n"

# what it shows, file with marks, codes at the marks
FOUND = [
    ("an unknown name in a block that nothing uses", "block B { conv(§n, 1x1) }\n", "E201"),
    ("an unknown layer", "block B { §rellu }\n", "E202"),
    ("an unknown join", "block B { §ad { branch { relu } branch { relu } } }\n", "E202"),
    ("an unknown function", "block B { conv(§f(3), 1x1) }\n", "E201"),
    ("a choice that is called", "block B { conv(§half(3), 1x1) }\n", "E201"),
    ("a function that is not called", "block B { conv(§min, 1x1) }\n", "E201"),
    ("an argument that a layer does not have", "block B { conv(3, 1x1, §pat = 3) }\n", "E310"),
    ("the same in a layer as a value", "block B(act = leakyrelu(§slop = 3)) { act }\n", "E310"),
    ("a parameter that a block does not have", "block A(n) { conv(n, 1x1) }\nblock B { A(3, §m = 4) }\n", "E213"),
    ("a name bound twice", "block B { relu as a -> relu as §a -> add(a, it) }\n", "E203"),
    ("a name bound again further in", "block B { relu as a\nif it.channels > 3 { relu as §a } }\n", "E203"),
    ("a loop's name that is taken", "block B(i) { for §i in 0..3 { relu } }\n", "E203"),
    ("a parameter twice", "block B(n, §n) { conv(n, 1x1) }\n", "E203"),
    ("a name beyond its scope", "block B { if it.channels > 3 { relu as a }\nadd(it, §a) }\n", "E201"),
    ("in both branches", "block B { if it.channels > 3 { §konv } else if it.channels > 2 { §kanv } else { §kenv } }\n", "E202", "E202", "E202"),
    ("in loops, groups, sides, branches", 'block B { for i in §a { "l{§b}": seq { §c } }\naside { §d }\ntraining { §e }\nadd { for i in §f { branch { §g } } if §h { branch { relu } } } }\n',
     "E201", "E201", "E202", "E202", "E202", "E201", "E202", "E201"),
    ("in a model with open parameters", "model o(n) {\n    input x: [§k, n]\n    weight w: [§l](value = §v)\n    shared s: conv(§q, 1x1)\n    §konv(n) as y[§r]\n    expect §e == params, \"{§t}\"\n    init { conv = normal(§z) }\n}\n",
     "E201", "E201", "E201", "E201", "E202", "E201", "E201", "E201", "E201"),
    ("in a function that nothing calls", "let f(n) = [n * §k for i in 0..n]\n", "E201"),
    ("in a comprehension", "block B { conv(sum([i * §j for i in 0..3]), 1x1) }\n", "E201"),
    ("in a condition", "let f(n) = if n > 3 then §a else [§b][0] + (§c, 1)[0] - -§d\n", "E201", "E201", "E201", "E201"),
    ("in a default", "block B(n = §k) { conv(n, 1x1) }\n", "E201"),
    ("in an output", 'block B { relu -> output "a{§n}" }\n', "E201"),
]


@pytest.mark.parametrize("text, codes", [(f[1], f[2:]) for f in FOUND], ids=[f[0] for f in FOUND])
def test_what_is_found(text, codes):
    whole, places = marked(text + MAIN)
    found = [d for d in check(Source("a.cnn", whole)) if d.is_error]
    got = [(d.code, d.span.line, d.span.column) for d in found]
    assert got == [(code, *place) for code, place in zip(codes, places, strict=True)], [d.message for d in found]


FINE = [
    "block B(n, m = n) { conv(n, 1x1) -> conv(m, 1x1) }\n",
    "block B { let k = 3\nlet f(n) = n * k\nconv(f(k), 1x1) }\n",
    "block B { for i in 0..3 { conv(i, 1x1) as y[i] }\nadd(y[0..3]) }\n",
    "block B { if it.channels > 3 { relu as y[0] } else { tanh as y[0] }\ny[0] -> relu }\n",
    "block B { seq { relu as a }\ng: { c: conv(3, 1x1) as b }\nadd(a, b) }\n",
    "block B { if it.channels > 3 { relu as a -> add(a, it) } else { tanh as a -> add(a, it) } }\n",
    "block B(unit, n) { unit(n, whatever = 3) }\n",
    "block B(relu) { relu(whatever = 3) }\n",
    'block B(i) { shared "h{i}": conv(3, 1x1)\nh0 -> h0 }\n',
    "block B { shared h: conv(3, 1x1)\nh -> h }\n",
    'block B { weight "a.w": [3, 1, 1](init = normal(0.1))\nmultiply(it, w) }\n',
    "block B { conv(3, 3x3, pad = half, round = floor) as _ -> relu as _ }\n",
    "block B { maxpool(2x2) as (p, where) -> add(p, where) }\n",
    "model o(n) {\n    input x: [3, H = n, W = n]\n    preprocess { resize(n) -> normalize(mean = [n], std = n) }\n    init { conv = he(normal)\n\"a.b\" = zeros }\n    expect params == 3 and macs > memory, \"{params}\"\n    relu\n}\n",
    "let f(n) = if n == 0 then zip([1], [2]) else g(n - 1)\nlet g(n) = f(n)\n",
    "let nested = [[i + j for j in 0..i] for i in 0..3]\n",
    "block B { add { for i in 0..3 { branch { conv(i, 1x1) as t -> add(t, in) } } } }\n",
    "block B { it -> relu -> concat(in, it) }\n",
    "train m {\n    epochs = 3\n    loss = crossentropy(smoothing = 0.1)\n    metrics = [accuracy]\n}\n",
]


@pytest.mark.parametrize("text", FINE)
def test_no_false_alarms(text):
    assert [d.message for d in unreached(open_text(Source("a.cnn", text + MAIN)).module)] == []


@pytest.mark.parametrize("name", sorted({one.file for one in shipped().values()}))
def test_no_false_alarms_in_shipped_specs(name):
    path = next(one.path for one in shipped().values() if one.file == name)
    assert unreached(open_text(Source(name, path.read_text())).module) == []


def test_what_both_find_is_one_error():
    text = "block B(n) { conv(n, 1x1, pat = 3) -> konv(k) }\nmodel m {\n    input x: [3, 8, 8]\n    B(3) -> B(nn)\n}\n"
    assert [d.code for d in check(Source("a.cnn", text))] == ["E310", "E202", "E201", "E201"]
