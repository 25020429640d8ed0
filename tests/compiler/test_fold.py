"""Folded and sorted summaries."""

from __future__ import annotations

import pytest

from compiler.fold import fold, sort
from compiler.graph import Graph
from compiler.load import load
from compiler.summary import SORTS, Row, render_html, render_plain, summarise, table
from spec_lang.source import Source
from tests.generator.random_spec import random_spec

COLUMNS = ("memory", "weights", "biases", "params", "macs", "flops")


def folded(graph: Graph, depth: int) -> dict[str, Row]:
    return {row.name: row for row in fold(summarise(graph), graph, depth).rows}


def net(text: str) -> Graph:
    return load(Source("m.cnn", text))


def test_resnet50_at_depth_1_is_the_table_of_the_paper() -> None:
    rows = folded(load("resnet50"), 1)
    assert list(rows) == ["image", "conv1", "bn1", "relu1", "maxpool1", "layer1", "layer2", "layer3", "layer4",
                          "globalavgpool1", "flatten1", "fc"]  # fmt: skip
    # He et al. 2015, table 1: the sizes of the outputs; torchvision's parameters of each stage.
    assert [(rows[f"layer{i}"].volume, rows[f"layer{i}"].params) for i in (1, 2, 3, 4)] == [
        ("56x56x256", 215_808), ("28x28x512", 1_219_584), ("14x14x1024", 7_098_368), ("7x7x2048", 14_964_736)]  # fmt: skip
    one = rows["layer2"]
    assert (one.layer, one.kind, one.layers, one.jump, one.field) == (
        "seq, 42 layers",
        "seq",
        42,
        (8, 8),
        (91, 91),
    )
    assert rows["conv1"].layer == "conv(64, 7x7, stride = 2, pad = 3, bias = false)"


def test_resnet50_at_depth_2_has_its_blocks() -> None:
    rows = folded(load("resnet50"), 2)
    assert [name for name in rows if "." in name] == [
        f"layer{i}.{j}" for i, depth in ((1, 3), (2, 4), (3, 6), (4, 3)) for j in range(depth)]  # fmt: skip
    assert (rows["layer1.0"].layer, rows["layer1.0"].kind) == ("Bottleneck, 12 layers", "block")
    assert rows["layer1.0"].params == 75_008


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet_aux", "lenet5_1998"])
def test_folding_keeps_every_sum_and_ends_where_the_blocks_end(name: str) -> None:
    graph = load(name)
    for depth in (0, 1, 2, 3, 10_000):
        check_sums(graph, depth)


def check_sums(graph: Graph, depth: int) -> None:
    whole = summarise(graph)
    less = fold(whole, graph, depth)
    for column in COLUMNS:
        assert sum(getattr(row, column) for row in less.rows) == getattr(whole, column), column
    assert len({row.name for row in less.rows}) == len(less.rows)
    assert less.rows[-1].shape == whole.rows[-1].shape and less.rows[-1].field == whole.rows[-1].field
    for row in less.rows:
        assert row.kind == "model" or len(row.name.split(".")) <= max(depth, 1)
    if depth == 10_000:
        assert less.rows == whole.rows
    if depth == 0:
        assert [row.kind for row in less.rows if row.kind not in ("input", "weight")] == ["model"]


@pytest.mark.parametrize("seed", range(1, 21))
def test_folding_random_networks_keeps_every_sum(seed: int) -> None:
    graph = load(Source("r.cnn", random_spec(seed).text))
    whole = summarise(graph)
    for depth in (0, 1, 2):
        less = fold(whole, graph, depth)
        assert len({(row.kind == "input", row.name) for row in less.rows}) == len(less.rows)
        assert sum(row.layers for row in less.rows) == len(whole.rows) - sum(
            row.kind == "weight" for row in whole.rows) + sum(row.kind == "weight" for row in less.rows)  # fmt: skip
        for column in COLUMNS:
            assert sum(getattr(row, column) for row in less.rows) == getattr(whole, column), (column, depth)


SHARED = """
block Tower { conv(4, 3x3, pad = 1) -> relu }
model m {
    input a: [3, 8, 8]
    input b: [3, 8, 8]
    shared tower: Tower
    a -> tower as x
    b -> tower as y
    add(x, y)
    output sum
}
"""


def test_a_shared_block_has_a_row_for_each_time_it_is_applied() -> None:
    rows = folded(net(SHARED), 1)
    assert list(rows) == ["a", "b", "tower", "tower_2", "add1"]
    assert [(rows[n].params, rows[n].macs) for n in ("tower", "tower_2")] == [(112, 6912), (0, 6912)]
    assert list(folded(net(SHARED), 0)) == ["a", "b", "m"]


def test_labels_with_dots_fold_like_blocks_and_wherever_they_stand() -> None:
    graph = net("""
model m {
    input x: [3, 8, 8]
    "enc.a": conv(4, 1x1)
    mid: conv(5, 1x1)
    "enc.b": conv(6, 1x1)
    output y
}
""")
    rows = folded(graph, 1)
    assert list(rows) == ["x", "enc", "mid"]
    assert (rows["enc"].layer, rows["enc"].volume, rows["enc"].params) == (
        "group, 2 layers",
        "8x8x6",
        16 + 36,
    )


def test_a_raw_weight_belongs_to_its_block() -> None:
    graph = net("""
block Gate {
    weight gate: [3, 1, 1]
    multiply(in, gate)
}
model m {
    input x: [3, 8, 8]
    first: Gate
    second: Gate
    output y
}
""")
    rows = folded(graph, 1)
    assert list(rows) == ["x", "first", "second"] and [r.params for r in rows.values()] == [0, 3, 3]
    assert [r.layer for r in rows.values()] == ["input", "Gate, 1 layer", "Gate, 1 layer"]


def test_rows_are_sorted_largest_first_and_equal_ones_stay() -> None:
    graph = load("vgg16")
    whole = summarise(graph)
    for by in ("macs", "params", "memory"):
        rows = sort(whole, by).rows
        counts = [getattr(row, by) for row in rows]
        assert counts == sorted(counts, reverse=True) and set(rows) == set(whole.rows)
        places = {row.name: at for at, row in enumerate(whole.rows)}
        for one, other in zip(rows, rows[1:], strict=False):
            assert getattr(one, by) > getattr(other, by) or places[one.name] < places[other.name]
    assert sort(whole, "order") == whole
    assert sort(whole, "params").rows[0].name == "classifier.0"


def test_the_share_stands_beside_what_is_sorted_by() -> None:
    view = sort(summarise(load("lenet5")), "macs")
    headings, first, *_ = table(view)
    assert headings.index("share") == headings.index("MACs") + 1
    assert dict(zip(headings, first, strict=True)) | {"MACs": "240,000", "share": "57.6 %"} == dict(
        zip(headings, first, strict=True)
    )  # 240,000 / 416,520
    assert "57.6 %" in render_plain(view) and "<td>57.6 %</td>" in render_html(view)
    assert "share" not in render_plain(summarise(load("lenet5")))
    nothing = sort(summarise(net("model m {\ninput x: [3]\nrelu\noutput y\n}")), "macs")
    assert [line[-3] for line in table(nothing)[1:]] == ["", ""]
    assert set(SORTS) == {"order", "macs", "params", "memory"}


def test_many_applications_are_numbered() -> None:
    text = "block B { conv(1, 1x1) }\nmodel m {\ninput x: [1, 1, 1]\nshared b: B\nrepeat 500 { b }\noutput y\n}"
    rows = folded(net(text), 1)
    assert len(rows) == 501 and list(rows)[1::499] == ["b", "b_500"]
