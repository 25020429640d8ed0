"""Graph to ONNX: one emitter per layer, found by its class, a family a file."""

from __future__ import annotations

from backends.onnx.emit import activation, conv, dense, dropout, join, norm, pool, reshape
from backends.onnx.emit.base import Emission, Emit, Layer
from backends.onnx.emit.pool import refusal
from compiler.ops.base import Op

EMITTERS: dict[type[Op], Emit] = {
    op: emit
    for family in (conv, pool, dense, norm, activation, dropout, reshape, join)
    for op, emit in family.EMITTERS.items()
}


__all__ = ["EMITTERS", "Emission", "Layer", "refusal"]
