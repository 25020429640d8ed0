"""From a name, a path or a text to a graph: models, variants, parameters, settings."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from compiler.declare import Word
from compiler.load import check, is_open, load, open_spec, open_text, shipped
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source

BODY = "{\n    input x: [3, 8, 8]\n    conv(n, k, pad = half)\n}\n"
FAMILY = f"model Family(n, k = 3x3) {BODY}model small = Family(4)\nmodel wide = Family(k = 5x5, n = 40)\nmodel open = Family(k = 1x1)\nmodel wider = open(50)\n"


def codes(call) -> list[str]:
    with pytest.raises(SpecError) as caught:
        call()
    return [d.code for d in caught.value.diagnostics]


@pytest.fixture
def family(tmp_path):
    path = tmp_path / "family.cnn"
    path.write_text(FAMILY)
    return path


# ---- which model -----------------------------------------------------------------------


def test_a_path_a_path_with_a_model_and_a_shipped_name(family):
    assert load(family).name == "wider"
    assert load(str(family) + ":small").outputs["output"].shape == (4, 8, 8)
    assert load("lenet5").source_name == "specs/classification/lenet.cnn"
    assert load(str(family) + ":small").name == "small" and load(str(family) + ":small").source_name == str(family)


def test_the_last_model_is_meant_where_none_is_named():
    text = "model a {\n    input x: [3]\n    relu\n}\nmodel b {\n    input x: [4]\n    relu\n}\n"
    assert load(Source("a.cnn", text)).name == "b"


def test_a_folder_of_a_shipped_name_is_in_nobody_s_way(tmp_path, monkeypatch):
    (tmp_path / "lenet5").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("lenet5").name == "lenet5"
    (tmp_path / "alexnet").write_text(FAMILY)
    assert load("alexnet").name == "wider"


WRONG_NAMES = [
    ("nothing", "E221"), ("resnet", "E221"), ("nothing.cnn", "E230"), ("nothing/at/all", "E230"), ("nothing.cnn:m", "E230"), ("", "E221"), ("a\0b", "E221"), (".", "E230"),
]


@pytest.mark.parametrize("name, code", WRONG_NAMES)
def test_names_that_lead_nowhere(name, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert codes(lambda: load(name)) == [code]
    assert [d.code for d in check(name)] == [code]


def test_a_wrong_shipped_name_gives_the_nearest():
    with pytest.raises(SpecError) as caught:
        load("lenet")
    assert "`lenet5`" in caught.value.diagnostics[0].help[0]


def test_a_model_that_is_not_in_the_file(family):
    with pytest.raises(SpecError) as caught:
        load(f"{family}:smal")
    (found,) = caught.value.diagnostics
    assert (found.code, found.place, found.help) == ("E221", str(family), ("did you mean `small`?",))


def test_a_folder_a_fifo_and_a_file_that_may_not_be_read(tmp_path):
    assert codes(lambda: load(tmp_path)) == ["E230"]
    fifo = tmp_path / "fifo.cnn"
    os.mkfifo(fifo)
    assert codes(lambda: load(fifo)) == ["E230"]
    assert codes(lambda: load("/dev/null")) == ["E230"]


def test_files_without_a_model():
    assert [d.code for d in check(Source("a.cnn", ""))] == ["E220"]
    assert [d.code for d in check(Source("a.cnn", "let a = 3\n"))] == ["E220"]
    assert check(Source("a.cnn", "block B { relu }\n")) == []
    assert codes(lambda: load(Source("a.cnn", "block B { relu }\n"))) == ["E220"]


# ---- variants --------------------------------------------------------------------------


def test_variants_give_parameters_and_leave_others_open(family):
    assert {name: load(f"{family}:{name}").arguments for name in ("small", "wide", "wider")} == {
        "small": {"n": 4, "k": (3, 3)}, "wide": {"n": 40, "k": (5, 5)}, "wider": {"n": 50, "k": (1, 1)}}
    assert codes(lambda: load(f"{family}:open")) == ["E213"]
    assert load(f"{family}:open", parameters={"n": 7}).outputs["output"].shape == (7, 8, 8)
    module = open_spec(family).module
    assert [is_open(name, module) for name in ("Family", "small", "wide", "open", "wider")] == [True, False, False, True, False]
    assert check(family) == []


VARIANTS = [
    ("model v = §B(3)\n", "E221"), ("model §v = w\nmodel w = v\n", "E228"), ("model v = Family(§m = 3)\n", "E213"),
    ("model v = Family(1, 2, §3)\n", "E213"), ("model v = Family(§nn)\n", "E201"), ("model v = Family(4)\nmodel w = v(§n = 5)\n", "E213"),
    ("model v = Family(n = 4, §n = 5)\n", "E213"), ("model v = Family(4, §k = [1])\n", "E213"), ("model §v = Family(4)\n".replace("§", "") + "model §v = Family(5)\n", "E226"),
]


@pytest.mark.parametrize("text, code", VARIANTS)
def test_variants_that_are_refused(text, code):
    whole = FAMILY + text
    at = whole.index("§")
    place = (whole[:at].count("\n") + 1, at - whole[:at].rfind("\n"))
    found = check(Source("a.cnn", whole.replace("§", "")))
    assert [(d.code, (d.span.line, d.span.column)) for d in found] == [(code, place)], [d.message for d in found]


def test_a_variant_has_its_own_documentation():
    text = "## The family.\nmodel F(n) {\n    input x: [n]\n    relu\n}\n## Three.\nmodel three = F(3)\nmodel four = F(4)\n"
    source = Source("a.cnn", text)
    opened = open_text(source)
    assert opened.model is None
    assert load(source).doc == "The family."
    assert load(Source("a.cnn", text.replace("model four = F(4)\n", ""))).doc == "Three."


# ---- parameters and settings -----------------------------------------------------------

ANY = "block Probe(value) { identity }\nmodel m(value = none) {\n    input x: [3]\n    Probe(value)\n}\n"


def value_of(**options):
    (scope,) = load(Source("a.cnn", ANY), **options).root.members[:1]
    return scope.arguments["value"]


SETTINGS = [
    ("10", 10), ("0.5", 0.5), ("true", True), ("3x5", (3, 5)), ("(3, 5)", (3, 5)), ("[1, 2]", (1, 2)), ("half", "half"), ('"text"', "text"),
    ("2 ** 10", 1024), ("[i for i in 0..3]", (0, 1, 2)), ("none", "none"), ("  7  ", 7), ("-1", -1),
]


@pytest.mark.parametrize("text, want", SETTINGS)
def test_settings_are_texts_of_the_language(text, want):
    assert value_of(settings={"value": text}) == want


@pytest.mark.parametrize("text", ["relu", "leakyrelu(0.1)", "Probe"])
def test_settings_may_be_layers_and_blocks(text):
    assert value_of(settings={"value": text}).described == text


BAD_SETTINGS = [
    ({"value": "3 +"}, "E1"), ({"value": ""}, "E1"), ({"value": "nonsense"}, "E201"), ({"value": "1 // 0"}, "E211"), ({"valu": "3"}, "E229"),
    ({"value": "x.channels"}, "E201"), ({"value": "it"}, "E204"), ({"value": "f(3)"}, "E201"), ({"value": "2 ** 600"}, "E413"), ({"value": "(" * 300 + ")" * 300}, "E4"),
    ({"value": "3; import os"}, "E1"), ({"value": "0..10 ** 12"}, "E410"),
]


@pytest.mark.parametrize("settings, code", BAD_SETTINGS)
def test_settings_that_are_refused(settings, code):
    found = codes(lambda: load(Source("a.cnn", ANY), settings=settings))
    assert found and all(one.startswith(code) for one in found)


def test_parameters_are_python_values():
    for given, want in [(10, 10), (0.5, 0.5), (True, True), ((3, 5), (3, 5)), ([1, [2]], (1, (2,))), ("half", "half"), ("text", "text"), (None, "none")]:
        got = value_of(parameters={"value": given})
        assert got == want and isinstance(got, Word) == (given in ("half", None))
    assert value_of(parameters={"value": "gelu"}).described == "gelu"


class Index:
    def __index__(self) -> int:
        return 7


class Real:
    def __float__(self) -> float:
        return 0.25


def test_numbers_of_other_libraries_are_numbers():
    assert value_of(parameters={"value": Index()}) == 7
    assert value_of(parameters={"value": Real()}) == 0.25


@pytest.mark.parametrize("given, want", [
    (np.int64(3), 3), (np.float32(0.5), 0.5), (np.bool_(True), True), (np.array(4), 4), (np.array([8, 16]), (8, 16)), (np.ones((1, 2)), ((1.0, 1.0),)),
])
def test_arrays_and_numbers_of_numpy_are_lists_and_numbers(given, want):
    got = value_of(parameters={"value": given})
    assert got == want and repr(got).strip("[]()") == repr(want).strip("[]()")


def test_parameters_that_are_no_values_are_refused():
    deep: list[object] = []
    deep.append(deep)
    for value in ({}, object(), b"bytes", {1}, lambda: 3):
        assert codes(lambda value=value: load(Source("a.cnn", ANY), parameters={"value": value})) == ["E210"]
    assert codes(lambda: load(Source("a.cnn", ANY), parameters={"value": deep})) == ["E420"]
    assert codes(lambda: load(Source("a.cnn", ANY), parameters={"volue": 3})) == ["E229"]


def test_kinds_are_checked_for_settings_too():
    source = Source("a.cnn", "model m(n = 4) {\n    input x: [3]\n    fc(n)\n}\n")
    assert codes(lambda: load(source, settings={"n": "relu"})) == ["E213"]
    assert codes(lambda: load(source, parameters={"n": True})) == ["E213"]


def test_a_variant_s_own_arguments_are_no_parameters(family):
    assert codes(lambda: load(f"{family}:small", parameters={"n": 5})) == ["E229"]
    assert load(f"{family}:small", settings={"k": "1x1"}).arguments["k"] == (1, 1)


def test_settings_of_a_check_go_to_the_models_that_have_them(family):
    assert check(family, settings={"k": "1x1"}) == []
    assert {d.code for d in check(family, settings={"kk": "1x1"})} == {"E229"}
    assert {d.code for d in check(family, settings={"n": "0"})} == {"E312"}


# ---- all of them -----------------------------------------------------------------------


def test_every_shipped_model_is_found_by_its_name():
    for name, one in shipped().items():
        assert one.name == name and one.path.name.endswith(".cnn")
        assert check(name) == [] or is_open(name, open_spec(name).module)


def test_two_loads_give_the_same():
    def facts():
        graph = load("alexnet_2012")
        return [(n.name, n.op, n.output.shape) for n in graph.nodes], list(graph.weights.values())[0].shape, graph.macs
    assert facts() == facts()


def test_the_recursion_limit_is_left_as_it_was():
    before = sys.getrecursionlimit()
    load("lenet5")
    check(Source("a.cnn", "block R { R }\nmodel m {\n    input x: [3]\n    R\n}\n"))
    assert sys.getrecursionlimit() == before
