"""Dropout, of which inference sees nothing or a factor."""

from __future__ import annotations

from backends.onnx.emit.base import Emit, Layer
from compiler.ops.base import Op
from compiler.ops.dropout import Dropout


def emit_dropout(layer: Layer) -> str:
    """`inverted` and `path` leave nothing; `classic` multiplies by 1 - p, the probability to keep."""
    assert isinstance(layer.op, Dropout)
    if layer.op.mode != "classic":
        return layer.passes()
    return layer.last("Mul", layer.x, layer.number(1.0 - layer.op.p))


EMITTERS: dict[type[Op], Emit] = {Dropout: emit_dropout}
