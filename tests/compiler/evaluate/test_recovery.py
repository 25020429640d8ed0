"""One mistake is one error: what comes after it stays silent, and what is independent is told."""

from __future__ import annotations

import pytest

from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import marked, refuse

# what it shows, spec with marks, codes at the marks
ONCE = [
    ("an unknown layer, and all that follows", "conv(4, 3x3) -> §konv(5, 3x3) as a -> batchnorm\nadd(a, it) -> conv(a.channels, 1x1)\nflatten -> fc(10)\noutput o", "E202"),
    ("a layer that does not fit", "§conv(4, 99x99) as a -> relu -> maxpool(2x2) as b\nb -> flatten -> fc(3)", "E302"),
    ("an unknown name", "conv(§n, 3x3) as a\nconcat(a, it) -> conv(a.channels + it.height, 1x1)", "E201"),
    ("a broken `let`", "let n = §mm\nlet k = n + 1\nconv(n, 3x3)\nrepeat k { conv(n, 1x1) }", "E201"),
    ("a loop without an end", "for i in 0..§n { relu as a[i]\nconv(4, 1x1) }\na[0] -> add(it, a[1])", "E201"),
    ("a loop bound that is no number", "repeat §half { conv(4, 1x1) as a }\nrelu", "E210"),
    ("a condition that is unknown", "if §n > 3 { relu as a[0]\noutput p } else { tanh as a[0]\noutput p }\nadd(a[0], it)", "E201"),
    ("a condition among branches", "relu as a\nadd { if §n > 3 { branch { a -> relu } } branch { relu } }\nconv(3, 1x1)", "E201"),
    ("a condition that rests on an unknown tensor", "§konv(3) -> relu\nif it.channels == 3 { conv(4, 1x1) as a[0] }\na[0] -> relu", "E202"),
    ("a broken block, used twice", "block B(n) { conv(n, 99x§n9) }".replace("99x§n9", "1x1, §paad = 3") + "\nmodel m {\n    input x: [3, 9, 9]\n    B(3) as a -> B(4) as b\n    add(a, b) -> relu\n}\n", "E310"),
    ("a block without an argument", "block B(n) { conv(n, 1x1) }\nmodel m {\n    input x: [3, 9, 9]\n    relu as s -> §B as (a, b)\n    add(a, b, s) -> relu\n}\n", "E213"),
    ("a broken default", "block B(n = §k) { conv(n, 1x1) }\nmodel m {\n    input x: [3, 9, 9]\n    B as a -> B\n    add(a, it)\n}\n", "E201"),
    ("a broken input", "model m {\n    input x: [§n, 9, 9]\n    conv(x.channels, 1x1) -> add(x, it)\n    in -> relu\n}\n", "E201"),
    ("a broken shared layer", "shared h: §konv(3)\nh -> h\nrelu -> h", "E202"),
    ("a broken raw weight", "weight w: [§n, 1, 1]\nmultiply(it, w)\nadd(it, w)", "E201"),
    ("a broken label", '"a{§n}": seq { conv(4, 1x1) as b\nlet k = 3 }\nadd(b, it) -> conv(k, 1x1)', "E201"),
    ("a broken index", "relu as a[§n] -> relu as a[1]\nadd(a[0], a[1], it)", "E201"),
    ("an element that does not exist", "relu as a[0] -> relu as b\nadd(§a[1], b) as c -> add(c, it)", "E212"),
    ("a join that drops the flow", "relu as a -> relu\nconv(3, 1x1) -> §concat(a) -> conv(4, 1x1) as b\nadd(b, it)", "E205"),
    ("a join of unequal shapes with branches", "§add { branch { conv(4, 1x1) } branch { conv(5, 1x1) } }\nrelu", "E306"),
    ("two results of one name", "relu as a -> relu as §a -> add(a, it)", "E203"),
    ("two weights of one name, of other shapes", "c: conv(3, 1x1) -> relu\nc: §conv(4, 1x1) -> conv(5, 1x1)", "E207"),
    ("a broken training head", "training { §konv(3)\noutput aux }\nconv(4, 1x1)\noutput main", "E202"),
    ("a broken function", "let f(n) = n + §k\nmodel m {\n    input x: [3, 9, 9]\n    conv(f(1), 1x1) as a\n    conv(f(2), 1x1)\n    add(a, it)\n}\n", "E201"),
    ("a broken setting of an `expect`", "expect §n == 3\nconv(4, 1x1)\nexpect params == 16", "E201"),
    ("an argument that is a broken layer", "block B(act) { conv(3, 1x1) -> act }\nmodel m {\n    input x: [3, 9, 9]\n    B(§gelo) -> B(relu)\n}\n", "E201"),
]


