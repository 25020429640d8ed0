"""Convolution as columns times filters, in tiles whose columns stay in the cache.

Where the columns lie in memory already (1x1, a kernel as large as the input), nothing is copied.
On a tile follow the maxpool that belongs to the unit and its chain: bias, sum, activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.plan.steps import depthwise, pointwise
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending, Step, Where, merged, sequence, tiles
from backends.numpy.plan.storage import Home
from backends.numpy.plan.threads import Task
from backends.numpy.plan.units import Unit
from compiler.ops.conv import Conv
from compiler.ops.pool import MaxPool

#: Positions of a tile: fewer, and BLAS arranges the filters anew too often; more, and the cache overflows.
POSITIONS = 1024
#: Numbers in the columns of a tile, from which on there are fewer positions ...
NUMBERS = 1 << 20
#: ... but never fewer than these.
LEAST = 256

#: Numbers in columns that are not worth more than one tile.
SMALL = 1 << 16


class Convolution:
    """The arrays of one convolution, with the spatial axes of the result as `out`.

    `windows` is a view of the input that repeats what windows share: channels last
    [G, N, out..., kernel..., C / G], batch last [G, C / G, kernel..., out..., N].
    `filters` is [G, O / G, depth], with the depth in the same order.
    """

    def __init__(self, kit: Kit, unit: Unit) -> None:
        assert unit.head is not None and isinstance(unit.head.op, Conv)
        self.kit, self.unit, self.op = kit, unit, unit.head.op
        op, x = self.op, unit.inputs[0]
        self.last = kit.layout.channels_last
        self.groups = op.groups
        self.images = kit.concrete.shape(x)[0]
        self.channels = x.shape[0] // op.groups
        self.filters_each = op.filters // op.groups
        self.pool = (
            unit.pool.op.kernel if unit.pool is not None and isinstance(unit.pool.op, MaxPool) else None
        )
        self.target = kit.array(unit.output)
        out = unit.head.output.shape[1:]
        if self.pool is not None:  # rows that no window of the pool sees are not computed
            out = tuple(n * k for n, k in zip(unit.output.shape[1:], self.pool, strict=True))
        self.out = out
        self.windows = self._windows(kit.storage.home(x))
        self.depth = self.channels * prod(op.kernel)
        self.per_row = prod(out[1:]) * (1 if self.last else self.images)
        name = unit.head.weights["weight"]
        self.filters = kit.pack(("conv", name, self.last, op.groups), lambda: self._packed(kit.weights[name]))
        self.work = float(prod(out)) * self.images * op.filters * self.depth

    def _packed(self, weight: Array) -> Array:
        split = weight.reshape(self.groups, self.filters_each, *weight.shape[1:])
        if self.last:
            split = np.moveaxis(split, 2, -1)
        return np.ascontiguousarray(split).reshape(self.groups, self.filters_each, -1)

    def _windows(self, home: Home) -> Array:
        op, full = self.op, home.full
        pads = op.lowered_pads(self.unit.inputs[0].type)
        ends = zip(home.margins, pads, strict=True)
        origin = full[(WHOLE, *(slice(have - pad, None) for (have, _), (pad, _) in ends), WHOLE)]
        item = full.strides
        steps = [t * s for t, s in zip(item[1:-1], op.stride, strict=True)]
        taps = [t * d for t, d in zip(item[1:-1], op.dilation, strict=True)]
        channel, image = (item[-1], item[0]) if self.last else (item[0], item[-1])
        group = channel * self.channels
        if self.last:
            shape = (self.groups, self.images, *self.out, *op.kernel, self.channels)
            strides = (group, image, *steps, *taps, channel)
        else:
            shape = (self.groups, self.channels, *op.kernel, *self.out, self.images)
            strides = (group, channel, *taps, *steps, image)
        assert _reach(shape, strides) <= _reach(origin.shape, origin.strides), "windows beyond the input"
        return np.lib.stride_tricks.as_strided(origin, shape, strides)

    # -- tiles ------------------------------------------------------------------------------

    def cuts(self) -> list[tuple[slice, slice]]:
        """Tiles as slices of images (all of them, where the batch is last) and of rows of the target."""
        depth = self.depth * self.groups
        most = max(LEAST, min(POSITIONS, NUMBERS // depth), SMALL // depth)
        pooled = self.pool[0] if self.pool is not None else 1
        images, rows = (self.images, self.out[0] // pooled) if self.last else (1, self.out[0] // pooled)
        most = max(1, most // (self.per_row * pooled))
        made = list(tiles(images, rows, most, self.kit.parts(self.work)))
        return made if self.last else [(WHOLE, rows) for _, rows in made]

    def seen(self, images: slice, rows: slice) -> Array:
        """The windows of a tile."""
        pooled = self.pool[0] if self.pool is not None else 1
        rows = slice(rows.start * pooled, rows.stop * pooled)
        if self.last:
            return self.windows[:, images, rows]
        return self.windows[(WHOLE, WHOLE, *(WHOLE,) * len(self.op.kernel), rows)]

    def flat(self, seen: Array) -> Array | None:
        """The columns where they lie, if the input holds them as BLAS takes them."""
        rank = len(self.op.kernel)
        made = merged(seen, (1, 1 + rank, 1 + rank))
        if made is None:
            return None
        rows, columns = made.strides[1:]
        apart = rows >= made.shape[2] * made.itemsize or made.shape[1] == 1
        return made if apart and (columns == made.itemsize or made.shape[2] == 1) else None

    def where(self, images: slice, rows: slice) -> Where:
        rank = len(self.op.kernel)
        if self.last:
            return (images, rows, *(WHOLE,) * rank)
        return (WHOLE, rows, *(WHOLE,) * rank)

    def product_shape(self, positions: int) -> tuple[int, ...]:
        if self.last:
            return (self.groups, positions, self.filters_each)
        return (self.groups, self.filters_each, positions)

    def multiply(self, columns: Array, out: Array) -> None:
        if self.last:
            np.matmul(columns, self.filters.swapaxes(1, 2), out=out)
        else:
            np.matmul(self.filters, columns, out=out)

    def grouped(self, target: Array) -> Array:
        """An array in the target's axes with the channels split into groups, groups first."""
        if self.last:
            split = target.reshape(*target.shape[:-1], self.groups, self.filters_each)
            return np.moveaxis(split, -2, 0)
        return target.reshape(self.groups, self.filters_each, *target.shape[1:])


