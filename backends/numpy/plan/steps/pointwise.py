"""Number-by-number work: the links of a chain, and units that have nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backends.numpy.kernels import activation
from backends.numpy.kernels.arrays import Array
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending, Step, Where, part, tiles
from backends.numpy.plan.threads import Task
from backends.numpy.plan.units import Link, Unit
from compiler.graph import Node
from compiler.ops.activation import Elu, LeakyRelu, PRelu, Relu, Relu6, Tanh
from compiler.ops.dropout import Dropout
from compiler.ops.join import Add, Average, Maximum, Multiply
from compiler.ops.norm import BatchNorm, Scale

#: Reads the first array, writes the second, which may be the first.
Apply = Callable[[Array, Array], object]
#: The work on the tile that lies at a place.
At = Callable[[Where], Apply]

#: Numbers of a tile: some hundred kilobytes, which stay in the cache from one link to the next.
TILE = 1 << 16


def chain(kit: Kit, links: Sequence[Link], axes: int) -> list[At]:
    """What the links do, for arrays of so many axes in memory."""
    return [_link(kit, link, axes) for link in links]


def applied(chain: Sequence[At], where: Where) -> Apply:
    """The whole chain at one place: from an array into another one (copied if the chain is empty)."""
    links = [at(where) for at in chain]
    if not links:
        return _copied
    if len(links) == 1:
        return links[0]
    first, *rest = links

    def apply(x: Array, out: Array) -> None:
        first(x, out)
        for link in rest:
            link(out, out)

    return apply


def in_place(chain: Sequence[At], where: Where) -> Callable[[Array], object]:
    """The whole chain on an array itself."""
    links = [at(where) for at in chain]

    def apply(x: Array) -> None:
        for link in links:
            link(x, x)

    return apply


def make(kit: Kit, unit: Unit) -> Pending:
    """A unit without a head: its chain, in tiles."""
    source, target = kit.array(unit.inputs[0]), kit.array(unit.output)
    work = chain(kit, unit.chain, target.ndim)
    size = target.size
    if size <= 2 * TILE or target.ndim < 3:
        whole = (WHOLE,) * target.ndim
        step: Step = partial(applied(work, whole), source, target)
        return lambda: step
    tasks: list[Task] = []
    per_row = size // (target.shape[0] * target.shape[1])
    operations = 4.0 * size * len(unit.chain)
    for first, second in tiles(
        target.shape[0], target.shape[1], max(1, TILE // per_row), kit.parts(operations)
    ):
        where = (first, second, *(WHOLE,) * (target.ndim - 2))
        tasks.append(partial(_task, applied(work, where), source[where], target[where]))
    shared = kit.phase(tasks, operations)
    return lambda: shared


def _task(apply: Apply, x: Array, out: Array, worker: int) -> None:
    apply(x, out)


def _copied(x: Array, out: Array) -> None:
    np.copyto(out, x)


def _everywhere(apply: Apply) -> At:
    return lambda where: apply


def _link(kit: Kit, link: Link, axes: int) -> At:
    node, op = link.node, link.node.op
    if link.is_bias:
        return _with(np.add, kit.layout.per_channel(kit.weights[node.weights["bias"]], axes))
    if isinstance(op, (Add, Multiply, Maximum, Average)):
        return _join(kit, link, axes)
    if isinstance(op, BatchNorm):
        return _affine(kit, *_standardising(kit, node, op), axes)
    if isinstance(op, Scale):
        bias = kit.weights[node.weights["bias"]] if op.bias else None
        return _affine(kit, kit.weights[node.weights["weight"]], bias, axes)
    if isinstance(op, PRelu):
        slopes = kit.weights[node.weights["weight"]]
        return _prelu(slopes.reshape((1,) * axes) if op.shared else kit.layout.per_channel(slopes, axes))
    if isinstance(op, Dropout):
        return _with(np.multiply, _number(kit, 1 - op.p, axes))
    return _everywhere(_activation(kit, op))


def _number(kit: Kit, value: float, axes: int) -> Array:
    return np.full((1,) * axes, value, kit.dtype)


def _with(function: Any, operand: Array) -> At:
    """A function of two arrays, the second one stretched to the first."""

    def at(where: Where) -> Apply:
        mine = part(operand, where)
        if mine.size == 1:
            mine = mine.reshape(())
        return lambda x, out: function(x, mine, out=out)

    return at


def _one_after_another(parts: Sequence[At]) -> At:
    return parts[0] if len(parts) == 1 else lambda where: applied(parts, where)


def _join(kit: Kit, link: Link, axes: int) -> At:
    op: Any = link.node.op
    function: Any = {Add: np.add, Average: np.add, Multiply: np.multiply, Maximum: np.maximum}[type(op)]
    parts = [_with(function, kit.array(value, axes)) for value in link.others]
    if isinstance(op, (Add, Multiply)) and op.constant is not None:
        parts.append(_with(function, _number(kit, op.constant, axes)))
    if isinstance(op, Average):
        parts.append(_with(np.divide, _number(kit, 1 + len(link.others), axes)))
    return _one_after_another(parts)


def _standardising(kit: Kit, node: Node, op: BatchNorm) -> tuple[Array, Array]:
    """Factor and offset of a batchnorm that could not be folded: computed in float64, rounded once."""
    own = {name: np.asarray(kit.weights[dotted], np.float64) for name, dotted in node.weights.items()}
    factor = own.get("weight", 1.0) / np.sqrt(own["running_var"] + op.eps)
    shift = own.get("bias", 0.0) - own["running_mean"] * factor
    return factor.astype(kit.dtype), shift.astype(kit.dtype)


def _affine(kit: Kit, factor: Array, shift: Array | None, axes: int) -> At:
    parts = [_with(np.multiply, kit.layout.per_channel(factor, axes))]
    if shift is not None:
        parts.append(_with(np.add, kit.layout.per_channel(shift, axes)))
    return _one_after_another(parts)


def _prelu(slopes: Array) -> At:
    def at(where: Where) -> Apply:
        mine = part(slopes, where)
        return lambda x, out: np.copyto(out, np.where(x > 0, x, mine * x))

    return at


def _activation(kit: Kit, op: Any) -> Apply:
    zero, six = kit.dtype.type(0), kit.dtype.type(6)
    if isinstance(op, Relu):
        return lambda x, out: np.maximum(x, zero, out=out)
    if isinstance(op, Relu6):
        return lambda x, out: np.clip(x, zero, six, out=out)
    if isinstance(op, Tanh):
        return lambda x, out: np.tanh(x, out=out)
    more: dict[str, float] = {}
    if isinstance(op, LeakyRelu):
        more = {"slope": float(op.slope)}
    if isinstance(op, Elu):
        more = {"alpha": float(op.alpha)}
    kernel = getattr(activation, op.name)
    return lambda x, out: np.copyto(out, kernel(x, **more))
