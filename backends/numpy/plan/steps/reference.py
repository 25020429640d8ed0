"""Whatever has no step of its own: the reference kernel, with its arrays put in canonical order.

The call is the line that the emitter writes into the generated file, so both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends.numpy.emit import EMITTERS
from backends.numpy.emit.base import Layer
from backends.numpy.include import FAMILIES
from backends.numpy.plan.steps import pointwise
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending
from backends.numpy.plan.units import Unit, bias_is_link
from backends.writer import literal
from compiler.graph import Node, Value
from compiler.ops.reshape import ChannelShuffle, Flatten, Pad, Permute, Reshape, Select, Slice

#: Where the families of kernels are.
KERNELS = "backends.numpy.kernels"
#: Layers that only move numbers: their input need not be put in order first.
_MOVES = (Flatten, Reshape, Permute, Select, ChannelShuffle, Slice, Pad)


@cache
def _kernels() -> dict[str, Any]:
    """Every kernel by its name."""
    found: dict[str, Any] = {"np": np}
    for family in FAMILIES:
        module = import_module(f"{KERNELS}.{family}")
        found.update({name: one for name, one in vars(module).items() if callable(one) or name.isupper()})
    return found


class _Call:
    """What an emitter asks of the body of a file, for one call that stands alone."""

    in_block = False
    training = "training"

    def __init__(self, weights: Mapping[str, tuple[int, ...]], node: Node) -> None:
        self.graph = SimpleNamespace(
            weights={name: SimpleNamespace(shape=shape) for name, shape in weights.items()}
        )
        self.kernels: set[str] = set()
        self._names = {value: f"x[{i}]" for i, value in enumerate(dict.fromkeys(node.inputs))}

    def original(self, value: Value) -> Value:
        return value

    def local(self, value: Value) -> str:
        return self._names[value]

    def weight(self, dotted: str) -> str:
        return f"w[{literal(dotted)}]"


def make(kit: Kit, unit: Unit) -> Pending:
    """A step that calls the reference kernel and puts the result where it belongs."""
    node = unit.head
    assert node is not None
    if bias_is_link(node):
        node = replace(node, weights={own: name for own, name in node.weights.items() if own != "bias"})
    shapes = {dotted: kit.weights[dotted].shape for dotted in node.weights.values()}
    emitted = EMITTERS[type(node.op)].forward(Layer(_Call(shapes, node), node))  # type: ignore[arg-type]
    names = {**_kernels(), "w": kit.weights, "training": False}
    function: Any = eval(compile(f"lambda x: {emitted}", f"<plan of {node.op.name}>", "eval"), names)
    # The emitter knows the node's own inputs; `unit.inputs` are what they are once identities are gone.
    arrays = {}
    for own, value in zip(node.inputs, unit.inputs, strict=True):
        arrays[own] = kit.canonical(value)
    xs = list(arrays.values())
    target = kit.canonical(unit.output)
    memory = kit.array(unit.output)
    links = pointwise.in_place(pointwise.chain(kit, unit.chain, memory.ndim), (WHOLE,) * memory.ndim)
    ordered = not isinstance(node.op, _MOVES)

    def step() -> None:
        given = [np.asarray(x, order="C") for x in xs] if ordered else xs
        np.copyto(target, function(given))
        links(memory)

    return lambda: step
