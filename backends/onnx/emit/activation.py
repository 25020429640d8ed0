"""Activations."""

from __future__ import annotations

from backends.onnx.emit.base import Emit, Layer
from compiler.ops.activation import (
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    LogSoftmax,
    Mish,
    PRelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from compiler.ops.base import Op


def _plain(operator: str) -> Emit:
    """An operator without attributes."""
    return lambda layer: layer.last(operator, layer.x)


def emit_relu6(layer: Layer) -> str:
    return layer.last("Clip", layer.x, layer.number(0.0), layer.number(6.0))


def emit_leakyrelu(layer: Layer) -> str:
    assert isinstance(layer.op, LeakyRelu)
    return layer.last("LeakyRelu", layer.x, alpha=layer.op.slope)


def emit_prelu(layer: Layer) -> str:
    """One slope stretches by itself; one per channel is seen as (C, 1, ..., 1)."""
    assert isinstance(layer.op, PRelu)
    slope = layer.weight("weight") if layer.op.shared else layer.per_channel("weight")
    return layer.last("PRelu", layer.x, slope)


def emit_elu(layer: Layer) -> str:
    assert isinstance(layer.op, Elu)
    return layer.last("Elu", layer.x, alpha=layer.op.alpha)


def emit_gelu(layer: Layer) -> str:
    """The exact form, with erf."""
    return layer.last("Gelu", layer.x, approximate="none")


def emit_silu(layer: Layer) -> str:
    return layer.last("Mul", layer.x, layer.on_the_way("Sigmoid", layer.x))


def emit_hardsigmoid(layer: Layer) -> str:
    """max(0, min(1, x / 6 + 1/2)), as PyTorch; ONNX's own default slope is 0.2."""
    return layer.last("HardSigmoid", layer.x, alpha=1.0 / 6.0, beta=0.5)


def emit_softmax(layer: Layer) -> str:
    assert isinstance(layer.op, Softmax)
    return layer.last("Softmax", layer.x, axis=layer.op.axis + 1)


def emit_logsoftmax(layer: Layer) -> str:
    assert isinstance(layer.op, LogSoftmax)
    return layer.last("LogSoftmax", layer.x, axis=layer.op.axis + 1)


EMITTERS: dict[type[Op], Emit] = {
    Relu: _plain("Relu"),
    Relu6: emit_relu6,
    LeakyRelu: emit_leakyrelu,
    PRelu: emit_prelu,
    Elu: emit_elu,
    Selu: _plain("Selu"),  # the default constants are those of the paper, to more digits than a float has
    Gelu: emit_gelu,
    Silu: emit_silu,
    Mish: _plain("Mish"),
    HardSwish: _plain("HardSwish"),
    HardSigmoid: emit_hardsigmoid,
    Sigmoid: _plain("Sigmoid"),
    Tanh: _plain("Tanh"),
    Softplus: _plain("Softplus"),
    Softmax: emit_softmax,
    LogSoftmax: emit_logsoftmax,
}
