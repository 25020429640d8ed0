"""The flow: chains, names of tensors, arrays, joins, branches, outputs, side flows."""

from __future__ import annotations

import pytest

from compiler.load import load
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import graph, refuse, shape

TWO = "model m {\n    input a: [3, 8, 8]\n    input b: [5, 8, 8]\n"

# what it shows, spec, shape of the last output
SHAPES = [
    ("a chain and lines mean the same", "conv(4, 3x3) -> conv(5, 3x3)\nconv(6, 3x3)", (6, 10, 10)),
    ("a line may begin with an arrow", "conv(4, 3x3)\n-> conv(5, 3x3)", (5, 12, 12)),
    ("a chain may begin with a name", "conv(4, 1x1) as a\nrelu as b\na -> conv(6, 1x1) as c\nconcat(b, c)", (10, 16, 16)),
    ("`it` inside a chain is what flows into the link", "conv(4, 1x1) -> conv(it.channels * 2, 1x1) -> conv(it.channels + 1, 1x1)", (9, 16, 16)),
    ("`it` as a link is the identity", "conv(4, 1x1) -> it -> relu", (4, 16, 16)),
    ("`in` is the model's input", "conv(4, 1x1) -> concat(in, it)", (7, 16, 16)),
    ("the input has a name too", "conv(4, 1x1) -> concat(x, it)", (7, 16, 16)),
    ("the first result flows on after `as`", "conv(4, 1x1) as a -> relu -> add(a, it)", (4, 16, 16)),
    ("`_` discards", "aside { conv(4, 1x1) as _ }\nrelu", (3, 16, 16)),
    ("an array of one index", "for i in 0..3 { conv(i + 1, 1x1) as y[i] }\nconcat(y[0], y[2], it)", (7, 16, 16)),
    ("an array of two indices", "for i in 0..2 { for j in 0..2 { conv(1 + i + 2 * j, 1x1) as y[i, j] } }\nconcat(y[0, 0], y[1, 0], it)", (7, 16, 16)),
    ("a range of indices", "for j in 0..3 { conv(1 + j, 1x1) as y[1, j] }\nconcat(y[1, 0..3])", (6, 16, 16)),
    ("a list of indices", "for j in 0..3 { conv(1 + j, 1x1) as y[j] }\nconcat(y[[2, 0]], y[1])", (6, 16, 16)),
    ("an array belongs to the whole model", "if true { conv(4, 1x1) as y[0] }\nconcat(y[0], it)", (8, 16, 16)),
    ("a join takes a list", "conv(4, 1x1) as a -> relu as b\nconcat([a, b])", (8, 16, 16)),
    ("a join takes a comprehension", "for i in 0..3 { conv(2, 1x1) as y[i] }\nadd([y[i] for i in 0..3])", (2, 16, 16)),
    ("branches start from one tensor", "conv(4, 1x1)\nconcat { branch { conv(5, 1x1) } branch { conv(6, 1x1) } branch { identity } }", (15, 16, 16)),
    ("an empty branch is the shortcut", "add { branch { conv(3, 1x1) } branch { } }", (3, 16, 16)),
    ("loops may stand among branches", "concat { for i in 1..4 { branch { conv(i, 1x1) } } branch { identity } }", (9, 16, 16)),
    ("conditions may stand among branches", "concat { branch { conv(4, 1x1) } if 1 > 2 { branch { relu } } else if 2 > 1 { branch { relu -> conv(5, 1x1) } } }", (9, 16, 16)),
    ("one branch of a loop is itself", "concat { for i in 1..2 { branch { conv(i, 1x1) } } }", (1, 16, 16)),
    ("conditions in loops among branches", "concat { for i in 0..4 { if i % 2 == 0 { branch { conv(i + 1, 1x1) } } } }", (4, 16, 16)),
    ("`add` takes a number", "add(it, 1)", (3, 16, 16)),
    ("a number may come first", "multiply(0.5, it)", (3, 16, 16)),
    ("a join may begin a chain without `it`", "conv(4, 1x1) as a -> conv(4, 1x1) as b\nmaximum(a, b) -> conv(7, 1x1)", (7, 16, 16)),
    ("an aside gives `it` back", "conv(4, 1x1)\naside { conv(9, 1x1)\noutput side }\nconv(5, 1x1)\noutput main", (5, 16, 16)),
    ("a join may be a value", "let j = concat(axis = height)\nconv(3, 1x1) as a\nj(a, it)", (3, 32, 16)),
    ("a join through a parameter", "block B(join) { join(in, it) }\nmodel m {\n    input x: [3, 16, 16]\n    B(concat)\n}\n", (6, 16, 16)),
    ("branches of a join through a parameter", "block B(join) { join { branch { conv(3, 1x1) } branch { identity } } }\nmodel m {\n    input x: [3, 16, 16]\n    B(concat)\n}\n", (6, 16, 16)),
    ("several inputs are named", TWO + "    a -> conv(5, 1x1) -> add(b, it)\n    output o\n}\n", (5, 8, 8)),
    ("a vector as an input", "model m {\n    input v: [7]\n    fc(it.features * 2)\n}\n", (14,)),
    ("an input of rank four", "model m {\n    input v: [2, 4, 6, 8]\n    conv(it.depth, 1x1x1)\n}\n", (4, 4, 6, 8)),
    ("an input is the output of a model without layers", "output same\nrelu\noutput other", (3, 16, 16)),
]


