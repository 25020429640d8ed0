"""The tensors that a layer owns: names, order, shapes and fans are those of PyTorch's module."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from tests.cases import CASES, LayerCase, graph_of


def module(case: LayerCase) -> nn.Module:
    """PyTorch's module for a layer with weights."""
    op: Any
    (node,) = graph_of(case).nodes
    op, x = node.op, node.inputs[0].type
    channels, rank = x.shape[0], x.rank - 1
    match op.name:
        case "conv":
            kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
            return kind(channels, op.filters, op.kernel, groups=op.groups, bias=op.bias)
        case "fc":
            return nn.Linear(x.shape[op.axis or 0], op.features, op.bias)
        case "batchnorm":
            return nn.BatchNorm2d(channels, affine=op.affine)
        case "instancenorm":
            return nn.InstanceNorm2d(channels, affine=op.affine)
        case "groupnorm":
            return nn.GroupNorm(op.groups, channels, affine=op.affine)
        case "layernorm":
            return nn.LayerNorm(x.shape[op.axis], elementwise_affine=op.affine)
        case "prelu":
            return nn.PReLU(1 if op.shared else channels)
        case "scale":  # PyTorch has none of its own; its factor and offset are those of a norm
            return nn.LayerNorm(channels, bias=op.bias)
        case "l2norm":
            return nn.LayerNorm(channels, bias=False)
    raise AssertionError(op.name)


WEIGHTED = [c for c in CASES if c.op.weighted]


@pytest.mark.parametrize("case", WEIGHTED, ids=str)
def test_weights_are_those_of_pytorch_s_module(case: LayerCase) -> None:
    graph = graph_of(case)
    state = module(case).state_dict()
    wanted = [(f"layer.{n}", tuple(t.shape)) for n, t in state.items() if n != "num_batches_tracked"]
    assert [(name, weight.shape) for name, weight in graph.weights.items()] == wanted


@pytest.mark.parametrize("case", WEIGHTED, ids=str)
def test_fans_of_weights_are_those_that_pytorch_initialises_by(case: LayerCase) -> None:
    (node,) = graph_of(case).nodes
    state = module(case).state_dict()
    for spec in node.op.weights(node.input_types):
        if spec.role == "weight":
            wanted = nn.init._calculate_fan_in_and_fan_out(state[spec.name])
            assert (spec.fan_in, spec.fan_out) == wanted
        else:
            assert (spec.fan_in, spec.fan_out) == (0, 0)


@pytest.mark.parametrize("case", WEIGHTED, ids=str)
def test_what_pytorch_trains_are_the_parameters(case: LayerCase) -> None:
    graph = graph_of(case)
    trained = {f"layer.{name}" for name, _ in module(case).named_parameters()}
    frozen = bool(case.arguments.get("frozen"))
    assert {n for n, w in graph.weights.items() if w.trainable} == (set() if frozen else trained)
    (node,) = graph.nodes
    assert {f"layer.{w.name}" for w in node.op.weights(node.input_types) if w.is_parameter} == trained
