"""What a block made once, made again where it would be the same.

A block sees its arguments, what flows in, and the definitions of its file, and nothing else; so what it
makes of the same arguments and an input of the same type differs in what its names begin with alone.
A ResNet-152 applies fifty blocks, of eight kinds.  Whatever is not told by that is evaluated: blocks that
share, declare or train something, and any that goes near a limit, so that each problem is found where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from compiler.declare import Word
from compiler.evaluate.context import MAX_NAMES, Context, Run
from compiler.evaluate.values import BlockValue, LayerValue, ListValue, TupleValue, Unknown, measure
from compiler.graph import Node, Scope, Value, Weight

#: Elements of a list up to which it is looked at as an argument.
MAX_ELEMENTS = 64

Key = tuple[Any, ...]


def key_of(
    target: BlockValue, arguments: Mapping[str, Any], flow: Value | Unknown | None, context: Context
) -> Key | None:
    """What decides what the block makes; None where that cannot be told."""
    run = context.run
    if not isinstance(flow, Value) or context.training or context.repeated or run.in_training or run.failed:
        return None
    if target.module.damage:
        return None
    values: list[Any] = []
    for value in arguments.values():
        kind = type(value)
        if kind in (tuple, TupleValue, ListValue):
            if measure(value)[1] > MAX_ELEMENTS:
                return None
            value = _exact(value)
            if value is None:
                return None
        elif kind not in _PLAIN and not (kind in (LayerValue, BlockValue) and not value.given):
            return None
        values += (kind, value)
    # The depth decides what steps cost, and whether what flows in has a name, whether it can get one.
    return (id(target.block), id(flow.type), bool(flow.name), run.depth, *values)


_PLAIN = (int, float, bool, str, Word)


def _exact(value: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """A key that tells 1 from 1.0 and from `true`; None where it holds more than numbers and words."""
    found: list[Any] = []
    for one in value:
        kind = type(one)
        if kind in (tuple, TupleValue, ListValue):
            one = _exact(one)
            if one is None:
                return None
        elif kind not in _PLAIN:
            return None
        found += (kind, one)
    return tuple(found)


class Before(NamedTuple):
    """The state of an evaluation before a block is run."""

    nodes: int
    steps: int
    taken: int
    through: int
    declared: tuple[int, ...]
    name: str

    @classmethod
    def of(cls, run: Run, flow: Value) -> Before:
        taken, through = run.paths.counts()
        return cls(len(run.builder.nodes), run.steps, taken, through, _declared(run), flow.name)


def _declared(run: Run) -> tuple[int, ...]:
    """How much there is of what is not made again: what happens once, what is said of tensors elsewhere."""
    return (
        run.constants,
        len(run.shared),
        len(run.raw_weights),
        len(run.in_training),
        len(run.spoken_for),
    )


class _Made(NamedTuple):
    """A node without its names: its inputs by position among the values (0 flows in), its scope by its."""

    node: Node
    inputs: tuple[int, ...]
    outputs: tuple[tuple[Any, ...], ...]
    step: str
    weights: tuple[tuple[str, tuple[Any, ...]], ...]
    scope: int


class Recording:
    """What one application of a block made."""

    def __init__(
        self, before: Before, run: Run, scope: Scope, path: str, flow: Value, results: tuple[Value, ...]
    ) -> None:
        self.before, self.scope, self.path, self.flow, self.results = before, scope, path, flow, results
        self.stop = len(run.builder.nodes)
        self.steps = run.steps - before.steps
        self.paths = run.paths.counts()
        #: A result may get a name where the block was applied.
        self.names = [value.name for value in results]
        self._nodes: list[_Made] | None = None

    @classmethod
    def of(
        cls, before: Before, run: Run, scope: Scope, path: str, flow: Value, results: tuple[Any, ...]
    ) -> Recording | None:
        """The recording of what was run since `before`; None where it says more than it makes."""
        if run.failed or run.unmet or _declared(run) != before.declared or flow.name != before.name:
            return None
        if not all(isinstance(value, Value) for value in results):
            return None
        return cls(before, run, scope, path, flow, results)

    def again(self, scope: Scope, path: str, flow: Value, run: Run) -> tuple[Value, ...] | None:
        """Make it under this path of what flows in; None where that goes near a limit."""
        builder = run.builder
        count = self.stop - self.before.nodes
        if run.steps + self.steps > run.limits.steps or len(builder.nodes) + count > run.limits.layers:
            return None
        if self._nodes is None:
            self._read(run)
        assert self._nodes is not None
        letters = self.letters + count * len(path)
        if run.names + letters > MAX_NAMES:
            return None
        run.steps += self.steps
        run.names += letters
        run.paths.take_again(path, self.taken, self.through)
        scopes = [scope]
        for one, parent in self.scopes:
            scopes.append(
                Scope(one.kind, one.steps, one.name, scopes[parent], one.arguments, [], one.span, one.doc,
                      label=one.label)
            )  # fmt: skip
        values, nodes, weights = [flow], [], builder.weights
        for made in self._nodes:
            like = made.node
            outputs = tuple([Value(*fields) for fields in made.outputs])
            dotted = path + made.step
            owned = {}
            for name, fields in made.weights:
                owned[name] = full = f"{dotted}.{name}"
                weights[full] = Weight(full, *fields)
            inputs = tuple([values[at] for at in made.inputs])
            node = Node(like.op, inputs, outputs, dotted, builder.unique(dotted), owned, scopes[made.scope],
                        like.span, False, like.label)  # fmt: skip
            values += outputs
            nodes.append(node)
        builder.nodes += nodes
        for made_scope, members in zip(scopes, self.members, strict=True):
            made_scope.members += [nodes[at] if at >= 0 else scopes[-at] for at in members]
        return tuple([values[at] for at in self.at])

    def _read(self, run: Run) -> None:
        """Read off what was made; only where it is wanted again."""
        before, builder = self.before, run.builder
        cut = len(self.path)
        nodes = builder.nodes[before.nodes : self.stop]
        self.letters = sum(len(node.path) - cut for node in nodes)
        names = {id(value): name for value, name in zip(self.results, self.names, strict=True)}
        positions = {id(self.flow): 0}
        #: Scopes within, each with its parent's position, parents first; and the members of all.
        found, self.scopes, at = [self.scope], list[tuple[Scope, int]](), {id(self.scope): 0}
        for parent in found:
            for member in parent.members:
                if isinstance(member, Scope):
                    at[id(member)] = len(found)
                    found.append(member)
                    self.scopes.append((member, at[id(parent)]))
        order = {id(node): number for number, node in enumerate(nodes)}
        self.members = [
            [order[id(one)] if isinstance(one, Node) else -at[id(one)] for one in scope.members]
            for scope in found
        ]
        self._nodes = []
        for node in nodes:
            inputs = tuple([positions[id(value)] for value in node.inputs])
            for value in node.outputs:
                positions[id(value)] = len(positions)
            outputs = [(v.type, names.get(id(v), v.name), v.span) for v in node.outputs]
            owned = [(name, _fields(builder.weights[dotted])) for name, dotted in node.weights.items()]
            step = node.path[cut:]
            self._nodes.append(_Made(node, inputs, tuple(outputs), step, tuple(owned), at[id(node.scope)]))
        self.at = [positions[id(value)] for value in self.results]
        taken, through = self.paths
        self.taken = [(p[cut:], s) for p, s in islice(run.paths.taken.items(), before.taken, taken)]
        self.through = [(p[cut:], s) for p, s in islice(run.paths.through.items(), before.through, through)]


def _fields(weight: Weight) -> tuple[Any, ...]:
    """What a weight has beside its name."""
    return (weight.shape, weight.role, weight.layer, weight.trainable, weight.initialiser, weight.fan_in,
            weight.fan_out, weight.training, weight.span, weight.dtype)  # fmt: skip
