"""Names of weights: labels, positions, counts."""

from __future__ import annotations

import pytest

from compiler.load import check, load
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import graph, paths, refuse

BLOCK = "block Unit(n = 4) { conv(n, 1x1) -> relu -> conv(n, 1x1) }\n"


def model(*lines: str, before: str = "") -> str:
    return before + "model m {\n    input x: [3, 16, 16]\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


# what it shows, spec, paths of the layers with weights in order
NAMES = [
    ("a layer adds its name and count", "conv(4, 1x1)\nbatchnorm\nconv(4, 1x1)\nbatchnorm", "conv1 batchnorm1 conv2 batchnorm2"),
    ("a label replaces the name and is counted", "conv(4, 1x1)\na: conv(4, 1x1)\nconv(4, 1x1)", "conv1 a conv3"),
    ("labels may have dots", '"a.b": conv(4, 1x1)\n"a.c": conv(4, 1x1)', "a.b a.c"),
    ("a step may hold a slash", '"a/1x1.b": conv(4, 1x1)\n"a/3x3_reduce": conv(4, 1x1)', "a/1x1.b a/3x3_reduce"),
    ("labels may have expressions", 'for i in 0..3 { "c{i + 1}": conv(4, 1x1) }', "c1 c2 c3"),
    ("labels may have formats", 'for i in [7, 12] { "l{i:03}_conv": conv(4, 1x1) }', "l007_conv l012_conv"),
    ("labels may have strings", 'for s in ["a", "b-c"] { "{s}_1": conv(4, 1x1) }', "a_1 b-c_1"),
    ("a label may hold dots in an expression's value", 'for s in ["a.b"] { "{s}.c": conv(4, 1x1) }', "a.b.c"),
    ("a label may be a number", '"0": conv(4, 1x1)\n"1": conv(4, 1x1)', "0 1"),
    ("a keyword may be a label", "input: conv(4, 1x1)\nfor: conv(4, 1x1)\nmodel: seq { conv(4, 1x1) }", "input for model.0"),
    ("a seq without a label adds nothing outside of a seq", "seq { conv(4, 1x1) -> relu -> conv(4, 1x1) }", "0 2"),
    ("a seq counts every member", "s: seq { relu -> conv(4, 1x1) -> add(it, 1) -> identity -> conv(4, 1x1) }", "s.1 s.4"),
    ("a labelled member of a seq is counted", "s: seq { conv(4, 1x1) -> a: conv(4, 1x1) -> conv(4, 1x1) }", "s.0 s.a s.2"),
    ("a nested seq adds its position", "s: seq { relu -> seq { conv(4, 1x1) -> seq { conv(4, 1x1) } } }", "s.1.0 s.1.1.0"),
    ("a group in a seq adds its label and counts", "s: seq { g: { a: conv(4, 1x1) }\nconv(4, 1x1) }", "s.g.a s.1"),
    ("loops share the count of their body", "s: seq { repeat 2 { conv(4, 1x1) -> relu }\nconv(4, 1x1) }", "s.0 s.2 s.4"),
    ("conditions share the count of their body", "conv(4, 1x1)\nif true { conv(4, 1x1) }\nconv(4, 1x1)", "conv1 conv2 conv3"),
    ("branches share the count of their body", "conv(4, 1x1)\nadd { branch { conv(4, 1x1) } branch { conv(4, 1x1) } }\nconv(4, 1x1)", "conv1 conv2 conv3 conv4"),
    ("asides share the count", "conv(4, 1x1)\naside { conv(4, 1x1)\noutput a }\nconv(4, 1x1)\noutput b", "conv1 conv2 conv3"),
    ("training shares the count", "conv(4, 1x1)\ntraining { conv(4, 1x1)\noutput a }\nconv(4, 1x1)\noutput b", "conv1 conv2 conv3"),
    ("a join without a label adds nothing", "add { branch { a: conv(3, 1x1) } branch { identity } }", "a"),
    ("a labelled join adds its label", "j: add { branch { a: conv(3, 1x1) } branch { conv(3, 1x1) } }", "j.a j.conv2"),
    ("a join in a seq adds its position", "s: seq { relu -> add { branch { a: conv(3, 1x1) } branch { identity } }\nconv(4, 1x1) }", "s.1.a s.2"),
    ("joins by arguments count in a seq", "conv(3, 1x1) as a\ns: seq { add(a, it) -> conv(4, 1x1) }", "conv1 s.1"),
    ("a group adds its label; its members count by name", "g: { a: conv(4, 1x1) -> conv(4, 1x1) }", "g.a g.conv2"),
    ("names of tensors are no members", "conv(3, 1x1) as a\ns: seq { a -> relu -> conv(4, 1x1) }", "conv1 s.1"),
    ("an output is no member", "s: seq { conv(3, 1x1) -> output o -> conv(4, 1x1) }\noutput p", "s.0 s.1"),
    ("a frozen layer is named as usual", "conv(4, 1x1, frozen = true)", "conv1"),
    ("a block adds its name in lower case", model("Unit -> Unit", before=BLOCK), "unit1.conv1 unit1.conv2 unit2.conv1 unit2.conv2"),
    ("a labelled block adds its label", model("Unit -> a: Unit -> Unit", before=BLOCK), "unit1.conv1 unit1.conv2 a.conv1 a.conv2 unit3.conv1 unit3.conv2"),
    ("a block in a seq adds its position", model("s: seq { relu -> Unit }", before=BLOCK), "s.1.conv1 s.1.conv2"),
    ("a seq in a block counts from 0", model("B -> B", before="block B { seq { conv(3, 1x1) -> conv(3, 1x1) } }\n"), "b1.0 b1.1 b2.0 b2.1"),
    ("a layer that came as a parameter has its own name", model("B(conv(4, 1x1))", before="block B(act = relu) { conv(3, 1x1) -> act }\n"), "b1.conv1 b1.conv2"),
    ("so has a block", model("B(Unit)", before=BLOCK + "block B(unit) { unit -> unit(2) }\n"), "b1.unit1.conv1 b1.unit1.conv2 b1.unit2.conv1 b1.unit2.conv2"),
    ("so has a layer that a `let` holds", "let down = conv(4, 3x3, stride = 1)\ndown -> down", "conv1 conv2"),
    ("an inline block adds nothing and shares the count", model("conv(4, 1x1) -> I -> conv(4, 1x1)", before="inline block I { conv(3, 1x1) -> a: conv(3, 1x1) }\n"), "conv1 conv2 a conv4"),
    ("members of an inline block belong to the seq that uses it", model("s: seq { I -> I }", before="inline block I { conv(3, 1x1) -> relu }\n"), "s.0 s.2"),
    ("labels in an inline block may be arguments", model('I("res2a") -> I("res2b")', before='inline block I(name) { "{name}_branch2a": conv(3, 1x1) }\n'), "res2a_branch2a res2b_branch2a"),
    ("a raw weight is at the path of its label", "g: { weight w: [3, 1, 1]\nmultiply(it, w) -> a: conv(3, 1x1) }", "g g.a"),
    ("something shared is named where it is declared", "g: { shared h: conv(3, 1x1)\nh -> h -> a: conv(3, 1x1) }", "g.h g.a"),
    ("an application of something shared is a member of a seq", "shared h: conv(3, 1x1)\ns: seq { h -> conv(3, 1x1) }", "h s.1"),
    ("a shared seq counts from 0", "shared h: seq { relu -> conv(3, 1x1) }\nh -> h -> conv(3, 1x1)", "h.1 conv1"),
    ("what is shared is not counted in the body", "shared h: conv(3, 1x1)\nh -> conv(3, 1x1)", "h conv1"),
    ("shared blocks are named as blocks", model("shared h: Unit(3)", "h -> h", before=BLOCK), "h.conv1 h.conv2"),
    ("labels may share their first steps", 's: seq { "a.x": conv(3, 1x1) -> "a.y": conv(3, 1x1) -> "a.x2.z": conv(3, 1x1) }', "s.a.x s.a.y s.a.x2.z"),
    ("a label of a layer without weights is free for steps elsewhere", "a: relu\nb: { a: conv(3, 1x1) }", "b.a"),
]


