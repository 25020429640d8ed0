"""Pools, axis by axis: a window is a product of stretches, and so are maxima and sums over it.

Positions outside the input are left out of the functions' ranges, so that no padding is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.kernels.pool import window_divisor
from backends.numpy.plan.steps import pointwise
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending, Step, part, tiles
from backends.numpy.plan.threads import Task
from backends.numpy.plan.units import Unit
from compiler.ops.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool

#: Numbers of a tile of the result.
TILE = 1 << 15

#: (positions of the result, positions of the input that one tap of the window sees there).
Seen = tuple[slice, slice]
#: A function, its arguments, and where its result goes.
Call = tuple[Any, tuple[Array, ...], Array]


def taps(size: int, kernel: int, stride: int, dilation: int, begin: int, out: range) -> list[Seen]:
    """Where each tap of a window is within the input, along one axis; results count from `out`'s first."""
    made = []
    for tap in range(kernel):
        shift = tap * dilation - begin
        low = max(out.start, -(shift // stride))
        high = min(out.stop, (size - 1 - shift) // stride + 1)
        if low < high:
            first = low * stride + shift
            made.append(
                (
                    slice(low - out.start, high - out.start),
                    slice(first, first + (high - low - 1) * stride + 1, stride),
                )
            )
    return made


def reduced(
    function: Any, nothing: float, source: Array, target: Array, axis: int, seen: Sequence[Seen]
) -> list[Call]:
    """Calls that join all taps along one axis; `nothing` is what the function starts from."""

    def along(array: Array, stretch: slice) -> Array:
        return array[(*(WHOLE,) * axis, stretch)]

    whole = slice(0, target.shape[axis])
    full = [at for at, _ in seen].count(whole)
    first = [(at, of) for at, of in seen if at == whole] + [(at, of) for at, of in seen if at != whole]
    if full == 0:
        calls: list[Call] = [(np.positive, (np.full((1,) * target.ndim, nothing, target.dtype),), target)]
        rest = first
    elif len(first) == 1 or full == 1:
        calls, rest = [(np.positive, (along(source, first[0][1]),), target)], first[1:]
    else:
        calls = [(function, (along(source, first[0][1]), along(source, first[1][1])), target)]
        rest = first[2:]
    for at, of in rest:
        mine = along(target, at)
        calls.append((function, (mine, along(source, of)), mine))
    return calls


def make(kit: Kit, unit: Unit) -> Pending:
    """A maxpool or avgpool."""
    assert unit.head is not None and isinstance(unit.head.op, (MaxPool, AvgPool))
    op = unit.head.op
    source, target = kit.array(unit.inputs[0]), kit.array(unit.output)
    sizes, out = source.shape[1:-1], target.shape[1:-1]
    begins = [begin for begin, _ in op.pad]
    function, nothing = (np.maximum, -np.inf) if isinstance(op, MaxPool) else (np.add, 0.0)
    divisor = _divisor(kit, op, sizes, out) if isinstance(op, AvgPool) else None
    chain = pointwise.chain(kit, unit.chain, target.ndim)
    last = kit.layout.channels_last
    per_row = max(1, target.size // (target.shape[0] * out[0]))
    work = 2.0 * target.size * sum(op.kernel)
    parts = kit.parts(work)
    if last:
        cuts = list(tiles(target.shape[0], out[0], max(1, TILE // per_row), parts))
    else:
        rows = tiles(1, out[0], max(1, TILE // (per_row * target.shape[0])), parts)
        cuts = [(WHOLE, cut) for _, cut in rows]
    between = []
    for images, cut in cuts:
        lead = target[images].shape[0]
        height = cut.stop - cut.start
        between.append(
            tuple(
                (lead, height, *out[1:axis], *sizes[axis:], target.shape[-1]) for axis in range(1, len(out))
            )
        )
    for shapes in dict.fromkeys(between):
        kit.need(shapes)

    def pending() -> Step:
        tasks: list[Task] = []
        for (images, cut), shapes in zip(cuts, between, strict=True):
            where = (images, cut, *(WHOLE,) * (target.ndim - 2))
            result = target[where]
            end = None if divisor is None else part(divisor, where)
            calls = []
            for lent in kit.lent(shapes):
                x, mine = source[images], []
                for axis, place in enumerate([*lent, result]):
                    rows = range(cut.start, cut.stop) if axis == 0 else range(out[axis])
                    window = (op.kernel[axis], op.stride[axis], op.dilations[axis], begins[axis])
                    mine += reduced(function, nothing, x, place, 1 + axis, taps(sizes[axis], *window, rows))
                    x = place
                calls.append(mine)
            tasks.append(partial(_task, calls, end, pointwise.in_place(chain, where), result))
        return kit.phase(tasks, work)

    return pending


def _task(calls: list[list[Call]], divisor: Array | None, links: Any, target: Array, worker: int) -> None:
    for function, arguments, place in calls[worker]:
        function(*arguments, out=place)
    if divisor is not None:
        np.divide(target, divisor, out=target)
    links(target)


def _divisor(kit: Kit, op: AvgPool, sizes: tuple[int, ...], out: tuple[int, ...]) -> Array:
    """What each sum is divided by, stretched over images and channels."""
    divisor = op.divisor if not isinstance(op.divisor, str) else str(op.divisor)
    counts = window_divisor(sizes, out, op.kernel, op.stride, op.pad, divisor)
    return np.asarray(counts, kit.dtype).reshape(1, *out, 1)


def make_global(kit: Kit, unit: Unit) -> Pending:
    """A mean or maximum over all positions, one axis at a time."""
    assert unit.head is not None
    mean = isinstance(unit.head.op, GlobalAvgPool)
    source, target = kit.array(unit.inputs[0]), kit.array(unit.output)
    links = pointwise.in_place(pointwise.chain(kit, unit.chain, target.ndim), (WHOLE,) * target.ndim)
    result = target.reshape(target.shape[0], target.shape[-1])
    function: Any = np.add if mean else np.maximum
    count = kit.dtype.type(prod(source.shape[1:-1]))
    assert isinstance(unit.head.op, (GlobalAvgPool, GlobalMaxPool))

    def step() -> None:
        x = source
        while x.ndim > 3:
            x = function.reduce(x, axis=x.ndim - 2)
        function.reduce(x, axis=1, out=result)
        if mean:
            np.divide(result, count, out=result)
        links(target)

    return lambda: step
