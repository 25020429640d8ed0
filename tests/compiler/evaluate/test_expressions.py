"""Expressions: what they come to, and how they fail."""

from __future__ import annotations

import pytest

from compiler.load import load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import refuse

# expression, its value
VALUES = [
    ("7", 7), ("60_965_224", 60965224), ("0.5", 0.5), ("1e-3", 0.001), ("true", True), ('"a b"', "a b"),
    ("3x5", (3, 5)), ("(1, 2)", (1, 2)), ("(3,)", (3,)), ("[1, [2, 3]]", (1, (2, 3))), ("[]", ()),
    ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 // 2", 3), ("-7 // 2", -4), ("7 / 2", 3.5), ("-7 % 3", 2),
    ("2 ** 3 ** 2", 512), ("-2 ** 2", -4), ("2 ** -1", 0.5), ("7 - 2 - 1", 4), ("1 - -1", 2),
    ("2 * 3x5 == 6", None), ("1 < 2", True), ("2 <= 1", False), ("3 != 3.5", True), ("1 == 1.0", True),
    ("true == 1", False), ("[1, 2] == (1, 2)", True), ("3x5 == [3, 5]", True), ("[true] == [1]", False),
    ('"a" == "a"', True), ("relu == relu", True), ("relu == gelu", False), ("floor == floor", True),
    ("leakyrelu(0.1) == leakyrelu(0.1)", True), ("leakyrelu(0.1) == leakyrelu(0.2)", False),
    ("not 1 > 2", True), ("true and false", False), ("false or true", True), ("false and 1 // 0 == 1", False),
    ("true or 1 // 0 == 1", True), ("if 1 > 2 then 3 else 4", 4), ("if 2 > 1 then 3 else 1 // 0", 3),
    ("if false then 1 else if true then 2 else 3", 2),
    ("1..4", (1, 2, 3)), ("4..1", ()), ("-1..1", (-1, 0)), ("0..2 + 1", (0, 1, 2)), ("[1, 2] + [3]", (1, 2, 3)),
    ("[1, 2] + (3..5)", (1, 2, 3, 4)), ("[5, 6, 7][1]", 6), ("[5, 6, 7][-1]", 7), ("[5, 6, 7][0..2]", (5, 6)),
    ("[[1, 2], [3, 4]][1, 0]", 3), ("3x5[1]", 5), ("[5, 6, 7][[2, 0]]", (7, 5)),
    ("[i * i for i in 0..4]", (0, 1, 4, 9)), ("[a + b for (a, b) in [(1, 2), (3, 4)]]", (3, 7)),
    ("[10 * i + j for i in 0..2 for j in 0..i + 1]", (0, 10, 11)), ("[0 for _ in 0..3]", (0, 0, 0)),
    ("[[j for j in 0..i] for i in 0..3]", ((), (0,), (0, 1))),
    ("min(3, 1, 2)", 1), ("max([3, 1, 2])", 3), ("abs(-3)", 3), ("abs(-0.5)", 0.5), ("floor(2.7)", 2), ("ceil(2.1)", 3),
    ("round(2.6)", 3), ("round(2.5)", 2), ("sqrt(16)", 4.0), ("len([1, 2])", 2), ("len(3x3x3)", 3), ("sum([1, 2, 3])", 6), ("sum([])", 0),
    ("range(3)", (0, 1, 2)), ("range(1, 3)", (1, 2)), ("range(1, 6, 2)", (1, 3, 5)), ("range(5, 0, -2)", (5, 3, 1)), ("range(0, 3, -1)", ()), ("zip([1, 2], [3, 4])", ((1, 3), (2, 4))), ("int(3.9)", 3), ("int(-3.9)", -3),
    ("floor(-2.5)", -3), ("max(1, 2.5)", 2.5), ("2 ** 511 > 0", True), ("it.shape", (3, 9, 14)), ("it.size", (9, 14)), ("it.channels", 3),
    ("it.height", 9), ("it.width", 14), ("it.rank", 3), ("in.channels + x.width", 17), ("half == half", True),
]


def value(expression: str) -> object:
    """What an expression comes to, by way of a parameter's value."""
    text = ("block Probe(value) { identity }\nmodel m {\n    input x: [3, 9, 14]\n"
            f"    Probe({expression})\n}}\n")
    (scope,) = [m for m in load(Source("a.cnn", text)).root.members if getattr(m, "name", "") == "Probe"]
    return scope.arguments["value"]


