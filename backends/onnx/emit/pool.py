"""Pools.

Rounding up is lowered to end pads where sizes are known, so that nothing rests on a runtime's
idea of `ceil_mode`; on a free axis that mode is all there is.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf, prod

import numpy as np

from backends.onnx.emit.base import Emit, Layer
from backends.onnx.emit.conv import onnx_pads, padded
from compiler.graph import Node
from compiler.ops.base import Op
from compiler.ops.pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
)
from compiler.shapes import adaptive_windows

_UP = ("ceil", "caffe")


def emit_maxpool(layer: Layer) -> str:
    """MaxPool.  Pads as large as the undilated kernel, which runtimes refuse, become a Pad of -inf."""
    op = layer.op
    assert isinstance(op, MaxPool)
    free = any(layer.x_type.free[1:])
    pads, x = op.pad if free else op.lowered_pads(layer.x_type), layer.x
    if any(max(pair) >= extent for pair, extent in zip(pads, op.kernel, strict=True)):
        x = padded(layer, x, pads, "zeros", -inf)
        pads = ((0, 0),) * len(pads)
    return layer.last("MaxPool", x, kernel_shape=op.kernel, strides=op.stride, dilations=op.dilation,
                      pads=onnx_pads(pads), ceil_mode=int(free and op.round in _UP))


def emit_avgpool(layer: Layer) -> str:
    """AveragePool; the divisors of `padded` with overhang need the declared pads as real zeros.

    `padded` counts the declared pads and not the overhang: zeros are padded first, and the
    overhang is the pool's own pad, which it does not count.  `valid` counts no pad, `window` and
    a number count everything.
    """
    op = layer.op
    assert isinstance(op, AvgPool)
    free = any(layer.x_type.free[1:])
    declared = op.pad
    lowered = declared if free else op.lowered_pads(layer.x_type)
    x, pads, counted = layer.x, lowered, op.divisor != "valid"
    if op.divisor == "padded" and lowered != declared:
        overhang = tuple((0, low[1] - own[1]) for low, own in zip(lowered, declared, strict=True))
        x = padded(layer, x, declared, "zeros") if any(map(any, declared)) else x
        pads, counted = overhang, False
    attributes = {"kernel_shape": op.kernel, "strides": op.stride, "pads": onnx_pads(pads),
                  "count_include_pad": int(counted), "ceil_mode": int(free and op.round in _UP)}
    if not isinstance(op.divisor, str):
        mean = layer.on_the_way("AveragePool", x, **attributes)
        return layer.last("Mul", mean, layer.number(prod(op.kernel) / op.divisor))
    return layer.last("AveragePool", x, **attributes)


def emit_globalavgpool(layer: Layer) -> str:
    return layer.last("GlobalAveragePool", layer.x)


def emit_globalmaxpool(layer: Layer) -> str:
    return layer.last("GlobalMaxPool", layer.x)


def emit_adaptive(layer: Layer) -> str:
    """A pool where all windows are alike; else axis by axis, gathering each window's elements.

    Window i of an axis runs from floor(i * in / out) to ceil((i + 1) * in / out), exclusive; a
    maximum or a mean over the product of windows is that of one axis after the other.
    """
    average = isinstance(layer.op, AdaptiveAvgPool)
    sizes, results, free = layer.x_type.spatial, layer.y_type.spatial, layer.x_type.free[1:]
    if all(out == 1 for out in results):
        return layer.last("GlobalAveragePool" if average else "GlobalMaxPool", layer.x)
    if sizes == results and not any(free):
        return layer.passes()
    if not any(free):
        alike = [_alike(extent, out) for extent, out in zip(sizes, results, strict=True)]
        if all(alike):
            kernel, stride = zip(*[pair for pair in alike if pair], strict=True)
            return layer.last("AveragePool" if average else "MaxPool", layer.x, kernel_shape=kernel,
                              strides=stride, pads=[0] * (2 * len(kernel)))
    axes = [axis for axis, out in enumerate(results) if free[axis] or sizes[axis] != out]
    x = layer.x
    for axis in axes:
        x = _one_axis(layer, x, axis, sizes[axis], results[axis], average, axis == axes[-1])
    return x


def _alike(extent: int, out: int) -> tuple[int, int] | None:
    """Kernel and stride, if the windows of this axis are equally long and equally far apart."""
    windows = adaptive_windows(extent, out)
    lengths = {stop - start for start, stop in windows}
    steps = {after - before for (before, _), (after, _) in pairwise(windows)}
    if len(lengths) > 1 or len(steps) > 1 or 0 in steps:
        return None
    length = lengths.pop()
    return length, steps.pop() if steps else length


def _one_axis(layer: Layer, x: str, axis: int, extent: int, out: int, average: bool, is_last: bool) -> str:
    """One axis (spatial, from 0) pooled, the others as they are."""
    write = layer.last if is_last else layer.on_the_way
    place = 2 + axis
    if out == 1:
        if average:
            return write("ReduceMean", x, layer.ints([place]), keepdims=1)
        return write("ReduceMax", x, layer.ints([place]), keepdims=1)
    windows = adaptive_windows(extent, out)
    longest = max(stop - start for start, stop in windows)
    # A short window repeats its last element for a maximum, and for a sum takes the zero padded at `extent`.
    indices = np.array([[start + i if start + i < stop else (extent if average else stop - 1)
                         for i in range(longest)] for start, stop in windows], np.int64)
    if average:
        pads = tuple((0, int(i == axis)) for i in range(len(layer.x_type.spatial)))
        x = padded(layer, x, pads, "zeros") if (indices == extent).any() else x
    elements = layer.emission.constant(indices, f"{layer.node.name}/windows")
    picked = layer.on_the_way("Gather", x, elements, axis=place)
    if not average:
        return write("ReduceMax", picked, layer.ints([place + 1]), keepdims=0)
    total = layer.on_the_way("ReduceSum", picked, layer.ints([place + 1]), keepdims=0)
    counts = np.array([stop - start for start, stop in windows], np.float32)
    behind = len(layer.x_type.spatial) - axis - 1
    return write("Div", total, layer.floats(counts.reshape(-1, *(1,) * behind), "counts"))


def refusal(node: Node) -> str | None:
    """What needs sizes that a file with a free axis does not have."""
    op, x = node.op, node.inputs[0].type
    free = x.free[1:]
    if isinstance(op, (AdaptiveAvgPool, AdaptiveMaxPool)):
        y = node.output.type
        for open_in, open_out, out in zip(free, y.free[1:], y.spatial, strict=True):
            if open_out or (open_in and out != 1):
                return "an adaptive pool to a size other than 1 where height or width is free"
    if isinstance(op, AvgPool) and any(free) and op.round in _UP and op.divisor not in ("padded", "valid"):
        return f"`round = {op.round}` with a fixed divisor where height or width is free"
    return None


EMITTERS: dict[type[Op], Emit] = {
    MaxPool: emit_maxpool,
    AvgPool: emit_avgpool,
    GlobalAvgPool: emit_globalavgpool,
    GlobalMaxPool: emit_globalmaxpool,
    AdaptiveAvgPool: emit_adaptive,
    AdaptiveMaxPool: emit_adaptive,
}
