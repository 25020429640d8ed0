"""One class on its way into the generated file: the model, or a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends.numpy.emit.backward import Backward
from backends.numpy.emit.forward import Forward
from backends.numpy.emit.kept import Kept
from backends.numpy.emit.names import attached, named
from backends.numpy.emit.network import Network
from backends.numpy.emit.scopes import Item, Run, Unit, counted_paths
from backends.writer import Hole, formatted, literal
from compiler.graph import Node, Value

if TYPE_CHECKING:
    from backends.numpy.emit.classes import Place


class Body:
    """What `forward` and `backward` of one class do.

    `places` are the blocks inside, made before; `odd` gathers the paths of those that cannot be
    called as they are.
    """

    def __init__(self, net: Network, unit: Unit, places: Mapping[Unit, Place], odd: set[str]) -> None:
        self.net, self.unit, self.graph = net, unit, net.graph
        self.places, self.odd = places, odd
        self.in_block = unit.parent is not None
        self.kernels = net.kernels
        self.training = "saved.training" if self.in_block else "training"
        self.trained = "saved.training" if self.in_block else "s.training"
        self.generator = "generator" if self.in_block else "self.generator"
        self.training_only = set() if unit.training else net.training_only
        self.inputs = unit.inputs if self.in_block else list(net.graph.inputs.values())
        self.results = unit.outputs if self.in_block else list(net.outputs.values())
        self.items = self._with_runs()
        self._maker = {value: item for item in self.items for value in item.outputs}
        self._attributes = attached(unit, self.items)
        self._loops = self._loop_names()
        self.locals, self.chained = named(net, unit, self.items, self._loops.values())
        self.parameters = [self.locals[value] for value in self.inputs]
        self._write(frozenset())
        if self.in_block:
            # What is kept in any case tells its shape as well: known once all of it is written.
            self._write(frozenset(self.kept.values))
        self.forward = Forward(self).statements()

    def _write(self, kept_before: frozenset[Value]) -> None:
        self.kept = Kept(self.weight, self._key, kept_before)
        self.backward = Backward(self)
        self.backward.write()

    def _with_runs(self) -> list[Item]:
        """The items, where blocks of one class that follow each other are one."""
        uses: dict[Value, int] = {}
        for item in self.unit.items:
            for value in item.inputs:
                uses[self.original(value)] = uses.get(self.original(value), 0) + 1
        for value in self.results:
            uses[value] = uses.get(value, 0) + 1
        found: list[Item] = []
        for item in self.unit.items:
            last = found[-1] if found else None
            if isinstance(item, Unit) and isinstance(last, (Unit, Run)):
                units = [last] if isinstance(last, Unit) else last.units
                if self._follows(units[-1], item) and uses[item.inputs[0]] == 1:
                    found[-1] = Run([*units, item]) if isinstance(last, Unit) else last
                    if isinstance(last, Run):
                        last.units.append(item)
                    continue
            found.append(item)
        return found

    def _loop_names(self) -> dict[Run, str]:
        """The variable that runs over each list of blocks: one for each class, so that it has one type."""
        first: Any = None
        found: dict[Run, str] = {}
        for item in self.items:
            if isinstance(item, Run):
                plan = self.places[item.units[0]].plan
                first = first or plan
                found[item] = "block" if plan is first else f"block_of_{self._attributes[item]}"
        return found

    def loop(self, run: Run) -> str:
        """The variable that runs over a list of blocks."""
        return self._loops[run]

    def _follows(self, first: Unit, second: Unit) -> bool:
        """Whether the second does to the result of the first what the first did to its input."""
        a, b = (self.places[unit].body.backward for unit in (first, second))
        return (
            self._stand_together(first.path, second.path)
            and self.places[first].plan is self.places[second].plan
            and first.training == second.training
            and first.outputs == second.inputs
            and all(len(one.inputs) == len(one.outputs) == 1 for one in (first, second))
            and all(len(one.gives) == 1 and one.rest is None for one in (a, b))
            and a.for_inputs == b.for_inputs
            and first.outputs[0].name == ""  # nor a result of its own
        )

    def _stand_together(self, first: str, second: str) -> bool:
        """Whether they stand in one sequence, or are numbered."""
        group, _, _ = self.unit.relative(first).rpartition(".")
        if self.unit.relative(second).rpartition(".")[0] != group:
            return False
        return bool(group) or counted_paths([first, second]) is not None

    def original(self, value: Value) -> Value:
        """The value itself, or what an `identity` passed on."""
        return self.net.original(value)

    def weight(self, dotted: str) -> str:
        """A weight by its dotted name."""
        return f"w[{literal(self.unit.relative(dotted))}]"

    def label(self, node: Node) -> str:
        """The full name of a layer, as a string."""
        if self.in_block:
            return formatted(Hole("self.path"), f".{self.unit.relative(node.name)}")
        return literal(node.name)

    def local(self, value: Value) -> str:
        """The value in `forward`."""
        return self.locals[value] if value.weight is None else self.weight(value.weight)

    def _key(self, value: Value) -> str:
        """Under which name a value is kept."""
        maker = self._maker.get(value)
        if isinstance(maker, Node):
            return self.unit.relative(maker.name)
        if maker is not None:
            return self.unit.relative(self.net.producer[value].name)
        if self.in_block:
            return f"{self.locals[value]} in"  # as no layer can be called
        return next(n for n, v in self.graph.inputs.items() if v is value)

    def in_training(self, value: Value) -> bool:
        """Whether the value exists in training alone."""
        return self.net.producer.get(value) in self.training_only

    @property
    def attributes(self) -> list[str]:
        """The attributes that hold blocks."""
        return list(self._attributes.values())

    def attribute(self, item: Unit | Run) -> str:
        """The attribute that holds a block, or a list of them."""
        return self._attributes[item]
