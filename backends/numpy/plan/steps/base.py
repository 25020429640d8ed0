"""What the makers of steps share: the tools of one plan, scratch memory, tiles.

A maker takes a unit and gives a function that is called once scratch memory exists and gives the
step, a function without arguments.  Every array that a step touches is bound by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.plan.layout import Layout
from backends.numpy.plan.lower import Concrete
from backends.numpy.plan.storage import LINE, Storage, aligned
from backends.numpy.plan.threads import Task, Workers
from compiler.graph import Value

#: A step, ready to run.
Step = Callable[[], object]
#: Gives the step once scratch memory is there.
Pending = Callable[[], Step]
#: Where a tile lies in an array in memory: a slice per axis.
Where = tuple[slice, ...]

WHOLE = slice(None)
#: Operations (about) below which waking another thread costs more than it saves.
SHARED = 4_000_000


class Scratch:
    """Memory that a task uses while it runs, one piece per worker: as large as the largest step asks."""

    def __init__(self, workers: int) -> None:
        self._size = 0
        self._pieces: list[Array] = [None] * workers

    def need(self, size: int) -> None:
        """Ask for so many bytes."""
        self._size = max(self._size, size)

    def make(self) -> None:
        self._pieces = [aligned(self._size) for _ in self._pieces]

    @property
    def pieces(self) -> list[Array]:
        return self._pieces

    def arrays(self, worker: int, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]) -> list[Array]:
        """Arrays one after the other in a worker's piece."""
        made, start = [], 0
        for shape in shapes:
            made.append(np.ndarray(shape, dtype, self._pieces[worker], start))
            start += rounded(prod(shape) * dtype.itemsize)
        return made


def rounded(size: int) -> int:
    """The next multiple of a line of the cache."""
    return -(-size // LINE) * LINE


class Kit:
    """The tools of one plan.  `packed` keeps weights as steps want them, for all plans of a model."""

    def __init__(
        self,
        concrete: Concrete,
        storage: Storage,
        weights: Mapping[str, Array],
        packed: dict[tuple[object, ...], Array],
        workers: Workers,
    ) -> None:
        self.concrete, self.storage, self.weights, self.workers = concrete, storage, weights, workers
        self.packed = packed
        self.layout: Layout = storage.layout
        self.dtype = storage.dtype
        self.scratch = Scratch(workers.count)

    def array(self, value: Value, axes: int = 0) -> Array:
        """The value in memory; a raw weight stretched to so many axes, the batch's among them."""
        if value.weight is None:
            return self.storage.inner(value)
        weight = self.weights[value.weight]
        if not weight.ndim:
            return weight.reshape((1,) * axes)
        return self.layout.memory(weight.reshape(1, *weight.shape))

    def canonical(self, value: Value) -> Array:
        """The value as [N, C, spatial...]; a raw weight as it is."""
        if value.weight is not None:
            return self.weights[value.weight]
        return self.layout.canonical(self.storage.inner(value))

    def pack(self, key: tuple[object, ...], make: Callable[[], Array]) -> Array:
        """What `make` gives, made once."""
        if key not in self.packed:
            self.packed[key] = make()
        return self.packed[key]

    def need(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Ask for scratch for arrays of these shapes."""
        self.scratch.need(sum(rounded(prod(shape) * self.dtype.itemsize) for shape in shapes))

    def lent(self, shapes: Sequence[tuple[int, ...]]) -> list[list[Array]]:
        """Scratch arrays of these shapes, for each worker."""
        return [self.scratch.arrays(worker, shapes, self.dtype) for worker in range(self.workers.count)]

    def parts(self, work: float) -> int:
        """Into how many tasks at least a step of so many operations is divided."""
        return self.workers.count if work >= SHARED else 1

    def phase(self, tasks: Sequence[Task], work: float) -> Step:
        """All tasks, shared out if the work (in operations) is worth it."""
        if len(tasks) == 1:
            return partial(tasks[0], 0)
        if self.parts(work) > 1:
            return partial(self.workers.share, tasks)
        return partial(_one_by_one, tasks)


def _one_by_one(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task(0)


def sequence(steps: Sequence[Step]) -> Step:
    """Several steps as one."""
    if len(steps) == 1:
        return steps[0]

    def run() -> None:
        for step in steps:
            step()

    return run


def tiles(images: int, rows: int, most: int, least: int = 1) -> Iterator[tuple[slice, slice]]:
    """Slices of (axis 0, axis 1) that hold at most `most` rows, and at least one, all about the same.

    Where an image has fewer rows, a tile holds whole images.  There are `least` tiles, if there
    are so many rows.
    """
    total = images * rows
    most = max(1, min(most, -(-total // least)))
    if rows <= most:
        parts = -(-images // (most // rows))
        for begin, end in _cuts(images, parts):
            yield slice(begin, end), slice(0, rows)
        return
    parts = -(-rows // most)
    for image in range(images):
        for begin, end in _cuts(rows, parts):
            yield slice(image, image + 1), slice(begin, end)


def _cuts(total: int, parts: int) -> Iterator[tuple[int, int]]:
    """Begin and end of so many about equal stretches."""
    for part in range(parts):
        yield total * part // parts, total * (part + 1) // parts


def part(array: Array, where: Where) -> Array:
    """The part of an array that belongs to a tile; an axis of extent 1 stretches and is left whole."""
    return array[tuple(WHOLE if n == 1 else s for n, s in zip(array.shape, where, strict=True))]


def merged(array: Array, groups: Sequence[int]) -> Array | None:
    """The array with neighbouring axes merged, without a copy; None where their steps do not allow it.

    `groups` says how many axes go into each axis of the result.
    """
    shape, strides, axis = [], [], 0
    for count in groups:
        extent, step = 1, array.itemsize
        for n, t in zip(array.shape[axis : axis + count], array.strides[axis : axis + count], strict=True):
            if n == 1:
                continue
            if extent > 1 and step != n * t:
                return None
            extent, step = extent * n, t
        shape.append(extent)
        strides.append(step)
        axis += count
    return np.lib.stride_tricks.as_strided(array, shape, strides)
