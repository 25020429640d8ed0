"""What an expression can be at compile time, besides numbers, booleans, strings and words.

Sizes and tuples are `tuple`, lists are `ListValue` (a tuple too: `==` and indexing do not care,
the kind of a block's parameter does).  A tensor is its `Value` in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compiler.declare import Given, Word, show
from compiler.graph import Value
from compiler.ops.base import Op
from spec_lang import syntax as ast
from spec_lang.source import Span

if TYPE_CHECKING:
    from compiler.evaluate.context import Context
    from compiler.modules import Module


class ListValue(tuple[Any, ...]):
    """A list.  It compares equal to a tuple of the same items."""

    __slots__ = ()


class Unknown:
    """What stands for a tensor or number after a mistake that has been reported already."""

    described = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def _described(name: str, given: tuple[Given, ...]) -> str:
    if not given:
        return name
    parts = [f"{g.name} = {show(g.value)}" if g.name else show(g.value) for g in given]
    return f"{name}({', '.join(parts)})"


@dataclass(frozen=True)
class LayerValue:
    """A layer with some of its arguments: `relu`, `leakyrelu(0.1)`."""

    op: type[Op]
    given: tuple[Given, ...] = ()

    @property
    def bare_word(self) -> str | None:
        """The name, where it may just as well have been meant as a choice."""
        return None if self.given else self.op.name

    @property
    def described(self) -> str:
        return _described(self.op.name, self.given)


@dataclass(frozen=True, eq=False)
class BlockValue:
    """A block with some of its arguments: `Bottleneck(groups = 32)`."""

    block: ast.Block
    module: Module
    given: tuple[Given, ...] = ()

    @property
    def described(self) -> str:
        return _described(self.block.name, self.given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlockValue) and other.block is self.block and other.given == self.given

    def __hash__(self) -> int:
        return hash(id(self.block))


@dataclass(eq=False)
class SharedValue:
    """A layer, block or group declared with `shared`: its weights exist once, at `path`.

    `target` is what is applied; a group is applied in the `context` where it was declared.
    """

    path: tuple[str, ...]
    target: LayerValue | BlockValue | ast.Group
    context: Context
    span: Span
    label: str
    uses: int = 0

    @property
    def described(self) -> str:
        return f"shared {self.label}"


@dataclass(frozen=True, eq=False)
class FunctionValue:
    """`let f(x) = body`, with the names that it can see."""

    function: ast.Function
    env: Env
    module: Module

    @property
    def described(self) -> str:
        return f"the function {self.function.name}"


@dataclass(eq=False)
class TensorArray:
    """The tensors that `as x[i, j]` has kept so far, by index."""

    name: str
    span: Span
    rank: int
    elements: dict[tuple[int, ...], Value | Unknown] = field(default_factory=dict)

    @property
    def described(self) -> str:
        return f"the array {self.name}"


class Env:
    """Names in scope, with the scopes around."""

    __slots__ = ("names", "parent", "spans")

    def __init__(self, parent: Env | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.spans: dict[str, Span] = {}
        self.parent = parent

    def lookup(self, name: str) -> Any:
        """The value, or None where there is none (no value is None)."""
        env: Env | None = self
        while env is not None:
            if name in env.names:
                return env.names[name]
            env = env.parent
        return None

    def where(self, name: str) -> Span | None:
        env: Env | None = self
        while env is not None:
            if name in env.names:
                return env.spans.get(name)
            env = env.parent
        return None

    def bind(self, name: str, value: Any, span: Span | None) -> None:
        self.names[name] = value
        if span is not None:
            self.spans[name] = span

    def visible(self) -> Iterator[str]:
        env: Env | None = self
        while env is not None:
            yield from env.names
            env = env.parent


def kind_of(value: Any) -> str:
    """The kind of a parameter: a number, a size, a tuple, a list of them and a choice are one kind."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Word):
        return "number"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, ListValue):
        return "list"
    if isinstance(value, tuple):
        return "number"
    if isinstance(value, (LayerValue, BlockValue, SharedValue)):
        return "layer"
    if isinstance(value, (Value, TensorArray)):
        return "tensor"
    if isinstance(value, FunctionValue):
        return "function"
    return "unknown"


def describe(value: Any) -> str:
    """A value for a message: `3`, `[1, 2]`, `a tensor [64, 28, 28]`."""
    if isinstance(value, Value):
        return f"a tensor {value.type}"
    if isinstance(value, str) and not isinstance(value, Word):
        return f'the string "{value}"'
    return show(value)