@pytest.mark.parametrize("expression, want", [v for v in VALUES if v[1] is not None], ids=[v[0] for v in VALUES if v[1] is not None])
def test_what_an_expression_comes_to(expression, want):
    got = value(expression)
    assert got == want and type(got) is type(want) or (isinstance(want, tuple) and got == want)


# expression with § where the error points, code
FAULTS = [
    ("8 // §0", "E211"), ("8 / §0.0", "E211"), ("8 % §0", "E211"), ("§0 ** -1", "E211"), ("§(-8) ** 0.5", "E211"),
    ("§sqrt(-1)", "E211"), ("§1e308 * 10.0", "E211"), ("§10.0 ** 400", "E211"),
    ("§2 ** 512", "E413"), ("§2 ** 511 * 2", "E413"), ("§10 ** 100_000", "E413"),
    ("§true + 1", "E210"), ('1 + §"a"', "E210"), ("-§true", "E210"), ("not §1", "E210"), ("§1 and true", "E210"), ("true and §1", "E210"),
    ("if §1 then 2 else 3", "E210"), ("§[1] * 2", "E210"), ("3 + §[1]", "E210"), ("§3x3 + 1", "E210"), ("§1..2.5", "E210"), ("§true..3", "E210"),
    ("§3[0]", "E210"), ("[1][§0.0]", "E210"), ("[1][§true]", "E210"), ("[1][§1]", "E212"), ("[1][§-2]", "E212"), ("[][§0]", "E212"),
    ("[1, 2][§1..3]", "E212"), ("[i for i in §3]", "E210"), ("[a for §(a, b) in [1]]", "E210"), ("[a for §(a, b) in [(1, 2, 3)]]", "E210"),
    ("[a for §(a, a) in [(1, 2)]]", "E203"), ("[1 for §it in [1]]", "E203"),
    ("§min()", "E213"), ("§min([])", "E210"), ("§abs(1, 2)", "E213"), ("§len(3)", "E210"), ("§sum(3)", "E210"), ("§sum([true])", "E210"),
    ("§zip([1], [1, 2])", "E210"), ("§zip(3)", "E210"), ("§range(1, 2, 3, 4)", "E213"), ("§range(1, 2, 0)", "E210"), ("§range(1, 2, 0.5)", "E210"), ("§range(10 ** 12, 0, -1)", "E410"), ("§range(0.5)", "E210"), ("min(§a = 3)", "E213"), ('§int("3")', "E210"),
    ("§nonsense", "E201"), ("§nonsense(3)", "E201"), ("§half(3)", "E201"), ("§min", "E201"), ("§it.chanels", "E209"), ("§it.features", "E209"), ("§it.depth", "E209"),
    ("§(3).channels", "E209"), ("§relu.channels", "E209"), ("§x(3)", "E210"), ("conv(§a)", "E201"),
    ("3 < §relu", "E210"), ("§half < 3", "E210"),
]


@pytest.mark.parametrize("expression, code", FAULTS, ids=[f[0] for f in FAULTS])
def test_expressions_without_a_value(expression, code):
    refuse("let value = " + expression + "\nrelu", code)


def test_words_are_choices_unless_a_parameter_or_let_has_the_name():
    assert value("half") == "half"
    text = "let half = 2\nmodel m {\n    input x: [3, 9, 14]\n    conv(4, 5x5, pad = half)\n}\n"
    assert load(Source("a.cnn", text)).outputs["output"].shape == (4, 9, 14)
    text = "model m(half = 1) {\n    input x: [3, 9, 14]\n    conv(4, 5x5, pad = half)\n}\n"
    assert load(Source("a.cnn", text)).outputs["output"].shape == (4, 7, 12)


def test_a_tensor_does_not_win_over_a_choice():
    text = "model m {\n    input x: [3, 9, 14]\n    relu as half -> conv(3, 5x5, pad = half) -> add(half, it)\n}\n"
    assert load(Source("a.cnn", text)).outputs["output"].shape == (3, 9, 14)


