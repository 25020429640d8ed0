"""Random programs that mean something: statement by statement, each tried before it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from compiler.declare import Fault
from compiler.ops.base import TensorType
from tests.generator import layers
from tests.generator.program import (
    Apply,
    Aside,
    Begin,
    Block,
    BlockOf,
    Body,
    Branch,
    Code,
    For,
    ForBranches,
    Group,
    If,
    IfBranches,
    Join,
    LayerOf,
    Merge,
    Out,
    Refused,
    Repeat,
    SharedGroup,
    SharedOf,
    Sim,
    Spent,
    Statement,
    run,
    word,
)

FAILURES = (Fault, Refused, ArithmeticError, LookupError, TypeError, AttributeError, NameError)
IT = Code("it")
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


class Maker:
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

    # ---- small things

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
            return self.rng.choice([stem, stem, f'"{stem}"', f'"{stem}.inner-{self.counter}"', f'"group.{stem}"'])
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
                if type(known) is not int or known == 0:
                    continue
                if known == value:
                    found += [Code(name)] * 8
                elif value % known == 0 and value:
                    found += [Code(f"{value // known} * {name}")] * 2
                elif known > value > 0 and known % value == 0:
                    found += [Code(f"{name} // {known // value}")] * 2
                else:
                    found.append(Code(f"{name} + {value - known}" if value > known else f"{name} - {known - value}"))
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

    # ---- bodies

    def body(self, sim: Sim, place: Place, size: int) -> Body:
        """About `size` statements; with `keep` the type at the end is that at the begin."""
        made: Body = []
        for _ in range(size):
            made += self.attempt(sim, self.statement(sim, place))
        return made

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
                (1.2, self.residual), (1.2, self.branches), (0.8, self.repeat), (0.8, self.loop), (0.6, self.condition),
                (1.0, self.group), (1.5, self.call), (0.8, self.shared), (0.5, self.gate), (0.5, self.recursion),
                (0.4, self.several), (0.4, self.like), (0.25, self.rbf), (0.6, self.fused),
            ]
            if not place.repeat and not place.loops:
                kinds += [(0.5, self.array), (0.3, self.table)]
            if place.top:
                kinds += [(0.3, self.out), (0.25, self.aside), (0.2, self.training)]
        weights, makers = zip(*kinds, strict=True)
        chosen = self.rng.choices(makers, weights)[0]

        def make(trial: Sim) -> Body:
            return chosen(trial, place)

        make.__name__ = chosen.__name__
        return self.kept(place, make) if place.keep else make

    # ---- layers

    def layer(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        values = [n for n, v in sim.scope.items() if isinstance(v, LayerOf)]
        if values and self.chance(0.5):
            step = Apply(self.rng.choice(values), label=self.label(place))
        else:
            able = list(layers.KEEPING) if place.keep else layers.choices(x)
            name = self.rng.choice(able)
            step = Apply(name, layers.arguments(self.rng, name, x, self.number(sim), place.keep), self.label(place))
        step.names = self.names(sim)
        step.joined = self.chance(0.6)
        return [step]

    def like(self, sim: Sim, place: Place) -> Body:
        """Adaptive pooling to the size of another tensor."""
        x = sim.current()
        able = [n for n, v in sim.scope.items() if isinstance(v, TensorType) and v.rank == x.rank and x.rank > 1]
        name = self.rng.choice(["adaptiveavgpool", "adaptivemaxpool"])
        return [Apply(name, [("like", Code(self.rng.choice(able)))], self.label(place))]

    def gate(self, sim: Sim, place: Place) -> Body:
        """Squeeze and excitation."""
        x = sim.current()
        if not 2 <= x.rank <= 4:
            raise Refused("no feature map")
        skip = self.name("x")
        ones = Code("x".join(["1"] * (x.rank - 1)), repr((1,) * (x.rank - 1))) if x.rank > 2 else Code("1")
        return [
            Apply("identity", names=(skip,)),
            Apply(self.rng.choice(["globalavgpool", "globalmaxpool"])),
            Apply("conv", [(None, self.number(sim)(x.shape[0])), (None, ones)], joined=True),
            Apply(self.rng.choice(["sigmoid", "hardsigmoid", "tanh"]), joined=True),
            Join(self.rng.choice(["multiply", "add"]), self.mixed([IT, Code(skip)])),
        ]

    def mixed(self, items: list[Code]) -> list[Code]:
        items = list(items)
        self.rng.shuffle(items)
        return items

    def rbf(self, sim: Sim, place: Place) -> Body:
        x = sim.current()
        made: Body = [] if x.rank == 1 else [Apply("flatten")]
        if place.repeat or not x.rank:
            raise Refused("no place for centres")
        centers, count = self.name("centers"), self.rng.choice([1, 3, 5])
        shape = (count, x.elements)
        return [*made, *self.raw(place, centers, shape), Apply("rbf", [(self.rng.choice([None, "centers"]), Code(centers))])]

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
            text = f"let {name}(a, b = 0)" if False else f"let {name}(a) = a * 2 - {value}"
            return [Statement(text, lambda sim: sim.scope.__setitem__(name, lambda a: a * 2 - value))]
        code = self.number(sim)(value)
        return [Statement(f"let {name} = {code.text}", lambda sim: sim.scope.__setitem__(name, sim.evaluate(code)))]

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

    # ---- joins

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
                return [Apply("adaptiveavgpool", [(None, size)]), Apply("conv", [(None, express(count)), (None, ones)])]
            given: layers.Arguments = [(None, express(count)), (None, layers.per_axis(self.rng, kernel, express))]
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
            more = [Code(other)] if self.chance(0.2) else []
            return [Join(kind, self.mixed([IT, Code(other), *more]), label=self.label(place, 0.1), names=names)]
        skip = self.name("t")
        given: layers.Arguments = []
        if kind == "concat" and self.chance(0.3):
            given.append(("axis", word("channels")))
        return [
            Apply("identity", names=(skip,)), Begin(Code(other)), *adapted,
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
            return [Join(self.rng.choice(["add", "multiply"]), self.mixed([IT, number]), joined=self.chance(0.5))]
        axis = self.rng.choice(layers._axes(x))[0]
        return [Join("concat", [IT, *[IT] * self.rng.choice([1, 2])], [("axis", word(axis))], self.label(place))]

    # ---- control

    def truth(self, sim: Sim, place: Place) -> tuple[Code, bool]:
        """A condition, and whether it holds now."""
        found = [Code("true", "True"), Code("false", "False"), Code("1 < 2 and not false", "1 < 2 and not False")]
        x = sim.current()
        if x.rank and not x.free[0]:
            n = self.rng.choice([x.shape[0], x.shape[0] + 1, 1])
            found += [Code(f"it.channels == {n}", f"it.shape[0] == {n}"), Code(f"{n} <= it.channels", f"{n} <= it.shape[0]")]
        for name, value in sim.scope.items():
            if type(value) is int:
                found += [Code(f"{name} % 2 == 0"), Code(f"{name} > {value}"), Code(f"{name} == {value} or {name} < 0")]
        code = self.rng.choice(found)
        return code, bool(sim.evaluate(code))

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
        other = self.body(sim.copy().child(), place.deeper(), self.rng.choice([1, 2])) if self.chance(0.5) else None
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

    # ---- blocks

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
            return self.rng.choice(ACTIVATIONS)[1]
        if name.startswith("kernel"):
            rank = self.origins[block.name].rank - 1
            if rank < 1:
                raise Refused("no window")
            return layers.per_axis(self.rng, [self.rng.choice([1, 2, 3]) for _ in range(rank)], self.number(sim), False)
        if name.startswith("flag"):
            return self.rng.choice([Code("true", "True"), Code("false", "False")])
        if name.startswith("mode"):
            return word(self.rng.choice(["same", "half", "valid"]))
        return self.number(sim)(self.rng.choice([1, 2, 3, 4]))

    def new_block(self, sim: Sim, place: Place, inline: bool | None = None) -> Block:
        x = sim.current()
        name = self.name(self.rng.choice(["Block", "Conv", "Unit_"]))
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
            given.append((None, Code(self.rng.choice([width, f"2 * {width}", f"{width} + 1"]) if width else "4")))
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
        if self.chance(0.3) and not any(isinstance(step, Statement) for step in body):
            return [Apply(name, [], self.label(place), (p, "_"))]
        made: Body = [Apply(name, [], self.label(place), (p, q))]
        after = sim.copy()
        run(made, after)
        adapted = self.fit(sim, after.scope[q], after.scope[p])
        return [*made, Begin(Code(q)), *adapted, Join(self.rng.choice(["add", "maximum"]), self.mixed([IT, Code(p)]))]

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
                    f"shared {name}: {target}" + (f"({', '.join(c.text if n is None else f'{n} = {c.text}' for n, c in given)})" if given else ""),
                    lambda s: s.scope.__setitem__(name, SharedOf(LayerOf(layers.OPS[target], tuple(values)))),
                )
            ]
        else:
            body = self.body(inner, Place(model=False, path=name, keep=True, depth=place.depth + 2, plain=True), 3)
            if not body or any(isinstance(s, Statement) for s in body):
                raise Refused("an empty group")
            declared = [SharedGroup(name, Group(name, True, body))]
        if self.chance(0.5):
            applied: Body = [Apply(name), *self.body(inner, place.deeper(keep=True), 1), Apply(name, joined=True)]
        else:
            applied = [Merge("concat" if not place.keep else "add", [Branch([Apply(name)]), Branch([Apply("tanh"), Apply(name, joined=True)])])]
        return [*declared, *applied]

    # ---- arrays

    def array(self, sim: Sim, place: Place) -> Body:
        """`as x[i]` in a loop, then a join of all or some."""
        array, variable, times = self.name("x"), self.name("i"), self.rng.choice([2, 3])
        inside = place.deeper(keep=True, loops=(*place.loops, variable))
        body = self.body(sim.copy().child({variable: 0}), inside, 2)
        body = [s for s in body if not isinstance(s, Statement)]
        if not body or len(getattr(body[-1], "names", ("", ""))) > 1:
            raise Refused("nothing to keep")
        body[-1].names = (f"{array}[{variable}]",)
        kind = self.rng.choice(["add", "concat", "average", "maximum"] if not place.keep else ["add", "average"])
        whole = self.rng.choice([
            Code(f"{array}[0..{times}]", f"[{array}[k] for k in range({times})]"),
            Code(f"[{array}[k] for k in 0..{times}]", f"[{array}[k] for k in range({times})]"),
        ])
        return [For((variable,), Code(f"0..{times}", f"range({times})"), body), Join(kind, self.mixed([whole, IT]))]

    def table(self, sim: Sim, place: Place) -> Body:
        """Two indices, as in U-Net++: each row is a loop of its own, joined with what stands before it."""
        array, i, j = self.name("g"), self.name("i"), self.name("j")
        rows, columns = self.rng.choice([2, 3]), self.rng.choice([2, 3])
        base = self.name("t")
        inside = place.deeper(keep=True, loops=(*place.loops, i, j))
        inner = sim.copy().child({i: 0, j: 1})
        body = [s for s in self.body(inner, inside, 2) if not isinstance(s, Statement)]
        if not body or len(getattr(body[-1], "names", ("", ""))) > 1:
            raise Refused("nothing to keep")
        body[-1].names = (f"{array}[{i}, {j}]",)
        before = Code(f"{array}[{i}, 0..{j}]", f"[{array}[{i}, k] for k in range({j})]")
        row: Body = [
            Begin(Code(base)),
            Apply(self.rng.choice(["relu", "tanh", "identity"]), names=(f"{array}[{i}, 0]",), joined=True),
            For((j,), Code(f"1..{columns}", f"range(1, {columns})"), [*body[:-1], Join("add", [before, IT]), body[-1]]),
        ]
        last = Code(f"[{array}[k, {columns - 1}] for k in 0..{rows}]", f"[{array}[k, {columns - 1}] for k in range({rows})]")
        return [
            Apply("identity", names=(base,)),
            For((i,), Code(f"0..{rows}", f"range({rows})"), row),
            Join("average" if place.keep else self.rng.choice(["concat", "add"]), self.mixed([last, IT])),
        ]

    # ---- outputs

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


def sizes(rng: Random, rank: int) -> Sequence[int]:
    """Channels, then spatial extents: odd ones, and some of one."""
    spatial = {0: (), 1: (4, 30), 2: (1, 15), 3: (1, 7)}[rank]
    extents = [1 if rank > 1 and rng.random() < 0.08 else rng.randint(max(3, spatial[0]), spatial[1]) for _ in range(rank)]
    return [rng.choice([1, 2, 3, 3, 4, 4, 5, 6, 8] if rank else [3, 5, 8, 12]), *extents]


def block_value(name: str) -> Callable[[Maker], BlockOf]:
    return lambda maker: BlockOf(maker.blocks[name])
