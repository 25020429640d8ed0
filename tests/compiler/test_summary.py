"""The summary: what each row says, and how it is drawn."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from compiler.declare import Position, Word
from compiler.graph import Graph, GraphBuilder, Weight
from compiler.initial import Initialiser
from compiler.load import load
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.summary import (
    HEADINGS,
    Row,
    Summary,
    as_data,
    layer_text,
    render_html,
    render_plain,
    short,
    summarise,
    to_json,
)
from spec_lang.source import Source
from tests.cases import CASES, LayerCase, graph_of

VGG16: tuple[Any, ...] = (
    64,
    64,
    "M",
    128,
    128,
    "M",
    256,
    256,
    256,
    "M",
    512,
    512,
    512,
    "M",
    512,
    512,
    512,
    "M",
)


def vgg16() -> Graph:
    builder = GraphBuilder("vgg16")
    value = builder.input("image", TensorType((3, 224, 224)))
    step = 0

    def add(name: str, **arguments: Any) -> None:
        nonlocal value, step
        step += 1
        (value,) = builder.apply(OPS[name], [value], path=f"{name}{step}", **arguments)

    for width in VGG16:
        if width == "M":
            add("maxpool", kernel=2)
        else:
            add("conv", filters=width, kernel=3, pad=1)
            add("relu")
    add("flatten")
    for features in (4096, 4096):
        add("fc", features=features)
        add("relu")
        add("dropout")
    add("fc", features=1000)
    return builder.build({"logits": value})


# The lecture's table: volume, memory, weights without biases.
TABLE = (
    ("224x224x3", "224*224*3 = 150K", 0),
    ("224x224x64", "224*224*64 = 3.2M", 1_728),
    ("224x224x64", "224*224*64 = 3.2M", 36_864),
    ("112x112x64", "112*112*64 = 800K", 0),
    ("112x112x128", "112*112*128 = 1.6M", 73_728),
    ("112x112x128", "112*112*128 = 1.6M", 147_456),
    ("56x56x128", "56*56*128 = 400K", 0),
    ("56x56x256", "56*56*256 = 800K", 294_912),
    ("56x56x256", "56*56*256 = 800K", 589_824),
    ("56x56x256", "56*56*256 = 800K", 589_824),
    ("28x28x256", "28*28*256 = 200K", 0),
    ("28x28x512", "28*28*512 = 400K", 1_179_648),
    ("28x28x512", "28*28*512 = 400K", 2_359_296),
    ("28x28x512", "28*28*512 = 400K", 2_359_296),
    ("14x14x512", "14*14*512 = 100K", 0),
    ("14x14x512", "14*14*512 = 100K", 2_359_296),
    ("14x14x512", "14*14*512 = 100K", 2_359_296),
    ("14x14x512", "14*14*512 = 100K", 2_359_296),
    ("7x7x512", "7*7*512 = 25K", 0),
    ("4096", "4096", 102_760_448),
    ("4096", "4096", 16_777_216),
    ("1000", "1000", 4_096_000),
)


def test_vgg16_is_the_table_of_the_lecture() -> None:
    summary = summarise(vgg16())
    volumes = [row for row in summary.rows if row.memory]
    assert [(row.volume, row.memory_text, row.weights) for row in volumes] == list(TABLE)
    assert sum(row.memory for row in volumes) == summary.memory == 15_237_608
    assert summary.memory_bytes == 60_950_432
    assert summary.params == summary.weights + summary.biases == 138_357_544
    assert summary.macs == 15_470_264_320
    texts = [row.weights_text for row in volumes if row.weights]
    assert texts[:2] == ["(3*3*3)*64 = 1,728", "(3*3*64)*64 = 36,864"]
    assert texts[-3:] == ["7*7*512*4096 = 102,760,448", "4096*4096 = 16,777,216", "4096*1000 = 4,096,000"]
    last_pool = [row for row in summary.rows if row.layer.startswith("maxpool")][-1]
    assert (last_pool.field, last_pool.jump) == ((212, 212), (32, 32))


def test_the_columns_sum_to_the_totals() -> None:
    summary = summarise(vgg16())
    for column in ("memory", "weights", "biases", "params", "macs", "flops"):
        assert sum(getattr(row, column) for row in summary.rows) == getattr(summary, column), column


def test_the_first_layer_of_the_227_alexnet() -> None:
    builder = GraphBuilder("alexnet")
    x = builder.input("image", TensorType((3, 227, 227)))
    (y,) = builder.apply(OPS["conv"], [x], path="conv1", filters=96, kernel=11, stride=4)
    row = summarise(builder.build({"y": y})).rows[1]
    assert (row.volume, row.params, row.weights_text) == ("55x55x96", 34_944, "(11*11*3)*96 = 34,848")
    assert (row.layer, row.biases, row.field, row.jump) == (
        "conv(96, 11x11, stride = 4)",
        96,
        (11, 11),
        (4, 4),
    )


@pytest.mark.parametrize(
    ("count", "text"),
    (
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1K"),
        (1049, "1K"),
        (1050, "1.1K"),
        (9949, "9.9K"),
        (9950, "10K"),
        (150_528, "150K"),
        (802_816, "800K"),
        (25_088, "25K"),
        (3_211_264, "3.2M"),
        (999_999, "1M"),
        (12_500_000, "13M"),
        (4_321_000_000, "4.3G"),
        (7_600_000_000_000, "7.6T"),
        (10**17, "100000T"),
    ),
)
def test_short_numbers(count: int, text: str) -> None:
    assert short(count) == text


TEXTS = {
    "conv: everything asymmetric": "conv(6, 3x5, stride = 2x3, "
    "pad = [(1, 2), (0, 3)], dilation = 2x1, groups = 2)",
    "conv: plain": "conv(6, 3x5)",
    "conv: pad 2x1": "conv(6, 3x5, pad = (2, 1))",
    "conv: 1-D, plain": "conv(6, 4)",
    "conv: pad_mode reflect": "conv(6, 3x5, pad = [(1, 2), (0, 3)], pad_mode = reflect)",
    "conv: frozen": "conv(6, 3x5, frozen = true)",
    "maxpool: 2x2": "maxpool(2x2)",
    "maxpool: overlapping": "maxpool(3x3, stride = 2x1)",
    "avgpool: divisor 2.5, four different pads": "avgpool(5x6, stride = 2x3, "
    "pad = [(1, 2), (0, 3)], round = floor, divisor = 2.5)",
    "globalavgpool: 2-D": "globalavgpool",
    "adaptiveavgpool: like another": "adaptiveavgpool(like = b)",
    "adaptiveavgpool: to 1": "adaptiveavgpool(1x1)",
    "fc: along the last axis": "fc(6, axis = last)",
    "rbf: ten centres": "rbf(b)",
    "dropout: classic": "dropout(0.3, mode = classic)",
    "reduce: max over the depth": "reduce(max, depth)",
    "reshape: to one number": "reshape([])",
    "permute: channels last": "permute([1, 2, 0])",
    "layernorm: last, 2-D": "layernorm(axis = last)",
    "pad: one number": "pad(2)",
    "pad: reflect, four different": "pad([(1, 2), (0, 3)], mode = reflect)",
    "add: a number": "add(-2.5)",
    "prelu: shared": "prelu(shared = true)",
}


@pytest.mark.parametrize("case", [c for c in CASES if c.id in TEXTS], ids=str)
def test_a_layer_is_written_with_what_differs_from_its_defaults(case: LayerCase) -> None:
    graph = graph_of(case)
    assert layer_text(graph.nodes[0]) == TEXTS[case.id]


def test_every_text_that_is_expected_has_a_row() -> None:
    assert set(TEXTS) <= {c.id for c in CASES}


def test_every_case_has_a_summary_whose_columns_sum() -> None:
    for case in CASES:
        graph = graph_of(case)
        summary = summarise(graph)
        assert sum(row.params for row in summary.rows) == graph.params, case.id
        assert sum(row.memory for row in summary.rows) == graph.memory, case.id
        for row in summary.rows:
            if row.weights:
                product = 1
                for factor in re.findall(r"\d+", row.weights_formula) or ["1"]:
                    product *= int(factor)
                assert product == row.weights, case.id


def test_long_lists_are_cut() -> None:
    builder = GraphBuilder("select")
    x = builder.input("image", TensorType((40, 2, 2)))
    (y,) = builder.apply(OPS["select"], [x], path="select", channels=tuple(range(40)))
    assert summarise(builder.build({"y": y})).rows[1].layer == "select([0, 1, 2, 3, 4, 5, ... 40 in all])"


def mixed() -> Graph:
    builder = GraphBuilder("mixed")
    x = builder.input("image", TensorType((4, 9, 14), (False, True, True)), free={"H": 1, "W": 2})
    rule = Initialiser("zeros")
    gate = builder.parameter(Weight("gate", (4, 1, 1), "weight", "weight", True, rule))
    still = builder.parameter(Weight("still", (3, 4), "constant", "weight", False, rule))
    (y,) = builder.apply(OPS["multiply"], [x, gate], path="gated")
    (z,) = builder.apply(OPS["batchnorm"], [y], path="norm")
    (g,) = builder.apply(OPS["globalavgpool"], [z], path="pool")
    (f,) = builder.apply(OPS["flatten"], [g], path="flat")
    (o,) = builder.apply(OPS["rbf"], [f, still], path="out", centers=Position(1))
    return builder.build({"o": o})


def test_what_training_holds_has_weights_but_costs_nothing_at_inference() -> None:
    text = """
    model m {
        input x: [3, 8, 8]
        conv(4, 3x3)
        training {
            globalavgpool -> flatten -> aux: fc(5)
            output aux
        }
        relu
        output y
    }
    """
    graph = load(Source("m.cnn", text))
    summary = summarise(graph)
    rows = {row.name: row for row in summary.rows}
    aux = rows["aux"]
    assert (aux.training, aux.params, aux.macs, aux.memory) == (
        True,
        25,
        0,
        0,
    )
    assert "fc(5) (training)" in render_plain(summary)
    for column in ("memory", "weights", "biases", "params", "macs", "flops"):
        assert sum(getattr(row, column) for row in summary.rows) == getattr(summary, column), column
    assert summary.params == 4 * 27 + 4 + 25 and summary.memory == 192 + 144
    whole = summarise(graph.with_training)
    assert sum(row.macs for row in whole.rows) == whole.macs == summary.macs + 20


def test_raw_weights_have_rows_and_constants_are_no_parameters() -> None:
    summary = summarise(mixed())
    rows = {row.name: row for row in summary.rows}
    assert (rows["gate"].layer, rows["gate"].params, rows["gate"].weights_text) == ("weight", 4, "4*1*1 = 4")
    assert (rows["still"].layer, rows["still"].params) == ("weight(trainable = false)", 0)
    assert (rows["norm"].weights, rows["norm"].biases, rows["norm"].memory) == (4, 4, 0)
    assert rows["out"].layer == "rbf(still)"
    assert (rows["still"].kind, rows["still"].volume, rows["image"].volume) == ("weight", "3x4", "9x14x4")
    assert summary.params == 12 and summary.free == ("H = 9", "W = 14")


def test_plain_text_is_aligned_and_has_the_totals() -> None:
    lines = render_plain(summarise(vgg16())).splitlines()
    assert lines[0] == "vgg16" and lines[2].split() == " ".join(HEADINGS).split()
    starts = {line.index("224*224*64 = 3.2M") for line in lines if "224*224*64 = 3.2M" in line}
    assert starts == {lines[2].index("memory")}
    assert any("138,357,544" in line for line in lines[-6:])
    assert any("15,237,608 values, 61.0 MB" in line for line in lines[-6:])
    assert render_plain(summarise(mixed())).endswith("counted at H = 9, W = 14\n")


def test_json_holds_the_same_numbers() -> None:
    summary = summarise(vgg16())
    data = json.loads(to_json(summary))
    assert data == json.loads(json.dumps(as_data(summary)))
    assert (
        data["params"] == 138_357_544 and data["memory"] == 15_237_608 and data["memory_bytes"] == 60_950_432
    )
    assert data["rows"][1]["shape"] == [64, 224, 224] and data["rows"][1]["volume"] == "224x224x64"
    assert data["rows"][1]["weights_formula"] == "(3*3*3)*64" and data["rows"][1]["biases"] == 64


def test_html_escapes_what_comes_from_a_spec() -> None:
    summary = Summary("<b>", (Row("a&b", "input", (3,), "3", 3),), 0, 0, 0, 0, 0, 3)
    text = render_html(summary)
    assert "<b>" not in text and "&lt;b&gt;" in text and "a&amp;b" in text


def test_words_and_flags_are_written_as_in_a_spec() -> None:
    builder = GraphBuilder("words")
    x = builder.input("image", TensorType((4, 9, 14)))
    (y,) = builder.apply(OPS["conv"], [x], path="c", filters=4, kernel=3, bias=False, pad=Word("half"))
    assert layer_text(builder.build({"y": y}).nodes[0]) == "conv(4, 3x3, pad = 1, bias = false)"
