"""Layers, and what is made of a few of them; raw weights, constants and expectations."""

from __future__ import annotations

from compiler.ops.base import TensorType
from tests.generator import layers
from tests.generator.making.base import Base, Place
from tests.generator.sim import Body, Code, Doubled, LayerOf, Refused, Sim
from tests.generator.steps import IT, Apply, Join, Statement


class Links(Base):
    def layer(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        values = [n for n, v in sim.scope.items() if isinstance(v, LayerOf)]
        if values and self.chance(0.15 if place.model else 0.5):
            step = Apply(self.rng.choice(values), label=self.label(place))
        else:
            able = list(layers.KEEPING) if place.keep else layers.choices(x)
            name = self.rng.choice(able)
            step = Apply(
                name, layers.arguments(self.rng, name, x, self.number(sim), place.keep), self.label(place)
            )
        step.names = self.names(sim)
        step.joined = self.chance(0.6)
        return [step]

    def like(self, sim: Sim, place: Place) -> Body:
        """Adaptive pooling to the size of another tensor."""
        x = sim.current()
        able = [
            n for n, v in sim.scope.items() if isinstance(v, TensorType) and v.rank == x.rank and x.rank > 1
        ]
        name = self.rng.choice(["adaptiveavgpool", "adaptivemaxpool"])
        return [Apply(name, [("like", Code(self.rng.choice(able)))], self.label(place))]

    def rbf(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        made: Body = [] if x.rank == 1 else [Apply("flatten")]
        if place.repeat or not x.rank:
            raise Refused("no place for centres")
        centers, count = self.name("centers"), self.rng.choice([1, 3, 5])
        shape = (count, x.elements)
        return [
            *made,
            *self.raw(place, centers, shape),
            Apply("rbf", [(self.rng.choice([None, "centers"]), Code(centers))]),
        ]

    def raw(self, place: Place, name: str, shape: tuple[int, ...]) -> Body:
        options = ["", "", "(trainable = false)", "(init = normal(0.5))", "(init = uniform(-1.0, 1.0))"]
        if len(shape) == 1 and shape[0] < 6:
            options.append(f"(value = {[round(self.rng.uniform(-1, 1), 3) for _ in range(shape[0])]})")
        if place.loops:
            raise Refused("a raw weight in a loop")
        text = f"weight {name}: {list(shape)}{self.rng.choice(options)}"
        kind = TensorType(shape, rows=None)
        return [Statement(text, lambda sim: sim.scope.__setitem__(name, kind))]

    def weight(self, sim: Sim, place: Place) -> Body:
        """A raw weight that is added or multiplied, some of its extents stretched."""
        x = sim.current()
        if place.repeat or not x.rank:
            raise Refused("no place for a raw weight")
        name = self.name("w")
        shape = tuple(1 if free or self.chance(0.4) else n for n, free in zip(x.shape, x.free, strict=True))
        constant = [Code(self.rng.choice(["0.5", "2", "-1.25", "-1", "1 / 3"]))] if self.chance(0.2) else []
        join = Join(self.rng.choice(["add", "multiply"]), self.mixed([IT, Code(name), *constant]))
        return [*self.raw(place, name, shape), join]

    def let(self, sim: Sim, place: Place) -> Body:
        name, value = self.name("n"), self.rng.choice([1, 2, 3, 4, 6])
        if self.chance(0.3):
            return [
                Statement(
                    f"let {name}(a) = a * 2 - {value}",
                    lambda sim: sim.scope.__setitem__(name, Doubled(value)),
                )
            ]
        code = self.number(sim)(value)
        return [
            Statement(
                f"let {name} = {code.text}", lambda sim: sim.scope.__setitem__(name, sim.evaluate(code))
            )
        ]

    def expect(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        if any(x.free) or place.loops or place.repeat or not place.model:
            raise Refused("nothing certain")
        if x.rank > 1 and self.chance(0.5):
            size = ", ".join(map(str, x.spatial)) + ("," if x.rank == 2 else "")
            text = f"it.size == ({size}) and it.channels == {x.shape[0]} and it.width == {x.shape[-1]}"
        else:
            text = f"it.shape == {list(x.shape)} and it.rank == {x.rank}"
        return [Statement(f'expect {text}, "the shape at {{1 + 1}}, as drawn"')]
