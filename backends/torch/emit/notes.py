"""Shapes as comments: `(N, 64, 56, 56)`, with names where the instances of a class differ."""

from __future__ import annotations

from typing import Any

from backends.torch.emit.classes import Plan, multiple, same
from backends.torch.emit.structure import Structure
from compiler.graph import Node, Value

LETTERS = {1: ("C",), 2: ("C", "L"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}


class Shapes:
    """The shapes in one class.

    An extent that is the same in all instances is a number, one that a parameter carries is its
    name, any other is a letter: `H`, and `H2` for the next one that differs from it.
    """

    def __init__(self, structure: Structure, plan: Plan) -> None:
        self.structure = structure
        self.plan = plan
        self.letters: dict[tuple[str, tuple[int, ...]], str] = {}
        self.used: set[str] = set()

    def text(self, values: list[Value]) -> str:
        """The shape of one tensor, given as the value in each instance."""
        types = [value.type for value in values]
        rank = types[0].rank
        if any(t.rank != rank for t in types):
            return ""
        extents = [
            self._extent(tuple(t.shape[axis] for t in types), any(t.free[axis] for t in types), rank, axis)
            for axis in range(rank)
        ]
        rows = [] if types[0].rows is None else ["N"]
        inner = ", ".join([*rows, *extents])
        return f"({inner},)" if len(rows) + rank == 1 else f"({inner})"

    def _extent(self, sizes: tuple[int, ...], free: bool, rank: int, axis: int) -> str:
        if not free and all(size == sizes[0] for size in sizes):
            return str(sizes[0])
        if not free and len(sizes) > 1:
            for p in self.plan.parameters:
                if all(same(v, size) for v, size in zip(p.values, sizes, strict=True)):
                    return p.name
            for p in self.plan.parameters:
                found = multiple(p.values, sizes)
                if found:
                    return found.format(p.name)
            for p in self.plan.parameters:
                more = size_beyond(p.values, sizes)
                if more:
                    return f"{p.name} + {more}"
        base = LETTERS[rank][axis] if rank in LETTERS else f"E{axis}"
        if (base, sizes) not in self.letters:
            count, name = 1, base
            while name in self.used:
                count += 1
                name = f"{base}{count}"
            self.used.add(name)
            self.letters[base, sizes] = name
        return self.letters[base, sizes]

    def flow(self) -> str:
        """`(N, 3, 32, 32) -> (N, 10)`, for a class with one tensor in and one out; else nothing."""
        units = self.plan.units
        if any(len(unit.inputs) != 1 or len(unit.outputs) != 1 for unit in units):
            return ""
        before = self.text([next(iter(unit.inputs)) for unit in units])
        after = self.text([unit.outputs[0] for unit in units])
        return f"{before} -> {after}" if before and after else ""

    def member(self, path: str) -> str:
        """The shape that leaves a member of a sequence, by its path in the first instance."""
        results = results_of(self.structure)
        first = self.plan.unit.path
        relative = path[len(first) :]
        values = [
            results.get(unit.path + relative if unit.path else relative.lstrip("."))
            for unit in self.plan.units
        ]
        found = [value for value in values if value is not None]
        return self.text(found) if len(found) == len(values) else ""


def size_beyond(base: tuple[Any, ...], sizes: tuple[int, ...]) -> int:
    """By how much the sizes exceed what a parameter carries, if it is the same in every instance; else 0."""
    if any(type(value) is not int for value in base):
        return 0
    found = {size - value for value, size in zip(base, sizes, strict=True)}
    return max(0, found.pop()) if len(found) == 1 else 0


def results_of(structure: Structure) -> dict[str, Value]:
    """What leaves each member of each sequence, by path; of several applications the first."""
    cached: dict[str, Value] | None = structure.__dict__.get("_results")
    if cached is None:
        cached = {}
        for unit in reversed(structure.units):
            if unit.sequential:
                for item in unit.items:
                    path = item.module or ""
                    if isinstance(item.source, Node) or item.outputs:
                        cached.setdefault(path, item.outputs[0])
        structure.__dict__["_results"] = cached
    return cached
