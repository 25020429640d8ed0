"""Layers that move, cut, pad or drop: plain indexing where that says it best."""

from __future__ import annotations

from backends.numpy.emit.base import Call, Emitter, Emitters, Expression, Layer, pads, shown
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


def emit_flatten(layer: Layer) -> Expression:
    if layer.is_free():
        return f"{layer.x}.reshape(len({layer.x}), -1)"
    return f"{layer.x}.reshape(len({layer.x}), {layer.node.output.shape[0]})"


def emit_reshape(layer: Layer) -> Expression:
    return f"{layer.x}.reshape({', '.join([f'len({layer.x})', *map(str, layer.op.shape)])})"


def emit_reshape_backward(layer: Layer) -> None:
    shape = layer.shape()
    layer.give(f"{layer.d}.reshape{shape}" if shape.startswith("(") else f"{layer.d}.reshape({shape})")


def _transposed(x: str, order: list[int]) -> str:
    return f"{x}.transpose({', '.join(map(str, order))})"


def emit_permute(layer: Layer) -> Expression:
    return _transposed(layer.x, [0, *(axis + 1 for axis in layer.op.order)])


def emit_permute_backward(layer: Layer) -> None:
    order = list(layer.op.order)
    layer.give(_transposed(layer.d, [0, *(order.index(axis) + 1 for axis in range(len(order)))]))


def emit_select(layer: Layer) -> Expression:
    return Call(layer.x, tuple(map(str, layer.op.channels)), "[:, [", "]]")


def emit_select_backward(layer: Layer) -> None:
    channels = shown(list(layer.op.channels)).split(", ")  # each an argument of its own, to be broken between
    layer.give(layer.call("select_backward", layer.d, layer.shape(), *channels))


def emit_channelshuffle(layer: Layer) -> Expression:
    return layer.call("channelshuffle", layer.x, str(layer.op.groups))


def emit_channelshuffle_backward(layer: Layer) -> None:
    """The other number of groups undoes it."""
    groups = layer.op.groups
    if layer.body.in_block:
        other = f"{layer.d}.shape[1] // {groups}"
    else:
        other = str(layer.node.output.shape[0] // groups)
    layer.give(layer.call("channelshuffle", layer.d, other))


def emit_slice(layer: Layer) -> Expression:
    op = layer.op
    return f"{layer.x}[{', '.join([':'] * (op.axis + 1))}, {op.start}:{op.stop}]"


def emit_slice_backward(layer: Layer) -> None:
    layer.give(
        layer.call("slice_backward", layer.d, layer.shape(), str(layer.op.axis + 1), str(layer.op.start))
    )


def emit_reduce(layer: Layer) -> Expression:
    return f"{layer.x}.{layer.op.how}(axis={layer.op.axis + 1})"


def emit_reduce_backward(layer: Layer) -> None:
    axis = str(layer.op.axis + 1)
    if layer.op.how == "max":
        layer.give(layer.call("max_backward", layer.d, layer.saved(), layer.saved_output, axis))
    else:
        layer.give(layer.call(f"{layer.op.how}_backward", layer.d, layer.shape(), axis))


def _padding(layer: Layer) -> tuple[str, str | None]:
    return shown(pads(layer.op.amount)), str(layer.op.mode) if layer.op.mode != "zeros" else None


def emit_pad(layer: Layer) -> Expression:
    amount, mode = _padding(layer)
    return layer.call("padded", layer.x, amount, mode=mode)


def emit_pad_backward(layer: Layer) -> None:
    amount, mode = _padding(layer)
    layer.give(layer.call("padded_backward", layer.d, amount, mode=mode))


def check_pad(layer: Layer) -> list[Call]:
    amount, mode = _padding(layer)
    if mode not in ("reflect", "circular"):
        return []
    return [layer.call("check_border", layer.label, f"{layer.x}.shape[2:]", amount, shown(mode))]


def emit_identity(layer: Layer) -> Expression:
    """Not written: its result goes by the name of its input.  Here for whoever asks for the expression."""
    return layer.x


def emit_identity_backward(layer: Layer) -> None:
    layer.give(layer.d)


EMITTERS: Emitters = {
    Flatten: Emitter(emit_flatten, emit_reshape_backward),
    Reshape: Emitter(emit_reshape, emit_reshape_backward),
    Permute: Emitter(emit_permute, emit_permute_backward),
    Select: Emitter(emit_select, emit_select_backward),
    ChannelShuffle: Emitter(emit_channelshuffle, emit_channelshuffle_backward),
    Slice: Emitter(emit_slice, emit_slice_backward),
    Reduce: Emitter(emit_reduce, emit_reduce_backward),
    Pad: Emitter(emit_pad, emit_pad_backward, checks=check_pad),
    Identity: Emitter(emit_identity, emit_identity_backward),
}