@pytest.mark.parametrize("text, codes", [(o[1], o[2:]) for o in ONCE], ids=[o[0] for o in ONCE])
def test_one_mistake_is_one_error(text, codes):
    refuse(text, *codes)


# what it shows, spec with marks, codes at the marks
SEVERAL = [
    ("nine in one chain of lines",
     "§konv(4, 3x3)\nconv(§n, 3x3)\nrelu(§slope = 3)\nconv(4, §3*3)\nconv(4, 3, §3)\nmaxpool(2x2, round = §flor)\nleakyrelu(§true)\n§relu -> §dropout(p = 2)".replace("§relu -> §dropout(p = 2)", "dropout(§p = 2)"),
     "E202", "E201", "E310", "E316", "E314", "E201", "E312", "E312"),
    ("around a tensor that is lost", "§konv(4)\nx -> §conv(9, 1x1) as lost\nx -> conv(§n, 1x1)", "E202", "E206", "E201"),
    ("an unused shared layer beside an unknown one", "§shared h: conv(3, 1x1)\n§konv(3)", "E227", "E202"),
    ("in both branches of a condition", "if true { §konv(1) } else { §kanv(1) }", "E202", "E202"),
    ("in a branch that is not taken", "if false { conv(§n, 1x1) as a\nrelu(§b = 3) as §a }".replace(" as §a", ""), "E201", "E310"),
    ("in every part of a file",
     "let k = §kk\nblock Unused(n) { conv(§nn, 1x1) -> §rellu }\nmodel open(n) {\n    input x: [3, 9, 9]\n    §konv(n)\n}\nmodel m {\n    input x: [3, 9, 9]\n    conv(4, 1x1, §pat = 3) -> relu as a\n    x -> §conv(5, 99x99)\n    x -> maxpool(§0)\n}\n",
     "E201", "E201", "E202", "E202", "E310", "E302", "E312"),
]


@pytest.mark.parametrize("text, codes", [(o[1], o[2:]) for o in SEVERAL], ids=[o[0] for o in SEVERAL])
def test_independent_mistakes_are_all_told(text, codes):
    whole, places = marked(text)
    found = [d for d in check(Source("spec.cnn", whole)) if d.is_error]
    got = [(d.code, d.span.line, d.span.column) for d in found]
    assert got == [(code, *place) for code, place in zip(codes, places, strict=True)], [d.message for d in found]


def test_a_tensor_that_is_lost_is_told_beside_other_mistakes():
    found = check(Source("a.cnn", "model m {\n    input x: [3, 9, 9]\n    conv(4, 1x1) as lost\n    x -> konv(3)\n}\n"))
    assert [(d.code, d.span.line) for d in found] == [("E206", 3), ("E202", 4)]


def test_errors_beyond_the_fiftieth_are_not_looked_for():
    lines = "".join(f"    x -> konv{i}(3)\n" for i in range(80))
    with pytest.raises(SpecError) as caught:
        load(Source("a.cnn", "model m {\n    input x: [3, 9, 9]\n" + lines + "}\n"))
    codes = [d.code for d in caught.value.diagnostics]
    assert codes.count("E202") == 50 and codes.count("E419") == 1 and len(codes) == 51


def test_fifty_lost_tensors_end_without_a_traceback():
    lines = "".join(f"    x -> conv({i + 1}, 1x1)\n" for i in range(80))
    with pytest.raises(SpecError) as caught:
        load(Source("a.cnn", "model m {\n    input x: [3, 9, 9]\n" + lines + "}\n"))
    codes = [d.code for d in caught.value.diagnostics]
    assert codes.count("E206") == 50 and "E419" in codes


def test_a_mistake_in_a_loop_is_told_once():
    refuse("repeat 1000 { conv(§n, 1x1) }", "E201")


def test_help_can_be_pasted():
    for line, help in [
        ("rellu", "did you mean `relu`?"), ("conv(it.chanels, 1x1)", "did you mean `.channels`?"),
        ("conv(4, 3*3)", "`3x3` is the size"), ("repeat 2 { relu }\nfor i in 3 { relu }", "`0..3` counts from 0 to 2"),
        ("maxpool(2x2, strid = 2)", "did you mean `stride`?"), ("conv(4, 1x1, pad = haff)", "did you mean `half`?"),
    ]:
        body = "".join(f"    {one}\n" for one in line.split("\n"))
        (found,) = check(Source("a.cnn", "model m {\n    input x: [3, 9, 9]\n" + body + "}\n"))
        assert help in found.help
