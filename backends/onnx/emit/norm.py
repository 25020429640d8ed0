"""Normalisations."""

from __future__ import annotations

import numpy as np

from backends.onnx.emit.base import Emit, Layer
from backends.onnx.emit.dense import back, to_the_end
from compiler.ops.base import Op
from compiler.ops.norm import BatchNorm, GroupNorm, InstanceNorm, L2Norm, LayerNorm, Lrn, Scale


def emit_batchnorm(layer: Layer) -> str:
    """With the running statistics.  ONNX's momentum is the weight of the old value."""
    op = layer.op
    assert isinstance(op, BatchNorm)
    scale, bias = _affine(layer, layer.x_type.shape[0])
    return layer.last("BatchNormalization", layer.x, scale, bias, layer.weight("running_mean"),
                      layer.weight("running_var"), epsilon=op.eps, momentum=1.0 - op.momentum)


def emit_instancenorm(layer: Layer) -> str:
    op = layer.op
    assert isinstance(op, InstanceNorm)
    if layer.x_type.free[0]:
        return standardised(layer, list(range(2, layer.x_type.rank + 1)), op.eps)
    scale, bias = _affine(layer, layer.x_type.shape[0])
    return layer.last("InstanceNormalization", layer.x, scale, bias, epsilon=op.eps)


def emit_groupnorm(layer: Layer) -> str:
    """InstanceNormalization of the groups, then factor and offset per channel.

    GroupNormalization is a function of ONNX whose variance is a difference of squares: in float32 that is
    noise where a group varies little.
    """
    op = layer.op
    assert isinstance(op, GroupNorm)
    constant = layer.emission.constant
    grouped = layer.on_the_way("Reshape", layer.x, layer.ints([0, op.groups, -1]))
    normal = layer.on_the_way("InstanceNormalization", grouped,
                              constant(np.ones(op.groups, np.float32), f"ones/{op.groups}"),
                              constant(np.zeros(op.groups, np.float32), f"zeros/{op.groups}"), epsilon=op.eps)
    if not layer.has("weight"):
        return layer.reshaped_back(normal, layer.x, layer.x_type)
    shaped = layer.on_the_way("Reshape", normal, layer.shape_of(layer.x, layer.x_type))
    scaled = layer.on_the_way("Mul", shaped, layer.per_channel("weight"))
    return layer.last("Add", scaled, layer.per_channel("bias"))


def emit_layernorm(layer: Layer) -> str:
    """LayerNormalization over the last axis, to which the channels are brought if they are meant."""
    op = layer.op
    assert isinstance(op, LayerNorm)
    if layer.x_type.free[op.axis]:
        return standardised(layer, [op.axis + 1], op.eps)
    x, order = to_the_end(layer, layer.x, op.axis)
    scale, bias = _affine(layer, layer.x_type.shape[op.axis])
    if order is None:
        return layer.last("LayerNormalization", x, scale, bias, axis=-1, epsilon=op.eps)
    return back(layer, layer.on_the_way("LayerNormalization", x, scale, bias, axis=-1, epsilon=op.eps), order)


def emit_l2norm(layer: Layer) -> str:
    """x / max(norm over channels, eps) times a factor per channel.  LpNormalization has no eps."""
    op = layer.op
    assert isinstance(op, L2Norm)
    norm = layer.on_the_way("ReduceL2", layer.x, layer.ints([1]), keepdims=1)
    unit = layer.on_the_way("Div", layer.x, layer.on_the_way("Max", norm, layer.number(op.eps)))
    return layer.last("Mul", unit, layer.per_channel("weight"))


