"""Which sizes a generated file takes, where extents are free: those that the same spec allows as numbers.

The shape rules of `check` are the judge, asked at each size anew; the outputs at a size are those of the file
that is generated for that size alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compiler.graph import Graph
from compiler.load import load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source

#: name -> (a nominal height and width that fit, layers on an input of four channels)
ROWS: dict[str, tuple[tuple[int, int], str]] = {
    "conv": ((8, 8), "conv(2, 3x2, stride = 2x3, pad = [(1, 0), (0, 2)], dilation = 2x1)"),
    "conv exact without pads": ((7, 8), "conv(2, 3x2, stride = 2x3)"),
    "conv of gaps": ((7, 10), "conv(2, 1x2, stride = 3x4)"),
    "conv floor": ((9, 9), "conv(2, 5x3, stride = 2, pad = 1x0, round = floor)"),
    "conv of stride 1": ((5, 6), "conv(2, 4x3)"),
    "conv same": ((5, 6), "conv(2, 4x3, pad = same)"),
    "conv reflect": ((6, 7), "conv(2, 3x5, pad = [(3, 0), (1, 4)], pad_mode = reflect)"),
    "conv circular": ((6, 7), "conv(2, 3x5, pad = [(3, 0), (1, 4)], pad_mode = circular)"),
    "conv replicate": ((6, 7), "conv(2, 3x5, pad = [(3, 0), (1, 4)], pad_mode = replicate)"),
    "maxpool": ((8, 9), "maxpool(2x3)"),
    "maxpool floor": ((8, 9), "maxpool(3x4, stride = 2x3, pad = 1x0, round = floor)"),
    "maxpool ceil": ((8, 9), "maxpool(3x4, stride = 2x3, pad = 1x2, round = ceil)"),
    "maxpool dilated": ((8, 9), "maxpool(3x2, stride = 1x2, pad = 1, dilation = 2x4, round = floor)"),
    "maxpool dilated, stepping over": ((6, 6), "maxpool(2, stride = 1, pad = 1, dilation = 2x3, round = floor)"),
    "maxpool caffe": ((7, 8), "maxpool(1x2, stride = 2x3, round = caffe)"),
    "maxpool caffe, padded": ((8, 9), "maxpool(3x2, stride = 2x3, pad = 1, round = caffe)"),
    "avgpool": ((8, 9), "avgpool(3x2, stride = 2, pad = [(1, 0), (0, 1)], round = floor)"),
    "avgpool ceil": ((8, 9), "avgpool(3x2, stride = 2x3, pad = 1, round = ceil)"),
    "avgpool valid": ((8, 9), "avgpool(3x4, stride = 1x2, pad = 1x2, divisor = valid, round = floor)"),
    "avgpool of a number": ((8, 9), "avgpool(3x4, stride = 1x2, divisor = 5, round = ceil)"),
    "adaptive": ((8, 9), "adaptiveavgpool(2x3)"),
    "instancenorm": ((4, 4), "instancenorm"),
    "instancenorm of a smaller map": ((8, 8), "avgpool(4, round = floor) -> instancenorm(affine = true)"),
    "groupnorm": ((4, 4), "groupnorm(4)"),
    "groupnorm of pairs": ((4, 4), "groupnorm(2)"),
    "layernorm": ((4, 4), "layernorm"),
    "layernorm of rows": ((4, 5), "layernorm(axis = last, affine = false, eps = 0.01)"),
    "groupnorm of a smaller map": ((9, 8), "maxpool(3x2, round = floor) -> groupnorm(4)"),
    "shared conv": ((7, 8), "shared c: conv(4, 3x2, pad = same)\n    c -> maxpool(2, round = floor) -> c"),
    "shared conv without pads": ((9, 8), "shared c: conv(4, 3x2)\n    c -> maxpool(2, round = floor) -> c"),
    "shared norms": ((8, 8), "shared n: groupnorm(4)\n    n -> maxpool(2, round = floor) -> n"),
    "shared instancenorm": ((8, 8), "shared n: instancenorm\n    n -> maxpool(2, round = floor) -> n"),
    "pad reflect": ((6, 7), "pad([(2, 0), (1, 3)], mode = reflect)"),
    "pad circular": ((6, 7), "pad([(2, 0), (1, 3)], mode = circular)"),
    "add": ((8, 6), "add { branch { maxpool(2) } branch { conv(4, 2, stride = 2, pad = [(0, 1), (1, 0)], round = floor) } }"),
    "concat": ((8, 6), "concat { branch { maxpool(2, round = floor) } branch { maxpool(2, round = ceil) } }"),
    "deep": ((9, 9), "conv(3, 3, stride = 2, round = floor) -> relu -> maxpool(2, round = floor) -> conv(2, 2x1)"),
}

#: Heights that are tried at the nominal width, and widths at the nominal height.
EXTENTS = range(1, 11)


def graph_at(name: str, size: tuple[int, int], *, free: str) -> Graph:
    """The row's model at a size, whose axes (`HW`, `H`, ...) are free or numbers."""
    height, width = (f"{axis} = {n}" if axis in free else str(n) for axis, n in zip("HW", size, strict=True))
    text = f"model m {{\n    input x: [4, {height}, {width}]\n    {ROWS[name][1]}\n    output y\n}}\n"
    return load(Source("m.cnn", text))


def compare(name: str, model_of: Callable[[Graph, Mapping[str, Any]], Callable[[Any], Any]],
            weights_of: Callable[[Graph], Mapping[str, Any]], free: str = "HW") -> None:
    """Assert that the generated model of a row takes the right sizes and computes the same as fixed ones.

    `model_of` gives the generated model of a graph with weights, which maps an array to an array and raises
    ValueError with the path of a layer.
    """
    graph = graph_at(name, ROWS[name][0], free=free)
    weights = weights_of(graph)
    model = model_of(graph, weights)
    rng, taken = np.random.default_rng(0), 0
    height, width = ROWS[name][0]
    sizes = [(n, width) for n in EXTENTS] if "H" in free else []
    for size in [*sizes, *((height, n) for n in EXTENTS if "W" in free)]:
        x = rng.normal(size=(2, 4, *size))
        try:
            fixed = graph_at(name, size, free="")
        except SpecError:
            try:
                got = model(x)
            except ValueError as error:
                assert any(node.path in str(error) for node in graph.nodes), (size, error)
            else:
                raise AssertionError(f"{name} takes {size}, which `check` refuses, and gives {got.shape}")
        else:
            np.testing.assert_allclose(model(x), model_of(fixed, weights)(x), rtol=1e-12, atol=1e-12)
            taken += 1
    assert taken
