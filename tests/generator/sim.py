"""What a program does to the types that flow, as it is made: a small evaluator of its own.

It tells the generator what fits next, how much the
network costs so far, and whether a body that was made for one type works at another, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from compiler.declare import Given, Position, Word
from compiler.ops import OPS
from compiler.ops.base import Op, TensorType


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

    target: LayerOf | BlockOf | Step
    seen: list[TensorType] = field(default_factory=list)


@dataclass(frozen=True)
class Doubled:
    """The function a * 2 - less."""

    less: int

    def __call__(self, a: int) -> int:
        return a * 2 - self.less


def layer_value(name: str, *positional: Any, **named: Any) -> LayerOf:
    return LayerOf(OPS[name], (*((None, v) for v in positional), *named.items()))


HELPERS: dict[str, Any] = {"W": Word, "L": layer_value}


@dataclass
class Totals:
    """What a program may cost, and what it has cost so far."""

    macs: int = 0
    layers: int = 0
    numbers: int = 0
    used: set[str] = field(default_factory=set)
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
        made.totals = replace(self.totals, used=set(self.totals.used))
        made.arrays = {name: dict(elements) for name, elements in self.arrays.items()}
        made.scope = ChainMap(
            *[
                {
                    k: SharedOf(v.target, list(v.seen)) if isinstance(v, SharedOf) else v
                    for k, v in one.items()
                }
                for one in self.scope.maps
            ]
        )
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

    def apply(
        self, target: Any, given: Sequence[tuple[str | None, Any]], inputs: Sequence[TensorType]
    ) -> tuple[TensorType, ...]:
        """The results of a layer, a block or something shared."""
        if isinstance(target, SharedOf):
            target.seen.append(inputs[0])
            channels = isinstance(target.target, LayerOf) and target.target.op.name in (
                "conv",
                "batchnorm",
                "scale",
            )
            if len({t.shape[:1] if channels else t.shape for t in target.seen}) > 1:
                raise Refused("shared at another shape")
            return self.apply(target.target, given, inputs)
        if isinstance(target, Step):
            inner = self.child()
            inner.it = inputs[0]
            target.run(inner)
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
        self.totals.used.add(op.name)
        self.totals.spend(op.macs(tensors, results), max(t.elements for t in results), weights)
        return results

    def call(
        self, target: BlockOf, given: Sequence[tuple[str | None, Any]], flowing: TensorType
    ) -> tuple[TensorType, ...]:
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


@dataclass
class Step(ABC):
    """A statement, or a link of a chain (`joined` to the one before it by an arrow)."""

    joined: bool = field(default=False, kw_only=True)
    chains = True

    @abstractmethod
    def run(self, sim: Sim) -> None:
        """What it does to the types; `Refused` or a fault where it does not work."""

    @abstractmethod
    def lines(self) -> list[str]:
        """Its text, without the indentation of what it stands in."""


Body = list[Step]


def run(body: Body, sim: Sim) -> None:
    for step in body:
        step.run(sim)


@dataclass
class Block:
    name: str
    parameters: list[tuple[str, Code | None]]
    body: Body
    inline: bool = False