@pytest.mark.parametrize("text, want", [row[1:] for row in NAMES], ids=[row[0] for row in NAMES])
def test_names_of_weights(text, want):
    assert paths(graph(text)) == want


def test_a_layer_has_the_names_of_pytorch():
    names = list(graph("conv(4, 1x1) -> batchnorm -> prelu -> flatten -> fc(2)").weights)
    assert names == [
        "conv1.weight", "conv1.bias", "batchnorm1.weight", "batchnorm1.bias", "batchnorm1.running_mean",
        "batchnorm1.running_var", "prelu1.weight", "fc1.weight", "fc1.bias"]


# what it shows, spec, codes
REFUSED = [
    ("two layers of one label", "a: conv(3, 1x1)\na: §conv(3, 1x1)", "E207"),
    ("a label that a count took", "conv(3, 1x1)\nconv1: §conv(3, 1x1)", "E207"),
    ("a count that a label took", "conv2: conv(3, 1x1)\n§conv(3, 1x1)", "E207"),
    ("a layer beside a label that goes through it", 'a: conv(3, 1x1)\n"a.b": §conv(3, 1x1)', "E207"),
    ("the same the other way round", '"a.b": conv(3, 1x1)\na: §conv(3, 1x1)', "E207"),
    ("two groups of one label", "a: { b: conv(3, 1x1) }\n§a: { c: conv(3, 1x1) }", "E207"),
    ("a group beside a label that goes through it", 'a: { b: conv(3, 1x1) }\n"a.c": §conv(3, 1x1)', "E207"),
    ("a raw weight of a taken name", "a: conv(3, 1x1)\nweight §a: [3, 1, 1]\nmultiply(it, a)", "E207"),
    ("a raw weight at a layer's own tensor", 'a: conv(3, 1x1)\nweight §"a.weight": [3, 1, 1]\nmultiply(it, weight)', "E207"),
    ("a shared layer of a taken name", "a: conv(3, 1x1)\nshared §a: conv(3, 1x1)\na", "E207"),
    ("a label in a loop that stands still", "repeat 2 { a: §conv(3, 1x1) }", "E207"),
    ("a position that a label took", 's: seq { "1": conv(3, 1x1) -> §conv(3, 1x1) }', "E207"),
    ("an empty step", '§"a..b": conv(3, 1x1)', "E208"),
    ("an empty label", '§"": conv(3, 1x1)', "E208"),
    ("a slash at the end", '§"a/": conv(3, 1x1)', "E208"),
    ("a slash at the start", '§"/a": conv(3, 1x1)', "E208"),
    ("nothing between slashes", '§"a//b": conv(3, 1x1)', "E208"),
    ("a letter beyond ASCII", '§"é": conv(3, 1x1)', "E208"),
    ("a step of 65 characters", f'§"{"a" * 65}": conv(3, 1x1)', "E208"),
    ("a label of 17 steps", f'§"{".".join("a" * 17)}": conv(3, 1x1)', "E208"),
    ("a format for a float", '"a{§0.5:02}": conv(3, 1x1)', "E210"),
    ("an unknown name in a label", '"a{§ii}": conv(3, 1x1)', "E201"),
    ("a label on an inline block", "inline block I { relu }\nmodel m {\n    input x: [3, 16, 16]\n    a: §I\n}\n", "E208"),
    ("a label on a tensor", "conv(3, 1x1) as a\n§b: a -> relu", "E208"),
    ("a label on something shared", "shared h: conv(3, 1x1)\nb: §h", "E208"),
    ("a shared label that is no name", 'shared §"0": conv(3, 1x1)\nrelu', "E208"),
]


