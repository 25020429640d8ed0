"""A random spec as a tree of steps, each of which knows its text and what it does to the types that flow.

The second thing is a small evaluator of its own: it tells the generator what fits next, how much the
network costs so far, and whether a body that was made for one type works at another, too.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from compiler.declare import Given, Position, Word
from compiler.ops import OPS
from compiler.ops.base import Op, TensorType

INDENT = "    "


class Refused(Exception):
    """A step that does not work here, or costs too much."""


class Spent(Refused):
    """The budget is used up."""


@dataclass(frozen=True)
class Code:
    """An expression: its text in a spec, and the same in Python over the values in scope."""

    text: str
    python: str = ""

    def value(self, scope: Mapping[str, Any]) -> Any:
        return eval(self.python or self.text, {**HELPERS, **scope})


def word(name: str) -> Code:
    return Code(name, f"W({name!r})")


@dataclass(frozen=True)
class LayerOf:
    """A layer as a value: its declaration, and the arguments that it has already."""

    op: type[Op]
    given: tuple[tuple[str | None, Any], ...] = ()


@dataclass(frozen=True)
class BlockOf:
    block: Block
    given: tuple[tuple[str | None, Any], ...] = ()


@dataclass(frozen=True)
class SharedOf:
    """Something shared; `inputs` are the types that it has been applied to, which must agree."""

    target: LayerOf | BlockOf | Group
    seen: list[TensorType] = field(default_factory=list)


def layer_value(name: str, *positional: Any, **named: Any) -> LayerOf:
    return LayerOf(OPS[name], (*((None, v) for v in positional), *named.items()))


HELPERS: dict[str, Any] = {"W": Word, "L": layer_value}


@dataclass
class Totals:
    """What a program may cost, and what it has cost so far."""

    macs: int = 0
    layers: int = 0
    numbers: int = 0
    most_macs: int = 3_000_000
    most_layers: int = 60
    most_elements: int = 8_000
    most_numbers: int = 150_000
    most_weights: int = 40_000

    def spend(self, macs: int, elements: int, weights: int) -> None:
        self.macs += macs
        self.layers += 1
        self.numbers += elements
        if (
            self.macs > self.most_macs
            or self.layers > self.most_layers
            or elements > self.most_elements
            or self.numbers > self.most_numbers
            or weights > self.most_weights
        ):
            raise Spent("over budget")


class Sim:
    """Where the program has come to: the current type, what is in scope, what it costs."""

    def __init__(self, totals: Totals, blocks: Mapping[str, Block]) -> None:
        self.it: TensorType | None = None
        self.inside: TensorType | None = None
        self.globals: dict[str, Any] = {}
        self.scope: ChainMap[str, Any] = ChainMap({})
        self.arrays: dict[str, dict[Any, TensorType]] = {}
        self.outputs: list[TensorType] = []
        self.totals = totals
        self.blocks = blocks
        self.depth = 0
        self.training = False

    def copy(self) -> Sim:
        """Another one that can go on without changing this one."""
        made = self.child()
        made.totals = Totals(**vars(self.totals))
        made.arrays = {name: dict(elements) for name, elements in self.arrays.items()}
        made.scope = ChainMap(*[
            {k: SharedOf(v.target, list(v.seen)) if isinstance(v, SharedOf) else v for k, v in one.items()}
            for one in self.scope.maps
        ])
        made.outputs = list(self.outputs)
        return made

    def child(self, scope: Mapping[str, Any] | None = None) -> Sim:
        """A scope within this one; costs are common."""
        made = Sim.__new__(Sim)
        made.__dict__.update(self.__dict__)
        made.scope = self.scope.new_child(dict(scope or {}))
        return made

    def values(self) -> dict[str, Any]:
        return {**self.scope, **self.arrays, "it": self.it, "inside": self.inside}

    def evaluate(self, code: Code) -> Any:
        return code.value(self.values())

    def current(self) -> TensorType:
        if self.it is None:
            raise Refused("nothing flows")
        return self.it

    def target(self, name: str) -> Any:
        if name in self.scope:
            return self.scope[name]
        if name in self.blocks:
            return BlockOf(self.blocks[name])
        return LayerOf(OPS[name])

    def apply(self, target: Any, given: Sequence[tuple[str | None, Any]], inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The results of a layer, a block or something shared."""
        if isinstance(target, SharedOf):
            target.seen.append(inputs[0])
            channels = isinstance(target.target, LayerOf) and target.target.op.name in ("conv", "batchnorm", "scale")
            if len({t.shape[:1] if channels else t.shape for t in target.seen}) > 1:
                raise Refused("shared at another shape")
            return self.apply(target.target, given, inputs)
        if isinstance(target, Group):
            inner = self.child()
            inner.it = inputs[0]
            run(target.body, inner)
            return (inner.current(),)
        if isinstance(target, BlockOf):
            return self.call(target, (*target.given, *given), inputs[0])
        tensors = list(inputs)
        values = []
        positional = [a.name for a in target.op.args() if a.positional]
        count = 0
        for name, value in (*target.given, *given):
            if name is None and target.op.tensor_args():
                name = positional[count]
                count += 1
            if isinstance(value, TensorType):
                value, _ = Position(len(tensors)), tensors.append(value)
            values.append(Given(name, value))
        op = target.op.apply_to(tensors, values)
        results = op.infer(tensors)
        weights = sum(_elements(w.shape) for w in op.weights(tensors))
        self.totals.spend(op.macs(tensors, results), max(t.elements for t in results), weights)
        return results

    def call(self, target: BlockOf, given: Sequence[tuple[str | None, Any]], flowing: TensorType) -> tuple[TensorType, ...]:
        block = target.block
        if self.depth > 12:
            raise Refused("too deep")
        names = [name for name, _ in block.parameters]
        values: dict[str, Any] = {}
        for name, value in given:
            values[name or names[sum(n in values for n in names)]] = value
        inner = self.child()
        inner.scope = ChainMap(dict(self.globals))
        inner.arrays, inner.outputs = {}, []
        inner.depth += 1
        for name, default in block.parameters:
            if name not in values:
                if default is None:
                    raise Refused("a parameter is missing")
                values[name] = default.value(inner.values())
            inner.scope[name] = values[name]
        inner.it = inner.inside = flowing
        run(block.body, inner)
        return tuple(inner.outputs) or (inner.current(),)