@pytest.mark.parametrize("text, want", [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_what_flows(text, want):
    assert shape(text) == want


# what it shows, spec, codes of the errors at the marks
REFUSED = [
    ("nothing flows at the start with several inputs", TWO + "    §relu -> add(a, it) -> conv(5, 1x1) -> add(b, it)\n}\n", "E204"),
    ("there is no `in` with several inputs", TWO + "    a -> conv(5, 1x1) -> add(b, it)\n    conv(§in.channels, 1x1)\n}\n", "E204"),
    ("`it` where nothing flows", TWO + "    concat(a, b, §it)\n}\n", "E204"),
    ("a join that drops the flow", "conv(3, 1x1) as skip -> relu\nconv(3, 1x1) -> §concat(skip)", "E205"),
    ("a join that drops the flow for two others", "conv(3, 1x1) as a -> relu as b\nconv(3, 1x1) -> §add(a, b)", "E205"),
    ("a join without arguments in a chain", "relu -> §add", "E205"),
    ("a tensor inside a chain", "conv(3, 1x1) as skip -> relu\nconv(3, 1x1) -> §skip -> add(it, 1)", "E205"),
    ("a single tensor to join", "§concat(it)", "E224"),
    ("a single branch", "§add { branch { relu } }", "E224"),
    ("no branch of a loop", "§add { for i in 0..0 { branch { relu } } }", "E224"),
    ("branches of what joins nothing", "§relu { branch { relu } branch { relu } }", "E224"),
    ("a tensor that reaches no output", "§conv(4, 1x1) as a\nx -> conv(5, 1x1)", "E206"),
    ("a chain begun anew", "relu -> §conv(4, 1x1)\nx -> conv(5, 1x1)\noutput o", "E206"),
    ("a layer after the last output", "conv(4, 1x1)\noutput o\n§relu", "E206"),
    ("an aside that leads nowhere", "aside { §conv(9, 1x1) }\nrelu", "E206"),
    ("a result in a block that leads nowhere", "block B {\n    aside { §conv(9, 1x1) }\n    relu\n}\nmodel m {\n    input x: [3, 8, 8]\n    B -> B\n}\n", "E206"),
    ("an array element that nobody uses", "relu as y[0] -> relu\naside { §conv(4, 1x1) as y[1] }\nadd(it, y[0])", "E206"),
    ("an unused input", TWO.replace("input b", "§input b") + "    a -> relu\n}\n", "E227"),
    ("a name bound twice", "relu as a -> relu as §a -> relu", "E203"),
    ("a name bound again in an inner scope", "relu as a\nif true { relu as §a }\nadd(a, it)", "E203"),
    ("a name of an input", "relu as §x", "E203"),
    ("`it` as a name", "relu as §it", "E203"),
    ("`in` as a name", "relu as §in", "E203"),
    ("an element filled twice", "relu as y[0] -> relu as §y[0] -> add(y[0], it)", "E203"),
    ("an array of the name of a tensor", "relu as y -> relu as §y[0] -> add(y, it)", "E203"),
    ("a tensor of the name of an array", "relu as y[0] -> relu as §y -> add(y[0], it)", "E203"),
    ("another number of indices", "relu as y[0] -> relu as §y[0, 1] -> add(y[0], it)", "E212"),
    ("an element that is not filled", "relu as y[0] -> relu -> add(§y[1], y[0], it)", "E212"),
    ("too many indices", "relu as y[0] -> relu -> add(§y[0, 0], y[0], it)", "E212"),
    ("an array as a tensor", "relu as y[0] -> add(y[0], it)\n§y -> relu", "E212"),
    ("a negative index of an array", "relu as y[§-1]", "E210"),
    ("a float as an index", "relu as y[§0.5]", "E210"),
    ("a name that ended with its scope", "if true { relu as a }\nadd(it, §a)", "E201"),
    ("a name that ended with its branch", "add { branch { relu as a } branch { relu } }\nadd(it, §a)", "E201"),
    ("a name that ended with its loop", "for i in 0..1 { relu as a }\n§a -> relu", "E202"),
    ("a name that ended with its aside", "aside { relu as a\noutput o }\nadd(it, §a)", "E201"),
    ("an output of a taken name", "relu\noutput a\nrelu\n§output a", "E203"),
    ("an output beyond ASCII", '§output "é"', "E208"),
    ("an output without a name", '§output ""', "E208"),
    ("more names than results", "relu as (§a, b)", "E225"),
    ("a layer that nobody knows", "§rellu", "E202"),
    ("a choice as a layer", "§same", "E202"),
    ("a function as a layer", "let f(n) = n\n§f(3)", "E210"),
    ("a number as a layer", "let f = 3\n§f", "E210"),
    ("a model as a layer", "model a {\n    input x: [3, 8, 8]\n    relu\n}\nmodel m {\n    input x: [3, 8, 8]\n    §a\n}\n", "E210"),
    ("arguments for a tensor", "relu as a\n§a(3) -> relu", "E210"),
    ("a join of unequal shapes", "conv(4, 1x1) as a\nx -> conv(5, 1x1) -> §add(a, it)", "E306"),
    ("a loop among branches that runs over a number", "add { for i in §3 { branch { relu } } branch { relu } }", "E210"),
    ("a condition among branches that is a number", "add { if §3 { branch { relu } } branch { relu } }", "E210"),
    ("training's tensors outside of it", "training { relu as y[0] }\n§add(it, y[0])", "E231"),
]


@pytest.mark.parametrize("text, codes", [(r[1], r[2:]) for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_flows_that_are_refused(text, codes):
    refuse(text, *codes)


def test_groups_and_seqs_are_no_scopes():
    assert shape("seq { conv(4, 1x1) as a -> relu }\ng: { relu as b }\nadd(a, b, it)") == (4, 16, 16)


def test_the_message_of_a_lost_flow_gives_the_line_to_paste():
    text = "model m {\n    input x: [3, 8, 8]\n    relu as skip -> relu\n    -> concat(skip, axis = height)\n}\n"
    with pytest.raises(Exception) as caught:
        load(Source("a.cnn", text))
    assert caught.value.diagnostics[0].help == ("add `it`: `concat(skip, it, axis = height)`",)


def test_names_of_tensors_and_outputs_are_in_the_graph():
    text = "conv(4, 1x1) as a -> relu as y[1, 2] -> add(a, it)\noutput \"b/c\""
    made = graph(text)
    assert [n.output.name for n in made.nodes] == ["a", "y_1_2", "b/c"]
    assert list(made.outputs) == ["b/c"]


def test_without_an_output_the_last_tensor_is_output():
    assert list(graph("relu").outputs) == ["output"]


def test_outputs_keep_their_order_and_may_stand_anywhere():
    made = graph('relu\noutput a\nif true { conv(4, 1x1)\noutput b }\nfor i in 0..2 { relu\noutput "c{i}" }')
    assert {n: v.shape[0] for n, v in made.outputs.items()} == {"a": 3, "b": 4, "c0": 4, "c1": 4}


def test_training_is_left_out_unless_asked_for():
    text = "conv(4, 1x1)\ntraining { a: conv(9, 1x1)\noutput aux }\nconv(5, 1x1)\noutput main"
    made = graph(text)
    assert list(made.outputs) == ["main"] and [n.path for n in made.nodes] == ["conv1", "conv3"]
    assert made.params == 4 * 4 + 9 * 5 + 5 * 5 and made.macs == 256 * (12 + 20)
    assert {n: w.training for n, w in made.weights.items()} == {
        "conv1.weight": False, "conv1.bias": False, "a.weight": True, "a.bias": True,
        "conv3.weight": False, "conv3.bias": False}
    whole = graph(text, training=True)
    assert whole.training and list(whole.outputs) == ["aux", "main"] and whole.macs == 256 * (12 + 36 + 20)
    assert whole.params == made.params and made.with_training is not made
    plain = graph("relu")
    assert plain.with_training is plain


def test_a_weight_that_training_and_inference_share_is_no_training_weight():
    made = graph("shared h: conv(3, 1x1)\ntraining { h\noutput aux }\nh\noutput main")
    assert [w.training for w in made.weights.values()] == [False, False]


def test_a_model_whose_named_outputs_are_all_in_training_still_has_the_last_tensor():
    assert list(graph("training { relu\noutput aux }\nconv(4, 1x1)").outputs) == ["output"]


def test_a_reading_of_five_thousand_branches():
    assert shape("add { for i in 0..5000 { branch { identity } } }") == (3, 16, 16)