def emit_lrn(layer: Layer) -> str:
    """LRN where its divisor stays near k, as in every published network, else the formula in steps.

    onnxruntime keeps a running sum of squares over the channels.  What a large value leaves there by
    rounding, up to 1e-7 of its square, stands beside k in the divisors of the channels that follow.
    """
    op = layer.op
    assert isinstance(op, Lrn)
    alpha = op.alpha * (op.size if op.scale == "sum" else 1)  # of the mean of the squares
    # Nor has it an LRN for a zero, of single precision here.
    if not np.float32(alpha) * np.float32(op.beta) or alpha / op.size > 1e-4 * op.k:
        return _lrn_in_steps(layer, op, alpha)
    x = layer.x_type
    attributes = {"size": op.size, "alpha": alpha, "beta": op.beta, "bias": op.k}
    if x.rank == 3:
        return layer.last("LRN", layer.x, **attributes)
    # onnxruntime has it for two spatial axes: (N, C, L) becomes (N, C, L, 1), (N, C, D, H, W) becomes
    # (N, C, D, H * W).  0 keeps an extent, so that free ones stay free.
    seen = layer.on_the_way("Reshape", layer.x, layer.ints([0, 0, 0, -1 if x.rank > 3 else 1]))
    return layer.reshaped_back(layer.on_the_way("LRN", seen, **attributes), layer.x, x)


def _lrn_in_steps(layer: Layer, op: Lrn, alpha: float) -> str:
    """x / (k + alpha * mean)^beta: the mean of the squares is an average pool along the channels."""
    divisor = layer.number(op.k)
    if alpha:
        squares = layer.on_the_way("Mul", layer.x, layer.x)
        flat = layer.on_the_way("Reshape", squares, layer.ints([0, 0, -1]))
        flat = layer.on_the_way("Unsqueeze", flat, layer.ints([1]))  # (N, 1, C, positions)
        half = op.size // 2
        mean = layer.on_the_way("AveragePool", flat, kernel_shape=[op.size, 1], pads=[half, 0, half, 0],
                                strides=[1, 1], count_include_pad=1)
        mean = layer.on_the_way("Reshape", mean, layer.shape_of(layer.x, layer.x_type))
        divisor = layer.on_the_way("Add", layer.on_the_way("Mul", mean, layer.number(alpha)), divisor)
    return layer.last("Div", layer.x, layer.on_the_way("Pow", divisor, layer.number(op.beta)))


def emit_scale(layer: Layer) -> str:
    if not layer.has("bias"):
        return layer.last("Mul", layer.x, layer.per_channel("weight"))
    scaled = layer.on_the_way("Mul", layer.x, layer.per_channel("weight"))
    return layer.last("Add", scaled, layer.per_channel("bias"))


def standardised(layer: Layer, axes: list[int], eps: float) -> str:
    """(x - mean) / sqrt(var + eps) in single steps: ONNX's normalisations need factors of a known size."""
    mean = layer.on_the_way("ReduceMean", layer.x, layer.ints(axes), keepdims=1)
    centred = layer.on_the_way("Sub", layer.x, mean)
    squares = layer.on_the_way("Mul", centred, centred)
    variance = layer.on_the_way("ReduceMean", squares, layer.ints(axes), keepdims=1)
    return layer.last("Div", centred,
                      layer.on_the_way("Sqrt", layer.on_the_way("Add", variance, layer.number(eps))))


def _affine(layer: Layer, channels: int) -> tuple[str, str]:
    """Factor and offset, ones and zeros where the layer has none: ONNX demands them."""
    if layer.has("weight"):
        return layer.weight("weight"), layer.weight("bias")
    constant = layer.emission.constant
    return (constant(np.ones(channels, np.float32), f"ones/{channels}"),
            constant(np.zeros(channels, np.float32), f"zeros/{channels}"))


EMITTERS: dict[type[Op], Emit] = {
    BatchNorm: emit_batchnorm,
    InstanceNorm: emit_instancenorm,
    GroupNorm: emit_groupnorm,
    LayerNorm: emit_layernorm,
    L2Norm: emit_l2norm,
    Lrn: emit_lrn,
    Scale: emit_scale,
}
