"""What an emitter sees of a layer while its lines are written.

A layer takes one line in `forward`.  In `backward` it is given the gradient of its result
and gives those of its inputs and weights.  Backward is written first: what it asks for
(`saved`) is what forward keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from backends.writer import literal
from compiler.graph import Node, Value
from compiler.ops.base import Op

if TYPE_CHECKING:
    from backends.numpy.emit.body import Body


@dataclass(frozen=True)
class Call:
    """A call (or an index) that may be broken between its arguments where a line grows too long."""

    callee: str
    arguments: tuple[str, ...]
    opening: str = "("
    closing: str = ")"

    def __str__(self) -> str:
        return f"{self.callee}{self.opening}{', '.join(self.arguments)}{self.closing}"


Expression: TypeAlias = "str | Call"


def shown(value: Any) -> str:
    """A number, a tuple of them or a choice as Python source."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(shown, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, bool) or value is None:
        return str(value)
    assert isinstance(value, (int, float)), value
    return repr(value)


def per_axis(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all axes agree."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def pads(pairs: Sequence[tuple[int, int]]) -> int | tuple[tuple[int, int], ...]:
    """One number where all ends agree."""
    return pairs[0][0] if len({n for pair in pairs for n in pair}) == 1 else tuple(pairs)


class Layer:
    """One node on its way into the generated file."""

    def __init__(self, body: Body, node: Node) -> None:
        self.body = body
        self.node = node
        self.op: Any = node.op

    # -- both ways -----------------------------------------------------------------------

    def value(self, position: int = 0) -> Value:
        """An input; what `identity` passes on is the original."""
        return self.body.original(self.node.inputs[position])

    def weight(self, own: str) -> str | None:
        """The layer's own weight, or None where it has none of that name."""
        dotted = self.node.weights.get(own)
        return None if dotted is None else self.body.weight(dotted)

    def weight_shape(self, own: str) -> str:
        """The shape of the layer's own weight; a class that several blocks share asks the array."""
        if self.body.in_block:
            return f"{self.weight(own)}.shape"
        return shown(self.body.graph.weights[self.node.weights[own]].shape)

    def call(self, kernel: str, *arguments: str | None, **named: Any) -> Call:
        """A call of a kernel, which is included.  Named arguments are values or `Source`; None is omitted."""
        self.body.kernels.add(kernel)
        parts = [str(a) for a in arguments]
        while parts and parts[-1] == "None":
            parts.pop()
        parts += [
            f"{name}={value.text if isinstance(value, Source) else shown(value)}"
            for name, value in named.items()
            if value is not None
        ]
        return Call(kernel, tuple(parts))

    @property
    def label(self) -> str:
        """The layer's name as a string, for errors while it runs."""
        return self.body.label(self.node)

    def extra(self, what: str) -> str:
        """Where the layer keeps something beside its result (a mask)."""
        return self.body.kept.extra(self.node, self.body.unit.relative(self.node.name), what)

    # -- forward -------------------------------------------------------------------------

    @property
    def x(self) -> str:
        return self.inputs[0]

    @property
    def inputs(self) -> list[str]:
        """The inputs as forward has them: locals, or raw weights."""
        return [self.body.local(self.value(i)) for i in range(len(self.node.inputs))]

    def is_free(self, position: int = 0) -> bool:
        """Whether an extent of this input may differ at run time."""
        return any(self.value(position).type.free)

    # -- backward ------------------------------------------------------------------------

    @property
    def d(self) -> str:
        """The gradient of the result."""
        return self.body.backward.of(self.node.output)

    def saved(self, position: int = 0) -> str:
        """An input as forward kept it."""
        return self.body.kept.value(self.value(position))

    @property
    def saved_output(self) -> str:
        return self.body.kept.value(self.node.output)

    def shape(self, position: int = 0) -> str:
        """The shape of an input: written out where it is fixed and the class is that of one place."""
        value = self.value(position)
        if self.body.in_block:
            return self.body.kept.shape(value)
        if value.type.rows is None:
            return shown(value.shape)
        if any(value.type.free):
            return f"{self.saved(position)}.shape"
        return f"({', '.join([f'len({self.d})', *map(str, value.shape)])}{',' if not value.shape else ''})"

    def wants(self, position: int = 0) -> bool:
        """Whether the gradient of this input leads anywhere."""
        return self.body.net.wants(self.value(position))

    def trains(self, own: str) -> bool:
        """Whether the layer has this weight and it is trained."""
        dotted = self.node.weights.get(own)
        return dotted is not None and self.body.graph.weights[dotted].trainable

    def give(self, gradient: Expression, position: int = 0) -> None:
        """The gradient of an input."""
        if self.wants(position):
            self.body.backward.give(self.node, [self.value(position)], gradient)

    def give_weight(self, own: str, gradient: Expression) -> None:
        """The gradient of a weight of the layer's own."""
        if self.trains(own):
            self.body.backward.give(self.node, [self.node.weights[own]], gradient)

    def give_all(self, gradients: Call, own: Sequence[str], positions: Sequence[int] = (0,)) -> None:
        """What one call gives together: gradients of these inputs, then of these weights."""
        targets: list[Value | str | None] = [self.value(p) if self.wants(p) else None for p in positions]
        targets += [self.node.weights[name] if self.trains(name) else None for name in own]
        if any(target is not None for target in targets):
            self.body.backward.give(self.node, targets, gradients)


@dataclass(frozen=True)
class Source:
    """A named argument that is source text already."""

    text: str


@dataclass(frozen=True)
class Emitter:
    """How a layer is written.

    `forward` gives the expression of the result.  `extra` names what the call returns beside it.
    `checks` are calls that stand before it where extents are free.
    """

    forward: Callable[[Layer], Expression]
    backward: Callable[[Layer], None]
    extra: str = ""
    checks: Callable[[Layer], list[Call]] = lambda layer: []


Emitters: TypeAlias = "dict[type[Op], Emitter]"
