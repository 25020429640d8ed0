"""A plan: the ready steps for inputs of one set of shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.numpy.plan.layout import Layout
from backends.numpy.plan.lower import Concrete
from backends.numpy.plan.steps import conv, dense, moves, pointwise, pool, reference
from backends.numpy.plan.steps.base import Kit, Pending, Step
from backends.numpy.plan.storage import Storage
from backends.numpy.plan.threads import Workers
from backends.numpy.plan.units import Unit, Units, pads_with_zeros
from compiler.ops.dense import Fc
from compiler.ops.join import Concat
from compiler.ops.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from compiler.ops.reshape import Flatten, Reshape

if TYPE_CHECKING:
    from backends.base import Array


def maker(unit: Unit) -> Callable[[Kit, Unit], Pending]:
    """What makes the step of a unit; the reference kernel where nothing else does."""
    head = unit.head
    if head is None:
        return pointwise.make
    op = head.op
    if pads_with_zeros(head):
        return conv.make
    if isinstance(op, (MaxPool, AvgPool)):
        return pool.make
    if isinstance(op, (GlobalAvgPool, GlobalMaxPool)):
        return pool.make_global
    if isinstance(op, Fc) and head.inputs[0].type.rank == 1:
        return dense.make
    if isinstance(op, Concat):
        return moves.make_concat
    if isinstance(op, (Flatten, Reshape)):
        return moves.make_reshape
    return reference.make


class Plan:
    """Runs one graph on inputs of one set of shapes.  One call at a time: its buffers are its own."""

    def __init__(
        self,
        concrete: Concrete,
        weights: Mapping[str, Array],
        dtype: np.dtype[Any],
        packed: dict[tuple[object, ...], Array],
        workers: Workers,
        layout: Layout,
    ) -> None:
        graph = concrete.graph
        units = Units(concrete)
        storage = Storage(concrete, units, layout, dtype)
        kit = Kit(concrete, storage, weights, packed, workers)
        pending = [maker(unit)(kit, unit) for unit in units.made]
        kit.scratch.make()
        self._before = moves.clear(storage.clear.get(-1, []))
        self._steps: list[Step] = []
        for position, one in enumerate(pending):
            self._steps += moves.clear(storage.clear.get(position, []))
            self._steps.append(one())
        self._inputs = {name: kit.canonical(value) for name, value in graph.inputs.items()}
        self._outputs = {name: kit.canonical(value) for name, value in units.outputs.items()}
        #: All memory that steps write to; what it holds between runs does not matter.
        self.memory: list[Array] = [*storage.blocks, *kit.scratch.pieces]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays that belong to the caller; `inputs` have passed the checks."""
        for step in self._before:
            step()
        for name, place in self._inputs.items():
            np.copyto(place, inputs[name], casting="unsafe")
        for step in self._steps:
            step()
        return {name: np.array(array, order="C") for name, array in self._outputs.items()}
