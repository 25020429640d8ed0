"""What published networks are made of: dense connectivity, gates, auxiliary heads, shuffled halves, dropped paths."""

from __future__ import annotations

from compiler.ops.base import BATCH, TensorType
from tests.generator import layers
from tests.generator.making.base import Place
from tests.generator.making.blocks import Blocks
from tests.generator.sim import Block, Body, Code, Refused, Sim, run, word
from tests.generator.steps import IT, Apply, Aside, Begin, Branch, For, If, Join, Merge, Out, Repeat, Step

IN = Code("in", "inside")


class Networks(Blocks):
    # ---- dense connectivity ---------------------------------------------------------------------

    def dense(self, sim: Sim, place: Place) -> Body:
        """Each piece takes all before: what flows grows by concat, or all are kept and joined at once."""
        x = sim.current()
        if not x.rank or x.rank > 4:
            raise Refused("no channels")
        growth, times = self.rng.choice([1, 2, 3, 4]), self.rng.choice([2, 2, 3])
        forms = [self.grown, self.grown_by_block]
        if not place.repeat and not place.loops:
            forms += [self.gathered] * 2
        made = self.rng.choice(forms)(sim, place, growth, times)
        if place.keep:
            return [*made, *self.projection(sim, x)]
        return [*made, *self.transition(x)] if self.chance(0.3) else made

    def grown(self, sim: Sim, place: Place, growth: int, times: int) -> Body:
        """`concat(before, it)` after each piece."""
        before = self.name("t")
        first: Step = Apply("identity", names=(before,))
        body = [first, *self.piece(sim, growth), Join("concat", self.mixed([Code(before), IT]))]
        if self.chance(0.5):
            return [Repeat(self.number(sim)(times), body)]
        variable = self.name("i")
        return [For((variable,), Code(f"0..{times}", f"range({times})"), body)]

    def grown_by_block(self, sim: Sim, place: Place, growth: int, times: int) -> Body:
        """The same as a block that joins what came in."""
        name, width = self.name("Dense"), self.name("width")
        inner = sim.copy()
        inner.scope = type(inner.scope)(dict(sim.globals) | {width: growth})
        inner.inside = sim.current()
        body = [*self.piece(inner, growth, Code(width)), Join("concat", self.mixed([IN, IT]), joined=True)]
        self.add_block(Block(name, [(width, None)], body, False), sim.current())
        call = Apply(name, [(None, self.number(sim)(growth))])
        if self.chance(0.5):
            return [Repeat(self.number(sim)(times), [call])]
        return [call, *(Apply(name, [(width, Code(str(growth)))], joined=True) for _ in range(times - 1))]

    def gathered(self, sim: Sim, place: Place, growth: int, times: int) -> Body:
        """All pieces in an array, of which each joins those before it, and the last join all.

        A join takes two or more: the first piece is made before the loop, or the loop asks.
        """
        array, i, count = self.name("x"), self.name("i"), times + 1
        join = Join("concat", [self.first_of(array, i)])
        asked = self.chance(0.5)
        steps = self.filled(array, i, self.piece(sim, growth))
        looped: Body = [If(Code(f"{i} > 1"), [join]) if asked else join, *steps]
        start = 1 if asked else 2
        first = [] if asked else self.filled(array, "1", self.piece(sim, growth))
        return [
            Apply("identity", names=(f"{array}[0]",)),
            *first,
            For((i,), Code(f"{start}..{count}", f"range({start}, {count})"), looped),
            Join("concat", [self.first_of(array, str(count))]),
        ]

    def first_of(self, array: str, count: str) -> Code:
        """Elements of an array, as a slice or as a list."""
        python = f"[{array}[k] for k in range({count})]"
        return Code(self.rng.choice([f"{array}[0..{count}]", f"[{array}[k] for k in 0..{count}]"]), python)

    @staticmethod
    def filled(array: str, index: str, piece: list[Apply]) -> list[Apply]:
        """The piece, its result kept as an element of the array."""
        piece[-1].names = (f"{array}[{index}]",)
        return piece

    def piece(self, sim: Sim, growth: int, width: Code | None = None) -> list[Apply]:
        """Norm, activation and convolution of any number of channels, perhaps through a bottleneck."""
        x = sim.current()
        made: list[Apply] = []
        wide = width or self.number(sim)(growth)
        if self.chance(0.35):
            made += [
                *self.before_weights(x),
                self.mix(x, Code(f"2 * ({wide.text})", f"2 * ({wide.python or wide.text})")),
            ]
        made += self.before_weights(x)
        if x.rank > 1 and self.chance(0.6):
            size = (
                Code("x".join(["3"] * (x.rank - 1)), repr((3,) * (x.rank - 1))) if x.rank > 2 else Code("3")
            )
            given: layers.Arguments = [(None, wide), (None, size), ("pad", word("half"))]
            if self.chance(0.5):
                given.append(("bias", Code("false", "False")))
            return [*made, Apply("conv", given, joined=True)]
        return [*made, self.mix(x, wide)]

    def before_weights(self, x: TensorType) -> list[Apply]:
        made = [Apply("batchnorm", joined=False)] if self.chance(0.6) else []
        return [
            *made,
            Apply(self.rng.choice(["relu", "relu", "silu", "leakyrelu", "identity"]), joined=bool(made)),
        ]

    def mix(self, x: TensorType, width: Code) -> Apply:
        """Other channels at each place."""
        if x.rank == 1:
            return Apply("fc", [(None, width)], joined=True)
        return Apply("conv", [(None, width), (None, ones(x))], joined=True)

    def projection(self, sim: Sim, x: TensorType) -> Body:
        """Back to as many channels as before."""
        return [self.mix(x, Code(str(x.shape[0])))]

    def transition(self, x: TensorType) -> Body:
        """Half of the channels, and half of the map where it is large enough."""
        half = Code("max(1, it.channels // 2)", "max(1, it.shape[0] // 2)")
        if x.rank == 1:
            half = Code(half.text.replace("it.channels", "it.shape[0]"), half.python)
        made: Body = [self.mix(x, half)]
        if x.rank > 1 and min(x.spatial) > 1:
            size = (
                Code("x".join(["2"] * (x.rank - 1)), repr((2,) * (x.rank - 1))) if x.rank > 2 else Code("2")
            )
            made.append(Apply("avgpool", [(None, size), ("round", word("floor"))], joined=True))
        return made

    # ---- squeeze and excitation -----------------------------------------------------------------

    def gate(self, sim: Sim, place: Place) -> Body:
        """Squeeze and excitation: convolutions or fully connected layers; here or in a block."""
        x = sim.current()
        if not 2 <= x.rank <= 4:
            raise Refused("no feature map")
        if self.chance(0.4):
            return self.gate_by_block(sim, place)
        skip = self.name("x")
        act = Apply(self.rng.choice(["relu", "silu", "hardswish"]), joined=True)
        sigmoid = Apply(
            self.rng.choice(["sigmoid", "sigmoid", "hardsigmoid", "hardsigmoid", "tanh"]), joined=True
        )
        squeeze = self.number(sim)(self.rng.choice([1, 2, 3, max(1, x.shape[0] // 2)]))
        made = [*self.squeezed(x, squeeze, self.number(sim)(x.shape[0]), act, sigmoid)]
        multiply = Join("multiply", self.mixed([IT, Code(skip)]), label=self.label(place, 0.1), joined=True)
        return [Apply("identity", names=(skip,)), *made, multiply]

    def squeezed(self, x: TensorType, squeeze: Code, width: Code, act: Apply, gate: Apply) -> Body:
        """A factor for each channel, from its mean over the map."""
        pool = self.rng.choice(["globalavgpool", "globalavgpool", "globalavgpool", "globalmaxpool"])
        one = (1,) * (x.rank - 1)
        if self.chance(0.5):
            return [
                Apply(pool),
                Apply("conv", [(None, squeeze), (None, ones(x))], joined=True),
                act,
                Apply("conv", [(None, width), (None, ones(x))], joined=True),
                gate,
            ]
        shape = Code(
            f"[{width.text}, {', '.join(map(str, one))}]",
            f"({width.python or width.text}, {', '.join(map(str, one))})",
        )
        return [
            Apply(pool),
            Apply("flatten", joined=True),
            Apply("fc", [(None, squeeze)], joined=True),
            act,
            Apply("fc", [(None, width)], joined=True),
            *self.mixed_order(gate, Apply("reshape", [(None, shape)], joined=True)),
        ]

    def mixed_order(self, one: Step, other: Step) -> Body:
        return [one, other] if self.chance(0.5) else [other, one]

    def gate_by_block(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        name, width = self.name("Squeeze"), self.name("width")
        act, gate = self.name("act"), self.name("gate")
        channels = Code("in.channels", "inside.shape[0]")
        body = [
            *self.squeezed(x, Code(width), channels, Apply(act, joined=True), Apply(gate, joined=True)),
            Join("multiply", self.mixed([IN, IT]), joined=True),
        ]
        parameters = [
            (width, None),
            (act, Code("relu", "L('relu')")),
            (gate, Code("sigmoid", "L('sigmoid')")),
        ]
        block = Block(name, parameters, body, False)
        self.add_block(block, x)
        given: layers.Arguments = [(None, self.number(sim)(self.rng.choice([1, 2, 3])))]
        for parameter in (act, gate):
            if self.chance(0.4):
                given.append((parameter, self.argument(sim, block, parameter)))
        return [Apply(name, given, self.label(place), joined=self.chance(0.5))]

    # ---- heads for training ---------------------------------------------------------------------

    def auxiliary(self, sim: Sim, place: Place) -> Body:
        """A classifier on a map in the middle, for training: here, or at what was kept before; or two."""
        kept = [n for n, v in sim.scope.items() if isinstance(v, TensorType) and v.rank and v.rows == BATCH]
        here = self.name("t")
        inner = sim.copy().child()
        inner.scope[here] = sim.current()
        body: Body = []
        block = self.head_block(sim) if self.chance(0.4) else None
        for _ in range(self.rng.choice([1, 2])):
            origin = self.rng.choice([*kept, *[here] * 3])
            begin: Body = [Begin(Code(origin))] if body or origin != here else []
            run(begin, inner)
            x = inner.current()
            classes = self.rng.choice([2, 3, 5])
            head = self.head(inner, x, self.number(inner)(classes))
            if block is not None and self.origins[block.name].rank == x.rank:
                head = [Apply(block.name, [(None, Code(str(classes)))], self.label(place))]
            run(head, inner)
            body += [*begin, *head, Out(self.name("aux"))]
            self.outputs += 1
        self.has_training = True
        return [Apply("identity", names=(here,)), Aside(body, True)]

    def head_block(self, sim: Sim) -> Block:
        x = sim.current()
        name, classes = self.name("Aux"), self.name("classes")
        inner = sim.copy()
        inner.scope = type(inner.scope)(dict(sim.globals) | {classes: 2})
        inner.inside = x
        return self.add_block(Block(name, [(classes, None)], self.head(inner, x, Code(classes)), False), x)

    def head(self, sim: Sim, x: TensorType, classes: Code) -> Body:
        made: Body = []
        if 2 <= x.rank <= 4:
            pool = Apply("globalavgpool") if any(x.free) or self.chance(0.3) else self.shrunk(x)
            width = self.rng.choice([2, 3, 4])
            made += [pool, Apply("conv", [(None, Code(str(width))), (None, ones(x))], joined=True)]
            made += [Apply("batchnorm", joined=True)] if self.chance(0.3) else []
            made.append(Apply("relu", joined=True))
        if x.rank != 1:
            made.append(Apply("flatten", joined=bool(made)))
        if self.chance(0.4):
            made += [
                Apply("fc", [(None, Code("6"))], joined=bool(made)),
                Apply("relu", joined=True),
                Apply("dropout", [(None, Code("0.7"))] if self.chance(0.5) else [], joined=True),
            ]
        return [*made, Apply("fc", [(None, classes)], joined=bool(made))]

    def shrunk(self, x: TensorType) -> Apply:
        sizes = [min(n, self.rng.choice([1, 2, 4])) for n in x.spatial]
        return Apply("adaptiveavgpool", [(None, layers.per_axis(self.rng, sizes, lambda n: Code(str(n))))])

    # ---- shuffled halves, dropped paths ---------------------------------------------------------

    def halves(self, sim: Sim, place: Place) -> Body:
        """Half of the channels go through, the others are worked on; then they are mixed."""
        x = sim.current()
        if not x.rank or x.free[0] or x.shape[0] % 2:
            raise Refused("no halves")
        whole, left, width = self.name("t"), self.name("left"), x.shape[0] // 2
        express = self.number(sim)
        inner = sim.copy().child()
        half = [(None, word("channels")), (None, express(width)), (None, express(2 * width))]
        right: Body = [Begin(Code(whole)), Apply("slice", half, joined=True)]
        start: Body = [
            Apply("identity", names=(whole,)),
            Apply(
                "slice", [(None, word("channels")), (None, Code("0")), (None, express(width))], names=(left,)
            ),
        ]
        run([*start, *right], inner)
        body = self.body(inner, place.deeper(keep=True), self.rng.choice([1, 2]))
        join = Join("concat", [Code(left), IT] if self.chance(0.7) else [IT, Code(left)])
        return [*start, *right, *body, join, Apply("channelshuffle", [(None, Code("2"))], joined=True)]

    def dropped(self, sim: Sim, place: Place) -> Body:
        """A residual whose branch is dropped for some images while training."""
        branch = self.branch(sim, place.deeper(keep=True), None)
        chance = self.rng.choice(["0.1", "0.5", "0.2 * 3 / 4", "0"])
        branch.body.append(Apply("dropout", [(None, Code(chance)), ("mode", word("path"))]))
        shortcut = Branch([Apply("identity")] if self.chance(0.5) else [])
        return [Merge("add", [branch, shortcut], self.label(place), joined=self.chance(0.5))]

    def add_block(self, block: Block, x: TensorType) -> Block:
        self.blocks[block.name], self.origins[block.name] = block, x
        return block


def ones(x: TensorType) -> Code:
    """A window of one number for each axis of a map."""
    return Code("x".join(["1"] * (x.rank - 1)), repr((1,) * (x.rank - 1))) if x.rank > 2 else Code("1")
