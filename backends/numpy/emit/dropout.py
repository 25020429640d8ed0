"""Dropout."""

from __future__ import annotations

from backends.numpy.emit.base import Emitter, Emitters, Expression, Layer, Source
from compiler.ops.dropout import Dropout


def emit_dropout(layer: Layer) -> Expression:
    op = layer.op
    return layer.call(
        "dropout",
        layer.x,
        repr(float(op.p)),
        layer.body.generator,
        training=Source(layer.body.training),
        classic=True if op.mode == "classic" else None,
        spatial=True if op.spatial else None,
        drop_path=True if op.mode == "path" else None,
    )


def emit_dropout_backward(layer: Layer) -> None:
    layer.give(layer.call("dropout_backward", layer.d, layer.extra("factor")))


EMITTERS: Emitters = {Dropout: Emitter(emit_dropout, emit_dropout_backward, extra="factor")}
