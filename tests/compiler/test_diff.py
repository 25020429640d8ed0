"""What differs between two graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cnnc
from compiler.diff import ADDED, CHANGED, REMOVED, RENAMED, Detail, Diff, diff
from compiler.graph import Graph
from compiler.load import load
from compiler.weights import WeightsError
from spec_lang.source import Source
from tests.generator.random_spec import random_spec


def net(*lines: str, more: str = "", name: str = "m") -> Graph:
    body = "\n".join(lines)
    return load(Source("m.cnn", f"model {name} {{\ninput x: [3, 8, 8]\n{body}\n}}\n{more}"))


def counts(found: Diff) -> tuple[int, int, int, int, int]:
    return (found.alike, *(len(found.of_kind(kind)) for kind in (ADDED, REMOVED, CHANGED, RENAMED)))


def names(found: Diff, kind: str) -> list[str]:
    return [(change.new or change.old).name for change in found.of_kind(kind)]  # type: ignore[union-attr]


# torchvision's counts: ResNet-34 has 8 basic blocks more, each of 7 layers and 12 tensors (10 with running
# statistics); VGG-16 with batchnorm has 13 layers more; the aux heads of GoogLeNet are two.
@pytest.mark.parametrize(
    ("a", "b", "wanted", "matched"),
    (
        ("resnet18", "resnet34", (70, 56, 0, 0, 0), 102),
        ("resnet34", "resnet18", (70, 0, 56, 0, 0), 102),
        ("resnet50", "resnext50_32x4d", (64, 0, 0, 112, 0), 91),
        ("vgg16", "vgg16_bn", (10, 13, 0, 0, 30), 12),
        ("vgg16_bn", "vgg16", (10, 0, 13, 0, 30), 12),
        ("googlenet", "googlenet_aux", (198, 18, 0, 0, 0), 287),
    ),
)
def test_known_networks(a: str, b: str, wanted: tuple[int, ...], matched: int) -> None:
    found = diff(load(a), load(b))
    assert counts(found) == wanted
    assert found.names == (a, b) and not found.same
    assert len(found.weights.matched) == matched


def test_the_weights_of_renamed_layers_fit_under_their_new_names() -> None:
    found = diff(load("vgg16"), load("vgg16_bn"))
    old, new = found.shapes
    # All but the first convolution, which has kept its name: 12 of a weight and a bias.
    assert len(found.renames) == 24 and found.renames["features.28.bias"] == "features.40.bias"
    assert all(old[one] == new[other] for one, other in found.renames.items())


def test_what_resnet34_adds() -> None:
    found = diff(load("resnet18"), load("resnet34"))
    blocks = {name.rsplit(".", 1)[0] for name in names(found, ADDED)}
    assert blocks == {"layer1.2", "layer2.2", "layer2.3", "layer3.2", "layer3.3", "layer3.4", "layer3.5", "layer4.2"}
    assert found.weights.misshaped == () and len(found.weights.missing) == 80
    assert found.new.params - found.old.params == 21_797_672 - 11_689_512


def test_what_resnext_changes() -> None:
    found = diff(load("resnet50"), load("resnext50_32x4d"))
    details = {c.old.name: c.details for c in found.changes if c.old}
    assert details["layer1.0.conv2"] == (
        Detail("layer", "conv(64, 3x3, pad = 1, bias = false)", "conv(128, 3x3, pad = 1, groups = 32, bias = false)"),
        Detail("output", "56x56x64", "56x56x128"),
        Detail("params", "36,864", "4,608"),
        Detail("MACs", "115,605,504", "14,450,688"),
    )
    assert details["layer1.0.conv3"][0] == Detail("input", "56x56x64", "56x56x128")
    assert details["layer1.0.relu1"] == (Detail("output", "56x56x64", "56x56x128"),)


def test_another_number_of_classes_changes_the_last_layer_alone() -> None:
    found = diff(load("lenet5"), load("lenet5", parameters={"classes": 12}))
    assert counts(found) == (12, 0, 0, 1, 0) and found.names == ("lenet5(classes = 10)", "lenet5(classes = 12)")
    (change,) = found.changes
    assert [d.what for d in change.details] == ["layer", "output", "params", "MACs"]
    assert [(m.name, m.found, m.wanted) for m in found.weights.misshaped] == [
        ("fc3.weight", (10, 84), (12, 84)), ("fc3.bias", (10,), (12,))]  # fmt: skip


def test_the_weights_that_fit_are_those_that_loading_takes(tmp_path: Path) -> None:
    old, new = load("lenet5"), load("lenet5", parameters={"classes": 12})
    cnnc.save_weights(tmp_path / "w.safetensors", cnnc.initial_weights(old), old)
    with pytest.raises(WeightsError) as caught:
        cnnc.load_weights(tmp_path / "w.safetensors", new)
    assert [d.code for d in caught.value.diagnostics] == ["E512"] * len(diff(old, new).weights.misshaped)
    assert diff(old, load("lenet5")).weights.fits


@pytest.mark.parametrize("seed", range(1, 31))
def test_a_network_is_the_same_as_itself_and_every_item_is_told_once(seed: int) -> None:
    one, again = (load(Source("r.cnn", random_spec(seed).text)) for _ in range(2))
    assert diff(one, again).same and diff(one, again).alike == len(diff(one, again).old.rows)
    other = load(Source("r.cnn", random_spec(seed + 1).text))
    found = diff(one, other)
    alike, added, removed, changed, renamed = counts(found)
    assert alike + removed + changed + renamed == len(found.old.rows)
    assert alike + added + changed + renamed == len(found.new.rows)
    assert not found.same


CASES: dict[str, tuple[Callable[[], tuple[Graph, Graph]], list[tuple[str, str, str]]]] = {
    "a layer in front moves every number": (
        lambda: (net("conv(3, 1x1)", "conv(3, 3x3)", "conv(3, 3x3)"),
                 net("conv(3, 1x1)", "conv(3, 1x1)", "conv(3, 3x3)", "conv(3, 3x3)")),
        [(ADDED, "", "conv2"), (RENAMED, "conv2", "conv3"), (RENAMED, "conv3", "conv4")]),
    "another label": (lambda: (net("a: conv(3, 1x1)", "relu"), net("b: conv(3, 1x1)", "relu")), [(RENAMED, "a", "b")]),
    "another label and other arguments": (
        lambda: (net("a: conv(3, 1x1)"), net("b: conv(4, 1x1)")), [(REMOVED, "a", ""), (ADDED, "", "b")]),
    "another layer of the same name": (
        lambda: (net("a: relu", "conv(3, 1x1)"), net("a: gelu", "conv(3, 1x1)")), [(CHANGED, "a", "a")]),
    "in front and behind": (
        lambda: (net("conv(3, 1x1)"), net("relu", "conv(3, 1x1)", "gelu")), [(ADDED, "", "relu1"), (ADDED, "", "gelu1")]),
    "frozen": (lambda: (net("conv(3, 1x1)"), net("conv(3, 1x1, frozen = true)")), [(CHANGED, "conv1", "conv1")]),
    "a raw weight": (
        lambda: (net("weight w: [3, 1, 1]", "multiply(x, w)"), net("weight w: [3, 8, 8]", "multiply(x, w)")),
        [(CHANGED, "w", "w"), (CHANGED, "multiply1", "multiply1")]),
    "for training alone": (
        lambda: (net("conv(3, 1x1)", "output y"), net("conv(3, 1x1)", "training {", "aux: conv(1, 1x1)", "output a", "}", "output y")),
        [(ADDED, "", "aux")]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_small_changes(name: str) -> None:
    graphs, wanted = CASES[name]
    found = diff(*graphs())
    assert [(c.kind, c.old.name if c.old else "", c.new.name if c.new else "") for c in found.changes] == wanted


def test_other_wiring_of_the_same_layers_is_told() -> None:
    found = diff(
        net("conv(3, 1x1) as p", "conv(3, 1x1) as q", "conv(3, 1x1) as r", "add(p, r)", "add(it, q)"),
        net("conv(3, 1x1) as p", "conv(3, 1x1) as q", "conv(3, 1x1) as r", "add(q, r)", "add(it, p)"),
    )
    assert [(c.kind, c.new and c.new.name, c.details) for c in found.changes] == [
        (CHANGED, "add1", (Detail("from", "conv1", "conv2"),)),
        (CHANGED, "add2", (Detail("from", "conv2", "conv1"),)),
    ]
    assert not found.same


def test_what_is_no_layer_is_told_too() -> None:
    train = "train m { epochs = 3 optimizer = sgd(lr = 0.1) }"
    old = net("preprocess { rescale(1 / 255) }", "conv(3, 1x1)", "output a", more=train.replace(" op", "\nop"))
    new = net("init { conv = xavier }", "conv(3, 1x1)", "output b")
    found = diff(old, new)
    told = {detail.what: (detail.old, detail.new) for detail in found.model}
    assert list(told) == ["output a", "output b", "preprocess", "train optimizer", "train epochs", "init conv1.weight"]
    assert told["output a"] == ("conv1", "") and told["train epochs"] == ("3", "10")
    assert told["train optimizer"][0].startswith("sgd(lr = 0.1, momentum = 0.9")
    assert told["preprocess"][1] == "" and told["init conv1.weight"][1].startswith("xavier")
    assert not found.changes and not found.same


def test_networks_of_many_layers() -> None:
    # One in the middle: nothing else may be told but the names that it moves.
    text = "model m {{\ninput x: [1, 1, 1]\nrepeat 1500 {{ conv(1, 1x1) -> relu -> sigmoid }}\n{}\nrepeat 1500 {{ conv(1, 1x1) -> relu -> sigmoid }}\n}}"
    old, new = (load(Source("m.cnn", text.format(more))) for more in ("", "avgpool(1x1)"))
    found = diff(old, new)
    assert counts(found) == (9_001, 1, 0, 0, 0)
    found = diff(old, load(Source("m.cnn", text.format("conv(1, 1x1)"))))
    assert counts(found)[1:] == (1, 0, 0, 1499)  # whichever of the equal ones is taken to be new


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[3, 8, 8]", "[3, H = 8, W = 8]", ("[3, 8, 8]", "[3, H = 8, W = 8]")),
        ("[3, H = 8, W = 8]", "[3, H = 8, 8]", ("[3, H = 8, W = 8]", "[3, H = 8, 8]")),
        ("[3, H = 8, 8]", "[3, L = 8, 8]", ("[3, H = 8, 8]", "[3, L = 8, 8]")),
        ("[3, 8, 8]", "[3, 8, 8] per image", ("[3, 8, 8]", "[3, 8, 8] per image")),
    ],
)
def test_an_input_that_takes_other_sizes_is_another_input(old: str, new: str, told: tuple[str, str]) -> None:
    one, other = (
        load(Source("m.cnn", f"model m {{\ninput x: {text}\nconv(3, 1x1)\noutput y\n}}")) for text in (old, new)
    )
    found = diff(one, other)
    assert not found.same and counts(found) == (1, 0, 0, 1, 0)
    assert found.changes[0].details == (Detail("declared", *told),)
    assert diff(one, one).same and diff(other, other).same


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("value = 1", "value = 2", ("value = 1.0", "value = 2.0")),
        ("value = 1", "init = ones", ("value = 1.0", "ones")),
        ("value = [[[1]], [[2]], [[3]]]", "value = [[[1]], [[2]], [[4]]]", None),
        (f"value = {[[[i / 7]] for i in range(3)]}", f"value = {[[[i / 9]] for i in range(3)]}", None),
    ],
)
def test_numbers_that_a_weight_starts_with_are_told_apart(
    old: str, new: str, told: tuple[str, str] | None
) -> None:
    one, other = (net(f"weight w: [3, 1, 1]({start})", "multiply(x, w)", "output y") for start in (old, new))
    found = diff(one, other)
    (detail,) = found.model
    assert not found.same and detail.what == "init w" and detail.old != detail.new
    assert max(len(detail.old), len(detail.new)) <= 60
    assert told is None or (detail.old, detail.new) == told
