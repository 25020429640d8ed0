"""Convolution."""

from __future__ import annotations

from backends.onnx.emit.base import Emit, Layer
from compiler.ops.base import Op
from compiler.ops.conv import Conv

#: The language's border modes in ONNX's words.
PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def emit_conv(layer: Layer) -> str:
    """Conv; a border other than zeros is a Pad before it."""
    op = layer.op
    assert isinstance(op, Conv)
    pads = op.lowered_pads(layer.x_type)  # where an axis is free, nothing is rounded up
    x = layer.x
    if op.pad_mode != "zeros" and any(map(any, pads)):
        x = padded(layer, x, pads, op.pad_mode)
        pads = ((0, 0),) * len(pads)
    inputs = [x, layer.weight("weight")] + [layer.weight("bias")] * layer.has("bias")
    return layer.last("Conv", *inputs, kernel_shape=op.kernel, strides=op.stride, dilations=op.dilation,
                      pads=onnx_pads(pads), group=op.groups)


def padded(layer: Layer, x: str, pads: tuple[tuple[int, int], ...], mode: str, value: float = 0.0) -> str:
    """A Pad of the spatial axes, on the way to the layer's result."""
    both = ((0, 0), (0, 0), *pads)
    inputs = [x, layer.ints(onnx_pads(both))]
    if value != 0.0:
        inputs.append(layer.number(value))
    return layer.on_the_way("Pad", *inputs, mode=PAD_MODES[mode])


def onnx_pads(pads: tuple[tuple[int, int], ...]) -> list[int]:
    """ONNX's order: all begins, then all ends."""
    return [begin for begin, _ in pads] + [end for _, end in pads]


EMITTERS: dict[type[Op], Emit] = {Conv: emit_conv}
