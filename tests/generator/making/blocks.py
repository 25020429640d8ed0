"""Blocks with parameters, with several results, that call themselves; what is shared."""

from __future__ import annotations

import re

from compiler.ops.base import TensorType
from tests.generator import layers
from tests.generator.making.base import Place
from tests.generator.making.joins import Joins
from tests.generator.sim import Block, Body, Code, LayerOf, Refused, SharedOf, Sim, Step, run, word
from tests.generator.steps import (
    IT,
    Apply,
    Begin,
    Branch,
    Group,
    If,
    Join,
    Merge,
    Out,
    SharedGroup,
    Statement,
    lines,
)

ACTIVATIONS = [
    ("relu", Code("relu", "L('relu')")),
    ("leakyrelu", Code("leakyrelu(0.2)", "L('leakyrelu', 0.2)")),
    ("elu", Code("elu(alpha = 0.7)", "L('elu', alpha=0.7)")),
    ("silu", Code("silu", "L('silu')")),
    ("batchnorm", Code("batchnorm(eps = 1e-3)", "L('batchnorm', eps=1e-3)")),
    ("prelu", Code("prelu", "L('prelu')")),
    ("dropout", Code("dropout(0.3, mode = classic)", "L('dropout', 0.3, mode=W('classic'))")),
    ("scale", Code("scale(bias = false)", "L('scale', bias=False)")),
]
GATES = [
    Code("sigmoid", "L('sigmoid')"),
    Code("hardsigmoid", "L('hardsigmoid')"),
    Code("tanh", "L('tanh')"),
]


