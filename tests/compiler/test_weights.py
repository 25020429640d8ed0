"""Strict matching of weights, and the report."""

from __future__ import annotations

import pytest

from compiler.load import load
from compiler.rename import Rule
from compiler.weights import Misfit, match
from spec_lang.source import Source

GRAPH = load(Source("test.cnn", """model m { input image: [1, 8, 8]
    conv(4, 3x3) -> batchnorm -> relu
    training { globalavgpool -> flatten -> aux: fc(3)
        output aux }
    flatten -> head: fc(3)
    output out
}
"""))
RIGHT = {name: (weight.shape, "float32") for name, weight in GRAPH.weights.items()}


def changed(**changes):
    """The right file with names (dots as double underscores) replaced; None removes one."""
    file = dict(RIGHT)
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del file[name]
        else:
            file[name] = value
    return file


def test_the_right_file_fits():
    report = match(GRAPH, RIGHT, training=True)
    assert report.fits and report.matched == tuple(GRAPH.weights)
    assert report.summary() == f"{len(RIGHT)} matched, 0 missing, 0 unexpected, 0 of another shape"
    assert report.diagnostics() == () and report.notes() == ()


@pytest.mark.parametrize(
    ("file", "training", "codes", "field", "value"),
    [
        (changed(head__bias=None), False, ["E510"], "missing", ("head.bias",)),
        (changed(tail__bias=((3,), "float32")), False, ["E511"], "unexpected", ("tail.bias",)),
        (
            changed(head__weight=((144, 3), "float32")),
            False,
            ["E512"],
            "misshaped",
            (Misfit("head.weight", (3, 144), (144, 3)),),
        ),
        (changed(head__bias=((), "float32")), False, ["E512"], "misshaped", (Misfit("head.bias", (3,), ()),)),
        (changed(head__bias=((3,), "int64")), False, ["E513"], "refused", (("head.bias", "int64"),)),
        (changed(head__bias=((3,), "bool")), False, ["E513"], "refused", (("head.bias", "bool"),)),
        (changed(head__bias=((3,), "complex64")), False, ["E513"], "refused", (("head.bias", "complex64"),)),
        (changed(head__bias=((3,), "quantised")), False, ["E513"], "refused", (("head.bias", "quantised"),)),
        (
            changed(head__bias=((3,), "float8_e4m3")),
            False,
            ["E513"],
            "refused",
            (("head.bias", "float8_e4m3"),),
        ),
        (changed(aux__weight=None, aux__bias=None), False, [], "absent", ("aux.weight", "aux.bias")),
        (
            changed(aux__weight=None, aux__bias=None),
            True,
            ["E510", "E510"],
            "missing",
            ("aux.weight", "aux.bias"),
        ),
        (changed(head__bias=((3,), "float64")), False, [], "converted", (("head.bias", "float64"),)),
        (changed(head__bias=((3,), "bfloat16")), False, [], "converted", (("head.bias", "bfloat16"),)),
        (
            changed(batchnorm1__num_batches_tracked=((), "int64")),
            False,
            [],
            "ignored",
            ("batchnorm1.num_batches_tracked",),
        ),
        ({"module." + name: entry for name, entry in RIGHT.items()}, False, [], "stripped", "module."),
    ],
)
def test_what_differs_is_reported_exactly(file, training, codes, field, value):
    report = match(GRAPH, file, training=training)
    assert getattr(report, field) == value
    assert [d.code for d in report.diagnostics("file")] == codes
    assert report.fits == (not codes)
    assert len(report.render().splitlines()) > 1


def test_a_renamed_weight_is_missing_and_unexpected_and_each_names_the_other():
    file = changed(head__bias=None) | {"head.bais": ((3,), "float32")}
    missing, unexpected = match(GRAPH, file).diagnostics("net.safetensors")
    assert (missing.code, missing.help) == ("E510", ("the file has `head.bais`",))
    assert (unexpected.code, unexpected.help) == ("E511", ("the model has `head.bias`",))
    assert missing.place == "net.safetensors"


def test_a_prefix_is_taken_off_only_where_every_name_has_it():
    file = {("module." if i else "") + name: entry for i, (name, entry) in enumerate(RIGHT.items())}
    report = match(GRAPH, file)
    assert report.stripped == "" and len(report.matched) == 1


def test_a_long_list_is_cut_and_counted():
    found = match(GRAPH, RIGHT | {f"extra{i}": ((1,), "float32") for i in range(25)}).diagnostics()
    assert len(found) == 11 and found[-1].message == "15 more are not in the model"


def test_an_empty_file_misses_everything_and_is_not_stripped():
    report = match(GRAPH, {})
    assert report.stripped == "" and len(report.missing) + len(report.absent) == len(RIGHT)


def _rules(*texts):
    return tuple(Rule(*text.split("=")) for text in texts)


def test_the_help_names_what_a_rule_has_renamed_as_the_file_has_it():
    """The rules are about the names of the file, not about what other rules make of them."""
    file = {f"model.{name}": value for name, value in RIGHT.items()}
    report = match(GRAPH, file, rename=_rules("model.head=top", "model="))
    helps = [h for d in report.diagnostics(options=True) if d.code == "E510" for h in d.help]
    assert helps[0] == (
        "the file has `top.weight`, made of `model.head.weight`: `--rename model.head=head` instead of "
        "the rule that made it"
    )
    assert match(GRAPH, file, rename=_rules("model.head=head", "model=")).fits


def test_a_rule_may_say_itself_what_becomes_of_the_wrapper():
    file = {f"module.{name}": value for name, value in RIGHT.items()}
    assert match(GRAPH, file).stripped == "module."
    report = match(GRAPH, file, rename=_rules("module="))
    assert report.fits and report.stripped == "" and len(report.renamed) == len(RIGHT)
