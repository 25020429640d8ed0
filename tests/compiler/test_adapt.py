"""Named operations: which weights they are about, decided by the graph and the shapes in a file."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from compiler.adapt import Misfit
from compiler.graph import Graph
from compiler.load import load
from compiler.weights import Report, match
from spec_lang.source import Source

BODY = "model m(classes = 5, width = 4, kernel = 3, size = 12, depth = 3) {{ input image: [depth, size, size]\n{}\noutput y }}"


def graph(text: str, **parameters: int) -> Graph:
    return load(Source("test.cnn", BODY.format(text)), parameters=parameters)


def between(text: str, adapt: Collection[str], here: dict[str, int] | None = None, **there: int) -> Report:
    """The report of loading the weights of the model with `there` into that with `here`."""
    file = {name: (weight.shape, "float32") for name, weight in graph(text, **there).weights.items()}
    return match(graph(text, **(here or {})), file, training=True, adapt=adapt)


# ---- head -------------------------------------------------------------------------------------

PLAIN = "conv(width, kernel) -> relu -> flatten -> fc(6) -> relu -> fc(classes)"
AUXILIARY = """c: conv(width, 3x3) -> relu as map
training { map -> globalavgpool -> flatten -> aux: fc(classes)
output aux }
map -> flatten -> head: fc(classes)"""
TAIL = """c: conv(width, 3x3) -> score: conv(classes, 1x1) -> n: batchnorm -> d: conv(classes, 3x3, groups = classes, pad = 1)
-> m: conv(classes, 1x1) -> prelu -> globalavgpool -> flatten"""
TWO = """c: conv(width, 3x3) -> relu as map
map -> boxes: conv(4 * classes, 1x1) -> flatten as b
map -> scores: conv(classes + 1, 1x1) -> flatten as s
concat(b, s)"""
RAW = """weight centers: [classes, 6]
conv(width, 3x3) -> flatten -> fc(6) -> rbf(centers)"""


@pytest.mark.parametrize(
    "text, names",
    [
        (PLAIN, {"fc2.weight", "fc2.bias"}),
        (AUXILIARY, {"aux.weight", "aux.bias", "head.weight", "head.bias"}),
        ("conv(width, 3x3) -> conv(classes, 1x1) -> relu -> globalavgpool -> flatten -> softmax", {"conv2.weight", "conv2.bias"}),
        ("conv(width, 3x3) -> l: fc(classes, axis = channels)", {"l.weight", "l.bias"}),
        (RAW, {"centers"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("classes", [2, 1000])
def test_another_number_of_classes_is_told_by_what_differs_before_the_outputs(text: str, names: set[str], classes: int) -> None:
    strict = between(text, (), classes=classes)
    assert {m.name for m in strict.misshaped} == names == set(strict.remedies) and not strict.fits
    report = between(text, ("head",), classes=classes)
    assert report.fits and {m.name for m in report.head} == names == report.initial
    assert set(report.source) == set(graph(text).weights) - names
    assert all(m.wanted == graph(text).weights[m.name].shape != m.found for m in report.head)


def test_what_stands_between_the_classifier_and_the_output_is_of_the_head_too() -> None:
    report = between(TAIL, ("head",), classes=9)
    assert report.fits and set(report.source) == {"c.weight", "c.bias"}


def test_two_heads_of_different_widths_are_both_taken() -> None:
    report = between(TWO, ("head",), classes=7)
    assert report.fits and set(report.source) == {"c.weight", "c.bias"}
    assert report.head[0] == Misfit("boxes.weight", (20, 4, 1, 1), (28, 4, 1, 1))


@pytest.mark.parametrize("there", [{"width": 6}, {"kernel": 5}, {"depth": 1}], ids=str)
@pytest.mark.parametrize("classes", [5, 9])
def test_what_differs_elsewhere_stays_an_error(there: dict[str, int], classes: int) -> None:
    report = between(PLAIN, ("head",), classes=classes, **there)
    assert not report.fits and "conv1.weight" in {m.name for m in report.misshaped}
    assert {m.name for m in report.head} == ({"fc2.weight", "fc2.bias"} if classes != 5 else set())
    assert "conv1.weight" not in report.remedies
    # With as many classes the operation is a mistake besides.
    assert [d.code for d in report.mistakes] == (["E520"] if classes == 5 else [])


def test_a_wider_body_is_no_other_number_of_classes() -> None:
    text = "c: conv(width, 3x3) -> globalavgpool -> flatten -> fc(classes)"
    for classes in (5, 9):
        report = between(text, ("head",), classes=classes, width=8)
        assert {m.name for m in report.misshaped} >= {"c.weight", "c.bias", "fc1.weight"} and not report.fits
    # A convolution that ends the model makes its classes, but its kernel is no matter of them.
    text = "conv(classes, kernel)"
    assert not between(text, ("head",), classes=9, kernel=5).head
    assert between(text, ("head",), classes=9).head


def test_without_a_difference_the_operation_is_a_mistake() -> None:
    report = between(PLAIN, ("head",))
    assert not report.fits
    [mistake] = report.diagnostics("f")
    assert (mistake.code, mistake.place) == ("E520", "f") and "`head` changes nothing" in mistake.message


# ---- fc_to_conv -------------------------------------------------------------------------------

DENSE = "c: conv(4, 3x3) -> relu -> flatten -> a: fc(6) -> relu -> b: fc(classes)"
FULL = "c: conv(4, 3x3) -> relu -> a: conv(6, 10x10) -> relu -> b: conv(classes, 1x1) -> flatten"


def file_of(text: str, **parameters: int) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (weight.shape, "float32") for name, weight in graph(text, **parameters).weights.items()}


def test_matrices_are_views_of_convolutions_of_as_many_numbers() -> None:
    report = match(graph(FULL), file_of(DENSE), adapt=("fc_to_conv",))
    assert report.fits and report.initial == frozenset() and list(report.source) == list(graph(FULL).weights)
    assert report.views == (Misfit("a.weight", (6, 4, 10, 10), (6, 400)), Misfit("b.weight", (5, 6, 1, 1), (5, 6)))
    strict = match(graph(FULL), file_of(DENSE))
    assert dict(strict.remedies) == {"a.weight": "fc_to_conv", "b.weight": "fc_to_conv"}
    assert [d.help for d in strict.diagnostics()] == [(), ()]
    assert all("--adapt fc_to_conv" in d.help[0] for d in strict.diagnostics(options=True))


def test_a_matrix_that_makes_other_classes_needs_both_operations() -> None:
    file = file_of(DENSE, classes=9)
    report = match(graph(FULL), file, adapt=("head", "fc_to_conv"))
    assert report.fits and [m.name for m in report.views] == ["a.weight"]
    assert report.initial == {"b.weight", "b.bias"}
    for only, left in (("head", ["a.weight", "b.weight"]), ("fc_to_conv", ["b.weight", "b.bias"])):
        report = match(graph(FULL), file, adapt=(only,))
        assert [m.name for m in report.misshaped] == left
        assert set(report.remedies.values()) == {"head", "fc_to_conv"} - {only}


@pytest.mark.parametrize(
    "text, shape",
    [
        ("c: conv(4, 3x3, groups = 1)", (4, 3, 9)),  # not flat
        ("c: conv(4, 3x3)", (27, 4)),  # lies the other way
        ("c: conv(4, 3x3)", (4, 26)),  # not as many
        ("c: conv(6, 3x3, groups = 3)", (6, 9)),  # a filter sees a third
        ("flatten -> c: fc(4)", (4, 431)),  # no convolution
    ],
)  # fmt: skip
def test_what_is_no_view_stays_an_error(text: str, shape: tuple[int, ...]) -> None:
    model = graph(text)
    file = file_of(text) | {"c.weight": (shape, "float32")}
    report = match(model, file, adapt=("fc_to_conv",))
    assert report.views == () and [m.name for m in report.misshaped] == ["c.weight"]
    assert [d.code for d in report.diagnostics()] == ["E520", "E512"]


# ---- bgr_to_rgb -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, names",
    [
        (PLAIN, ("conv1.weight",)),
        ("dropout -> pad(1) -> relu -> a: conv(4, 3x3) -> b: conv(4, 3x3)", ("a.weight",)),
        ("concat { branch { a: conv(4, 3x3) }  branch { b: conv(5, 3x3) } }", ("a.weight", "b.weight")),
    ],
)  # fmt: skip
def test_the_first_convolutions_are_those_that_see_the_image(text: str, names: tuple[str, ...]) -> None:
    report = match(graph(text), file_of(text), adapt=("bgr_to_rgb",))
    assert report.fits and report.reversed == names


@pytest.mark.parametrize(
    "text, says",
    [
        ("flatten -> fc(classes)", "`flatten1` (flatten) sees `image`"),
        ("batchnorm -> conv(4, 3x3)", "`batchnorm1` (batchnorm) sees `image`"),
        ("c: conv(6, 3x3, groups = 3)", "`c` (conv of 3 groups) sees `image`"),
        ("concat { branch { conv(4, 3x3, pad = 1) }  branch { identity } } -> conv(2, 1x1)", "(concat) sees `image`"),
    ],
)  # fmt: skip
def test_where_no_first_convolution_sees_the_whole_image_it_says_why(text: str, says: str) -> None:
    report = match(graph(text), file_of(text), adapt=("bgr_to_rgb",))
    [mistake] = report.diagnostics()
    assert mistake.code == "E520" and says in mistake.message and not report.fits


def test_an_image_has_three_channels() -> None:
    report = match(graph(PLAIN, depth=1), file_of(PLAIN, depth=1), adapt=("bgr_to_rgb",))
    assert ["`image` is [1, 12, 12]" in d.message for d in report.diagnostics()] == [True]


def test_a_first_convolution_that_the_file_lacks_cannot_be_turned() -> None:
    file = {name: entry for name, entry in file_of(PLAIN).items() if name != "conv1.weight"}
    report = match(graph(PLAIN), file, adapt=("bgr_to_rgb",), partial=True)
    assert ["`conv1.weight`" in d.message for d in report.diagnostics()] == [True] and not report.fits


def test_a_shared_first_convolution_is_turned_once() -> None:
    model = load(Source("t.cnn", """model m {
        input left: [3, 8, 8]
        input right: [3, 8, 8]
        shared eye: conv(4, 3x3)
        left -> eye as a
        right -> eye as b
        add(a, b)
        output y }"""))  # fmt: skip
    file = {name: (weight.shape, "float32") for name, weight in model.weights.items()}
    assert match(model, file, adapt=("bgr_to_rgb",)).reversed == ("eye.weight",)


def test_an_operation_that_does_not_exist_is_named_with_the_nearest() -> None:
    report = match(graph(PLAIN), file_of(PLAIN), adapt=("heads",))
    [mistake] = report.diagnostics()
    assert mistake.code == "E520" and mistake.help == ("did you mean `head`?",) and not report.fits
