"""What every family of statements works with: names, numbers in many ways, tries, bodies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from compiler.declare import Fault
from compiler.ops.base import TensorType
from tests.generator.sim import Block, Body, Code, Doubled, Refused, Sim, Spent, run
from tests.generator.steps import Apply

FAILURES = (Fault, Refused, ArithmeticError, LookupError, TypeError, AttributeError, NameError)


@dataclass(frozen=True)
class Place:
    """Where a statement stands, which decides what it may say."""

    loops: tuple[str, ...] = ()
    repeat: bool = False
    model: bool = True
    keep: bool = False
    depth: int = 0
    plain: bool = False
    path: str = ""

    @property
    def top(self) -> bool:
        """At the top of the model, where outputs can be named."""
        return self.model and not self.loops and not self.repeat and self.depth == 0

    def deeper(self, **changes: Any) -> Place:
        return replace(self, depth=self.depth + 1, **changes)


class Base(ABC):
    """Makes the parts of one spec.  `refusals` counts what was tried in vain."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.blocks: dict[str, Block] = {}
        self.origins: dict[str, TensorType] = {}
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.counter = 0
        self.has_training = False
        self.bare: set[str] = set()
        self.outputs = 0

    def name(self, stem: str) -> str:
        self.counter += 1
        return f"{stem}{self.counter}"

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def label(self, place: Place, probability: float = 0.3) -> str:
        """A label that is this thing's alone, or none."""
        if place.repeat or not self.chance(probability):
            return ""
        stem = self.name(self.rng.choice(["part", "stage", "p", "Head", "_u"])) + "x"  # a number may follow
        if not place.loops:
            return self.rng.choice(
                [stem, stem, f'"{stem}"', f'"{stem}.inner-{self.counter}"', f'"group.{stem}"']
            )
        inside = "_".join(f"{{{v}}}" for v in place.loops)
        if len(place.loops) == 1 and self.chance(0.3):
            inside = f"{{{place.loops[0]} + 1}}"
        elif self.chance(0.3):
            inside = "-".join(f"{{{v}:02}}" for v in place.loops)
        return f'"{stem}{self.rng.choice([".", "_", ""])}{inside}"'

    def names(self, sim: Sim, probability: float = 0.12) -> tuple[str, ...]:
        return (self.name("t"),) if self.chance(probability) else ()

    def number(self, sim: Sim) -> Callable[[int], Code]:
        """Writes a whole number, with what is in scope where that fits."""

        def express(value: int) -> Code:
            found = [Code(str(value))] * 4
            for name, known in sim.scope.items():
                if isinstance(known, Doubled) and (value + known.less) % 2 == 0:
                    found += [Code(f"{name}({(value + known.less) // 2})")] * 6
                if type(known) is not int or known == 0 or name.startswith("kernel"):
                    continue  # a kernel may be a list in another use of its block
                if known == value:
                    found += [Code(name)] * 8
                elif value % known == 0 and value:
                    found += [Code(f"{value // known} * {name}")] * 2
                elif known > value > 0 and known % value == 0:
                    found += [Code(f"{name} // {known // value}")] * 2
                else:
                    found.append(
                        Code(f"{name} + {value - known}" if value > known else f"{name} - {known - value}")
                    )
            if sim.it is not None and sim.it.rank and not sim.it.free[0] and value == sim.it.shape[0]:
                found.append(Code("it.channels", "it.shape[0]"))
            if value > 1:
                found += [
                    Code(f"max({value}, {value - 1})"),
                    Code(f"{value * 2} // 2"),
                    Code(f"len([0 for k in 0..{value}])", f"len(range({value}))"),
                    Code(f"{value + 3} % {value + 4} - 3"),
                    Code(f"(if {value} > 1 then {value} else 0)", str(value)),
                    Code(f"sum([{value - 1}, 1])"),
                ]
            return self.rng.choice(found)

        return express

    def mixed(self, items: list[Code]) -> list[Code]:
        items = list(items)
        self.rng.shuffle(items)
        return items

    def attempt(self, sim: Sim, make: Callable[[Sim], Body], tries: int = 8) -> Body:
        """The first of several that works here, done to `sim`; nothing if none does."""
        for _ in range(tries):
            made: Body = []
            try:
                made = make(sim.copy())
                run(made, sim.copy())
            except Spent:
                break
            except FAILURES as failure:
                kind = made[0].name if made and isinstance(made[0], Apply) else make.__name__
                self.refusals[kind, failure.code if isinstance(failure, Fault) else str(failure)] += 1
                continue
            run(made, sim)
            return made
        return []

    def body(self, sim: Sim, place: Place, size: int) -> Body:
        """About `size` statements; with `keep` the type at the end is that at the begin."""
        made: Body = []
        for _ in range(size):
            made += self.attempt(sim, self.statement(sim, place))
        return made

    @abstractmethod
    def statement(self, sim: Sim, place: Place) -> Callable[[Sim], Body]:
        """A statement that may stand here, drawn from all families."""

    def kept(self, place: Place, make: Callable[[Sim], Body]) -> Callable[[Sim], Body]:
        """The same, refused where `keep` is asked for and the type changes."""

        def checked(sim: Sim) -> Body:
            before = sim.current()
            after = sim.copy()
            made = make(sim)
            run(made, after)
            if place.keep and after.it != before:
                raise Refused("does not keep the type")
            return made

        checked.__name__ = make.__name__
        return checked

    def truth(self, sim: Sim, place: Place) -> tuple[Code, bool]:
        """A condition, and whether it holds now."""
        found = [
            Code("true", "True"),
            Code("false", "False"),
            Code("1 < 2 and not false", "1 < 2 and not False"),
        ]
        x = sim.current()
        if x.rank and not x.free[0]:
            n = self.rng.choice([x.shape[0], x.shape[0] + 1, 1])
            found += [
                Code(f"it.channels == {n}", f"it.shape[0] == {n}"),
                Code(f"{n} <= it.channels", f"{n} <= it.shape[0]"),
            ]
        for name, value in sim.scope.items():
            if type(value) is int:
                found += [
                    Code(f"{name} % 2 == 0"),
                    Code(f"{name} > {value}"),
                    Code(f"{name} == {value} or {name} < 0"),
                ]
        code = self.rng.choice(found)
        return code, bool(sim.evaluate(code))
