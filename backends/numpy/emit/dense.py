"""Fully connected layers, and distances to centres."""

from __future__ import annotations

from backends.numpy.emit.base import Emitter, Emitters, Expression, Layer
from compiler.ops.dense import Fc, Rbf


def _axis(layer: Layer) -> int | None:
    """The axis of the array, where it is not the last."""
    axis: int = layer.op.position + 1
    return axis if axis != layer.value().type.rank else None


def emit_fc(layer: Layer) -> Expression:
    return layer.call("fc", layer.x, layer.weight("weight"), layer.weight("bias"), axis=_axis(layer))


def emit_fc_backward(layer: Layer) -> None:
    axis = _axis(layer)
    if layer.trains("weight"):
        layer.give_weight("weight", layer.call("fc_weight_gradient", layer.d, layer.saved(), axis=axis))
    if layer.trains("bias"):
        sums = layer.call("channel_sums", layer.d) if layer.op.position == 0 else None
        layer.give_weight("bias", sums or layer.call("fc_bias_gradient", layer.d, axis=axis))
    if layer.wants():
        layer.give(layer.call("fc_input_gradient", layer.d, layer.weight("weight"), axis=axis))


def emit_rbf(layer: Layer) -> Expression:
    return layer.call("rbf", layer.x, layer.inputs[layer.op.centers])


def emit_rbf_backward(layer: Layer) -> None:
    centers = layer.op.centers
    layer.give_all(layer.call("rbf_backward", layer.d, layer.saved(), layer.saved(centers)), (), (0, centers))


EMITTERS: Emitters = {Fc: Emitter(emit_fc, emit_fc_backward), Rbf: Emitter(emit_rbf, emit_rbf_backward)}
