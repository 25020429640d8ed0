"""Fully connected layers and radial basis functions."""

from __future__ import annotations

from backends.onnx.emit.base import Emit, Layer
from compiler.ops.base import Op
from compiler.ops.dense import Fc, Rbf


def emit_fc(layer: Layer) -> str:
    """Gemm on features; along an axis of something larger, MatMul with that axis brought to the end."""
    op = layer.op
    assert isinstance(op, Fc)
    bias = [layer.weight("bias")] * layer.has("bias")
    if layer.x_type.rank == 1:
        return layer.last("Gemm", layer.x, layer.weight("weight"), *bias, transB=1)
    turned = layer.on_the_way("Transpose", layer.weight("weight"), perm=[1, 0])
    x, order = to_the_end(layer, layer.x, op.position)
    steps = [("MatMul", turned), *(("Add", b) for b in bias)]
    for operator, other in steps[:-1]:
        x = layer.on_the_way(operator, x, other)
    operator, other = steps[-1]
    if order is None:
        return layer.last(operator, x, other)
    return back(layer, layer.on_the_way(operator, x, other), order)


def to_the_end(layer: Layer, x: str, axis: int) -> tuple[str, list[int] | None]:
    """`x` with an axis (counted without the batch) as the last, and the order used; None if it was last."""
    rank, place = layer.x_type.rank + 1, axis + 1
    if place == rank - 1:
        return x, None
    order = [*(i for i in range(rank) if i != place), place]
    return layer.on_the_way("Transpose", x, perm=order), order


def back(layer: Layer, x: str, order: list[int]) -> str:
    """The layer's result: `to_the_end` undone."""
    return layer.last("Transpose", x, perm=[order.index(i) for i in range(len(order))])


def emit_rbf(layer: Layer) -> str:
    """sum over features of (x - centre)^2: (N, F) against (n, F) gives (N, n)."""
    op = layer.op
    assert isinstance(op, Rbf)
    rows = layer.on_the_way("Unsqueeze", layer.x, layer.ints([1]))
    apart = layer.on_the_way("Sub", rows, layer.inputs[op.centers])
    squares = layer.on_the_way("Mul", apart, apart)
    return layer.last("ReduceSum", squares, layer.ints([2]), keepdims=0)


EMITTERS: dict[type[Op], Emit] = {Fc: emit_fc, Rbf: emit_rbf}