FUNCTIONS = [
    ("let f(n) = n + 1\n", "f(3)", 4),
    ("let f(a, b) = a - b\n", "f(b = 1, a = 5)", 4),
    ("let f(n) = if n < 2 then n else f(n - 1) + f(n - 2)\n", "f(15)", 610),
    ("let even(n) = if n == 0 then true else odd(n - 1)\nlet odd(n) = if n == 0 then false else even(n - 1)\n", "even(100)", True),
    ("let a = b + 1\nlet b = 2\n", "a", 3),
    ("let f(x) = [x, k]\nlet k = 9\n", "f(1)", (1, 9)),
    ("let act(slope) = leakyrelu(slope)\n", "act(0.1) == leakyrelu(0.1)", True),
    ("let channels(t) = t.channels\n", "channels(it)", 3),
]


@pytest.mark.parametrize("definitions, expression, want", FUNCTIONS)
def test_functions_and_constants(definitions, expression, want):
    text = f"{definitions}block Probe(value) {{ identity }}\nmodel m {{\n    input x: [3, 9, 14]\n    Probe({expression})\n}}\n"
    (scope,) = [m for m in load(Source("a.cnn", text)).root.members if getattr(m, "name", "") == "Probe"]
    assert scope.arguments["value"] == want


def test_a_local_function_sees_the_names_around_it():
    text = "model m(k = 2) {\n    input x: [3, 9, 14]\n    for i in 1..3 {\n        let f(n) = n * k + i\n        conv(f(10), 1x1)\n    }\n}\n"
    assert [n.output.shape[0] for n in load(Source("a.cnn", text)).nodes] == [21, 22]


BAD_CALLS = [
    ("let f(n) = n\n", "f()", "§f()", "E213"), ("let f(n) = n\n", "", "f(1, §2)", "E213"), ("let f(n) = n\n", "", "f(§m = 2)", "E213"),
    ("let f(n) = n\n", "", "f(1, §n = 2)", "E213"), ("let n = 3\n", "", "§n(2)", "E210"),
]


@pytest.mark.parametrize("definitions, _, expression, code", BAD_CALLS)
def test_calls_that_are_refused(definitions, _, expression, code):
    refuse(f"{definitions}model m {{\n    input x: [3, 9, 14]\n    conv({expression}, 1x1)\n}}\n", code)


def test_definitions_in_a_circle_are_one_error():
    (message,) = refuse("let §a = b\nlet b = c\nlet c = a\nmodel m {\n    input x: [3, 9, 9]\n    conv(a, 1x1)\n    conv(b, 1x1)\n}\n", "E228")
    assert "`a`" in message


def test_a_broken_constant_is_one_error_however_often_it_is_used():
    refuse("let a = 1 // §0\nlet b = a + 1\nmodel n {\n    input x: [3, 9, 9]\n    conv(a, 1x1)\n    conv(b, 1x1)\n}\nmodel m {\n    input x: [3, 9, 9]\n    conv(a, 1x1)\n}\n", "E211")


def test_a_broken_constant_is_told_by_every_model_that_needs_it():
    text = "let a = 1 // 0\nmodel n {\n    input x: [3, 9, 9]\n    conv(a, 1x1)\n}\nmodel m {\n    input x: [3, 9, 9]\n    conv(a, 1x1)\n}\n"
    with pytest.raises(SpecError) as caught:
        load(Source("a.cnn", text))
    assert [d.code for d in caught.value.diagnostics] == ["E211"]
    with pytest.raises(SpecError) as caught:
        load(Source("a.cnn", text), settings={})
    assert [d.code for d in caught.value.diagnostics] == ["E211"]


def test_free_extents_are_not_read_as_numbers():
    head = "model m {\n    input x: [3, H = 16, W = 16]\n    "
    for expression in ("it.height", "it.width", "it.size", "it.shape"):
        refuse(head + f"let n = §{expression}\n    relu\n}}\n", "E215")
    assert load(Source("a.cnn", head + "conv(it.channels + it.rank, 1x1)\n}\n")).outputs["output"].shape == (6, 16, 16)
    refuse(head + "conv(4, 3x3) -> relu\n    let n = §it.width\n    relu\n}\n", "E215")
    assert load(Source("a.cnn", head + "globalavgpool -> conv(it.height + it.width, 1x1)\n}\n")).outputs["output"].shape == (2, 1, 1)
