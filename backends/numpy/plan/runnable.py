"""The planned mode under the one interface."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.base import BackendError, Runnable
from backends.inputs import as_arrays, check_inputs, check_weights
from backends.numpy.plan.build import Plan
from backends.numpy.plan.layout import Layout, chosen
from backends.numpy.plan.lower import concrete, lowered
from backends.numpy.plan.threads import Workers, blas
from compiler.graph import Graph
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from backends.base import Array

#: Sets of input shapes whose plans are kept, and the bytes that all of them may take; the last one is kept
#: however large it is.
KEPT, KEPT_BYTES = 4, 1 << 30
#: Bytes of the largest tensor of a batch: a larger batch is run in stretches.  Channels last, where weights
#: are read anew for each stretch; and batch last, where stretches stay in the cache.
MOST = {True: 1 << 27, False: 1 << 21}


@dataclass(frozen=True)
class Stretch:
    """Rows of the inputs and the plan that runs them."""

    rows: slice
    plan: Plan


class PlannedRunnable(Runnable):
    """A model that only infers, faster than the generated file and to the same numbers but for rounding.

    A plan is made at the first call for each set of input shapes, and some are kept.  Calls from
    several threads wait for one another.  Whoever changes the arrays of weights later makes a new one:
    some are used as they are, some have been arranged anew.  `layout` and `threads` are chosen by the
    rules of `layout.py` and `threads.py` where they are not given.

    Raises `BackendError`: E602 for training, E606 and E607 for inputs, E608 for weights.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Array],
        dtype: str = "float32",
        *,
        layout: Layout | None = None,
        threads: int | None = None,
    ) -> None:
        self.graph = graph
        self.dtype = np.dtype(dtype)
        check_weights(graph, weights)
        self._given = {name: np.asarray(array) for name, array in weights.items() if name in graph.weights}
        self._graph, self._weights = lowered(graph, self._given, self.dtype)
        self._packed: dict[tuple[object, ...], Array] = {}
        self._plans: OrderedDict[tuple[object, ...], list[Stretch]] = OrderedDict()
        self._lock = threading.Lock()
        self._layout = layout if layout is not None else chosen(self._graph.nodes)
        self._workers = Workers(threads if threads is not None else blas().threads)

    def run(self, inputs: Mapping[str, Array], *, training: bool = False) -> dict[str, Array]:
        if training:
            raise BackendError(
                Diagnostic(
                    "E602",
                    "the planned mode of `numpy` only infers",
                    help=("load the model without it to train",),
                )
            )
        arrays = as_arrays(inputs)
        if not all(array.size for array in arrays.values()):
            return self._without_rows(arrays)
        key = tuple((name, array.shape, array.dtype.kind) for name, array in arrays.items())
        with self._lock, blas().single():
            stretches = self._plans.get(key)
            if stretches is None:
                stretches = self._made(key, arrays)
            else:
                self._plans.move_to_end(key)
            if len(stretches) == 1:
                return stretches[0].plan.run(arrays)
            parts = [
                one.plan.run({name: array[one.rows] for name, array in arrays.items()}) for one in stretches
            ]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _without_rows(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """As many rows as there are, where there are none: those of a run with one row are left out."""
        rows = check_inputs(self.graph, arrays)
        filled = {
            name: array if len(array) else np.zeros((1, *array.shape[1:])) for name, array in arrays.items()
        }
        results = self.run(filled)
        outputs = self.graph.outputs
        return {
            name: array if rows.get(outputs[name].type.rows or "", 1) else array[:0].copy()
            for name, array in results.items()
        }

    def weights(self) -> dict[str, Array]:
        return {name: np.array(array, self.dtype) for name, array in self._given.items()}

    def plans(self) -> list[Plan]:
        """The plans that are kept, each once."""
        found = (one.plan for stretches in self._plans.values() for one in stretches)
        return list({id(plan): plan for plan in found}.values())

    def _bytes(self) -> int:
        return sum(memory.nbytes for plan in self.plans() for memory in plan.memory)

    def _made(self, key: tuple[object, ...], arrays: Mapping[str, Array]) -> list[Stretch]:
        rows = check_inputs(self.graph, arrays)
        shapes = {name: tuple(array.shape[1:]) for name, array in arrays.items()}
        made: dict[int, Plan] = {}
        stretches = []
        for cut in self._cuts(rows, shapes):
            count = cut.stop - cut.start
            if count not in made:
                some = rows if count == max(rows.values(), default=0) else dict.fromkeys(rows, count)
                made[count] = Plan(
                    concrete(self._graph, shapes, some),
                    self._weights,
                    self.dtype,
                    self._packed,
                    self._workers,
                    self._layout,
                )
            stretches.append(Stretch(cut, made[count]))
        self._plans[key] = stretches
        while len(self._plans) > 1 and (len(self._plans) > KEPT or self._bytes() > KEPT_BYTES):
            self._plans.popitem(last=False)
        return stretches

    def _cuts(self, rows: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]) -> list[slice]:
        """All rows at once, or stretches of them whose tensors are not too large."""
        count = max(rows.values(), default=0)
        if len(rows) != 1 or any(value.weight is not None for value in self._graph.outputs.values()):
            return [slice(0, count)]
        nominal = concrete(self._graph, shapes, rows).graph.largest * self.dtype.itemsize
        most = max(1, MOST[self._layout.channels_last] // max(1, nominal))
        parts = -(-count // most)
        if parts < 2:
            return [slice(0, count)]
        size = -(-count // parts)
        return [slice(begin, min(begin + size, count)) for begin in range(0, count, size)]