class Blocks(Joins):
    def call(self, sim: Sim, place: Place) -> Body:
        """A block, one that is there or a new one, with arguments."""
        x = sim.current()
        able = [n for n in self.blocks if self.origins[n].rank == x.rank]
        if able and self.chance(0.5):
            block = self.blocks[self.rng.choice(able)]
        else:
            block = self.new_block(sim, place)
        given: list[tuple[str | None, Code]] = []
        by_name = False
        for name, default in block.parameters:
            if default is not None and self.chance(0.5):
                by_name = True
                continue
            code = self.argument(sim, block, name)
            by_name = by_name or self.chance(0.2)
            given.append((name if by_name else None, code))
        label = "" if block.inline else self.label(place)
        if block.inline and (place.repeat or place.loops):
            raise Refused("an inline block has labels of its own")
        return [Apply(block.name, given, label, self.names(sim), joined=self.chance(0.5))]

    def argument(self, sim: Sim, block: Block, name: str) -> Code:
        """A value for a parameter, by the stem of its name."""
        if name.startswith("act"):
            shared = [n for n, value in sim.scope.items() if isinstance(value, SharedOf)]
            if shared and self.chance(0.5):
                return Code(self.rng.choice(shared))
            return self.rng.choice(ACTIVATIONS)[1]
        if name.startswith("gate"):
            return self.rng.choice(GATES)
        if name.startswith("kernel"):
            rank = self.origins[block.name].rank - 1
            if rank < 1:
                raise Refused("no window")
            return layers.per_axis(
                self.rng, [self.rng.choice([1, 2, 3]) for _ in range(rank)], self.number(sim), False
            )
        if name.startswith("flag"):
            return self.rng.choice([Code("true", "True"), Code("false", "False")])
        if name.startswith("mode"):
            return word(self.rng.choice(["same", "half", "valid"]))
        return self.number(sim)(self.rng.choice([1, 2, 3, 4]))

    def new_block(self, sim: Sim, place: Place, inline: bool | None = None) -> Block:
        x = sim.current()
        name = self.name(self.rng.choice(["Block", "Stem", "Unit_"]))
        block = Block(name, [], [], self.chance(0.2) if inline is None else inline)
        self.origins[name] = x
        stems = [s for s in ("width", "act", "kernel", "flag", "mode") if self.chance(0.45)]
        defaults = False
        for stem in stems:
            parameter = self.name(stem)
            code = self.argument(Sim(sim.totals, {}), block, parameter)
            defaults = defaults or self.chance(0.5)
            block.parameters.append((parameter, code if defaults else None))
        inner = sim.copy()
        inner.scope = type(inner.scope)(dict(sim.globals))
        inner.inside = x
        for parameter, default in block.parameters:
            code = default or self.argument(Sim(sim.totals, {}), block, parameter)
            inner.scope[parameter] = code.value(sim.globals)
        # What an inline block names belongs to its user, who may use it twice.
        inside = Place(model=False, path=name, depth=place.depth + 1, repeat=block.inline)
        block.body = self.heading(inner, block, x) + self.body(inner, inside, self.rng.choice([1, 2, 3, 4]))
        if self.chance(0.3):
            block.body += self.attempt(inner, lambda s: self.with_inside(s, block))
        if not block.body:
            raise Refused("an empty block")
        self.blocks[name] = block
        return block

    def with_inside(self, sim: Sim, block: Block) -> Body:
        """A join with `in`."""
        x, inside = sim.current(), self.origins[block.name]
        if x.shape != inside.shape:
            raise Refused("another shape than `in`")
        return [Join("add", self.mixed([IT, Code("in", "inside")]))]

    def heading(self, sim: Sim, block: Block, x: TensorType) -> Body:
        """Layers that use the parameters."""
        made: Body = []

        def convolution(trial: Sim) -> Body:
            given: layers.Arguments = []
            width = next((n for n, _ in block.parameters if n.startswith("width")), None)
            kernel = next((n for n, _ in block.parameters if n.startswith("kernel")), None)
            flag = next((n for n, _ in block.parameters if n.startswith("flag")), None)
            mode = next((n for n, _ in block.parameters if n.startswith("mode")), None)
            given.append(
                (None, Code(self.rng.choice([width, f"2 * {width}", f"{width} + 1"]) if width else "4"))
            )
            given.append((None, Code(kernel or "1")))
            if flag:
                given.append(("bias", Code(flag)))
            if mode:
                given.append(("pad", Code(mode)))
            if not (width or kernel or flag or mode) or not 2 <= x.rank <= 4:
                raise Refused("nothing to use")
            return [Apply("conv", given)]

        made += self.attempt(sim, convolution, 3)
        return made

    def recursion(self, sim: Sim, place: Place) -> Body:
        """A block that calls itself until a number is used up."""
        x = sim.current()
        name, count = self.name("Nest"), self.name("n")
        inner = sim.copy()
        inner.scope = type(inner.scope)(dict(sim.globals) | {count: 2})
        inner.inside = x
        inside = Place(model=False, path=name, keep=True, depth=place.depth + 2)
        body = self.body(inner, inside, self.rng.choice([1, 2]))
        step = Apply(name, [(self.rng.choice([None, count]), Code(f"{count} - 1"))])
        if self.chance(0.4):
            again: Body = [Merge("add", [Branch([step]), Branch([])])]
        else:
            again = [step]
        block = Block(name, [(count, None)], [If(Code(f"{count} > 0"), body + again, None)])
        if not body:
            raise Refused("an empty block")
        self.blocks[name], self.origins[name] = block, TensorType((1,) * 9)
        return [Apply(name, [(None, Code(str(self.rng.choice([1, 2, 3]))))], self.label(place))]

    def several(self, sim: Sim, place: Place) -> Body:
        """A block with several results."""
        x = sim.current()
        name = self.name("Split")
        inner = sim.copy()
        inner.scope = type(inner.scope)(dict(sim.globals))
        inner.inside = x
        inside = Place(model=False, path=name, depth=place.depth + 2)
        one, two = self.name("one"), self.name("two")
        body = [*self.body(inner, inside, 2), Out(one, True), *self.body(inner, inside, 2), Out(two, True)]
        if len(body) < 4 or not isinstance(body[-2], Apply | Merge | Group):
            raise Refused("an empty block")
        self.blocks[name], self.origins[name] = Block(name, [], body), TensorType((1,) * 9)
        p, q = self.name("p"), self.name("q")
        if self.chance(0.3) and not self.holds_weights(body):
            return [Apply(name, [], self.label(place), (p, "_"))]
        made: Body = [Apply(name, [], self.label(place), (p, q))]
        after = sim.copy()
        run(made, after)
        adapted = self.fit(sim, after.scope[q], after.scope[p])
        return [
            *made,
            Begin(Code(q)),
            *adapted,
            Join(self.rng.choice(["add", "maximum"]), self.mixed([IT, Code(p)])),
        ]

    def holds_weights(self, body: Body) -> bool:
        """Whether there are raw weights in it, or in a block that it uses: those must reach an output."""
        text = "\n".join(lines(body))
        used = [block for name, block in self.blocks.items() if re.search(rf"\b{name}\b", text)]
        return "weight " in text or any(
            self.holds_weights(block.body) for block in used if block.body is not body
        )

    def shared(self, sim: Sim, place: Place) -> Body:
        """Something with weights that is applied twice: one after the other, or side by side."""
        x = sim.current()
        if place.loops or place.repeat:
            raise Refused("shared in a loop")
        name = self.name("common")
        inner = sim.copy()
        if self.chance(0.5):
            target = self.rng.choice(["conv", "fc", "batchnorm", "scale", "prelu", "groupnorm", "layernorm"])
            given = layers.arguments(self.rng, target, x, self.number(Sim(sim.totals, {})), keep=True)
            values = [(n, inner.evaluate(c)) for n, c in given]
            declared: Body = [
                Statement(
                    f"shared {name}: {target}"
                    + (
                        f"({', '.join(c.text if n is None else f'{n} = {c.text}' for n, c in given)})"
                        if given
                        else ""
                    ),
                    lambda s: s.scope.__setitem__(name, SharedOf(LayerOf(layers.OPS[target], tuple(values)))),
                )
            ]
        else:
            body = self.body(
                inner, Place(model=False, path=name, keep=True, depth=place.depth + 2, plain=True), 3
            )
            if not body or any(isinstance(s, Statement) for s in body):
                raise Refused("an empty group")
            declared = [SharedGroup(name, Group(name, True, body))]
        applied: Body
        if self.chance(0.3):
            applied = self.handed_on(name, place)
        elif self.chance(0.5):
            applied = [
                Apply(name),
                # What it applies keeps the type, and the names within are its own.
                *self.body(sim.copy(), place.deeper(keep=True), 1),
                Apply(name, joined=True),
            ]
        else:
            applied = [
                Merge(
                    "concat" if not place.keep else "add",
                    [Branch([Apply(name)]), Branch([Apply("tanh"), Apply(name, joined=True)])],
                )
            ]
        return [*declared, *applied]

    def handed_on(self, shared: str, place: Place) -> Body:
        """Something shared that is applied, and given to a block that applies it."""
        block, parameter = self.name("Applied"), self.name("layer")
        body: Body = [Apply(parameter)]
        if self.chance(0.5):
            body += [Apply(self.rng.choice(["tanh", "identity"]), joined=True), Apply(parameter, joined=True)]
        self.blocks[block], self.origins[block] = Block(block, [(parameter, None)], body), TensorType((1,) * 9)
        given: Step = Apply(block, [(None, Code(shared))])
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            given = Group(self.name("within"), self.chance(0.5), [given])
        made: Body = [Apply(shared), given]
        return made if self.chance(0.5) else made[::-1]
