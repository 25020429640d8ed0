"""Convolution."""

from __future__ import annotations

from typing import Any

from backends.numpy.emit.base import Call, Emitter, Emitters, Expression, Layer, Source, pads, per_axis, shown
from compiler.ops.conv import Conv


def _arguments(layer: Layer) -> dict[str, Any]:
    """What differs from the kernels' defaults.  `ceil` is a larger end pad; it wants fixed sizes."""
    op = layer.op
    pad = op.lowered_pads(layer.value().type)
    return {
        "stride": per_axis(op.stride) if set(op.stride) != {1} else None,
        "pad": pads(pad) if any(map(any, pad)) else None,
        "dilation": per_axis(op.dilation) if set(op.dilation) != {1} else None,
        "groups": _groups(layer),
        "pad_mode": str(op.pad_mode) if op.pad_mode != "zeros" and any(map(any, pad)) else None,
    }


def _groups(layer: Layer) -> int | Source | None:
    """The number of groups; in a class that blocks share, that of the filters where each is a group."""
    groups: int = layer.op.groups
    if layer.body.in_block and groups == layer.node.output.shape[0] > 1:
        return Source(f"len({layer.weight('weight')})")
    return groups if groups > 1 else None


def emit_conv(layer: Layer) -> Expression:
    return layer.call("conv", layer.x, layer.weight("weight"), layer.weight("bias"), **_arguments(layer))


def emit_conv_backward(layer: Layer) -> None:
    arguments = _arguments(layer)
    if layer.trains("weight"):
        shape = layer.weight_shape("weight")
        layer.give_weight(
            "weight", layer.call("conv_weight_gradient", layer.d, layer.saved(), shape, **arguments)
        )
    if layer.trains("bias"):
        layer.give_weight("bias", layer.call("channel_sums", layer.d))
    if layer.wants():
        layer.give(
            layer.call("conv_input_gradient", layer.d, layer.shape(), layer.weight("weight"), **arguments)
        )


def check_conv(layer: Layer) -> list[Call]:
    op, sizes = layer.op, f"{layer.x}.shape[2:]"
    arguments = {name: value for name, value in _arguments(layer).items() if name in ("pad", "dilation")}
    exact = True if op.round == "exact" and set(op.stride) != {1} else None
    calls = [
        layer.call(
            "check_windows",
            layer.label,
            sizes,
            shown(per_axis(op.kernel)),
            stride=per_axis(op.stride),
            **arguments,
            exact=exact,
        )
    ]
    if op.pad_mode in ("reflect", "circular") and arguments["pad"] is not None:
        calls.append(
            layer.call("check_border", layer.label, sizes, shown(arguments["pad"]), shown(str(op.pad_mode)))
        )
    return calls


EMITTERS: Emitters = {Conv: Emitter(emit_conv, emit_conv_backward, checks=check_conv)}
