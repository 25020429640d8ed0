"""How nodes are grouped."""

from __future__ import annotations

import numpy as np
import pytest

from backends.numpy.plan.lower import concrete, lowered
from backends.numpy.plan.units import Units
from cnnc.verification import varied_weights
from compiler.load import load
from spec_lang.source import Source


def grouped(body: str) -> list[str]:
    """A line for each unit: its head, its pool, its links."""
    graph = load(Source("net.cnn", f"model net {{\n input image: [4, 8, 12]\n{body}\n output y\n}}\n"))
    live, _ = lowered(graph, varied_weights(graph), np.dtype("float32"))
    units = Units(concrete(live, {"image": (4, 8, 12)}, {"batch": 2}))
    lines = []
    for unit in units.made:
        words = [unit.head.op.name if unit.head is not None else "-"]
        words += [unit.pool.op.name] if unit.pool is not None else []
        words += ["bias" if link.is_bias else link.node.op.name for link in unit.chain]
        lines.append(" ".join(words))
    return lines


ROWS = {
    "bias and activation follow the convolution": ("conv(6, 3) -> relu -> tanh", ["conv bias relu tanh"]),
    "batchnorm is folded": ("conv(6, 3, bias = false) -> batchnorm -> relu", ["conv bias relu"]),
    "batchnorm by itself is a link": ("batchnorm -> relu -> conv(6, 3)", ["- batchnorm relu", "conv bias"]),
    "a pool whose windows lie apart joins the convolution": (
        "conv(6, 3, pad = 1) -> relu -> maxpool(2)", ["conv maxpool bias relu"]),
    "a pool whose windows overlap takes the chain": (
        "conv(6, 3, pad = 1) -> relu -> maxpool(3, stride = 1)", ["conv", "maxpool bias relu"]),
    "a pool stays behind what may fall": (
        "conv(6, 3, pad = 1) -> gelu -> maxpool(2)", ["conv bias gelu", "maxpool"]),
    "a pool stays behind a negative slope": (
        "conv(6, 3, pad = 1) -> leakyrelu(-0.5) -> maxpool(2)", ["conv bias leakyrelu", "maxpool"]),
    "a mean is no maximum": ("conv(6, 3, pad = 1) -> relu -> avgpool(2)", ["conv bias relu", "avgpool"]),
    "a shortcut is added where the last of its operands is made": (
        "add { branch { conv(6, 3, pad = 1) -> relu -> conv(6, 1) } branch { conv(6, 1) } } -> relu",
        ["conv bias relu", "conv bias", "conv bias add relu"]),
    "a value that two need is made whole": (
        "conv(6, 1) as x -> tanh -> multiply(it, x)", ["conv bias", "- tanh multiply"]),
    "dropout and identity are nothing": ("dropout(0.3) -> identity -> conv(6, 1)", ["conv bias"]),
    "classic dropout scales": ("conv(6, 1) -> dropout(0.3, mode = classic)", ["conv bias dropout"]),
    "a gate is stretched": (
        "conv(6, 1) as x -> globalavgpool -> sigmoid -> multiply(it, x)",
        ["conv bias", "globalavgpool sigmoid", "- multiply"]),
    "nothing joins a concat": ("concat(it, image) -> relu", ["concat", "- relu"]),
    "nothing joins flatten": ("flatten -> relu", ["flatten", "- relu"]),
    "an adaptive pool to the size that is there is nothing": (
        "adaptiveavgpool(8x12) -> conv(6, 1)", ["conv bias"]),
    "fc has its bias as a link": ("flatten -> fc(5) -> relu", ["flatten", "fc bias relu"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_nodes_are_grouped(name: str) -> None:
    body, wanted = ROWS[name]
    assert grouped(" " + body) == wanted
