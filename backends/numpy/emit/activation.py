"""Activations: each by the kernel of its name, with what its backward needs."""

from __future__ import annotations

from typing import Any

from backends.numpy.emit.base import Emitter, Emitters, Expression, Layer
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

#: Layers whose backward needs the result; all others need the input.
_BY_RESULT = (Relu, Relu6, Sigmoid, Tanh, Softmax, LogSoftmax)


def _arguments(layer: Layer) -> dict[str, Any]:
    """The one argument of a layer that has one, where it differs from the kernel's default."""
    op = layer.op
    if isinstance(op, LeakyRelu):
        return {"slope": float(op.slope)}
    if isinstance(op, Elu):
        return {"alpha": float(op.alpha) if op.alpha != 1 else None}
    if isinstance(op, (Softmax, LogSoftmax)):
        return {"axis": op.axis + 1 if op.axis else None}
    return {}


def emit_activation(layer: Layer) -> Expression:
    return layer.call(layer.op.name, layer.x, **_arguments(layer))


def emit_activation_backward(layer: Layer) -> None:
    known = layer.saved_output if isinstance(layer.op, _BY_RESULT) else layer.saved()
    layer.give(layer.call(f"{layer.op.name}_backward", layer.d, known, **_arguments(layer)))


def emit_tanh(layer: Layer) -> Expression:
    return f"np.tanh({layer.x})"


def emit_prelu(layer: Layer) -> Expression:
    return layer.call("prelu", layer.x, layer.weight("weight"))


def emit_prelu_backward(layer: Layer) -> None:
    layer.give_all(layer.call("prelu_backward", layer.d, layer.saved(), layer.weight("weight")), ("weight",))


_BY_NAME: tuple[type[Op], ...] = (
    Relu,
    Relu6,
    LeakyRelu,
    Elu,
    Selu,
    Gelu,
    Silu,
    Mish,
    HardSwish,
    HardSigmoid,
    Sigmoid,
    Softplus,
    Softmax,
    LogSoftmax,
)

EMITTERS: Emitters = {
    **{op: Emitter(emit_activation, emit_activation_backward) for op in _BY_NAME},
    PRelu: Emitter(emit_prelu, emit_prelu_backward),
    Tanh: Emitter(emit_tanh, emit_activation_backward),
}
