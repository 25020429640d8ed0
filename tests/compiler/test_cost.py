"""Costs: MACs against PyTorch's own counter, receptive fields against its gradients, memory by hand."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from compiler import cost
from compiler.declare import Position, Word
from compiler.graph import Graph, GraphBuilder, Weight
from compiler.initial import Initialiser
from compiler.load import load
from compiler.ops import OPS
from compiler.ops.base import TensorType
from spec_lang.source import Source
from tests.cases import CASES, LayerCase, graph_of


def chain(shape: tuple[int, ...], *layers: tuple[str, dict[str, Any]]) -> Graph:
    builder = GraphBuilder("chain")
    value = builder.input("image", TensorType(shape))
    for i, (name, arguments) in enumerate(layers):
        (value,) = builder.apply(OPS[name], [value], path=f"{name}{i}", **arguments)
    return builder.build({"out": value})


WITH_MACS = [c for c in CASES if c.op.name in ("conv", "fc") and not c.feeds[0].free]


@pytest.mark.parametrize("case", WITH_MACS, ids=str)
def test_macs_are_half_of_what_pytorch_counts(case: LayerCase) -> None:
    graph = graph_of(case)
    (node,) = graph.nodes
    x = torch.zeros(1, *case.feeds[0].shape)
    weight = torch.zeros(graph.weights["layer.weight"].shape)
    with FlopCounterMode(display=False) as counter:
        if case.op.name == "fc":
            F.linear(x.movedim(1 + node.op.position, -1), weight)  # type: ignore[attr-defined]
        else:
            op: Any = node.op
            pads = [p for pair in reversed(op.lowered_pads(node.input_types[0])) for p in pair]
            run = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
            run(F.pad(x, pads), weight, None, op.stride, 0, op.dilation, op.groups)
    assert 2 * graph.macs == counter.get_total_flops() > 0


def test_only_convolution_and_fc_count_macs() -> None:
    counting = {c.op.name for c in CASES if graph_of(c).macs}
    assert counting == {"conv", "fc"}


@pytest.mark.parametrize(
    ("layers", "flops"),
    (
        ([("conv", {"filters": 6, "kernel": (3, 5)})], 2 * 6 * 7 * 10 * 4 * 15 + 6 * 7 * 10),
        ([("conv", {"filters": 6, "kernel": (3, 5), "bias": False})], 2 * 6 * 7 * 10 * 4 * 15),
        ([("relu", {})], 504),
        ([("maxpool", {"kernel": (3, 2)})], 4 * 3 * 7 * 6),
        ([("flatten", {}), ("fc", {"features": 5})], 2 * 504 * 5 + 5),
        ([("batchnorm", {})], 2 * 504),
        ([("globalavgpool", {})], 504),
        ([("dropout", {})], 0),
    ),
)
def test_flops(layers: list[tuple[str, dict[str, Any]]], flops: int) -> None:
    assert cost.flops(chain((4, 9, 14), *layers)) == flops


#: Operations for each number of the result (or of the input, where it is marked so), counted by hand from the
#: formulas of the layers; a call such as exp counts as one.
PER_OUTPUT = {
    "relu": 1, "relu6": 2, "leakyrelu": 2, "prelu": 2, "elu": 3, "selu": 4, "gelu": 5, "silu": 4, "mish": 5,
    "hardswish": 5, "hardsigmoid": 4, "sigmoid": 4, "tanh": 1, "softplus": 3, "softmax": 5, "logsoftmax": 5,
    "batchnorm": 2, "l2norm": 4,
    "flatten": 0, "reshape": 0, "permute": 0, "channelshuffle": 0, "select": 0, "slice": 0, "pad": 0,
    "identity": 0, "concat": 0,
}  # fmt: skip
PER_INPUT = {"globalavgpool": 1, "globalmaxpool": 1, "reduce": 1}


def flops_by_hand(case: LayerCase) -> int:
    """What a case costs by the formulas in its layer's documentation."""
    graph = graph_of(case)
    (node,) = graph.nodes
    given, outputs, op = case.arguments, prod(graph.outputs["y"].shape), case.op.name
    bias = outputs if given.get("bias", True) else 0
    if op in PER_OUTPUT:
        return PER_OUTPUT[op] * outputs
    if op in PER_INPUT:
        return PER_INPUT[op] * prod(case.feeds[0].shape)
    if op in ("conv", "fc"):
        return 2 * outputs * prod(graph.weights["layer.weight"].shape[1:]) + bias
    if op in ("maxpool", "avgpool"):
        kernel = given["kernel"]
        return outputs * (
            prod(kernel) if isinstance(kernel, tuple) else kernel ** (len(case.feeds[0].shape) - 1)
        )
    if op in ("adaptiveavgpool", "adaptivemaxpool"):
        widest = 1
        for size, out in zip(case.feeds[0].shape[1:], graph.outputs["y"].shape[1:], strict=True):
            widest *= max(-(-(i + 1) * size // out) - i * size // out for i in range(out))
        return outputs * widest
    if op in ("instancenorm", "groupnorm", "layernorm"):
        return (7 if given.get("affine", op != "instancenorm") else 5) * outputs
    if op == "lrn":
        return (given["size"] + 5) * outputs
    if op == "scale":
        return outputs + bias
    if op == "dropout":
        return outputs if given.get("mode") == "classic" else 0
    if op == "rbf":
        return 3 * prod(case.feeds[1].shape)
    if op == "average":
        return len(case.feeds) * outputs
    assert op in ("add", "multiply", "maximum"), op
    return (len(case.feeds) - 1 + ("constant" in given)) * outputs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer_counts_the_operations_of_its_formula(case: LayerCase) -> None:
    assert cost.flops(graph_of(case)) == flops_by_hand(case)


#: Layers that work number by number, read their input differently, or are a factor and an offset at inference.
IN_PLACE = {
    *("relu", "relu6", "leakyrelu", "prelu", "elu", "selu", "gelu", "silu", "mish", "hardswish", "hardsigmoid"),
    *("sigmoid", "tanh", "softplus", "scale", "dropout", "identity", "flatten", "reshape", "batchnorm"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_layer_takes_room_unless_it_can_write_over_its_input(case: LayerCase) -> None:
    (row,) = cost.costs(graph_of(case))
    given, shape, out = case.arguments, case.feeds[0].shape, row.node.output.shape
    in_place = case.op.name in IN_PLACE
    in_place |= case.op.name in ("add", "multiply") and len(case.feeds) == 1 and "constant" in given
    in_place |= case.op.name in ("globalavgpool", "globalmaxpool") and prod(shape[1:]) == 1
    in_place |= case.op.name in ("adaptiveavgpool", "adaptivemaxpool") and shape == out
    assert row.activations == prod(out)
    assert row.memory == (0 if in_place else prod(out))


@pytest.mark.parametrize("case", [c for c in CASES if c.op.name in ("conv", "maxpool", "avgpool")], ids=str)
def test_the_field_of_a_window_is_its_dilated_kernel_and_its_jump_the_stride(case: LayerCase) -> None:
    graph = graph_of(case)
    given, rank = case.arguments, len(case.feeds[0].shape) - 1

    def each(name: str, default: object) -> tuple[int, ...]:
        value: Any = given.get(name, default)
        return value if isinstance(value, tuple) else (value,) * rank

    kernel = each("kernel", None)
    field = cost.receptive_fields(graph)[graph.outputs["y"]]
    assert field is not None
    assert field.jump == each("stride", 1 if case.op.name == "conv" else kernel)
    assert field.size == tuple(d * (k - 1) + 1 for k, d in zip(kernel, each("dilation", 1), strict=True))


STACKS: tuple[tuple[int, tuple[tuple[str, dict[str, Any]], ...]], ...] = (
    (60, (("conv", {"filters": 1, "kernel": 3}), ("conv", {"filters": 1, "kernel": 5}))),
    (
        62,
        (
            ("conv", {"filters": 1, "kernel": 3, "stride": 2, "round": Word("floor")}),
            ("avgpool", {"kernel": 2}),
            ("conv", {"filters": 1, "kernel": 3}),
        ),
    ),
    (
        61,
        (
            ("conv", {"filters": 1, "kernel": 3, "dilation": 4}),
            ("relu", {}),
            ("avgpool", {"kernel": 3, "stride": 2}),
            ("conv", {"filters": 1, "kernel": 2, "dilation": 3}),
        ),
    ),
    (64, (("avgpool", {"kernel": 2}), ("avgpool", {"kernel": 2}), ("conv", {"filters": 1, "kernel": 4}))),
)


@pytest.mark.parametrize(("size", "layers"), STACKS)
def test_receptive_field_and_jump_are_those_of_pytorchs_gradients(
    size: int, layers: tuple[tuple[str, dict[str, Any]], ...]
) -> None:
    graph = chain((1, size), *layers)
    x = torch.ones(1, 1, size, requires_grad=True)
    y: torch.Tensor = x
    for node in graph.nodes:
        op: Any = node.op
        if op.name == "conv":
            y = F.conv1d(y, torch.ones(1, 1, *op.kernel), None, op.stride, 0, op.dilation)
        elif op.name == "avgpool":
            y = F.avg_pool1d(y, op.kernel, op.stride)
    spans = []
    for position in (0, 1):
        (gradient,) = torch.autograd.grad(y[0, 0, position], x, retain_graph=True)
        seen = gradient[0, 0].nonzero()
        spans.append((int(seen.min()), int(seen.max())))
    field = cost.receptive_fields(graph)[graph.outputs["out"]]
    assert field is not None
    assert field.size == (spans[0][1] - spans[0][0] + 1,)
    assert field.jump == (spans[1][0] - spans[0][0],)


def test_a_join_takes_the_largest_field() -> None:
    builder = GraphBuilder("join")
    x = builder.input("image", TensorType((2, 20, 20)))
    (wide,) = builder.apply(OPS["conv"], [x], path="wide", filters=2, kernel=(3, 7), pad=Word("half"))
    (tall,) = builder.apply(OPS["conv"], [x], path="tall", filters=2, kernel=(5, 1), pad=Word("half"))
    (y,) = builder.apply(OPS["add"], [wide, tall], path="add")
    (z,) = builder.apply(OPS["concat"], [y, x], path="concat")
    fields = cost.receptive_fields(builder.build({"z": z}))
    assert fields[y] == fields[z] == cost.Field((5, 7), (1, 1))


@pytest.mark.parametrize(
    ("layers", "field"),
    (
        ([("permute", {"order": (0, 2, 1)})], cost.Field((5, 3), (3, 2))),
        ([("permute", {"order": (1, 0, 2)})], None),
        ([("reduce", {"how": Word("max"), "axis": Word("height")})], cost.Field((5,), (3,))),
        ([("reduce", {"how": Word("max"), "axis": Word("channels")})], None),
        ([("flatten", {})], None),
        ([("flatten", {}), ("fc", {"features": 3})], None),
        ([("fc", {"features": 3, "axis": Word("channels")})], cost.Field((3, 5), (2, 3))),
        ([("fc", {"features": 3, "axis": Word("last")})], None),
        ([("globalavgpool", {})], cost.Field((3 + 3 * 2, 5 + 3 * 3), (8, 12))),
        ([("adaptiveavgpool", {"size": 2})], cost.Field((5, 8), (4, 6))),
    ),
)
def test_fields_follow_their_axes(layers: list[tuple[str, dict[str, Any]]], field: cost.Field | None) -> None:
    graph = chain((2, 9, 14), ("conv", {"filters": 2, "kernel": (3, 5), "stride": (2, 3)}), *layers)
    assert cost.receptive_fields(graph)[graph.outputs["out"]] == field


def test_memory_counts_the_input_and_every_new_volume() -> None:
    graph = chain(
        (4, 9, 14),
        ("conv", {"filters": 6, "kernel": (3, 5)}),
        ("batchnorm", {}),
        ("relu", {}),
        ("dropout", {}),
        ("lrn", {"size": 3}),
        ("adaptiveavgpool", {"size": (7, 10)}),
        ("maxpool", {"kernel": (7, 2)}),
        ("identity", {}),
        ("flatten", {}),
        ("fc", {"features": 5}),
        ("prelu", {}),
        ("softmax", {}),
    )
    assert graph.memory == 504 + 420 + 420 + 30 + 5 + 5
    rows = {one.node.op.name: one for one in cost.costs(graph)}
    assert [rows[n].memory for n in ("conv", "relu", "adaptiveavgpool", "flatten")] == [420, 0, 0, 0]
    assert rows["relu"].activations == 420 and rows["relu"].activation_bytes == 1680


def test_memory_of_joins() -> None:
    builder = GraphBuilder("joins")
    x = builder.input("image", TensorType((2, 3, 3)))
    (y,) = builder.apply(OPS["add"], [x], path="shift", constant=1.5)
    (z,) = builder.apply(OPS["add"], [x, y], path="add")
    (w,) = builder.apply(OPS["concat"], [z, x], path="concat")
    assert builder.build({"w": w}).memory == 18 + 18 + 36


def test_a_shared_layer_counts_its_weights_once_and_its_macs_twice() -> None:
    builder = GraphBuilder("shared")
    x = builder.input("image", TensorType((2, 3, 3)))
    (y,) = builder.apply(OPS["conv"], [x], path="head", filters=2, kernel=1)
    (z,) = builder.apply(OPS["conv"], [y], path="head", filters=2, kernel=1)
    graph = builder.build({"z": z})
    first, second = cost.costs(graph)
    assert (first.weights, first.biases, first.params) == (4, 2, 6)
    assert (second.weights, second.biases, second.params) == (0, 0, 0)
    assert graph.macs == first.macs + second.macs == 72 and graph.params == 6


def test_frozen_weights_and_statistics_are_no_parameters() -> None:
    graph = chain((2, 5, 5), ("conv", {"filters": 3, "kernel": 1, "frozen": True}), ("batchnorm", {}))
    conv, norm = cost.costs(graph)
    assert (conv.weights, conv.biases, conv.params) == (6, 3, 0)
    assert (norm.weights, norm.biases, norm.params) == (3, 3, 6)
    assert graph.params == 6


def test_a_raw_weight_has_no_field() -> None:
    builder = GraphBuilder("raw")
    x = builder.input("image", TensorType((2, 9, 9)))
    rule = Initialiser("he", (("distribution", "normal"),))
    weight = builder.parameter(Weight("gate", (2, 1, 1), "weight", "weight", True, rule))
    (y,) = builder.apply(OPS["conv"], [x], path="conv", filters=2, kernel=3)
    (z,) = builder.apply(OPS["multiply"], [y, weight], path="multiply")
    (flat,) = builder.apply(OPS["flatten"], [z], path="flatten")
    centers = builder.parameter(Weight("centers", (4, 98), "weight", "weight", True, rule))
    (out,) = builder.apply(OPS["rbf"], [flat, centers], path="rbf", centers=Position(1))
    fields = cost.receptive_fields(builder.build({"out": out}))
    assert fields[z] == cost.Field((3, 3), (1, 1)) and fields[out] is None


def test_20_000_nodes_are_no_matter() -> None:
    graph = chain((1, 3, 3), *([("relu", {})] * 20_000))
    assert len(cost.costs(graph)) == 20_000 and graph.memory == 9


def test_what_is_stretched_does_not_widen_the_step() -> None:
    """The gate of a squeeze-and-excite looks at the whole image, and the map keeps its own step."""
    graph = load(Source("se.cnn", """model se {
    input image: [3, 32, 32]
    conv(8, 3x3, pad = half)
    multiply {
        branch { identity }
        branch { globalavgpool -> conv(8, 1x1) -> sigmoid }
    }
    conv(8, 3x3, stride = 2, pad = half)
    output y
}"""))
    fields = cost.receptive_fields(graph)
    found = {node.name: fields[node.output] for node in graph.nodes}
    assert found["globalavgpool1"] == cost.Field((34, 34), (32, 32))
    assert found["multiply1"] == cost.Field((34, 34), (1, 1))
    assert found["conv3"] == cost.Field((36, 36), (2, 2))
