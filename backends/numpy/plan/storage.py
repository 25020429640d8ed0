"""Where values live: who shares memory with whom, and which blocks are used again.

A `Home` is a piece of memory for one value, or for several that replace one another in it.

Rules:
1. A unit without a head writes over its input, if nobody else uses that and it is not a concat's.
2. The parts of a concat along the channels are made in its memory, each in its channels, unless
   they live elsewhere already.
3. The result of `flatten` and `reshape` is the input's memory, read differently, where the order
   of numbers is the same; not where something writes over that memory while it is needed.
4. What a convolution pads with zeros has margins of zeros, as wide as its widest reader asks.
5. A block of memory is free again after the last unit that reads from it, and a later home
   takes the smallest free block that is large enough.  The model's outputs live to the end.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.plan.layout import Layout
from backends.numpy.plan.lower import Concrete
from backends.numpy.plan.units import Unit, Units, pads_with_zeros
from compiler.graph import Value
from compiler.ops.conv import Conv
from compiler.ops.join import Concat
from compiler.ops.reshape import Flatten, Reshape

#: Blocks begin at multiples of this many bytes: a line of the cache.
LINE = 64


@dataclass(eq=False)
class Home:
    """`shape` is canonical; `margins` are (begin, end) per spatial axis.

    `parent` with `offset`: a stretch of another home's channels.  `base`: another home, read
    differently.  `full` is the array in memory with its margins, `inner` without.
    """

    shape: tuple[int, ...]
    margins: tuple[tuple[int, int], ...]
    joined: bool = False
    members: list[Value] = field(default_factory=list)
    parent: Home | None = None
    offset: int = 0
    base: Home | None = None
    first: int = -1
    last: int = -1
    full: Array = None
    inner: Array = None

    @property
    def root(self) -> Home:
        home = self
        while (above := home.parent or home.base) is not None:
            home = above
        return home

    def widen(self, pads: Sequence[tuple[int, int]]) -> None:
        self.margins = tuple(
            (max(a, c), max(b, d)) for (a, b), (c, d) in zip(self.margins, pads, strict=True)
        )


class Storage:
    """The homes of all values of a graph's units, with their arrays.

    `blocks` are the pieces of memory themselves, `clear` says which homes' margins a unit has to
    set to zero before it runs (their memory may have been something else's).
    """

    def __init__(self, concrete: Concrete, units: Units, layout: Layout, dtype: np.dtype[Any]) -> None:
        self.layout, self.dtype = layout, dtype
        self._concrete, self._units = concrete, units
        self._homes: dict[Value, Home] = {}
        for value in concrete.graph.inputs.values():
            self._settle(value)
        for unit in units.made:
            self._settle_result(unit)
        for unit in units.made:
            self._place_parts(unit)
        self._order = list(dict.fromkeys(self._homes.values()))
        for home in self._order:
            if home.parent is not None:
                home.root.widen(home.margins)
        for unit in units.made:
            self._view(unit)
        self._live(units.made)
        self.blocks = self._allocate(len(units.made))
        self.clear: dict[int, list[Home]] = {}
        for home in self._order:
            if home.root is home and any(map(any, home.margins)):
                self.clear.setdefault(home.first, []).append(home)

    # -- what others ask --------------------------------------------------------------------

    def home(self, value: Value) -> Home:
        return self._homes[value]

    def inner(self, value: Value) -> Array:
        """The value's array in memory."""
        return self._homes[value].inner

    def is_view(self, value: Value) -> bool:
        """Whether it is another value's memory, read differently (rule 3)."""
        return self._homes[value].base is not None

    # -- rules 1 to 4 -----------------------------------------------------------------------

    def _settle(self, value: Value, joined: bool = False) -> Home:
        shape = self._concrete.shape(value)
        home = Home(shape, ((0, 0),) * max(len(shape) - 2, 0), joined, [value])
        self._homes[value] = home
        return home

    def _settle_result(self, unit: Unit) -> None:
        head = unit.head
        if head is None:
            mine = self._homes.get(unit.inputs[0])
            if mine is not None and self._units.uses[unit.inputs[0]] == 1 and not mine.joined:
                if unit.inputs[0] not in self._units.kept:
                    mine.members.append(unit.output)
                    self._homes[unit.output] = mine
                    return
        self._settle(unit.output, joined=head is not None and isinstance(head.op, Concat))
        if head is not None and isinstance(head.op, Conv) and pads_with_zeros(head):
            x = unit.inputs[0]
            self._homes[x].widen(head.op.lowered_pads(x.type))

    def _place_parts(self, unit: Unit) -> None:
        if unit.head is None or not isinstance(unit.head.op, Concat) or unit.head.op.axis != 0:
            return
        whole, offset = self._homes[unit.output], 0
        for value in unit.inputs:
            home = self._homes.get(value)
            if home is not None and home.parent is None and home is not whole.root:
                home.parent, home.offset = whole, offset
            offset += self._concrete.shape(value)[1]

    def _view(self, unit: Unit) -> None:
        if unit.head is None or not isinstance(unit.head.op, (Flatten, Reshape)):
            return
        source, mine = self._homes.get(unit.inputs[0]), self._homes[unit.output]
        if source is None or mine.parent is not None:
            return
        if any(map(any, mine.margins)) or any(map(any, source.root.margins)):
            return
        overwritten = len(mine.members) > 1
        needed = self._units.uses[unit.inputs[0]] > 1 or unit.inputs[0] in self._units.kept
        if overwritten and (needed or source.joined or source.root is not source):
            return
        squeezed = [[extent for extent in shape[1:] if extent > 1] for shape in (source.shape, mine.shape)]
        if not self.layout.channels_last or (squeezed[0] == squeezed[1] and len(squeezed[0]) <= 1):
            mine.base = source

    # -- rule 5 -----------------------------------------------------------------------------

    def _live(self, units: Sequence[Unit]) -> None:
        for home in self._order:
            home.first, home.last = len(units), -1
        for value in self._concrete.graph.inputs.values():
            self._touch(value, -1)
        for position, unit in enumerate(units):
            for value in (*unit.reads, unit.output):
                self._touch(value, position)
        for value in self._units.outputs.values():
            self._touch(value, len(units))

    def _touch(self, value: Value, position: int) -> None:
        home = self._homes.get(value)
        if home is not None:
            root = home.root
            root.first, root.last = min(root.first, position), max(root.last, position)

    def _allocate(self, end: int) -> list[Array]:
        begins: dict[int, list[Home]] = {}
        ends: dict[int, list[Home]] = {}
        for home in self._order:
            if home.root is home:
                begins.setdefault(home.first, []).append(home)
                ends.setdefault(home.last, []).append(home)
        sizes: list[int] = []
        free: list[tuple[int, int]] = []  # (size, number of the block), smallest first
        chosen: dict[Home, int] = {}
        for position in range(-1, end + 1):
            for home in begins.get(position, ()):
                need = self._bytes(home)
                place = bisect_left(free, (need, -1))
                if place < len(free):
                    chosen[home] = free.pop(place)[1]
                elif free:  # the largest grows: nothing lives in it
                    chosen[home] = free.pop()[1]
                    sizes[chosen[home]] = need
                else:
                    chosen[home] = len(sizes)
                    sizes.append(need)
            for home in ends.get(position, ()):
                insort(free, (sizes[chosen[home]], chosen[home]))
        blocks = [aligned(size) for size in sizes]
        for home in self._order:
            self._array(home, blocks, chosen)
        return blocks

    def _bytes(self, home: Home) -> int:
        return prod(self._full_shape(home)) * self.dtype.itemsize

    def _full_shape(self, home: Home) -> tuple[int, ...]:
        pairs = zip(home.shape[2:], home.margins, strict=True)
        wide = [extent + begin + end for extent, (begin, end) in pairs]
        return self.layout.shape((*home.shape[:2], *wide))

    def _array(self, home: Home, blocks: Sequence[Array], chosen: Mapping[Home, int]) -> None:
        """Give a home its arrays, after those that it lies in."""
        waiting = [home]
        while (above := waiting[-1].parent or waiting[-1].base) is not None and above.inner is None:
            waiting.append(above)
        while waiting:
            one = waiting.pop()
            if one.inner is not None:
                continue
            if one.parent is not None:
                axis = self.layout.channel_axis(one.parent.full.ndim)
                stretch: list[slice] = [slice(None)] * one.parent.full.ndim
                stretch[axis] = slice(one.offset, one.offset + one.shape[1])
                one.margins = one.parent.margins
                one.full = one.parent.full[tuple(stretch)]
            elif one.base is not None:
                one.full = one.base.inner.reshape(self.layout.shape(one.shape))
                assert np.may_share_memory(one.full, one.base.inner)
            else:
                shape = self._full_shape(one)
                one.full = np.ndarray(shape, self.dtype, blocks[chosen[one]])
            one.inner = one.full[(slice(None), *inner_slices(one), slice(None))[: one.full.ndim]]


def inner_slices(home: Home) -> tuple[slice, ...]:
    return tuple(
        slice(begin, begin + extent) for extent, (begin, _) in zip(home.shape[2:], home.margins, strict=True)
    )


def aligned(size: int) -> Array:
    """So many bytes, beginning at a line of the cache."""
    whole = np.empty(size + LINE, np.uint8)
    start = -whole.ctypes.data % LINE
    return whole[start : start + size]
