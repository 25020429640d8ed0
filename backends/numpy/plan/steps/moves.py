"""Steps that only move numbers: into a plan, out of it, and between its places."""

from __future__ import annotations

from functools import partial

import numpy as np

from backends.numpy.plan.steps import reference
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending, Step, sequence
from backends.numpy.plan.storage import Home
from backends.numpy.plan.units import Unit
from compiler.ops.join import Concat


def clear(homes: list[Home]) -> list[Step]:
    """Zeros into the margins of these homes."""
    steps: list[Step] = []
    for home in homes:
        for axis, (begin, end) in enumerate(home.margins, start=1):
            lead = (WHOLE,) * axis
            if begin:
                steps.append(partial(home.full[(*lead, slice(0, begin))].fill, 0))
            if end:
                steps.append(partial(home.full[(*lead, slice(-end, None))].fill, 0))
    return steps


def make_concat(kit: Kit, unit: Unit) -> Pending:
    """Only those parts are copied that were not made where they belong."""
    assert unit.head is not None and isinstance(unit.head.op, Concat)
    whole, axis, first = kit.canonical(unit.output), 1 + unit.head.op.axis, 0
    steps: list[Step] = []
    for value in unit.inputs:
        size = kit.concrete.shape(value)[axis]
        place = whole[(*(WHOLE,) * axis, slice(first, first + size))]
        part = kit.canonical(value)
        if place.__array_interface__["data"] != part.__array_interface__["data"]:
            steps.append(partial(np.copyto, place, part))
        first += size
    step = sequence(steps)
    return lambda: step


def make_reshape(kit: Kit, unit: Unit) -> Pending:
    """`flatten` and `reshape`: nothing at all where both are one piece of memory."""
    source, target = kit.canonical(unit.inputs[0]), kit.canonical(unit.output)
    if kit.storage.is_view(unit.output):
        return lambda: sequence([])
    if kit.array(unit.output).ndim == 2 and kit.layout.channels_last:
        spread = target.reshape(source.shape)
        if np.may_share_memory(spread, target):
            moved = partial(np.copyto, spread, source)
            return lambda: moved
    return reference.make(kit, unit)