def _reach(shape: Sequence[int], strides: Sequence[int]) -> int:
    """How many bytes lie between the first number of an array and its last."""
    return sum((n - 1) * step for n, step in zip(shape, strides, strict=True))


def make(kit: Kit, unit: Unit) -> Pending:
    """The step of a convolution with zero padding (or none)."""
    conv = Convolution(kit, unit)
    if conv.last and conv.channels == 1 and conv.filters_each == 1 and conv.groups > 1 and conv.pool is None:
        return depthwise.make(kit, unit, conv.windows[..., 0])
    if conv.last and conv.groups == 1 and conv.pool is None and kit.parts(conv.work / 4) > 1:
        positions = conv.images * prod(conv.out)
        if positions < conv.filters_each:
            return _by_filters(conv)
    return _by_tiles(conv)


def _by_tiles(conv: Convolution) -> Pending:
    """Each task makes some rows of the result."""
    kit, cuts = conv.kit, conv.cuts()
    chain = pointwise.chain(kit, conv.unit.chain, conv.target.ndim)
    seen = [conv.seen(*cut) for cut in cuts]
    shapes = [_shapes(conv, one) for one in seen]
    for shape in dict.fromkeys(shapes):
        kit.need(shape)

    def pending() -> Step:
        lent = {shape: kit.lent(shape) for shape in dict.fromkeys(shapes)}
        tasks: list[Task] = []
        for cut, one, shape in zip(cuts, seen, shapes, strict=True):
            tasks.append(_tile(conv, chain, conv.where(*cut), one, lent[shape]))
        return kit.phase(tasks, conv.work)

    return pending


