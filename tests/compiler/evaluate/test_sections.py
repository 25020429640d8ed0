"""Inputs, raw weights, `expect`, `preprocess`, `init`, `train`."""

from __future__ import annotations

import pytest

from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import graph, refuse


def model(*lines: str, head: str = "m", before: str = "") -> str:
    return f"{before}model {head} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


# ---- inputs ----------------------------------------------------------------------------


def test_inputs_have_shapes_free_extents_and_rows_of_their_own():
    made = graph(model("input image: [3, H = 32, W = 48]", "input boxes: [4] per image",
                       "image -> conv(5, 3x3, pad = half)", "output a", "boxes -> fc(2)", "output b"))
    image, boxes = made.inputs.values()
    assert image.type.free == (False, True, True) and image.shape == (3, 32, 48)
    assert boxes.type.rows == "boxes" and boxes.shape == (4,)
    assert made.free == {"H": (("image", 1),), "W": (("image", 2),)}
    assert made.outputs["a"].type.free == (False, True, True)
    assert made.outputs["b"].type.rows == "boxes"


def test_one_name_of_an_extent_is_one_extent_of_every_input():
    made = graph(model("input a: [3, H = 32, W = 32]", "input b: [3, H = 32, V = 32]", "concat(a, b)"))
    assert made.free == {"H": (("a", 1), ("b", 1)), "W": (("a", 2),), "V": (("b", 2),)}


def test_extents_may_be_computed():
    assert graph(model("input a: [2 * n, n // 2]", "relu", head="m(n = 8)")).outputs["output"].shape == (16, 4)


INPUTS = [
    ("an extent of zero", ["input a: [§0, 3]", "relu"], "E210"),
    ("a negative extent", ["input a: [§-1, 3]", "relu"], "E210"),
    ("an extent that is a float", ["input a: [§1.5, 3]", "relu"], "E210"),
    ("an extent that is a word", ["input a: [§half, 3]", "relu"], "E210"),
    ("an unknown name", ["input a: [§n, 3]", "relu"], "E201"),
    ("two extents of one name", ["input a: [3, H = 4, §H = 4]", "relu"], "E203"),
    ("one name for two extents", ["input a: [3, H = 4, W = 4]", "input b: [3, §H = 5, V = 4]", "a -> relu"], "E203"),
    ("two inputs of one name", ["input a: [3]", "input §a: [3]", "a -> relu"], "E203"),
    ("an input in a loop", ["input a: [3]", "for i in 0..1 { §input b: [3] }", "add(a, a)"], "E214"),
    ("an extent beyond the limit", ["§input a: [2147483648]", "relu"], "E414"),
    ("rows that are unrelated", ["input a: [3]", "input b: [3] per image", "§add(a, b)"], "E325"),
]


@pytest.mark.parametrize("lines, code", [i[1:] for i in INPUTS], ids=[i[0] for i in INPUTS])
def test_inputs_that_are_refused(lines, code):
    refuse(model(*lines), code)


def test_a_model_needs_an_input():
    (found,) = check(Source("a.cnn", model("relu")))
    assert (found.code, found.span.line, found.span.column) == ("E214", 1, 7)


# ---- raw weights -----------------------------------------------------------------------

X = "input x: [3, 8, 8]"


def test_a_raw_weight_is_declared_with_its_start():
    made = graph(model(X, "weight a: [3, 1, 1]", "weight b: [3, 1, 1](trainable = false, value = 2)",
                       "weight c: [1, 1, 2](value = [[[1, 0.5]]])", "weight d: [](init = normal(0.1))",
                       "multiply(it, a) -> add(it, b) -> slice(width, start = 0, stop = 2) -> multiply(it, c) -> add(it, d)"))
    assert {n: (w.shape, w.trainable, w.initialiser.rule) for n, w in made.weights.items()} == {
        "a": ((3, 1, 1), True, "he"), "b": ((3, 1, 1), False, "value"), "c": ((1, 1, 2), True, "value"),
        "d": ((), True, "normal")} or made.weights["a"].initialiser.rule != "value"
    assert made.params == 3 + 2 + 1
    assert made.weights["c"].initialiser.arguments == (("values", (((1.0, 0.5),),)),)
    assert made.nodes[0].inputs[1].type.rows is None


WEIGHTS = [
    ("values of another shape", ["weight w: [3, 1, 1](§value = [1, 2])", "multiply(it, w)"], "E312"),
    ("ragged values", ["weight w: [3, 1, 1](§value = [[1], [2, 3], [4]])", "multiply(it, w)"], "E312"),
    ("values that are words", ["weight w: [3, 1, 1](§value = half)", "multiply(it, w)"], "E312"),
    ("values and a rule", ["weight w: [3, 1, 1](value = 1, §init = zeros)", "multiply(it, w)"], "E315"),
    ("an unknown argument", ["weight w: [3, 1, 1](§trainible = false)", "multiply(it, w)"], "E310"),
    ("a rule that nobody knows", ["weight w: [3, 1, 1](init = §hee(normal))", "multiply(it, w)"], "E500"),
    ("an extent of zero", ["weight w: [§0, 1, 1]", "multiply(it, w)"], "E210"),
    ("a weight that is not used", ["§weight w: [3, 1, 1]", "relu"], "E227"),
    ("a weight of a taken name", ["relu as w", "weight §w: [3, 1, 1]", "multiply(it, w)"], "E203"),
    ("a weight that flows into a layer", ["weight w: [3, 1, 1]", "w -> §relu -> multiply(it, x)"], "E326"),
    ("a weight beyond the limit", ["§weight w: [2 ** 31]", "relu"], "E414"),
]


