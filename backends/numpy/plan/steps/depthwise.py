"""A convolution in which every channel has one filter of its own: a sum over the kernel, no products of
matrices.  Channels last, in tiles of rows."""

from __future__ import annotations

from math import prod

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.plan.steps import pointwise
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending, Step, tiles
from backends.numpy.plan.threads import Task
from backends.numpy.plan.units import Unit

#: Numbers of a tile: it, the factor's product and the input's rows stay in the cache.
TILE = 1 << 14


def make(kit: Kit, unit: Unit, windows: Array) -> Pending:
    """`windows` [C, N, out..., kernel...] is the view of the input that the convolution sees."""
    assert unit.head is not None
    name = unit.head.weights["weight"]
    weight = kit.weights[name]
    rank = weight.ndim - 2
    taps = kit.pack(("depthwise", name), lambda: np.ascontiguousarray(weight.reshape(len(weight), -1).T))
    target = kit.array(unit.output)
    seen = np.moveaxis(windows, 0, 1 + rank)  # [N, out..., C, kernel...]
    places = list(np.ndindex(*weight.shape[2:]))
    chain = pointwise.chain(kit, unit.chain, target.ndim)
    per_row = target.size // (target.shape[0] * target.shape[1])
    work = 4.0 * target.size * prod(weight.shape[2:])
    cuts = list(tiles(target.shape[0], target.shape[1], max(1, TILE // per_row), kit.parts(work)))
    shapes = [target[cut].shape for cut in cuts]
    for shape in dict.fromkeys(shapes):
        kit.need([shape, shape])

    def pending() -> Step:
        lent = {shape: kit.lent([shape, shape]) for shape in dict.fromkeys(shapes)}
        tasks: list[Task] = []
        for (images, rows), shape in zip(cuts, shapes, strict=True):
            where = (images, rows, *(WHOLE,) * (target.ndim - 2))
            mine = seen[images, rows]
            parts = [mine[(..., *place)] for place in places]
            tasks.append(_task(parts, taps, lent[shape], pointwise.applied(chain, where), target[where]))
        return kit.phase(tasks, work)

    return pending


def _task(
    parts: list[Array], taps: Array, lent: list[list[Array]], apply: pointwise.Apply, target: Array
) -> Task:
    def task(worker: int) -> None:
        total, product = lent[worker]
        np.multiply(parts[0], taps[0], out=total)
        for part, tap in zip(parts[1:], taps[1:], strict=True):
            np.multiply(part, tap, out=product)
            np.add(total, product, out=total)
        apply(total, target)

    return task
