"""Which scopes become classes of their own: the blocks, each with its nodes, inputs and outputs.

A block is written as a class where all that it does can be said in terms of its path: the names of
its weights begin with it, nobody else uses them, and its nodes run one after the other.  What
does not fit (something shared, a head in the midst of it that exists in training alone) stays in
the class around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from compiler.graph import Graph, Node, Scope, Value
from compiler.ops.dropout import Dropout


@dataclass(eq=False)
class Unit:
    """The model, or one application of a block that has a class."""

    scope: Scope
    path: str
    parent: Unit | None
    items: list[Node | Unit] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    training: bool = False  # all of it exists in training alone
    drops: bool = False  # there is dropout in it

    @property
    def chain(self) -> Iterator[Unit]:
        """This unit and those around it, innermost first, without the model."""
        unit = self
        while unit.parent is not None:
            yield unit
            unit = unit.parent

    def relative(self, name: str) -> str:
        """A dotted name without the unit's path in front."""
        return name[len(self.path) + 1 :] if self.path else name


@dataclass(eq=False)
class Run:
    """Units of one class, one after the other, each taking what the one before gives."""

    units: list[Unit]

    @property
    def inputs(self) -> list[Value]:
        return self.units[0].inputs

    @property
    def outputs(self) -> list[Value]:
        return self.units[-1].outputs

    @property
    def training(self) -> bool:
        return self.units[0].training


Item: TypeAlias = "Node | Unit | Run"


def units_of(
    graph: Graph,
    nodes: Sequence[Node],
    originals: Mapping[Value, Value],
    training_only: set[Node],
    inline: set[str],
) -> list[Unit]:
    """The model and its blocks, outer ones first; those at `inline` paths get no unit.

    What turns out to have no simple form is added to `inline`, and it is done again.
    """
    while True:
        before = len(inline)
        units = _collected(graph, nodes, inline)
        _check_names(units, nodes, inline)
        _connect(graph, units, nodes, originals, training_only, inline)
        if len(inline) == before:
            return [unit for unit, _ in units]


_Units = list[tuple[Unit, list[Node]]]


def _collected(graph: Graph, nodes: Sequence[Node], inline: set[str]) -> _Units:
    """The units with their own nodes, and the items of each in order of running."""
    root = Unit(graph.root, "", None)
    within: dict[Node, Unit] = {}
    stack: list[tuple[Scope, str, Unit]] = [(graph.root, "", root)]
    while stack:
        scope, path, unit = stack.pop()
        for member in scope.members:
            if isinstance(member, Node):
                within[member] = unit
                continue
            steps = member.absolute if member.absolute is not None else (path, *member.steps)
            inner = ".".join(step for step in steps if step)
            opens = (
                member.kind == "block"
                and bool(member.name and member.steps)  # what is shared has no steps of its own
                and inner not in inline
            )
            target = Unit(member, inner, unit) if opens else unit
            stack.append((member, inner, target))
    found: dict[Unit, list[Node]] = {root: []}
    paths: set[str] = set()
    open_units: list[Unit] = []
    for node in nodes:
        chain = list(within.get(node, root).chain)[::-1]
        kept = 0
        while kept < min(len(chain), len(open_units)) and chain[kept] is open_units[kept]:
            kept += 1
        for unit in chain[kept:]:  # the nodes of a block follow each other
            if unit.path in paths:  # inside what is shared, and applied again
                inline.add(unit.path)
            paths.add(unit.path)
            found[unit] = []
            (unit.parent or root).items.append(unit)
        open_units = chain
        unit = chain[-1] if chain else root
        unit.items.append(node)
        found[unit].append(node)
    return list(found.items())


def _check_names(units: _Units, nodes: Sequence[Node], inline: set[str]) -> None:
    """Names begin with the paths of the units that they are used in, and of no others."""
    paths = {unit.path for unit, _ in units if unit.path}
    if not paths:
        return
    for unit, own in units:
        around = {one.path for one in unit.chain}
        for node in own:
            names = [node.name, *node.weights.values()]
            names += [value.weight for value in node.inputs if value.weight is not None]
            for name in names:
                inline.update(path for path in around if not name.startswith(path + "."))
                prefix = name
                while prefix:
                    if prefix in paths and (prefix not in around or prefix == name):
                        inline.add(prefix)
                    prefix = prefix.rpartition(".")[0]


def _connect(
    graph: Graph,
    units: _Units,
    nodes: Sequence[Node],
    originals: Mapping[Value, Value],
    training_only: set[Node],
    inline: set[str],
) -> None:
    """What goes into each unit and what comes out of it."""
    home = {node: unit for unit, own in units for node in own}
    maker = {node.output: home[node] for node in nodes}
    inputs: dict[Unit, dict[Value, None]] = {unit: {} for unit, _ in units}
    leaving: dict[Unit, set[Value]] = {unit: set() for unit, _ in units}
    marks: dict[Unit, set[bool]] = {unit: set() for unit, _ in units}

    def cross(value: Value, user: Unit) -> None:
        source = maker.get(value)
        outer, inner = set(source.chain) if source is not None else set(), set(user.chain)
        for unit in inner - outer:
            inputs[unit][value] = None
        for unit in outer - inner:
            leaving[unit].add(value)

    for node in nodes:
        unit = home[node]
        for one in unit.chain:
            marks[one].add(node in training_only)
            one.drops = one.drops or isinstance(node.op, Dropout)
        for value in node.inputs:
            if value.weight is None:
                cross(originals.get(value, value), unit)
    root = units[0][0]
    for value in graph.outputs.values():
        cross(originals.get(value, value), root)
    for unit, _ in units[1:]:
        unit.inputs = list(inputs[unit])
        unit.training = True in marks[unit]
        if len(marks[unit]) > 1 or not leaving[unit]:
            inline.add(unit.path)
    for node in nodes:
        for unit in home[node].chain:
            if node.output in leaving[unit]:
                unit.outputs.append(node.output)


def counted_paths(paths: Sequence[str]) -> tuple[str, int, str] | None:
    """What is before and after a number that grows by one from path to path, and its first value."""
    for number in re.finditer(r"\d+", paths[0]):
        before, after, first = paths[0][: number.start()], paths[0][number.end() :], int(number[0])
        if all(path == f"{before}{first + i}{after}" for i, path in enumerate(paths)):
            return before, first, after
    return None
