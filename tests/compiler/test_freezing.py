"""Which weights the patterns of `freeze` name, and what is said where they name none."""

from __future__ import annotations

import pytest

from compiler.declare import Faults
from compiler.freezing import Pattern, frozen_names
from compiler.graph import Graph
from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source

UNIT = "block Unit { conv1: conv(3, 1x1, bias = false) -> bn1: batchnorm(affine = false) }\n"
BODY = """    input image: [2, 8, 9]
    weight offset: [2, 1, 1]
    add { branch { } branch { offset } }
    conv1: conv(3, 3x3) -> bn1: batchnorm
    layer1: seq { repeat 2 { Unit } }
    conv10: conv(4, 1x1) -> "caffe/a": conv(4, 1x1, frozen = true)
    globalavgpool -> flatten -> fc: fc(5)
"""


def spec(train: str = "", body: str = BODY) -> str:
    return f"{UNIT}model m {{\n{body}}}\n{train}"


def graph() -> Graph:
    return load(Source("m.cnn", spec()))


STATISTICS = {"running_mean", "running_var"}
CONV1 = {"conv1.weight", "conv1.bias"}
BN1 = {f"bn1.{own}" for own in ("weight", "bias", *STATISTICS)}
UNITS = {f"layer1.{i}.conv1.weight" for i in (0, 1)}


def named(*patterns: str) -> set[str]:
    return set(frozen_names(graph().weights, [Pattern.read(text) for text in patterns]))


def names() -> set[str]:
    return set(graph().weights)


@pytest.mark.parametrize(("patterns", "wanted"), [
    ((), set()),
    (("none",), set()),
    (("conv1",), CONV1),  # a step, not letters that a name begins with: `conv10` is another
    (("conv1.weight",), {"conv1.weight"}),
    (("conv1, bn1",), CONV1 | BN1),
    (("conv1", "bn1"), CONV1 | BN1),
    (("conv*",), CONV1 | {"conv10.weight", "conv10.bias"}),
    (("c*e/*",), {"caffe/a.weight", "caffe/a.bias"}),
    (("*.bias",), {"conv1.bias", "bn1.bias", "conv10.bias", "caffe/a.bias", "fc.bias"}),
    (("offset",), {"offset"}),
    (("**.bias",), {"conv1.bias", "bn1.bias", "conv10.bias", "caffe/a.bias", "fc.bias"}),
    (("**.bn1.running_mean",), {"bn1.running_mean", *(f"layer1.{i}.bn1.running_mean" for i in (0, 1))}),
    (("layer1.**.conv1",), UNITS),
    (("conv1.**",), CONV1),
    (("*o*v*1*",), CONV1 | {"conv10.weight", "conv10.bias"}),
    (("c*1",), CONV1),
    (("layer1.*.conv1",), UNITS),
    (("layer1.*.bn1",), {f"layer1.{i}.bn1.{own}" for i in (0, 1) for own in STATISTICS}),
    (("layer1.0", "layer1.1.conv1.weight"),
     {"layer1.0.conv1.weight", "layer1.0.bn1.running_mean", "layer1.0.bn1.running_var", "layer1.1.conv1.weight"}),
])
def test_a_pattern_names_what_stands_below_its_paths(patterns: tuple[str, ...], wanted: set[str]) -> None:
    assert named(*patterns) == wanted


def test_all_but_some_are_the_others() -> None:
    assert named("all but fc") == names() - {"fc.weight", "fc.bias"}
    assert named("all but fc.bias, *.running_*, conv1") == (
        names() - {"fc.bias", "bn1.running_mean", "bn1.running_var"} - CONV1)
    assert named("all but fc", "fc.bias") == names() - {"fc.weight"}


@pytest.mark.parametrize(("freeze", "code", "caret", "says"), [
    ('"conv2"', "E807", '"conv2"', 'did you mean "conv1"'),
    ('"layer1.9"', "E807", '"layer1.9"', "no weight is at the path `layer1.9`"),
    ('["conv1", "all but f"]', "E807", '"all but f"', 'did you mean "fc"'),
    ('[p for p in ["conv1", "nothing"]]', "E807", '[p for p in ["conv1", "nothing"]]', "`nothing`"),
    ('"fc.weight.x"', "E807", '"fc.weight.x"', "`fc.weight.x`"),
    ('"all"', "E808", '"all"', '"all but fc"'),
    ('["all but fc", "fc"]', "E808", '["all but fc", "fc"]', "nothing is left"),
    # What is left here is frozen already, and statistics are never trained.
    ('"all but caffe/a, bn1.running_mean"', "E808", '"all but caffe/a, bn1.running_mean"', "nothing is left"),
    ('"a b"', "E801", 'freeze = "a b"', "all but fc"),
])
def test_a_freeze_that_cannot_be_is_refused_at_its_place(freeze: str, code: str, caret: str, says: str) -> None:
    text = spec(f"train m {{ freeze = {freeze} }}\n")
    (found,) = check(Source("m.cnn", text))
    assert found.code == code and found.span is not None
    assert text[found.span.start : found.span.end] == caret
    assert says in " ".join((found.message, *found.notes, *found.help))
    with pytest.raises(SpecError):
        load(Source("m.cnn", text))


def test_each_path_that_names_nothing_is_told() -> None:
    text = spec('train m { freeze = ["zz, conv1", "yy"] }\n')
    assert [d.message.rsplit(" ", 1)[1] for d in check(Source("m.cnn", text))] == ["`zz`", "`yy`"]


def test_a_model_that_is_wrong_itself_is_not_told_of_its_freeze() -> None:
    text = spec('train m { freeze = "all but fc" }\n', BODY.replace("fc(5)", "fc(0)"))
    assert {d.code for d in check(Source("m.cnn", text))} == {"E312"}


def test_many_stars_are_compared_without_trying_everything() -> None:
    with pytest.raises(Faults):
        named("*n*v*" * 1000 + "*", "*a" * 1000 + "b")
