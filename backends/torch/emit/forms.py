"""What an emitter says about a layer: how it is built, and how it is called.

An emitter turns a node into a `Form`.  Every literal of a form is a `Slot`, so that two
instances of one block can be compared without their numbers, and share a class whose
constructor takes the numbers in which they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backends.layout import Bracket, Named

if TYPE_CHECKING:
    from compiler.graph import Node
    from compiler.ops.base import Op


@dataclass(frozen=True)
class Slot:
    """A literal: an int, float, bool, string, None, or a tuple of these.

    `name` is what a constructor's parameter is called that carries it.  `default` is what is
    meant when the argument is left out (`...`: it cannot be).  `is_path` marks a string that
    begins with the path of the instance.
    """

    value: Any
    name: str
    default: Any = ...
    is_path: bool = False


@dataclass(frozen=True)
class Layer:
    """The constructor of a module: `nn.Conv2d(3, 64, 7, stride=2)`.

    `arguments` are (keyword, slot); an empty keyword is positional.  A name without a dot is one
    of `backends.torch.modules`, whose source is included.
    """

    callee: str
    arguments: tuple[tuple[str, Slot], ...] = ()
    frozen: bool = False


@dataclass(frozen=True)
class Form:
    """How a node is written.

    `layer` is its module, if it can be one; `call` is the expression of the forward pass, in
    which `{layer}` is the module, `{0}`, `{1}` the inputs, and a slot's key its literal.
    `then` are further expressions, with `{out}` for what has been computed so far.  `before` are
    statements that check what came.  Without `register` the module is only made where a
    `nn.Sequential` needs one.
    """

    layer: Layer | None = None
    call: Any = "{layer}({0})"
    then: tuple[str, ...] = ()
    before: tuple[Any, ...] = ()
    slots: tuple[tuple[str, Slot], ...] = ()
    register: bool = True

    @property
    def inline(self) -> bool:
        """Whether the forward pass needs no module."""
        return self.layer is None or not self.register


Emitter = Callable[["Node"], Form]
EMITTERS: dict[type[Op], Emitter] = {}
#: For a shared layer whose applications need different modules (its pads or the rank of its
#: input differ): a form with one module that serves them all.
ANYWHERE: dict[type[Op], Emitter] = {}


def emits(*ops: type[Op], anywhere: bool = False) -> Callable[[Emitter], Emitter]:
    """Registers the emitter of these layers; `anywhere`: the one for shared layers."""

    def register(emitter: Emitter) -> Emitter:
        for op in ops:
            (ANYWHERE if anywhere else EMITTERS)[op] = emitter
        return emitter

    return register


@dataclass
class Arguments:
    """Collects a constructor's arguments in order."""

    made: list[tuple[str, Slot]] = field(default_factory=list)

    def add(
        self, value: Any, name: str, *, positional: bool = False, default: Any = ..., called: str = ""
    ) -> Arguments:
        """One more; `called` is the name of a parameter that carries it, if not the keyword."""
        self.made.append(("" if positional else name, Slot(value, called or name, default)))
        return self

    def layer(self, callee: str, frozen: bool = False) -> Layer:
        return Layer(callee, tuple(self.made), frozen)


def per_axis(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all axes agree, as PyTorch takes it."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 else values


def is_frozen(node: Node) -> bool:
    return bool(getattr(node.op, "frozen", False))


__all__ = [
    "ANYWHERE",
    "EMITTERS",
    "Arguments",
    "Bracket",
    "Emitter",
    "Form",
    "Layer",
    "Named",
    "Slot",
    "emits",
    "is_frozen",
    "per_axis",
]