def _shapes(conv: Convolution, seen: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the columns and of the product of a tile."""
    positions = seen.size // (conv.groups * conv.depth)
    columns = (conv.groups, positions, conv.depth) if conv.last else (conv.groups, conv.depth, positions)
    return columns, conv.product_shape(positions)


def _tile(
    conv: Convolution, chain: Sequence[pointwise.At], where: Where, seen: Array, lent: list[list[Array]]
) -> Task:
    target = conv.target[where]
    apply = pointwise.applied(chain, where)
    flat = conv.flat(seen)
    places = [columns.reshape(seen.shape) for columns, _ in lent]
    if conv.pool is not None:
        return _pooled_tile(conv, apply, target, seen, flat, places, lent)
    direct = _direct(conv, target)
    if direct is not None:
        links = pointwise.in_place(chain, where)

        def straight(worker: int) -> None:
            columns = flat
            if columns is None:
                np.copyto(places[worker], seen)
                columns = lent[worker][0]
            conv.multiply(columns, direct)
            links(target)

        return straight
    if conv.groups == 1:
        shown = [product.reshape(target.shape) for _, product in lent]

        def through(worker: int) -> None:
            columns = flat
            if columns is None:
                np.copyto(places[worker], seen)
                columns = lent[worker][0]
            conv.multiply(columns, lent[worker][1])
            apply(shown[worker], target)

        return through
    split = conv.grouped(target)
    apart = [product.reshape(split.shape) for _, product in lent]
    links = pointwise.in_place(chain, where)

    def grouped(worker: int) -> None:
        np.copyto(places[worker], seen)
        conv.multiply(lent[worker][0], lent[worker][1])
        np.copyto(split, apart[worker])
        links(target)

    return grouped


def _direct(conv: Convolution, target: Array) -> Array | None:
    """The target as the product's own shape, where BLAS can write into it."""
    split = conv.grouped(target)
    rank = len(conv.op.kernel)
    made = merged(split, (1, 1 + rank, 1) if conv.last else (1, 1, 1 + rank))
    if made is None or made.strides[2] != made.itemsize and made.shape[2] > 1:
        return None
    return made if made.strides[1] >= made.shape[2] * made.itemsize or made.shape[1] == 1 else None


def _pooled_tile(
    conv: Convolution,
    apply: pointwise.Apply,
    target: Array,
    seen: Array,
    flat: Array | None,
    places: list[Array],
    lent: list[list[Array]],
) -> Task:
    """The maximum over windows that do not overlap, axis by axis and in place, then the chain."""
    assert conv.pool is not None
    rows = [n * k for n, k in zip(target.shape[1:-1], conv.pool, strict=True)]
    calls: list[list[tuple[Array, Array]]] = []
    results = []
    for _, product in lent:
        shape = (target.shape[0], *rows, target.shape[-1])
        if conv.last:
            whole = np.moveaxis(product.reshape(conv.groups, target.shape[0], *rows, -1), 0, -2)
        else:
            whole = product.reshape(shape)
        mine = []
        for axis, k in enumerate(conv.pool):
            taps = [whole[(*(WHOLE,) * (1 + axis), slice(t, None, k))] for t in range(k)]
            mine += [(taps[0], tap) for tap in taps[1:]]
            whole = taps[0]
        calls.append(mine)
        results.append(whole)
    split = target.reshape(*target.shape[:-1], conv.groups, -1) if conv.last and conv.groups > 1 else None
    finals = [r.reshape(target.shape) if split is None else r for r in results]

    def pooled(worker: int) -> None:
        columns = flat
        if columns is None:
            np.copyto(places[worker], seen)
            columns = lent[worker][0]
        conv.multiply(columns, lent[worker][1])
        for one, other in calls[worker]:
            np.maximum(one, other, out=one)
        if split is None:
            apply(finals[worker], target)
        else:
            np.copyto(split, finals[worker])
            apply(target, target)

    return pooled


def _by_filters(conv: Convolution) -> Pending:
    """Few positions, many filters: the columns first, then each task multiplies its own filters."""
    kit, target = conv.kit, conv.target
    whole = conv.windows
    flat = conv.flat(whole)
    positions = whole.size // conv.depth
    chain = pointwise.chain(kit, conv.unit.chain, target.ndim)
    columns = flat if flat is not None else np.empty((1, positions, conv.depth), kit.dtype)
    first: list[Step] = []
    if flat is None:
        place = columns.reshape(whole.shape)
        rows = list(
            tiles(conv.images, conv.out[0], max(1, positions // (4 * conv.per_row)), kit.workers.count)
        )
        copies: list[Task] = [
            partial(_copy, place[:, images, some], whole[:, images, some]) for images, some in rows
        ]
        first.append(kit.phase(copies, 2.0 * whole.size))
    count = kit.workers.count
    shape = (positions, -(-conv.filters_each // count))
    kit.need([shape])

    def pending() -> Step:
        pieces = kit.lent([shape])
        tasks: list[Task] = []
        for begin, end in _stretches(conv.filters_each, count):
            where = (*(WHOLE,) * (target.ndim - 1), slice(begin, end))
            some = conv.filters[0, begin:end].T
            products = [piece[0].reshape(-1)[: positions * (end - begin)] for piece in pieces]
            tasks.append(
                partial(
                    _some_filters,
                    columns[0],
                    some,
                    [one.reshape(positions, end - begin) for one in products],
                    [one.reshape(*target.shape[:-1], end - begin) for one in products],
                    pointwise.applied(chain, where),
                    target[where],
                )
            )
        return sequence([*first, kit.phase(tasks, conv.work)])

    return pending


def _stretches(total: int, parts: int) -> list[tuple[int, int]]:
    return [(total * i // parts, total * (i + 1) // parts) for i in range(parts)]


def _copy(place: Array, source: Array, worker: int) -> None:
    np.copyto(place, source)


def _some_filters(
    columns: Array,
    filters: Array,
    products: list[Array],
    shown: list[Array],
    apply: Any,
    target: Array,
    worker: int,
) -> None:
    np.matmul(columns, filters, out=products[worker])
    apply(shown[worker], target)