def _elements(shape: Iterable[int]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


# ---- steps -----------------------------------------------------------------------------


@dataclass
class Step:
    """A statement, or a link of a chain (`joined` to the one before it by an arrow)."""

    joined: bool = field(default=False, kw_only=True)
    chains = True

    def run(self, sim: Sim) -> None:
        raise NotImplementedError

    def lines(self) -> list[str]:
        raise NotImplementedError


Body = list[Step]


def run(body: Body, sim: Sim) -> None:
    for step in body:
        step.run(sim)


def lines(body: Body) -> list[str]:
    """The text of a body, one level deep."""
    made: list[str] = []
    before: Step | None = None
    for step in body:
        own = step.lines()
        joined = before is not None and step.joined and step.chains and before.chains
        if joined and len(made[-1]) + len(own[0]) < 96:
            made[-1] += f" -> {own[0]}"
            made += own[1:]
        elif joined:
            made += [f"{INDENT}-> {own[0]}", *own[1:]]
        else:
            made += own
        before = step
    return made


def braced(head: str, body: Body) -> list[str]:
    return [f"{head} {{", *(INDENT + line for line in lines(body)), "}"]


def arguments(given: Sequence[tuple[str | None, Code]]) -> str:
    return ", ".join(code.text if name is None else f"{name} = {code.text}" for name, code in given)


def labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if label else text


@dataclass
class Apply(Step):
    """`label: name(arguments) as names`."""

    name: str
    given: Sequence[tuple[str | None, Code]] = ()
    label: str = ""
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        values = [(name, sim.evaluate(code)) for name, code in self.given]
        results = sim.apply(sim.target(self.name), values, [sim.current()])
        bind(sim, self.names, results)

    def lines(self) -> list[str]:
        text = f"{self.name}({arguments(self.given)})" if self.given else self.name
        return [labelled(self.label, text) + _as(self.names)]


def bind(sim: Sim, names: Sequence[str], results: Sequence[TensorType]) -> None:
    if len(names) > 1 and len(names) != len(results):
        raise Refused("another number of results")
    for name, result in zip(names, results, strict=False):
        if "[" in name:
            array, _, keys = name.rstrip("]").partition("[")
            key = eval(keys, {}, dict(sim.values()))
            elements = sim.arrays.setdefault(array, {})
            if key in elements:
                raise Refused("filled twice")
            elements[key] = result
        elif name != "_":
            sim.scope[name] = result
    sim.it = results[0]


def _as(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" as {names[0]}" if len(names) == 1 else f" as ({', '.join(names)})"


@dataclass
class Begin(Step):
    """A tensor at the beginning of a chain."""

    tensor: Code

    def run(self, sim: Sim) -> None:
        sim.it = sim.evaluate(self.tensor)

    def lines(self) -> list[str]:
        return [self.tensor.text]


@dataclass
class Join(Step):
    """`concat(a, it, axis = channels)`; `tensors` may hold lists and, for some joins, a number."""

    name: str
    tensors: Sequence[Code]
    given: Sequence[tuple[str | None, Code]] = ()
    label: str = ""
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        found: list[TensorType] = []
        rest: list[tuple[str | None, Any]] = [(n, sim.evaluate(c)) for n, c in self.given]
        for code in self.tensors:
            value = sim.evaluate(code)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, TensorType):
                    found.append(one)
                else:
                    rest.insert(0, (None, one))
        bind(sim, self.names, sim.apply(LayerOf(OPS[self.name]), rest, found))

    def lines(self) -> list[str]:
        parts = [*(code.text for code in self.tensors), *([arguments(self.given)] if self.given else [])]
        return [labelled(self.label, f"{self.name}({', '.join(parts)})") + _as(self.names)]


@dataclass
class Branch:
    body: Body

    def types(self, sim: Sim) -> list[TensorType]:
        inner = sim.child()
        run(self.body, inner)
        return [inner.current()]

    def lines(self) -> list[str]:
        own = lines(self.body)
        if len(own) <= 1:
            return [f"branch {{ {own[0] if own else ''} }}" if own else "branch { }"]
        return braced("branch", self.body)


@dataclass
class ForBranches:
    variable: str
    count: Code
    branches: list[Any]

    def types(self, sim: Sim) -> list[TensorType]:
        return [
            t
            for i in range(sim.evaluate(self.count))
            for branch in self.branches
            for t in branch.types(sim.child({self.variable: i}))
        ]

    def lines(self) -> list[str]:
        inner = [INDENT + line for branch in self.branches for line in branch.lines()]
        return [f"for {self.variable} in 0..{self.count.text} {{", *inner, "}"]


@dataclass
class IfBranches:
    condition: Code
    then: list[Any]
    otherwise: list[Any]

    def types(self, sim: Sim) -> list[TensorType]:
        chosen = self.then if sim.evaluate(self.condition) else self.otherwise
        return [t for branch in chosen for t in branch.types(sim)]

    def lines(self) -> list[str]:
        made = [f"if {self.condition.text} {{"]
        made += [INDENT + line for branch in self.then for line in branch.lines()]
        if self.otherwise:
            made += ["} else {", *(INDENT + line for branch in self.otherwise for line in branch.lines())]
        return [*made, "}"]


@dataclass
class Merge(Step):
    """`label: add { branch {...} ... }`."""

    name: str
    branches: list[Any]
    label: str = ""
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        types = [t for branch in self.branches for t in branch.types(sim)]
        bind(sim, self.names, sim.apply(LayerOf(OPS[self.name]), [], types))

    def lines(self) -> list[str]:
        inner = [INDENT + line for branch in self.branches for line in branch.lines()]
        return [labelled(self.label, self.name) + " {", *inner, "}" + _as(self.names)]


@dataclass
class Group(Step):
    """`label: { ... }` or `label: seq { ... }`; not a scope."""

    label: str
    seq: bool
    body: Body
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        run(self.body, sim)
        bind(sim, self.names, [sim.current()])

    def lines(self) -> list[str]:
        made = braced(labelled(self.label, "seq") if self.seq else f"{self.label}:", self.body)
        return [*made[:-1], made[-1] + _as(self.names)]


@dataclass
class Repeat(Step):
    count: Code
    body: Body
    chains = False

    def run(self, sim: Sim) -> None:
        for _ in range(sim.evaluate(self.count)):
            inner = sim.child()
            run(self.body, inner)
            sim.it = inner.it

    def lines(self) -> list[str]:
        return braced(f"repeat {self.count.text}", self.body)


@dataclass
class For(Step):
    """`for names in items`; several names are filled from tuples."""

    variables: Sequence[str]
    items: Code
    body: Body
    chains = False

    def run(self, sim: Sim) -> None:
        for item in sim.evaluate(self.items):
            values = item if len(self.variables) > 1 else (item,)
            inner = sim.child(dict(zip(self.variables, values, strict=True)))
            run(self.body, inner)
            sim.it = inner.it

    def lines(self) -> list[str]:
        names = self.variables[0] if len(self.variables) == 1 else f"({', '.join(self.variables)})"
        return braced(f"for {names} in {self.items.text}", self.body)


@dataclass
class If(Step):
    condition: Code
    then: Body
    otherwise: Body | None = None
    chains = False

    def run(self, sim: Sim) -> None:
        chosen = self.then if sim.evaluate(self.condition) else self.otherwise
        if chosen is not None:
            inner = sim.child()
            run(chosen, inner)
            sim.it = inner.it

    def lines(self) -> list[str]:
        made = braced(f"if {self.condition.text}", self.then)
        if self.otherwise is None:
            return made
        return [*made[:-1], "} else {", *(INDENT + line for line in lines(self.otherwise)), "}"]


@dataclass
class Aside(Step):
    """`aside { ... }`, or `training { ... }`."""

    body: Body
    training: bool = False
    chains = False

    def run(self, sim: Sim) -> None:
        inner = sim.child()
        run(self.body, inner)

    def lines(self) -> list[str]:
        return braced("training" if self.training else "aside", self.body)


@dataclass
class Out(Step):
    name: str
    block: bool = False

    def run(self, sim: Sim) -> None:
        sim.outputs.append(sim.current())

    def lines(self) -> list[str]:
        return [f"output {self.name}"]


@dataclass
class Statement(Step):
    """What flows nothing: `let`, `expect`, `weight`; `effect` is what it does to the scope."""

    text: str
    effect: Callable[[Sim], None] = lambda sim: None
    chains = False

    def run(self, sim: Sim) -> None:
        self.effect(sim)

    def lines(self) -> list[str]:
        return [self.text]


@dataclass
class SharedGroup(Step):
    """`shared name: seq { ... }`."""

    name: str
    group: Group
    chains = False

    def run(self, sim: Sim) -> None:
        sim.scope[self.name] = SharedOf(self.group)

    def lines(self) -> list[str]:
        kind = "seq" if self.group.seq else ""
        return braced(f"shared {self.name}: {kind}".rstrip(), self.group.body)


@dataclass
class Block:
    name: str
    parameters: list[tuple[str, Code | None]]
    body: Body
    inline: bool = False

    def lines(self) -> list[str]:
        parts = [name if default is None else f"{name} = {default.text}" for name, default in self.parameters]
        head = f"{'inline ' if self.inline else ''}block {self.name}" + (f"({', '.join(parts)})" if parts else "")
        return braced(head, self.body)