@pytest.mark.parametrize("text, code", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_names_that_are_refused(text, code):
    refuse(text, code)


def test_a_group_in_which_nothing_has_a_label_is_suspicious():
    text = "model m {\n    input x: [3, 8, 8]\n    stem: { conv(3, 1x1) -> relu -> conv(3, 1x1) }\n}\n"
    (found,) = check(Source("a.cnn", text))
    assert (found.code, found.span.line, found.span.column) == ("W202", 3, 5)
    assert "write `stem: seq {" in found.help[0]
    (found,) = check(Source("a.cnn", text.replace("stem:", '"a.b":')))
    assert 'write `"a.b": seq {' in found.help[0]
    for fine in ("stem: { a: conv(3, 1x1) -> conv(3, 1x1) }", "stem: { relu }", "stem: seq { conv(3, 1x1) }",
                 "shared h: conv(3, 1x1)\n stem: { h -> relu }"):
        assert check(Source("a.cnn", text.replace("stem: { conv(3, 1x1) -> relu -> conv(3, 1x1) }", fine))) == []


def test_nodes_without_weights_have_paths_too():
    nodes = load(Source("a.cnn", model("relu -> relu", "s: seq { relu -> add(it, 1) }", "p: relu -> relu"))).nodes
    assert [n.path for n in nodes] == ["relu1", "relu2", "s.0", "s.1", "p", "relu4"]
    assert len({n.name for n in nodes}) == len(nodes)


def test_scopes_tell_blocks_groups_seqs_and_joins():
    text = model("g: { a: B(4) }", "s: seq { add { branch { B(3) } branch { identity } } }",
                 before="## Doc.\nblock B(n) { conv(n, 1x1) }\n")
    root = load(Source("a.cnn", text.replace("B(3)", "B(4)"))).root
    group, seq = root.members
    assert (group.kind, group.steps, group.label, group.path) == ("group", ("g",), "g", "g")
    (block,) = group.members
    assert (block.kind, block.name, block.arguments, block.path, block.doc) == ("block", "B", {"n": 4}, "g.a", "Doc.")
    (join,) = seq.members
    assert (join.kind, join.name, join.steps, join.path) == ("join", "add", ("0",), "s.0")
    assert [type(m).__name__ for m in join.members] == ["Scope", "Node", "Node"]


@pytest.mark.parametrize("body, rest, expected", [
    ("let relu = tanh\nrelu", "", "tanh"),
    ("B(tanh)", "block B(relu) { relu }", "tanh"),
    ("B", "block B(relu = tanh) { relu }", "tanh"),
    ("for relu in [tanh, elu] { relu }", "", "tanh elu"),
    ("for (n, relu) in zip([2, 3], [tanh, elu]) { conv(n, 1) -> relu }", "", "conv tanh conv elu"),
    ("conv(2, 1) as relu\ntanh\nadd(it, relu)", "", "conv tanh add"),
    ("for i in 0..2 { conv(3, 1) as relu[i] }\nrelu[0] -> tanh\nadd(it, relu[1])", "", "conv conv tanh add"),
    ("conv([relu + 1 for relu in 1..3][1], 1)\nrelu", "", "conv relu"),
    ("conv(f(4), 1)\nrelu", "let f(relu) = relu + 1", "conv relu"),
    ("relu", "let relu = tanh", "tanh"),
    ("relu", "block relu { tanh }", "tanh"),
    ("shared relu: conv(2, 1)\nrelu -> relu", "", "conv conv"),
    ("weight relu: [2, 1, 1]\nmultiply(it, relu)", "", "multiply"),
    ("if true {\n    let relu = elu\n    relu\n}\nrelu", "", "elu relu"),
    ("B -> relu", "block B {\n    let relu = tanh\n    relu\n}", "tanh relu"),
    ("relu -> B -> relu", "block B {\n    let relu = tanh\n    relu\n}", "relu tanh relu"),
])  # fmt: skip
def test_a_name_means_a_layer_but_where_it_was_bound(body, rest, expected):
    graph = load(Source("m.cnn", f"model m {{\n    input image: [2, 8, 8]\n{body}\n}}\n{rest}\n"))
    assert [node.op.name for node in graph.nodes] == expected.split()