@pytest.mark.parametrize("lines, code", [w[1:] for w in WEIGHTS], ids=[w[0] for w in WEIGHTS])
def test_weights_that_are_refused(lines, code):
    refuse(model(X, *lines), code)


# ---- expect ----------------------------------------------------------------------------

HOLDS = [
    "expect it.shape == [3, 8, 8]", "expect it.channels == 3 and it.size == 8x8", "expect params == 0",
    "expect macs == 0 and memory > 0", "expect [params, macs] == [0, 0]", 'expect 1 < 2, "never {1 + 1}"',
]


@pytest.mark.parametrize("line", HOLDS)
def test_expectations_that_hold(line):
    assert graph(model(X, "relu", line))


FAILS = [
    ("on the flow", ["relu", "expect §it.shape == [4, 8, 8]"], "`it.shape` is [3, 8, 8]"),
    ("on the whole", ["conv(4, 1x1)", "expect §params == 12"], "`params` is 16"),
    ("on MACs, in the middle of the body", ["expect §macs == 12", "conv(4, 1x1)"], "`macs` is 768"),
    ("on memory", ["conv(4, 1x1)", "expect §memory == 12"], "`memory` is 448"),
    ("of which one half holds", ["conv(4, 1x1)", "expect §params == 16 and macs == 1"], "`macs` is 768"),
    ("of which neither half holds", ["conv(4, 1x1)", "expect §params == 1 or macs == 1"], "`params` is 16"),
    ("where it stands, not at the end", ["expect §it.channels == 4 and params == 16", "conv(4, 1x1)"], "`it.channels` is 3"),
]


@pytest.mark.parametrize("lines, note", [f[1:] for f in FAILS], ids=[f[0] for f in FAILS])
def test_expectations_that_fail_say_what_is(lines, note):
    refuse(model(X, *lines), "E216")
    (found,) = check(Source("a.cnn", model(X, *lines).replace("§", "")))
    assert note in found.notes


def test_an_expectation_gives_its_source_filled_in():
    (message,) = refuse(model(X, 'expect §n == 3, "n is {n}, the paper has {1 + 2}"', "relu", head="m(n = 4)"), "E216")
    assert message.endswith("n is 4, the paper has 3")


EXPECT_FAULTS = [
    (["expect §params", "relu"], "E210"), (["expect §parms == 3", "relu"], "E201"), (["expect §3", "relu"], "E210"),
    (["expect macs // §0 == 3", "relu"], "E211"),
]


@pytest.mark.parametrize("lines, code", EXPECT_FAULTS)
def test_expectations_that_cannot_be_checked(lines, code):
    refuse(model(X, *lines), code)


def test_the_whole_is_known_to_a_model_alone():
    refuse("block B {\n    expect §params == 3\n    relu\n}\n" + model(X, "B"), "E201")


TOTALS = model(X, "conv(n, 1x1)", "expect params == 16", head="m(n = 4)")


def test_totals_are_checked_where_parameters_have_their_defaults():
    source = Source("a.cnn", TOTALS)
    assert load(source).params == 16
    assert load(source, parameters={"n": 4}).params == 16
    assert load(source, parameters={"n": 5}).params == 20
    assert load(source, settings={"n": "5"}).params == 20
    wrong = Source("a.cnn", TOTALS.replace("16", "17"))
    for settings in ({}, {"n": "4"}):
        with pytest.raises(SpecError, match="E216"):
            load(wrong, settings=settings)


def test_totals_of_a_model_are_not_those_of_a_variant_with_another_number():
    assert check(Source("a.cnn", TOTALS + "model five = m(5)\nmodel four = m(4)\n")) == []


def test_totals_that_a_variant_gives_are_checked_for_it():
    family = model(X, "conv(n, 1x1)", "expect params == count", head="Family(n = 4, count = 16)")
    assert check(Source("a.cnn", family + "model five = Family(5, count = 20)\n")) == []
    found = check(Source("a.cnn", family + "model five = Family(5, count = 21)\n"))
    assert [(d.code, d.span.line) for d in found] == [("E216", 4)]
    assert load(Source("a.cnn", family.replace("x: [3", "x: [k").replace("16)", "16, k = 3)") + "model five = Family(5, count = 20)\n"),
                settings={"k": "7"}).params == 40


def test_an_expectation_on_parameters_is_always_checked():
    source = Source("a.cnn", model(X, "expect n % 2 == 0", "conv(n, 1x1)", head="m(n = 4)"))
    with pytest.raises(SpecError, match="E216"):
        load(source, parameters={"n": 5})


