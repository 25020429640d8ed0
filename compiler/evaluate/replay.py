"""What a block made once, made again where it would be the same.

A block sees its arguments, what flows in, and the definitions of its file, and nothing else; so what it
makes of the same arguments and an input of the same type differs in what its names begin with alone.  Where
it asks for no extent of a tensor, an input of another type goes through the same layers, and only what
follows from them for their inputs is worked out.  A ResNet-152 applies fifty blocks, of eight kinds; a
DenseNet-201 ninety-eight, of one kind.  Whatever cannot be told by that is evaluated: blocks that share,
declare or train something, what does not fit, and what goes near a limit, so that each problem is found
where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from compiler.declare import Fault, Word
from compiler.evaluate.context import MAX_NAMES, Applied, Context, Run
from compiler.evaluate.layers import typed
from compiler.evaluate.problems import Problem
from compiler.evaluate.values import BlockValue, LayerValue, ListValue, TupleValue, exact, measure
from compiler.graph import Node, Scope, Value
from compiler.ops.base import TensorType

#: Elements of a list up to which it is looked at as an argument.
MAX_ELEMENTS = 64

Key = tuple[Any, ...]


def key_of(
    target: BlockValue, arguments: Mapping[str, Any], flow: Value | Any | None, context: Context
) -> Key | None:
    """What decides what the block makes, but for the type that flows in; None where that cannot be told."""
    run = context.run
    if not isinstance(flow, Value) or context.training or context.repeated or run.in_training or run.failed:
        return None
    if target.module.damage or run.evaluating:
        run.unrepeatable += 1
        return None
    values: list[Any] = []
    for value in arguments.values():
        if not _is_plain(value):
            # What the scope says of this block is not true of another one, nor of what is around both.
            run.unrepeatable += _tells_places_apart(value)
            return None
        values += exact(value)
    # The depth decides what steps cost, and whether what flows in has a name, whether it can get one.
    return (id(target.block), bool(flow.name), run.depth, *values)


_PLAIN = (int, float, bool, str, Word)


def _is_plain(value: Any) -> bool:
    """Whether a key tells all of it: numbers, words, layers and blocks as they are, not too many."""
    kind = type(value)
    if kind in (tuple, TupleValue, ListValue):
        return measure(value)[1] <= MAX_ELEMENTS and all(map(_is_plain, value))
    return kind in _PLAIN or (kind in (LayerValue, BlockValue) and not value.given)


def _tells_places_apart(value: Any) -> bool:
    """Whether an argument is, or may hold, what is in one place of the model: a tensor, something shared."""
    if isinstance(value, tuple):
        return measure(value)[1] > MAX_ELEMENTS or any(map(_tells_places_apart, value))
    if isinstance(value, (LayerValue, BlockValue)):
        return any(_tells_places_apart(one.value) for one in value.given)
    return not isinstance(value, _PLAIN)


class Before(NamedTuple):
    """The state of an evaluation before a block is run."""

    nodes: int
    steps: int
    paths: int
    asked: int
    declared: tuple[int, ...]
    name: str

    @classmethod
    def of(cls, run: Run, flow: Value) -> Before:
        nodes, paths = len(run.builder.nodes), len(run.paths.order)
        return cls(nodes, run.steps, paths, run.asked, _declared(run), flow.name)


def _declared(run: Run) -> tuple[int, ...]:
    """How much there is of what is not made again: what happens once, what is said of tensors elsewhere."""
    return (
        run.constants,
        len(run.shared),
        len(run.raw_weights),
        run.put_aside,
        run.unrepeatable,
    )


class _Made(NamedTuple):
    """A node without its names: its inputs by position among the values (0 flows in), its scope by its."""

    node: Node
    applied: Applied
    inputs: tuple[int, ...]
    names: tuple[str, ...]
    step: str
    scope: int


class Recording:
    """What one application of a block made."""

    def __init__(
        self, before: Before, run: Run, scope: Scope, path: str, flow: Value, results: tuple[Value, ...]
    ) -> None:
        self.before, self.scope, self.path, self.flow, self.results = before, scope, path, flow, results
        self.stop = len(run.builder.nodes)
        self.steps = run.steps - before.steps
        self.paths = len(run.paths.order)
        self.any_type = run.asked == before.asked
        #: A result may get a name where the block was applied.
        self.names = [value.name for value in results]
        self._nodes: list[_Made] | None = None
        self._applied: dict[int, tuple[TensorType, list[Applied]]] = {}

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
        """Make it under this path of what flows in; None where that does not fit, or goes near a limit."""
        builder = run.builder
        count = self.stop - self.before.nodes
        if run.steps + self.steps > run.limits.steps or len(builder.nodes) + count > run.limits.layers:
            return None
        if self._nodes is None:
            self._read(run)
        assert self._nodes is not None
        letters = self.letters + count * len(path)
        applied = self._typed(flow.type, run)
        if applied is None or run.names + letters > MAX_NAMES:
            return None
        run.steps += self.steps
        run.names += letters
        run.asked += not self.any_type  # so that what this is a part of is for its type alone, too
        run.paths.take_again(path, self.added)
        scopes = [scope]
        for one, parent in self.scopes:
            scopes.append(
                Scope(one.kind, one.steps, one.name, scopes[parent], one.arguments, [], one.span, one.doc,
                      label=one.label)
            )  # fmt: skip
        values = [flow]
        for (like, _, at, names, step, within), known in zip(self._nodes, applied, strict=True):
            values += builder.apply(
                known.known.op,
                [values[one] for one in at],
                path=path + step,
                scope=scopes[within],
                span=like.span,
                label=like.label,
                names=names,
                known=known.known,
            )
        run.applied += applied
        nodes = builder.nodes[len(builder.nodes) - count :]
        for one, members in zip(scopes, self.members, strict=True):
            one.members[:] = [nodes[at] if at >= 0 else scopes[-at] for at in members]
        return tuple([values[one] for one in self.at])

    def _typed(self, flowing: TensorType, run: Run) -> list[Applied] | None:
        """What follows from each layer where this type flows in; None where one does not fit."""
        kept = self._applied.get(id(flowing))
        if kept is not None:
            return kept[1]
        assert self._nodes is not None
        types, found = [flowing], list[Applied]()
        for made in self._nodes:
            op, (_, given, arguments, first) = type(made.node.op), made.applied
            inputs = tuple([types[one] for one in made.inputs])
            applied = run.typings.get((op, arguments, *map(id, inputs)))
            if applied is None:
                assert made.node.span is not None
                try:
                    applied = typed(op, given, arguments, inputs, run, made.node.span)
                except (Fault, Problem):
                    return None
            known = applied.known
            if len(known.results) != len(first.results) or bool(known.weights) != bool(first.weights):
                return None
            types += known.results
            found.append(applied)
        self._applied[id(flowing)] = flowing, found
        return found

    def _read(self, run: Run) -> None:
        """Read off what was made; only where it is wanted again."""
        before, builder, cut = self.before, run.builder, len(self.path)
        nodes = builder.nodes[before.nodes : self.stop]
        applied = run.applied[before.nodes : self.stop]
        self.letters = sum(len(node.path) - cut for node in nodes)
        self._applied[id(self.flow.type)] = self.flow.type, applied
        named = {id(value): name for value, name in zip(self.results, self.names, strict=True)}
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
        for node, one in zip(nodes, applied, strict=True):
            inputs = tuple([positions[id(value)] for value in node.inputs])
            for value in node.outputs:
                positions[id(value)] = len(positions)
            names = tuple([named.get(id(value), value.name) for value in node.outputs])
            self._nodes.append(_Made(node, one, inputs, names, node.path[cut:], at[id(node.scope)]))
        self.at = [positions[id(value)] for value in self.results]
        self.added = run.paths.between(before.paths, self.paths, cut)
