"""What an expression can be at compile time, besides numbers, booleans, strings and words.

Sizes are `tuple`, lists are `ListValue` (a tuple too: `==` and indexing do not care, the kind
of a block's parameter does).  A tensor is its `Value` in the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from compiler.declare import Given, Word, show
from compiler.graph import Value
from compiler.ops import OPS
from compiler.ops.base import Op
from spec_lang import syntax as ast
from spec_lang.frozen import field, record, unique
from spec_lang.source import Span

if TYPE_CHECKING:
    from compiler.evaluate.context import Context
    from compiler.modules import Module


class Collection(tuple[Any, ...]):
    """A tuple or list; `measure` is its depth and its size where it is not flat (see `measure`)."""

    measure: tuple[int, int] | None = None


class TupleValue(Collection):
    """`(a, b)`: like a size."""


class ListValue(Collection):
    """A list.  It compares equal to a tuple of the same items."""


class Unknown:
    """What stands for a tensor or number after a mistake that has been reported already."""

    described = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def _described(name: str, given: tuple[Given, ...]) -> str:
    if not given:
        return name
    text = ""
    for one in given:
        if len(text) > 200:
            text += ", ..."
            break
        text += (", " if text else "") + (f"{one.name} = " if one.name else "") + show(one.value)
    return f"{name}({text})"


def _key(given: tuple[Given, ...]) -> tuple[tuple[str | None, Any], ...]:
    return tuple([(one.name, one.value) for one in given])


@unique
class LayerValue:
    """A layer with some of its arguments: `relu`, `leakyrelu(0.1)`."""

    op: type[Op]
    given: tuple[Given, ...] = ()
    measure: tuple[int, int] = (1, 1)

    @property
    def bare_word(self) -> str | None:
        """The name, where it may just as well have been meant as a choice."""
        return None if self.given else self.op.name

    @property
    def described(self) -> str:
        return _described(self.op.name, self.given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayerValue) and other.op is self.op and _key(other.given) == _key(self.given)

    def __hash__(self) -> int:
        return hash(self.op)


@unique
class BlockValue:
    """A block with some of its arguments: `Bottleneck(groups = 32)`."""

    block: ast.Block
    module: Module
    given: tuple[Given, ...] = ()
    measure: tuple[int, int] = (1, 1)

    @property
    def described(self) -> str:
        return _described(self.block.name, self.given)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BlockValue)
            and other.block is self.block
            and _key(other.given) == _key(self.given)
        )

    def __hash__(self) -> int:
        return hash(id(self.block))


@record
class SharedValue:
    """A layer, block or group declared with `shared`: its weights exist once, at `path`.

    `target` is what is applied; `context` is where it was declared, and where a group runs.
    """

    path: tuple[str, ...]
    target: LayerValue | BlockValue | ast.Group
    context: Context
    span: Span
    label: str
    #: Applications so far; the first one takes the paths.
    uses: int = 0
    #: Whether something that failed speaks of it, so that it may well be applied there.
    spoken_for: bool = False

    @property
    def described(self) -> str:
        return f"shared {self.label}"


@unique
class FunctionValue:
    """`let f(x) = body`, with the names that it can see."""

    function: ast.Function
    env: Env
    module: Module

    @property
    def described(self) -> str:
        return f"the function {self.function.name}"


@record
class TensorArray:
    """The tensors that `as x[i, j]` has kept so far, by index."""

    name: str
    span: Span
    rank: int
    elements: dict[tuple[int, ...], Value | Unknown] = field(default_factory=dict)
    #: Whether something that would have filled elements failed, so that any may be missing.
    incomplete: bool = False

    @property
    def described(self) -> str:
        return f"the array {self.name}"


class Env:
    """Names in scope, with the scopes around."""

    __slots__ = ("hidden", "names", "parent", "spans")

    def __init__(self, parent: Env | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.spans: dict[str, Span] = {}
        self.parent = parent
        #: Names of layers that mean something else in one of the scopes that this one has to do with.
        self.hidden: set[str] = set() if parent is None else parent.hidden

    def lookup(self, name: str) -> Any:
        """The value, or None where there is none (no value is None)."""
        env: Env | None = self
        while env is not None:
            value = env.names.get(name)
            if value is not None:
                return value
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
        if name in OPS:
            self.hidden.add(name)
        if span is not None:
            self.spans[name] = span

    def visible(self) -> Iterator[str]:
        env: Env | None = self
        while env is not None:
            yield from env.names
            env = env.parent


_KINDS = {
    "number": "a number, size, tuple or choice",
    "list": "a list",
    "string": "a string",
    "flag": "true or false",
    "layer": "a layer",
    "tensor": "a tensor",
    "function": "a function",
}


def kind_of(value: Any) -> str | None:
    """The kind of a parameter (numbers, sizes, tuples, choices are one); None for `none`, which has none."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, Word):
        return None if value == "none" else "number"
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
    return None


def kind_name(kind: str) -> str:
    """A kind for a message: `a list`."""
    return _KINDS[kind]


def measure(value: Any) -> tuple[int, int]:
    """How deep a value is nested, and how many elements it has in all, counted as often as they occur."""
    if isinstance(value, tuple):
        return getattr(value, "measure", None) or (1, len(value))
    if isinstance(value, (LayerValue, BlockValue)):
        return value.measure
    return (0, 1)


def exact(value: Any) -> tuple[type, Any]:
    """A key for a value that tells 1 from 1.0 and from `true`, 0.0 from -0.0, and a list from a tuple."""
    kind = type(value)
    if isinstance(value, tuple) and kind is not tuple:  # a size holds whole numbers
        return kind, tuple([exact(one) for one in value])
    return kind, str(value) if kind is float else value


def measure_of(parts: Iterable[Any]) -> tuple[int, int]:
    """The measure of what is made of these parts."""
    depth = total = 0
    for part in parts:
        if isinstance(part, (tuple, LayerValue, BlockValue)):
            inner_depth, inner_total = measure(part)
            depth = max(depth, inner_depth)
            total += inner_total
        total += 1
    return depth + 1, total


def describe(value: Any) -> str:
    """A value for a message: `3`, `[1, 2]`, `a tensor [64, 28, 28]`."""
    if isinstance(value, Value):
        return f"a tensor {value.type}"
    if isinstance(value, str) and not isinstance(value, Word):
        return f'the string "{value}"'
    return show(value)
