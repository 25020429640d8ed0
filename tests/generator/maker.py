"""Random programs that mean something: statement by statement, each tried before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.generator.making.base import Place
from tests.generator.making.control import Control
from tests.generator.making.links import Links
from tests.generator.making.networks import Networks
from tests.generator.making.outputs import Outputs
from tests.generator.sim import Body, Sim


class Maker(Links, Control, Networks, Outputs):
    """All families together."""

    def statement(self, sim: Sim, place: Place) -> Callable[[Sim], Body]:
        kinds: list[tuple[float, Callable[[Sim, Place], Body]]] = [
            (12, self.layer),
            (1, self.side),
            (0.5, self.weight),
            (0.3, self.let),
            (0.3, self.expect),
        ]
        if place.depth < 3 and not place.plain:
            kinds += [
                (1.2, self.residual),
                (1.2, self.branches),
                (0.8, self.repeat),
                (0.8, self.loop),
                (0.6, self.condition),
                (1.0, self.group),
                (1.5, self.call),
                (0.8, self.shared),
                (0.7, self.gate),
                (0.9, self.dense),
                (0.4, self.halves),
                (0.3, self.dropped),
                (0.5, self.recursion),
                (0.4, self.several),
                (0.4, self.like),
                (0.25, self.rbf),
                (0.6, self.fused),
            ]
            if not place.repeat and not place.loops:
                kinds += [(0.5, self.array), (0.3, self.table)]
            if place.top:
                kinds += [(0.3, self.out), (0.25, self.aside), (0.2, self.training), (1.2, self.auxiliary)]
        weights, makers = zip(*kinds, strict=True)
        chosen = self.rng.choices(makers, weights)[0]

        def make(trial: Sim) -> Body:
            return chosen(trial, place)

        make.__name__ = chosen.__name__
        return self.kept(place, make) if place.keep else make


def sizes(rng: Random, rank: int) -> Sequence[int]:
    """Channels, then spatial extents: odd ones, and some of one."""
    spatial = {0: (), 1: (4, 30), 2: (1, 15), 3: (1, 7)}[rank]
    extents = [
        1 if rank > 1 and rng.random() < 0.08 else rng.randint(max(3, spatial[0]), spatial[1])
        for _ in range(rank)
    ]
    return [rng.choice([1, 2, 3, 3, 4, 4, 5, 6, 8] if rank else [3, 5, 8, 12]), *extents]
