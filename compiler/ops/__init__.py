"""The layers, each declared once, one family a file.  `OPS` finds them by their name in the language."""

from __future__ import annotations

from compiler.ops import activation, conv, dense, dropout, join, norm, pool, reshape
from compiler.ops.base import Op, TensorType, WeightedOp, WeightSpec, Window

FAMILIES = {
    "Convolution": conv.OPS,
    "Pooling": pool.OPS,
    "Fully connected": dense.OPS,
    "Normalisation": norm.OPS,
    "Activation": activation.OPS,
    "Dropout": dropout.OPS,
    "Shape": reshape.OPS,
    "Joins": join.OPS,
}

OPS: dict[str, type[Op]] = {op.name: op for family in FAMILIES.values() for op in family}

__all__ = ["FAMILIES", "OPS", "Op", "TensorType", "WeightSpec", "WeightedOp", "Window"]
