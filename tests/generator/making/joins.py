"""Joins, by arguments and by branches, and what brings a tensor to the shape of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compiler.ops.base import TensorType
from tests.generator import layers
from tests.generator.making.base import Base, Place
from tests.generator.sim import Body, Code, Refused, Sim, word
from tests.generator.steps import IT, Apply, Begin, Branch, ForBranches, IfBranches, Join, Merge


class Joins(Base):
    def fit(self, sim: Sim, x: TensorType, wanted: TensorType, channels: bool = True) -> Body:
        """Steps from one type to the shape of another (without `channels`, to its other extents)."""
        if x.rows != wanted.rows:
            raise Refused("other rows")
        if x.shape == wanted.shape and x.free == wanted.free:
            return []
        express = self.number(sim)
        count = wanted.shape[0] if channels or not wanted.rank else self.rng.choice([1, 2, 3, 5])
        if x.rank == wanted.rank and 2 <= x.rank <= 4 and not any(x.free) and not any(wanted.free):
            kernel, pads = [], []
            for have, want in zip(x.spatial, wanted.spatial, strict=True):
                kernel.append(max(1, have - want + 1))
                missing = max(0, want - have)
                pads.append((missing // 2, missing - missing // 2))
            if layers.product(kernel) > 40:
                size = Code(repr(wanted.spatial))
                ones = Code(repr((1,) * (x.rank - 1)))
                return [
                    Apply("adaptiveavgpool", [(None, size)]),
                    Apply("conv", [(None, express(count)), (None, ones)]),
                ]
            given: layers.Arguments = [
                (None, express(count)),
                (None, layers.per_axis(self.rng, kernel, express)),
            ]
            if any(map(any, pads)):
                given.append(("pad", layers.pads(self.rng, pads, express)))
            return [Apply("conv", given)]
        if any(x.free) or any(wanted.free):
            raise Refused("free")
        shape = (count, *wanted.shape[1:]) if wanted.rank else ()
        made: Body = []
        if x.rank == 0:
            made.append(Apply("reshape", [(None, Code("[1]", "(1,)"))]))
        elif x.rank > 1:
            made.append(Apply("flatten", joined=True))
        made.append(Apply("fc", [(None, express(layers.product(shape)))], joined=True))
        if len(shape) != 1:
            made.append(Apply("reshape", [(None, Code(repr(list(shape)), repr(tuple(shape))))], joined=True))
        return made

    def side(self, sim: Sim, place: Place) -> Body:
        """What flows, joined with a tensor that was kept."""
        x = sim.current()
        able = [n for n, v in sim.scope.items() if isinstance(v, TensorType) and v.rows == x.rows]
        if not able:
            raise Refused("nothing kept")
        other = self.rng.choice(able)
        kind = self.rng.choice(["add", "multiply", "maximum", "average", "concat", "concat"])
        if kind == "concat" and place.keep:
            raise Refused("does not keep the type")
        y = sim.scope[other]
        adapted = self.fit(sim, y, x, channels=kind != "concat" or x.rank < 2)
        if not adapted:
            names = self.names(sim)
            more = [Code(other)] if self.chance(0.4) else []
            return [
                Join(kind, self.mixed([IT, Code(other), *more]), label=self.label(place, 0.1), names=names)
            ]
        skip = self.name("t")
        given: layers.Arguments = []
        if kind == "concat" and self.chance(0.3):
            given.append(("axis", word("channels")))
        return [
            Apply("identity", names=(skip,)),
            Begin(Code(other)),
            *adapted,
            Join(kind, self.mixed([IT, Code(skip)]), given, joined=self.chance(0.5)),
        ]

    def branch(self, sim: Sim, place: Place, wanted: TensorType | None, channels: bool = True) -> Branch:
        """A branch from what flows to a type, or to anything."""
        inner = sim.copy().child()
        inside = place.deeper(keep=place.keep and wanted is None)
        body = self.body(inner, inside, self.rng.choice([0, 1, 2, 3]))
        if wanted is not None:
            body += self.fit(inner, inner.current(), wanted, channels)
        return Branch(body)

    def residual(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        kind = self.rng.choice(["add", "add", "multiply", "maximum", "average"])
        first = self.branch(sim, replace(place, keep=True), None)
        shortcut = Branch([Apply("identity")] if self.chance(0.7) else [])
        branches: list[Any] = self.rng.choice([[first, shortcut], [shortcut, first]])
        if self.chance(0.25):
            condition, truth = self.truth(sim, place)
            item = IfBranches(condition, [self.branch(sim, replace(place, keep=True), x)], [Branch([])])
            branches.append(item)
        return [Merge(kind, branches, self.label(place), self.names(sim), joined=self.chance(0.5))]

    def branches(self, sim: Sim, place: Place) -> Body:
        """Branches of any kind, made to agree; loops among them."""
        kind = self.rng.choice(["add", "multiply", "maximum", "average", "concat", "concat", "concat"])
        first = self.branch(sim, place, None)
        [wanted] = first.types(sim.copy())
        channels = kind != "concat" or wanted.rank < 2
        made: list[Any] = [first]
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            if self.chance(0.25):
                variable = self.name("b")
                inside = place.deeper(loops=(*place.loops, variable))
                inner = sim.copy().child({variable: 1})
                branch = self.branch(inner, inside, wanted, True)
                made.append(ForBranches(variable, self.number(sim)(self.rng.choice([0, 1, 2])), [branch]))
            elif self.chance(0.2):
                condition, _ = self.truth(sim, place)
                then = [self.branch(sim, place, wanted, channels)]
                other = [self.branch(sim, place, wanted, channels)] if self.chance(0.5) else []
                made.append(IfBranches(condition, then, other))
            else:
                made.append(self.branch(sim, place, wanted, channels))
        self.rng.shuffle(made)
        return [Merge(kind, made, self.label(place), self.names(sim), joined=self.chance(0.5))]

    def fused(self, sim: Sim, place: Place) -> Body:
        """A join of what flows with numbers, with itself, or along another axis."""
        x = sim.current()
        number = Code(self.rng.choice(["0.5", "2", "-1", "1 / 4", "-0.75"]))
        if self.chance(0.5) or x.rank == 0:
            return [
                Join(self.rng.choice(["add", "multiply"]), self.mixed([IT, number]), joined=self.chance(0.5))
            ]
        axis = self.rng.choice(layers._axes(x))[0]
        return [
            Join("concat", [IT, *[IT] * self.rng.choice([1, 2])], [("axis", word(axis))], self.label(place))
        ]
