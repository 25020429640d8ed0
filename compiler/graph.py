"""The graph: what is left of a spec when loops, blocks, conditions and parameters are evaluated.

Values and nodes in the order in which they run, the tree of scopes from which generated
classes are made, and the declarations of weights.  If a graph exists, its shapes are right.
Nothing changes a graph once it is built; a pass makes another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from compiler.initial import Initialiser, default_initialiser
from compiler.ops.base import Op, TensorType, WeightSpec
from spec_lang.frozen import field, frozen_slots, record, replace, unique, unique_slots
from spec_lang.source import Span


@unique_slots
class Value:
    """A tensor: an input of the model, a raw weight, or a result of a node.

    `name` is the name of the input or raw weight; for a result it is what the user called it
    (`as skip`, an output's name) or empty.  Values are compared by identity.
    """

    type: TensorType
    name: str = ""
    span: Span | None = None
    weight: str | None = None  # the dotted name of the raw weight that this is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape


@unique_slots
class Node:
    """A layer applied once.

    `path` is the dotted path that names its weights (`layer1.0.conv1`); `name` is the path
    made unique among nodes (a shared layer runs several times under one path).  `weights`
    maps the layer's own names (`weight`, `bias`) to dotted names.  `training` marks what
    exists in training alone.
    """

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    path: str
    name: str
    weights: Mapping[str, str]
    scope: Scope
    span: Span | None = None
    training: bool = False
    label: str = ""  # the user's own label, empty where the name was made up

    @property
    def output(self) -> Value:
        return self.outputs[0]

    @property
    def input_types(self) -> tuple[TensorType, ...]:
        return tuple([v.type for v in self.inputs])

    @property
    def output_types(self) -> tuple[TensorType, ...]:
        return tuple([v.type for v in self.outputs])

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.op.macs(self.input_types, self.output_types)


@record
class Scope:
    """A stretch of the model that a label, a block or a `seq` sets apart.

    `kind` is model, block, group, seq or join.  `steps` are the steps that it adds to the path
    (none for an unlabelled `seq` outside a `seq`, for a join without a label).  `name` is the
    block's or model's name; `arguments` its parameters' values.  `members` are nodes and
    scopes in the order in which they run.  Inline blocks, loops, conditions, branches make
    no scope.  A shared block that is applied twice has two scopes of one `path`.
    """

    kind: str
    steps: tuple[str, ...] = ()
    name: str = ""
    parent: Scope | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    members: list[Node | Scope] = field(default_factory=list)
    span: Span | None = None
    doc: str = ""
    shared: bool = False
    label: str = ""  # the user's own label, empty where the steps were made up
    #: The whole path of something `shared`, which may be applied anywhere.
    absolute: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        """The dotted path from the model to here; empty for the model."""
        steps: list[str] = []
        scope: Scope | None = self
        while scope is not None:
            if scope.absolute is not None:
                return ".".join((*scope.absolute, *steps))
            steps[:0] = scope.steps
            scope = scope.parent
        return ".".join(steps)


@frozen_slots
class Weight:
    """The declaration of one weight.

    `name` is dotted; `role` and the fans are the layer's (see `WeightSpec`); `layer` is the
    layer's name in the language (`conv`; `weight` for a raw one).  `trainable` is false for
    running statistics, constants and what is frozen.  `initialiser` says how it starts.
    `training` marks a weight that only a training-time branch uses.
    """

    name: str
    shape: tuple[int, ...]
    role: str
    layer: str
    trainable: bool
    initialiser: Initialiser
    fan_in: int = 0
    fan_out: int = 0
    training: bool = False
    span: Span | None = None
    dtype: str = "float32"

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


class Work(NamedTuple):
    """What a node costs, for one image.

    `memory` are the numbers of a new volume, 0 for what works in place; `activations` those of the
    results, in place or not.
    """

    macs: int
    flops: int
    memory: int
    activations: int

    @staticmethod
    def of(node: Node) -> Work:
        op, inputs, outputs = node.op, node.input_types, node.output_types
        elements = sum([t.elements for t in outputs])
        memory = elements if op.new_volume(inputs) else 0
        return Work(op.macs(inputs, outputs), op.flops(inputs, outputs), memory, elements)


@unique
class Graph:
    """A model, evaluated.

    Attributes:
        name: the model's name in its file.
        inputs: name -> value, in the order of the spec.
        outputs: name -> value.
        nodes: in an order in which they can run; for inference they leave out what exists in
            training alone (see `with_training`).
        weights: dotted name -> declaration, in order of first use; always includes what
            training holds.
        root: the tree of scopes, over the same nodes.
        preprocess: the steps of `preprocess`, bound (see `compiler.preprocess`).
        settings: the `train` section, bound (see `compiler.training`), or None.
        free: name of a free extent (`H`) -> (input name, axis without the batch) wherever it stands.
        arguments: the model's parameters and their values.
        files: paths of the files that it was read from, which no output may replace.
        training: whether training-time branches are in `nodes` and `outputs`.
        with_training: the same model with them; itself where there are none.
    """

    name: str
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    nodes: tuple[Node, ...]
    weights: Mapping[str, Weight]
    root: Scope
    preprocess: tuple[Any, ...] = ()
    settings: Any = None
    free: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    doc: str = ""
    source_name: str = ""
    source_text: str = ""
    files: tuple[str, ...] = ()
    training: bool = False
    training_graph: Graph | None = None

    @property
    def with_training(self) -> Graph:
        return self.training_graph if self.training_graph is not None else self

    @cached_property
    def params(self) -> int:
        """Trainable numbers: no running statistics, no constants, nothing frozen."""
        return sum([w.elements for w in self.weights.values() if w.trainable])

    @cached_property
    def work(self) -> tuple[Work, ...]:
        """What each of `nodes` costs, in their order."""
        known: dict[tuple[int, ...], Work] = {}
        works = []
        for node in self.nodes:
            # Layers that are alike share their op and types: what one costs is worked out once.
            like = (id(node.op), *[id(v.type) for v in node.inputs], *[id(v.type) for v in node.outputs])
            work = known.get(like)
            if work is None:
                work = known[like] = Work.of(node)
            works.append(work)
        return tuple(works)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one image (one row of every input)."""
        return sum([work.macs for work in self.work])

    @cached_property
    def memory(self) -> int:
        """Numbers (not bytes) that one image takes on its way: the inputs and every result that
        needs room of its own, as in the lectures' tables.

        What works number by number writes over its input (activations, batchnorm, dropout), and views
        (flatten, reshape, identity) take nothing: see `Op.new_volume`.  Times 4 it is bytes of float32.
        """
        inputs = sum([value.type.elements for value in self.inputs.values()])
        return inputs + sum([work.memory for work in self.work])

    @cached_property
    def largest(self) -> int:
        """Numbers in the largest tensor, for one image: less memory than that no backend can do with."""
        values = (*self.inputs.values(), *(value for node in self.nodes for value in node.outputs))
        return max((value.type.elements for value in values), default=0)

    @cached_property
    def uses(self) -> Mapping[Value, tuple[Node, ...]]:
        """Value -> the nodes that take it, in order."""
        users: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                users.setdefault(value, []).append(node)
        return {value: tuple(nodes) for value, nodes in users.items()}

    @cached_property
    def producer(self) -> Mapping[Value, Node]:
        """Value -> the node that makes it (inputs and raw weights have none)."""
        return {value: node for node in self.nodes for value in node.outputs}


class Typing(NamedTuple):
    """A bound layer with what follows from it for some types of inputs.

    `declared` is what `Weight` has of each weight, up to `fan_out`, with the layer's own name for it.
    """

    op: Op
    results: tuple[TensorType, ...]
    weights: tuple[WeightSpec, ...]
    declared: tuple[tuple[Any, ...], ...]

    @staticmethod
    def of(op: type[Op] | Op, types: Sequence[TensorType], arguments: Mapping[str, Any]) -> Typing:
        """Bind, infer, and ask for the weights.  Raises `Fault`."""
        bound = op.apply_to(types, **arguments) if isinstance(op, type) else op
        return Typing.bound(bound, types, bound.infer(types))

    @staticmethod
    def bound(op: Op, types: Sequence[TensorType], results: tuple[TensorType, ...]) -> Typing:
        """What follows from a layer that is bound, with these results."""
        specs, frozen = op.weights(types), bool(getattr(op, "frozen", False))
        declared = [
            (spec.name, spec.shape, spec.role, op.name, spec.is_parameter and not frozen,
             default_initialiser(spec.role), spec.fan_in, spec.fan_out)
            for spec in specs
        ]  # fmt: skip
        return Typing(op, results, specs, tuple(declared))


class GraphBuilder:
    """Builds a graph node by node; the evaluator and the tests use it.

        builder = GraphBuilder("tiny")
        x = builder.input("image", TensorType((3, 9, 14)))
        y, = builder.apply(Conv, [x], path="conv1", filters=6, kernel=(3, 5))
        graph = builder.build({"out": y})
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.weights: dict[str, Weight] = {}
        self.free: dict[str, tuple[tuple[str, int], ...]] = {}
        self.root = Scope("model", name=name)
        self._names: set[str] = set()

    def input(self, name: str, type: TensorType, span: Span | None = None,
              free: Mapping[str, int] | None = None) -> Value:
        """Declare an input; `free` maps names of free extents to axes (without the batch)."""
        value = Value(type, name, span)
        self.inputs[name] = value
        for extent, axis in (free or {}).items():
            self.free[extent] = (*self.free.get(extent, ()), (name, axis))
        return value

    def parameter(self, weight: Weight) -> Value:
        """A raw weight as a value without a batch axis."""
        self.weights[weight.name] = weight
        return Value(TensorType(weight.shape, rows=None), weight.name, weight.span, weight=weight.name)

    def apply(self, op: type[Op] | Op, inputs: Sequence[Value], *, path: str, scope: Scope | None = None,
              span: Span | None = None, training: bool = False, label: str = "",
              names: Sequence[str] = (), known: Typing | None = None, **arguments: Any) -> tuple[Value, ...]:
        """Apply a layer: infer types, declare weights (or reuse them, if the path has them).

        `op` is a bound layer, or a class with its arguments as keywords; `known` is what is
        already known of a bound one for these inputs.  Raises `Fault`.
        """
        if known is None:
            known = Typing.of(op, [v.type for v in inputs], arguments)
        bound, results = known.op, known.results
        if len(results) == 1:
            outputs: tuple[Value, ...] = (Value(results[0], names[0] if names else "", span),)
        elif names:
            given = (*names, *[""] * len(results))
            outputs = tuple([Value(t, name, span) for t, name in zip(results, given, strict=False)])
        else:
            outputs = tuple([Value(t, "", span) for t in results])
        owned = {}
        for own, shape, role, layer, trainable, start, fan_in, fan_out in known.declared:
            owned[own] = dotted = f"{path}.{own}" if path else own
            if dotted not in self.weights:
                self.weights[dotted] = Weight(dotted, shape, role, layer, trainable, start, fan_in, fan_out,
                                              training, span)
        node = Node(bound, tuple(inputs), outputs, path, self.unique(path), owned, scope or self.root,
                    span, training, label)
        node.scope.members.append(node)
        self.nodes.append(node)
        return outputs

    def unique(self, path: str) -> str:
        name, count = path, 1
        while name in self._names:
            count += 1
            name = f"{path}_{count}"
        self._names.add(name)
        return name

    def rename(self, value: Value, name: str) -> None:
        """Give a value the user's name for it, unless it has one: only while it is being built."""
        if not value.name:
            object.__setattr__(value, "name", name)

    def build(self, outputs: Mapping[str, Value], **more: Any) -> Graph:
        """The finished graph; `more` are further attributes of `Graph`."""
        return Graph(self.name, dict(self.inputs), dict(outputs), tuple(self.nodes), dict(self.weights),
                     self.root, free=dict(self.free), **more)


def restrict(graph: Graph, keep: Iterable[Node], **more: Any) -> Graph:
    """The graph with only these nodes, scopes rebuilt to match."""
    kept = set(keep)
    copies: dict[int, Scope] = {}

    def copied(root: Scope) -> Scope:
        # Iterative: scopes may be nested as deep as recursion in a spec went.
        top = replace(root, members=[])
        stack = [(root, top)]
        while stack:
            old, new = stack.pop()
            for member in old.members:
                if isinstance(member, Node):
                    if member in kept:
                        new.members.append(member)
                else:
                    child = replace(member, members=[], parent=new)
                    copies[id(member)] = child
                    new.members.append(child)
                    stack.append((member, child))
        return top

    return replace(graph, nodes=tuple(n for n in graph.nodes if n in kept), root=copied(graph.root), **more)


def with_nodes(graph: Graph, swaps: Mapping[Node, Node | None]) -> Graph:
    """The graph with nodes replaced (by a node) or left out (None), in the tree of scopes too."""
    top = replace(graph.root, members=[])
    stack = [(graph.root, top)]
    while stack:  # not recursive: scopes may be nested as deep as a recursive spec went
        old, new = stack.pop()
        for member in old.members:
            if isinstance(member, Node):
                kept = swaps.get(member, member)
                if kept is not None:
                    new.members.append(kept)
            else:
                child = replace(member, members=[], parent=new)
                new.members.append(child)
                stack.append((member, child))
    nodes = [swaps.get(node, node) for node in graph.nodes]
    return replace(graph, nodes=tuple([node for node in nodes if node is not None]), root=top)
