"""Joins of several tensors, and of tensors with numbers."""

from __future__ import annotations

from backends.onnx.emit.base import Emit, Layer
from compiler.ops.base import Op
from compiler.ops.join import Add, Average, Concat, Maximum, Multiply


def emit_add(layer: Layer) -> str:
    """The sum of the tensors, and of a number if there is one."""
    assert isinstance(layer.op, Add)
    return _chained(layer, "Add", layer.op.constant)


def emit_multiply(layer: Layer) -> str:
    assert isinstance(layer.op, Multiply)
    return _chained(layer, "Mul", layer.op.constant)


def emit_maximum(layer: Layer) -> str:
    return layer.last("Max", *layer.inputs)


def emit_average(layer: Layer) -> str:
    return layer.last("Mean", *layer.inputs)


def emit_concat(layer: Layer) -> str:
    assert isinstance(layer.op, Concat)
    return layer.last("Concat", *layer.inputs, axis=layer.op.axis + 1)


def _chained(layer: Layer, operator: str, constant: float | None) -> str:
    """From left to right, as all backends add, so that rounding is the same."""
    operands = layer.inputs if constant is None else [*layer.inputs, layer.number(constant)]
    so_far = operands[0]
    for operand in operands[1:-1]:
        so_far = layer.on_the_way(operator, so_far, operand)
    return layer.last(operator, so_far, operands[-1])


EMITTERS: dict[type[Op], Emit] = {
    Add: emit_add,
    Multiply: emit_multiply,
    Maximum: emit_maximum,
    Average: emit_average,
    Concat: emit_concat,
}