def test_params_count_no_statistics_constants_or_frozen_weights():
    made = graph(model(X, "conv(4, 1x1) -> batchnorm -> conv(2, 1x1, frozen = true)",
                       "weight w: [2, 1, 1](trainable = false, value = 1)", "multiply(it, w)", "expect params == 16 + 8"))
    assert made.params == 24


# ---- preprocess and init ---------------------------------------------------------------


def test_preprocess_is_bound_in_order():
    made = graph(model("input x: [1, 32, 32]", "preprocess {", "    resize(48x48) -> centercrop(32)", "    grayscale -> rescale(1 / 255)", "}", "relu"))
    assert [type(s).__name__ for s in made.preprocess] == ["Resize", "CenterCrop", "Grayscale", "Rescale"]


PREPROCESS = [
    ("an unknown step", ["preprocess { §resise(8x8) }", "relu"], "E380"),
    ("an unknown argument", ["preprocess { resize(8x8, §kind = bilinear) }", "relu"], "E310"),
    ("an end at another shape", ["preprocess { §resize(9x9) }", "relu"], "E382"),
    ("two sections", ["preprocess { bgr }", "§preprocess { bgr }", "relu"], "E214"),
    ("a statement that is no step", ["preprocess { §let a = 3 }", "relu"], "E214"),
    ("a label", ["preprocess { §a: bgr }", "relu"], "E214"),
]


@pytest.mark.parametrize("lines, code", [p[1:] for p in PREPROCESS], ids=[p[0] for p in PREPROCESS])
def test_preprocess_that_is_refused(lines, code):
    refuse(model(X, *lines), code)


def test_preprocess_is_for_the_first_image_among_several_inputs():
    assert graph(model("input v: [4]", X, "preprocess { resize(8x8) }", "x -> flatten -> concat(v, it)"))


def test_the_last_rule_of_init_that_matches_wins():
    made = graph(model(X, 'init {', '    conv = normal(0.1)', '    "conv2" = uniform(0.2)', '    "g" = xavier', '    "g.b" = zeros_', '}'.replace("zeros_", ""),
                       "conv(4, 1x1) -> conv(4, 1x1)", "g: { a: conv(4, 1x1) -> b: conv(4, 1x1) }").replace('    "g.b" = zeros_\n', ""))
    assert {n: w.initialiser.rule for n, w in made.weights.items() if n.endswith("weight")} == {
        "conv1.weight": "normal", "conv2.weight": "uniform", "g.a.weight": "xavier", "g.b.weight": "xavier"}


INIT = [
    ("a path that matches nothing", ["init { §\"conv9\" = he }", "conv(4, 1x1)"], "E501"),
    ("a layer that is not there", ["init { §fc = he }", "conv(4, 1x1)"], "E501"),
    ("a rule that nobody knows", ["init { conv = §hee }", "conv(4, 1x1)"], "E500"),
    ("a value that is no rule", ["init { conv = §3 }", "conv(4, 1x1)"], "E312"),
    ("all zeros", ["init { §conv = zeros }", "conv(4, 1x1)"], "E502"),
    ("an unknown argument of a rule", ["init { conv = normal(0.1, §men = 3) }", "conv(4, 1x1)"], "E310"),
]


@pytest.mark.parametrize("lines, code", [i[1:] for i in INIT], ids=[i[0] for i in INIT])
def test_init_that_is_refused(lines, code):
    refuse(model(X, *lines), code)


def test_every_wrong_rule_of_init_is_reported():
    refuse(model(X, 'init {', '§fc = he', '§"conv9" = he', 'conv = §hee', '}', "conv(4, 1x1)").replace("hee", "he").replace("conv = §he", "conv = he"), "E501", "E501")


# ---- train -----------------------------------------------------------------------------


def test_a_train_section_is_bound_and_inherited_by_variants():
    text = model(X, "conv(n, 1x1) -> globalavgpool -> flatten", head="m(n = 4)") + "model v = m(5)\ntrain m {\n    epochs = k\n}\nlet k = 7\n"
    assert load(Source("a.cnn", text)).settings.epochs == 7
    own = text + "train v {\n    epochs = 9\n}\n"
    assert load(Source("a.cnn", own)).settings.epochs == 9
    assert load(Source("a.cnn", model(X, "relu"))).settings is None


TRAIN = [
    ("train m {\n    §epoch = 3\n}\n", None), ("train m {\n    epochs = §k\n}\n", None),
    ("train §n {\n    epochs = 3\n}\n", "E221"), ("train m {\n    epochs = 3\n}\ntrain §m {\n    epochs = 3\n}\n", "E226"),
]


@pytest.mark.parametrize("train, code", TRAIN)
def test_train_sections_that_are_refused(train, code):
    text = model(X, "conv(4, 1x1) -> globalavgpool -> flatten") + train
    found = [d for d in check(Source("a.cnn", text.replace("§", ""))) if d.is_error]
    assert len(found) == 1 and (code is None or found[0].code == code)
    line = text[:text.index("§")].count("\n") + 1
    assert found[0].span.line == line
