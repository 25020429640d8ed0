"""Blocks: parameters and kinds, layers as values, recursion, results, `inline`, `shared`."""

from __future__ import annotations

import pytest

from compiler.load import check, load
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import graph, paths, refuse


def with_block(block: str, *lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"{block}\nmodel m {{\n    input x: [3, 16, 16]\n{body}}}\n"


KINDS = "block B(n = 4, k = 3x3, p = half, on = true, name = \"a\", list = [1], act = relu, any = none) { conv(n, k, pad = p, bias = on) -> act }"

# what it shows, arguments, fine or not
GIVEN = [
    ("nothing", "", True),
    ("by position", "5, 1x1, 0, false, \"b\", [2], gelu, 3", True),
    ("by name in any order", "on = false, n = 6", True),
    ("a number where a size stood", "k = 3", True),
    ("a tuple where a size stood", "k = (3, 3)", True),
    ("a choice where a number stood", "p = same", True),
    ("a size where a number stood", "n = §3x3", None),
    ("a tuple where a choice stood", "p = (1, 1)", True),
    ("a layer with arguments", "act = leakyrelu(0.2)", True),
    ("a block where a layer stood", "act = C", True),
    ("anything for `none`", "any = [1]", True),
    ("a tensor for `none`", "any = it", True),
    ("`none` for a layer", "any = none", True),
    ("a boolean where a number stood", "§n = true", False),
    ("a string where a number stood", '§n = "4"', False),
    ("a list where a number stood", "§n = [4]", False),
    ("a layer where a number stood", "§n = relu", False),
    ("a number where a boolean stood", "§on = 1", False),
    ("a choice where a boolean stood", "§on = half", False),
    ("a number where a string stood", "§name = 1", False),
    ("a number where a list stood", "§list = 1", False),
    ("a tuple where a list stood", "§list = (1, 2)", False),
    ("a number where a layer stood", "§act = 1", False),
    ("a choice where a layer stood", "§act = half", False),
    ("a tensor where a number stood", "§n = it", False),
    ("a function where a number stood", "§n = f", False),
    ("a parameter that it does not have", "§m = 4", False),
    ("one too many", "5, 1x1, 0, false, \"b\", [2], gelu, 3, §4", False),
    ("one twice", "5, §n = 6", False),
]


@pytest.mark.parametrize("given, fine", [g[1:] for g in GIVEN], ids=[g[0] for g in GIVEN])
def test_parameters_and_their_kinds(given, fine):
    before = "let f(x) = x\nblock C { gelu }\n" + KINDS
    text = with_block(before, f"B({given})")
    if fine:
        assert graph(text)
    elif fine is None:  # of the kind, but not what the layer takes
        refuse(with_block(before.replace("conv(n,", "conv(§n,"), f"B({given.replace('§', '')})"), "E312")
    else:
        refuse(text, "E213")


PARAMETERS = [
    ("a default may use parameters before it", "block B(n, m = 2 * n) { conv(m, 1x1) }", "B(5)", 10),
    ("a default may read the block's own input", "block B(n = in.channels * 2) { conv(n, 1x1) }", "conv(4, 1x1) -> B", 8),
    ("a default may read what flows", "block B(n = it.channels + 1) { conv(n, 1x1) }", "conv(4, 1x1) -> B", 5),
    ("`in` is the block's input", "block B { relu -> conv(in.channels * 2, 1x1) }", "conv(4, 1x1) -> B", 8),
    ("calling a value adds arguments", "block B(n, k = 1x1) { conv(n, k) }\nblock A(unit) { unit(7) }", "A(B(k = 3x3))", 7),
    ("values may be bound in steps", "block B(n, m, k) { conv(n + m + k, 1x1) }\nblock A(unit) { let u = unit(m = 1)\n u(k = 5, 1) }", "A(B)", 7),
    ("a layer may come with some of its arguments", "block A(unit) { unit(pad = half) }", "A(conv(9, 3x3))", 9),
    ("a list of layers", "block A(units) { for unit in units { unit } }", "A([conv(4, 1x1), relu, conv(5, 1x1)])", 5),
    ("an element of a list of layers", "block A(units) { units[1] }", "A([conv(4, 1x1), conv(5, 1x1)])", 5),
    ("a tensor may be an argument", "block A(skip) { concat(skip, it) }", "relu as a -> conv(4, 1x1) -> A(a)", 7),
    ("blocks see the constants of their file", "let width = 11\nblock A { conv(width, 1x1) }", "A", 11),
    ("a parameter hides a constant", "let width = 11\nblock A(width = 12) { conv(width, 1x1) }", "A", 12),
    ("blocks may be recursive", "block A(n) { conv(n, 1x1)\n if n > 1 { A(n - 1) } }", "A(4)", 1),
    ("blocks may call each other", "block A(n) { if n > 0 { B(n - 1) } }\nblock B(n) { conv(n + 3, 1x1) -> A(n) }", "A(4)", 3),
    ("a block's order in the file does not matter", "block A { B }\nblock B { conv(5, 1x1) }", "A", 5),
    ("an empty block is the identity", "block A { }", "A -> conv(4, 1x1)", 4),
]


@pytest.mark.parametrize("block, line, want", [p[1:] for p in PARAMETERS], ids=[p[0] for p in PARAMETERS])
def test_what_blocks_do(block, line, want):
    assert graph(with_block(block, line)).outputs["output"].shape[0] == want


def test_results_of_a_block_are_bound_in_order_and_the_first_flows_on():
    block = "block B { conv(4, 1x1)\n output wide\n conv(5, 1x1)\n output narrow }"
    made = graph(with_block(block, "B as (a, b) -> conv(6, 1x1) as c", "concat(a, b, c)"))
    assert made.outputs["output"].shape[0] == 15
    assert [n.inputs[0].shape[0] for n in made.nodes[:3]] == [3, 4, 4]
    made = graph(with_block(block, "B as (_, b)", "b -> relu"))
    assert made.outputs["output"].shape[0] == 5


BLOCKS_REFUSED = [
    ("a missing argument", "block B(n) { conv(n, 1x1) }", ["§B"], "E213"),
    ("a result too many", "block B { relu\noutput a }", ["B as (§a, b)"], "E225"),
    ("a result too few is lost", "block B { relu\noutput a\n §conv(4, 1x1)\noutput b }", ["B as a"], "E206"),
    ("a parameter twice", "block B(n, §n) { relu }", ["B(1, 2)"], "E203"),
    ("a parameter named it", "block B(§it) { relu }", ["B(1)"], "E203"),
    ("a name in the body of a parameter", "block B(n) { let §n = 3\n relu }", ["B(1)"], "E203"),
    ("a tensor of the caller", "block B { add(it, §skip) }", ["relu as skip -> B"], "E201"),
    ("an argument given twice, by value and by call", "block A(u) { u(1, §n = 2) }\nblock B(n, m) { conv(n, 1x1) }", ["A(B)"], "E213"),
    ("a recursion without an end", "block B { §B }", ["B"], "E411"),
    ("an input in a block", "block B {\n §input y: [3]\n relu }", ["B"], "E214"),
    ("preprocess in a block", "block B {\n §preprocess { bgr }\n relu }", ["B"], "E214"),
    ("init in a block", "block B {\n §init { conv = he }\n relu }", ["B"], "E214"),
    ("a join without branches", "block B(join) { §join { branch { relu } branch { relu } } }", ["B(relu)"], "E224"),
    ("an argument of a layer twice", "block A(u) { u(§kernel = 1x1) }", ["A(conv(4, 3x3))"], "E315"),
]


@pytest.mark.parametrize("block, lines, code", [b[1:] for b in BLOCKS_REFUSED], ids=[b[0] for b in BLOCKS_REFUSED])
def test_blocks_that_are_refused(block, lines, code):
    refuse(with_block(block, *lines), code)


def test_a_mistake_in_a_block_says_through_which_calls_it_came():
    text = with_block("block A(n) { B(n) }\nblock B(n) {\n    conv(n, 99x99)\n}", "A(4)")
    (found,) = check(Source("a.cnn", text))
    assert (found.code, found.span.line, found.span.column) == ("E302", 3, 5) or found.span.line == 3
    assert [note for note in found.notes if note.startswith("in ")] == [
        "in `B(4)`, applied on line 1 of a.cnn", "in `A(4)`, applied on line 7 of a.cnn"]


# ---- shared ----------------------------------------------------------------------------

UNIT = "block Unit { conv(3, 1x1) -> batchnorm }"
# what it shows, lines, paths of weights, params
SHARED = [
    ("a layer", ["shared h: conv(3, 1x1)", "h -> h -> relu -> h"], "h", 12),
    ("a block", ["shared h: Unit", "h -> h"], "h.conv1 h.batchnorm1", 18),
    ("a group", ["shared h: { a: conv(3, 1x1) -> relu }", "h -> h"], "h.a", 12),
    ("a seq", ["shared h: seq { relu -> conv(3, 1x1) }", "h -> h"], "h.1", 12),
    ("a layer on inputs of several sizes", ["shared h: conv(3, 3x3)", "h -> maxpool(2x2) -> h"], "h", 84),
    ("a layer in a loop", ["shared h: conv(3, 1x1)", "repeat 5 { h }"], "h", 12),
    ("a layer within something shared", ["shared h: conv(3, 1x1)", "shared g: seq { h -> h }", "g -> g"], "h", 12),
    ("shared declared within something shared", ["shared g: { shared h: conv(3, 1x1)", "h -> h }", "g -> g"], "g.h", 12),
    ("dots in the label", ['shared "a.h": conv(3, 1x1)', 'h -> h -> "a.b": conv(3, 1x1)'], "a.h a.b", 24),
    ("an expression in the label", ['let i = 3', 'shared "h{i}": conv(3, 1x1)', "h3 -> h3"], "h3", 12),
    ("a layer without weights", ["shared act: leakyrelu(0.2)", "act -> conv(3, 1x1) -> act"], "conv1", 12),
    ("an argument of a block", ["shared h: conv(3, 1x1)", "Twice(h) -> Twice(h)"], "h", 12),
    ("a raw weight within", ["shared h: { weight w: [3, 1, 1]", "multiply(it, w) }", "h -> h"], "h.w", 3),
    ("within a block, once for each use", ["Both -> Both"], "both1.h both2.h", 24),
]


@pytest.mark.parametrize("lines, want, params", [s[1:] for s in SHARED], ids=[s[0] for s in SHARED])
def test_what_is_shared_has_its_weights_once(lines, want, params):
    before = UNIT + "\nblock Twice(layer) { layer -> layer }\nblock Both { shared h: conv(3, 1x1)\nh -> h }"
    made = graph(with_block(before, *lines))
    named = paths(made) if "weight w" not in " ".join(lines) else " ".join(made.weights)
    assert (named, made.params) == (want, params)


SHARED_REFUSED = [
    ("never applied", ["§shared h: conv(3, 1x1)", "relu"], "E227"),
    ("an input that needs other weights", ["shared h: conv(4, 1x1)", "h -> §h"], "E223"),
    ("the same for a block", ["shared h: Unit", "conv(3, 1x1) -> h -> conv(4, 1x1) -> h"], "E223"),
    ("arguments where it is applied", ["shared h: conv(3, 1x1)", "§h(3)"], "E223"),
    ("a join", ["shared h: §add", "h"], "E223"),
    ("a tensor", ["relu as a", "shared h: §a", "h"], "E210"),
    ("an unknown layer", ["shared h: §konv(3, 1x1)", "h -> h"], "E202"),
    ("its name bound twice", ["shared h: conv(3, 1x1)", "h as §h"], "E203"),
]


@pytest.mark.parametrize("lines, code", [s[1:] for s in SHARED_REFUSED], ids=[s[0] for s in SHARED_REFUSED])
def test_shared_things_that_are_refused(lines, code):
    unit = UNIT.replace("conv(3", "§conv(3") if lines[0] == "shared h: Unit" else UNIT
    refuse(with_block(unit, *lines), code)


def test_a_shared_block_has_two_scopes_of_one_path():
    root = load(Source("a.cnn", with_block(UNIT, "shared h: Unit", "h -> h"))).root
    assert [(s.path, s.shared, s.kind) for s in root.members] == [("h", True, "block")] * 2


def test_frozen_weights_are_no_parameters():
    made = graph("conv(4, 1x1, frozen = true) -> batchnorm(frozen = true) -> conv(5, 1x1)")
    assert made.params == 25 and not made.weights["batchnorm1.weight"].trainable
    refuse("relu(§frozen = true)", "E310")


def test_a_user_s_name_wins_over_a_layer_s_with_a_warning():
    for text, line in [
        ("block B(pad = 0) { conv(4, 3x3, pad = pad) }\nmodel m {\n input x: [3, 9, 9]\n B }\n", 1),
        ("let scale = 3\nmodel m {\n input x: [3, 9, 9]\n conv(scale, 1x1) }\n", 1),
        ("block relu { tanh }\nmodel m {\n input x: [3, 9, 9]\n relu }\n", 1),
        ("model m {\n input x: [3, 9, 9]\n relu as slice -> add(slice, it) }\n", 3),
        ("model m {\n input x: [3, 9, 9]\n for select in [1] { conv(select, 1x1) } }\n", 3),
        ("model m {\n input reduce: [3, 9, 9]\n tanh }\n", 2),
    ]:
        found = check(Source("a.cnn", text))
        assert [(d.code, d.span.line) for d in found] == [("W201", line)], text
        allowed = "\n".join(f"{row} # allow W201" if n == line else row for n, row in enumerate(text.split("\n"), 1))
        assert check(Source("a.cnn", allowed)) == []
    assert [n.op.name for n in load(Source("a.cnn", "block relu { tanh }\nmodel m {\n input x: [3, 9, 9]\n relu }\n")).nodes] == ["tanh"]
