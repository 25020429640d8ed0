"""Nodes grouped into units, each of which a plan runs as one step.

A unit has a head (a convolution, a pool, ...; none for number-by-number work alone) and a chain of
links that are applied to the head's result while it is in the cache.

Rules:
1. What passes its input on (`identity`, dropout that is inverted, an adaptive pool to the size that
   is there) is no unit: its result is its input.
2. A layer that works number by number joins the unit that makes its input, if nobody else uses
   that input and it is no output of the model.  A join does so through the operand that is made
   last, so that all others are there.  Nothing joins a concat, flatten or reshape: their memory may
   be that of their inputs (see `storage.py`), which others may still read.
3. A maxpool takes the chain of the convolution before it, where all links of the chain grow with
   their input (bias, relu, ...): the maximum of f(x) is f of the maximum, and the pool leaves fewer
   numbers to do.  If its windows do not overlap it becomes part of the convolution's unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from backends.numpy.plan.lower import Concrete
from compiler.graph import Node, Value
from compiler.ops.activation import LeakyRelu, LogSoftmax, Relu, Relu6, Sigmoid, Softmax, Tanh
from compiler.ops.conv import Conv
from compiler.ops.dense import Fc
from compiler.ops.dropout import Dropout
from compiler.ops.join import Add, Average, Concat, Maximum, Multiply
from compiler.ops.norm import BatchNorm, Scale
from compiler.ops.pool import AdaptiveAvgPool, AdaptiveMaxPool, MaxPool
from compiler.ops.reshape import Flatten, Identity, Reshape

JOINS = (Add, Multiply, Maximum, Average)


@dataclass(frozen=True, eq=False)
class Link:
    """Number-by-number work: a node, or the bias of its convolution or fully connected layer.

    `others` are the operands beside the one that flows through the chain.
    """

    node: Node
    others: tuple[Value, ...] = ()
    is_bias: bool = False

    @property
    def grows(self) -> bool:
        """Whether the result never falls where the input rises, each channel by itself."""
        op = self.node.op
        if isinstance(op, LeakyRelu):
            return op.slope >= 0
        return self.is_bias or isinstance(op, (Relu, Relu6, Sigmoid, Tanh))


@dataclass(eq=False)
class Unit:
    """`pool` is a maxpool that is done on the convolution's result, before the chain."""

    head: Node | None
    inputs: tuple[Value, ...]
    output: Value
    chain: list[Link] = field(default_factory=list)
    pool: Node | None = None

    @property
    def reads(self) -> tuple[Value, ...]:
        """Every value that it needs."""
        return (*self.inputs, *(other for link in self.chain for other in link.others))


class Units:
    """The units of a graph in the order in which they run, by the rules above.

    `original` gives the value that another one is by rule 1; `outputs` are the model's, resolved, and
    `kept` the same as a set.  `uses` counts how often a value is read by nodes.
    """

    def __init__(self, concrete: Concrete) -> None:
        self._concrete = concrete
        graph = concrete.graph
        self._same: dict[Value, Value] = {}
        nodes = []
        for node in graph.nodes:
            if _passes(node, concrete):
                self._same[node.output] = self.original(node.inputs[0])
            else:
                nodes.append(node)
        self.outputs = {name: self.original(value) for name, value in graph.outputs.items()}
        self.uses = Counter(self.original(value) for node in nodes for value in node.inputs)
        self.kept = set(self.outputs.values())
        self.made: list[Unit] = []
        self._place: dict[Value, int] = {}  # value -> position of the unit that makes it
        for node in nodes:
            self._add(node)

    def original(self, value: Value) -> Value:
        return self._same.get(value, value)

    def _add(self, node: Node) -> None:
        inputs = tuple(map(self.original, node.inputs))
        if isinstance(node.op, MaxPool) and self._pooled(node, inputs[0]):
            return
        if not is_pointwise(node):
            links = [Link(node, is_bias=True)] if bias_is_link(node) else []
            self._append(Unit(node, inputs, node.output, links))
            return
        main = self._main(node, inputs)
        if main is None:
            self._append(Unit(node, inputs, node.output))
            return
        others = tuple(value for position, value in enumerate(inputs) if position != main)
        link = Link(node, others)
        unit = self._extendable(inputs[main])
        if unit is not None and self._there(others, self._place[inputs[main]]):
            unit.chain.append(link)
            self._give(unit, node.output)
        else:
            self._append(Unit(None, (inputs[main],), node.output, [link]))

    def _pooled(self, node: Node, x: Value) -> bool:
        """Rule 3."""
        unit = self._extendable(x)
        if unit is None or unit.head is None or not isinstance(unit.head.op, Conv) or unit.pool is not None:
            return False
        if not all(link.grows for link in unit.chain):
            return False
        op = node.op
        assert isinstance(op, MaxPool)
        apart = op.stride == op.kernel and set(op.dilation) == {1}
        if apart and not any(map(any, op.lowered_pads(x.type))) and pads_with_zeros(unit.head):
            unit.pool = node
            self._give(unit, node.output)
        else:
            chain, unit.chain = unit.chain, []
            # What the convolution makes now is what its bias was added to: a value of its own.
            self._append(Unit(node, (x,), node.output, chain))
        return True

    def _extendable(self, x: Value) -> Unit | None:
        """The unit that makes this value, if the value is needed for one thing alone."""
        if x not in self._place or self.uses[x] != 1 or x in self.kept:
            return None
        unit = self.made[self._place[x]]
        shares = unit.head is not None and isinstance(unit.head.op, (Concat, Flatten, Reshape))
        return None if shares else unit

    def _there(self, values: Iterable[Value], position: int) -> bool:
        """Whether all these are made before the unit at this position runs."""
        return all(self._place.get(value, -1) < position for value in values)

    def _main(self, node: Node, inputs: tuple[Value, ...]) -> int | None:
        """The operand that has the shape of the result and is made last; None if there is none."""
        whole = self._concrete.shape(node.output)
        fitting = [i for i, value in enumerate(inputs) if self._concrete.shape(value) == whole]
        free = [i for i in fitting if self._extendable(inputs[i]) is not None]
        return max(free or fitting, key=lambda i: self._place.get(inputs[i], -1), default=None)

    def _append(self, unit: Unit) -> None:
        self._place[unit.output] = len(self.made)
        self.made.append(unit)

    def _give(self, unit: Unit, value: Value) -> None:
        self._place[value] = self._place[unit.output]
        unit.output = value


def is_pointwise(node: Node) -> bool:
    """Whether it can be a link of a chain."""
    op = node.op
    if isinstance(op, (*JOINS, BatchNorm, Scale)):
        return True
    return op.elementwise and not isinstance(op, (Identity, Softmax, LogSoftmax))


def pads_with_zeros(node: Node) -> bool:
    """Whether it is a convolution with nothing but zeros around its input, which margins can hold."""
    op = node.op
    if not isinstance(op, Conv):
        return False
    return op.pad_mode == "zeros" or not any(map(any, op.lowered_pads(node.inputs[0].type)))


def bias_is_link(node: Node) -> bool:
    """Whether its bias, one number per channel, is added by the chain and not by the layer's own step."""
    op = node.op
    return "bias" in node.weights and (isinstance(op, Conv) or isinstance(op, Fc) and op.position == 0)


def _passes(node: Node, concrete: Concrete) -> bool:
    op = node.op
    if isinstance(op, Dropout):
        return op.mode != "classic" or op.p == 0
    if isinstance(op, (AdaptiveAvgPool, AdaptiveMaxPool)):
        return concrete.shape(node.inputs[0]) == concrete.shape(node.output)
    return isinstance(op, Identity)
