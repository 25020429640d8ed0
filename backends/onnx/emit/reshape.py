"""Layers that move numbers and compute none, and reductions."""

from __future__ import annotations

from backends.onnx.emit.base import Emit, Layer
from backends.onnx.emit.conv import PAD_MODES, onnx_pads
from compiler.ops.base import Op
from compiler.ops.reshape import (
    ChannelShuffle,
    Flatten,
    Identity,
    Pad,
    Permute,
    Reduce,
    Reshape,
    Select,
    Slice,
)

_REDUCTIONS = {"max": "ReduceMax", "mean": "ReduceMean", "sum": "ReduceSum"}


def emit_flatten(layer: Layer) -> str:
    """Flatten keeps the batch, whatever its size."""
    return layer.last("Flatten", layer.x, axis=1)


def emit_reshape(layer: Layer) -> str:
    """0 keeps the batch."""
    return layer.last("Reshape", layer.x, layer.ints([0, *layer.y_type.shape]))


def emit_permute(layer: Layer) -> str:
    assert isinstance(layer.op, Permute)
    return layer.last("Transpose", layer.x, perm=[0, *(axis + 1 for axis in layer.op.order)])


def emit_select(layer: Layer) -> str:
    assert isinstance(layer.op, Select)
    return layer.last("Gather", layer.x, layer.ints(layer.op.channels), axis=1)


def emit_channelshuffle(layer: Layer) -> str:
    """By number, since a reshape to groups and back needs to know all but one of the extents."""
    assert isinstance(layer.op, ChannelShuffle)
    return layer.last("Gather", layer.x, layer.ints(layer.op.order(layer.y_type.shape[0])), axis=1)


def emit_slice(layer: Layer) -> str:
    op = layer.op
    assert isinstance(op, Slice)
    return layer.last("Slice", layer.x, layer.ints([op.start]), layer.ints([op.stop]),
                      layer.ints([op.axis + 1]))


def emit_reduce(layer: Layer) -> str:
    op = layer.op
    assert isinstance(op, Reduce)
    return layer.last(_REDUCTIONS[op.how], layer.x, layer.ints([op.axis + 1]), keepdims=0)


def emit_pad(layer: Layer) -> str:
    op = layer.op
    assert isinstance(op, Pad)
    pads = ((0, 0), (0, 0), *op.amount)
    return layer.last("Pad", layer.x, layer.ints(onnx_pads(pads)), mode=PAD_MODES[op.mode])


def emit_identity(layer: Layer) -> str:
    return layer.passes()


EMITTERS: dict[type[Op], Emit] = {
    Flatten: emit_flatten,
    Reshape: emit_reshape,
    Permute: emit_permute,
    Select: emit_select,
    ChannelShuffle: emit_channelshuffle,
    Slice: emit_slice,
    Reduce: emit_reduce,
    Pad: emit_pad,
    Identity: emit_identity,
}
