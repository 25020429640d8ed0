"""Loops, conditions, groups, arrays that are filled in loops."""

from __future__ import annotations

from typing import Any

from tests.generator.making.base import Base, Place
from tests.generator.sim import Body, Code, Refused, Sim
from tests.generator.steps import IT, Apply, Begin, For, Group, If, Join, Repeat, Statement


class Control(Base):
    def repeat(self, sim: Sim, place: Place) -> Body:
        times = self.rng.choice([1, 2, 2, 3])
        inside = place.deeper(repeat=True, keep=place.keep or self.chance(0.6))
        body = self.body(sim.copy().child(), inside, self.rng.choice([1, 2, 3]))
        return [Repeat(self.number(sim)(times), body)] if body else []

    def loop(self, sim: Sim, place: Place) -> Body:
        variable = self.name("i")
        times = self.rng.choice([1, 2, 2, 3])
        variables: tuple[str, ...] = (variable,)
        if self.chance(0.6):
            low = self.rng.choice([0, 0, 1, 2])
            items = Code(f"{low}..{low + times}", f"range({low}, {low + times})")
            scope: dict[str, Any] = {variable: low}
        elif self.chance(0.5):
            numbers = [self.rng.choice([1, 2, 3, 4, 6]) for _ in range(times)]
            width = self.name("w")
            variables = (variable, width)
            items = Code(f"zip(0..{times}, {numbers})", f"list(zip(range({times}), {numbers}))")
            scope = {variable: 0, width: numbers[0]}
        else:
            step = self.rng.choice([1, 2, 3])
            items = Code(f"[{step} * k + 1 for k in 0..{times}]", f"[{step} * k + 1 for k in range({times})]")
            scope = {variable: 1}
        inside = place.deeper(loops=(*place.loops, variable), keep=place.keep or self.chance(0.5))
        body = self.body(sim.copy().child(scope), inside, self.rng.choice([1, 2, 3]))
        return [For(variables, items, body)] if body else []

    def condition(self, sim: Sim, place: Place) -> Body:
        code, _ = self.truth(sim, place)
        then = self.body(sim.copy().child(), place.deeper(), self.rng.choice([1, 2]))
        other = (
            self.body(sim.copy().child(), place.deeper(), self.rng.choice([1, 2]))
            if self.chance(0.5)
            else None
        )
        return [If(code, then, other)] if then else []

    def group(self, sim: Sim, place: Place) -> Body:
        seq = self.chance(0.7)
        label = self.label(place, 0.6 if seq else 1.0)
        if not label and (not seq or place.repeat or place.loops or place.path in self.bare):
            raise Refused("positions that are taken")
        inside = place.deeper(path=label or place.path)
        body = self.body(sim.copy(), inside, self.rng.choice([1, 2, 3, 4]))
        if not label:
            if place.path in self.bare:
                raise Refused("positions that are taken")
            self.bare.add(place.path)
        return [Group(label, seq, body, self.names(sim), joined=self.chance(0.5))] if body else []

    def array(self, sim: Sim, place: Place) -> Body:
        """`as x[i]` in a loop, then a join of all or some."""
        array, variable, times = self.name("x"), self.name("i"), self.rng.choice([2, 3])
        inside = place.deeper(keep=True, loops=(*place.loops, variable))
        body = self.body(sim.copy().child({variable: 0}), inside, 2)
        if not body or any(isinstance(s, Statement) for s in body) or len(getattr(body[-1], "names", ("", ""))) > 1:
            raise Refused("nothing to keep")
        body[-1].names = (f"{array}[{variable}]",)
        kind = self.rng.choice(
            ["add", "concat", "average", "maximum"] if not place.keep else ["add", "average"]
        )
        whole = self.rng.choice(
            [
                Code(f"{array}[0..{times}]", f"[{array}[k] for k in range({times})]"),
                Code(f"[{array}[k] for k in 0..{times}]", f"[{array}[k] for k in range({times})]"),
            ]
        )
        return [
            For((variable,), Code(f"0..{times}", f"range({times})"), body),
            Join(kind, self.mixed([whole, IT])),
        ]

    def table(self, sim: Sim, place: Place) -> Body:
        """Two indices, as in U-Net++: each row is a loop of its own, joined with what stands before it."""
        array, i, j = self.name("g"), self.name("i"), self.name("j")
        rows, columns = self.rng.choice([2, 3]), self.rng.choice([2, 3])
        base = self.name("t")
        inside = place.deeper(keep=True, loops=(*place.loops, i, j))
        inner = sim.copy().child({i: 0, j: 1})
        body = self.body(inner, inside, 2)
        if not body or any(isinstance(s, Statement) for s in body) or len(getattr(body[-1], "names", ("", ""))) > 1:
            raise Refused("nothing to keep")
        body[-1].names = (f"{array}[{i}, {j}]",)
        before = Code(f"{array}[{i}, 0..{j}]", f"[{array}[{i}, k] for k in range({j})]")
        row: Body = [
            Begin(Code(base)),
            Apply(self.rng.choice(["relu", "tanh", "identity"]), names=(f"{array}[{i}, 0]",), joined=True),
            For(
                (j,),
                Code(f"1..{columns}", f"range(1, {columns})"),
                [*body[:-1], Join("add", [before, IT]), body[-1]],
            ),
        ]
        last = Code(
            f"[{array}[k, {columns - 1}] for k in 0..{rows}]",
            f"[{array}[k, {columns - 1}] for k in range({rows})]",
        )
        return [
            Apply("identity", names=(base,)),
            For((i,), Code(f"0..{rows}", f"range({rows})"), row),
            Join("average" if place.keep else self.rng.choice(["concat", "add"]), self.mixed([last, IT])),
        ]
