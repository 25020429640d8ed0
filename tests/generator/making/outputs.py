"""Outputs on the way, beside it, and in training."""

from __future__ import annotations

from tests.generator.making.base import Base, Place
from tests.generator.sim import Body, Sim
from tests.generator.steps import Aside, Out


class Outputs(Base):
    def out(self, sim: Sim, place: Place) -> Body:
        name = self.name("out")
        self.outputs += 1
        return [Out(self.rng.choice([name, f'"{name}/b"', f'"at {name}"']), joined=self.chance(0.5))]

    def aside(self, sim: Sim, place: Place) -> Body:
        inner = sim.copy().child()
        body = self.body(inner, place.deeper(), self.rng.choice([1, 2]))
        self.outputs += 1
        return [Aside([*body, Out(self.name("side"))])] if body else []

    def training(self, sim: Sim, place: Place) -> Body:
        made = self.aside(sim, place)
        for step in made:
            assert isinstance(step, Aside)
            step.training = self.has_training = True
        return made
