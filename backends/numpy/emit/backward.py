"""The statements of `backward`: how the gradients of what is used several times meet.

They are added up in the reverse order of the uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backends.numpy.emit import EMITTERS
from backends.numpy.emit.base import Call, Expression, Layer
from backends.numpy.emit.names import RESERVED
from backends.numpy.emit.network import Statement, after, common_remark, shape_remark
from backends.numpy.emit.scopes import Run, Unit
from backends.numpy.include import kernels
from backends.writer import Names, literal
from compiler.graph import Node, Value

if TYPE_CHECKING:
    from backends.numpy.emit.body import Body


class Backward:
    """The gradients within one class.  What it says is known once it is written."""

    def __init__(self, body: Body) -> None:
        self.body, self.net, self.graph = body, body.net, body.net.graph
        self.arguments: list[str] = []  # the gradients that `backward` of a block takes
        self.gives: list[Value] = []  # the inputs whose gradients it gives
        self.trains = False  # it gives gradients of weights
        self.for_inputs = False  # all that it gives is for the inputs of the model
        self.rest: int | None = None  # from which statement on it is
        self.statements: list[Statement] = []
        self._names = Names((*kernels(), *RESERVED))
        self._gradients: dict[Value, str] = {}
        self._given: set[Value | str] = set()
        self._times: dict[Value, int] = {}
        self._pending: list[tuple[Statement, bool]] = []

    def write(self) -> None:
        """Make the statements."""
        self.statements = self._statements()
        if self.body.in_block:
            self._find_rest()

    def of(self, value: Value | str) -> str:
        """Where the gradient of a value, or of a weight by its name, is gathered."""
        weight = value if isinstance(value, str) else value.weight
        if weight is not None:
            return f"g[{literal(self.body.unit.relative(weight))}]"
        assert isinstance(value, Value)
        if value in self.body.chained:
            return "d"
        if value not in self._gradients:
            self._gradients[value] = self._names.fresh(f"d_{self.body.locals[value]}")
        return self._gradients[value]

    def times(self, value: Value) -> int:
        """How many gradients of a value are added up here."""
        return self._times.get(value, 0)

    def give(self, node: Node, targets: Sequence[Value | str | None], gradients: Expression) -> None:
        """Note that the expression is the gradient of the targets: values, names of weights, or nothing."""
        inputs = all(isinstance(t, Value) and self.net.is_for_inputs(t) for t in targets if t is not None)
        self._receive(targets, gradients, node in self.body.training_only, inputs)

    def _receive(
        self,
        targets: Sequence[Value | str | None],
        given: Expression,
        training: bool,
        inputs: bool,
        times: Mapping[Value, int] | None = None,
    ) -> None:
        """Note what gives the gradients of the targets, each the sum of so many `times` (one).

        One gradient is added where it is given, several after they are given together.
        """
        places: list[str] = []
        sums: list[Statement] = []
        expression = given
        for target in targets:
            if target is None:
                places.append("_")
                continue
            place = self.of(target)
            self._zeros_before(target, place, training, inputs)
            if isinstance(target, Value):
                self._times[target] = self.times(target) + (times[target] if times is not None else 1)
            if target not in self._given:
                places.append(place)
            elif len(targets) == 1:
                expression = after(f"{place} + ", expression)
                places.append(place)
            else:
                more = f"more_{len(sums) + 1}" if sums else "more"
                places.append(more)
                alone = isinstance(target, Value) and self.net.is_for_inputs(target)
                sums.append(Statement((place,), f"{place} + {more}", "", training, inputs or alone))
            self._given.add(target)
        values = [target for target in targets if isinstance(target, Value)]
        maps = [value.type for value in values] if all(value.weight is None for value in values) else []
        if places != [str(expression)]:
            made = Statement(tuple(places), expression, common_remark(maps), training, inputs)
            self._pending.append((made, "d" in places))
        self._pending.extend((one, "d" in places) for one in sums)

    def _zeros_before(self, target: Value | str, place: str, training: bool, inputs: bool) -> None:
        """What training alone adds to a gradient is added to zeros where nothing else comes before."""
        if training and target not in self._given and self._outlives(target):
            like = self.body.kept.value(target) if isinstance(target, Value) else self.body.weight(target)
            self._pending.append((Statement((place,), f"np.zeros_like({like})", inputs=inputs), False))
            self._given.add(target)

    def _outlives(self, target: Value | str) -> bool:
        """Whether the target exists outside training too."""
        if isinstance(target, str):
            return not self.graph.weights[target].training
        if target.weight is not None:
            return not self.graph.weights[target.weight].training
        return not self.body.in_training(target)

    def _statements(self) -> list[Statement]:
        """The gradients of the results, then those of each item in reverse."""
        statements = self._given_from_outside()
        for item in reversed(self.body.items):
            if isinstance(item, Node):
                if item.output not in self._given:
                    continue
                EMITTERS[type(item.op)].backward(Layer(self.body, item))
            else:
                self._give_back(item)
            # What overwrites `d` comes last: the others read it.
            statements += [one for one, last in self._pending if not last]
            statements += [one for one, last in self._pending if last]
            self._pending.clear()
        if self.body.in_block:
            return statements
        for value in self.graph.inputs.values():
            if value not in self._given:
                statements.append(
                    Statement((self.of(value),), f"np.zeros_like({self.body.kept.value(value)})", inputs=True)
                )
        return statements

    def _given_from_outside(self) -> list[Statement]:
        """The gradients of the results: arguments of a block, checked ones of the model."""
        if self.body.in_block:
            self._given.update(self.body.results)
            self.arguments = [self.of(value) for value in self.body.results]
            return []
        statements = []
        always = [name for name in self.net.outputs if name not in self.net.training_outputs]
        for name in (*always, *self.net.training_outputs):
            value = self.net.outputs[name]
            place, training = self.of(value), name in self.net.training_outputs
            if self.net.single is not None:
                self.net.kernels.add("checked_gradient")
                given: Expression = Call(
                    "checked_gradient", (literal(name), place, self.body.kept.value(value))
                )
            else:
                self.net.kernels.add("gradient_of")
                given = Call("gradient_of", (literal(name), "gradients", self.body.kept.value(value)))
            if training and value not in self._given and not self.body.in_training(value):
                statements.append(Statement((place,), f"np.zeros_like({self.body.kept.value(value)})"))
                self._given.add(value)
            if value in self._given:
                given = after(f"{place} + ", given)
            self._given.add(value)
            statements.append(Statement((place,), given, shape_remark(value.type), training))
        return statements

    def _give_back(self, item: Unit | Run) -> None:
        """The gradients that a block gives, from those of what it made; a run of them in a loop."""
        units = item.units if isinstance(item, Run) else [item]
        first = self.body.places[units[0]].body.backward
        missing = not all(value in self._given for value in item.outputs)
        if missing or (not first.for_inputs and any(map(self.net.is_for_inputs, item.outputs))):
            self.body.odd.update(unit.path for unit in units)
            self._given.update(item.inputs)
            return
        given = ["weights" if self.body.in_block else "w", "saved" if self.body.in_block else "s"]
        given.append("gradients" if self.body.in_block else "g")
        if first.rest is not None:
            given.append("inputs=inputs")
        training = item.training and not self.body.unit.training
        place = [self.of(value) for value in item.outputs]
        for value in first.gives:
            # Sums are formed in the same order as where a block is not called: one after the other.
            late = first.rest is not None or (self.net.is_for_inputs(value) and not first.for_inputs)
            added = value in self._given or (training and self._outlives(value))
            if added and (first.times(value) > 1 or late):
                self.body.odd.update(unit.path for unit in units)
                self._given.update(item.inputs)
                return
        if isinstance(item, Run):
            value = first.gives[0]
            called = Call(f"{self.body.loop(item)}.backward", ("", *given))
            remark = common_remark(unit.inputs[0].type for unit in units)
            self._give_looped(item, value, place[0], called, remark, training, first.for_inputs)
            return
        called = Call(f"self.{self.body.attribute(item)}.backward", (*place, *given))
        times = {value: first.times(value) for value in first.gives}
        self._receive(first.gives, called, training, first.for_inputs, times)

    def _give_looped(
        self, run: Run, value: Value, start: str, called: Call, remark: str, training: bool, inputs: bool
    ) -> None:
        """The gradient flows back through each block of a run."""
        target = self.of(value)
        self._zeros_before(value, target, training, inputs)
        self._times[value] = self.times(value) + self.body.places[run.units[0]].body.backward.times(value)
        flowing = "more" if value in self._given else target
        if start != flowing:
            self._pending.append((Statement((flowing,), start, "", training, inputs), True))
        call = replace(called, arguments=(flowing, *called.arguments[1:]))
        loop = f"for {self.body.loop(run)} in reversed(self.{self.body.attribute(run)}):"
        self._pending.append((Statement((flowing,), call, remark, training, inputs, loop), True))
        if flowing != target:
            self._pending.append((Statement((target,), f"{target} + {flowing}", "", training, inputs), True))
        self._given.add(value)

    def _find_rest(self) -> None:
        """What a block gives, and what of it is for the inputs of the model alone."""
        self.gives = [value for value in self.body.inputs if value in self._given]
        nested = [
            self.body.places[unit].body.backward for unit in self.body.unit.items if isinstance(unit, Unit)
        ]
        self.trains = any(isinstance(given, str) or given.weight is not None for given in self._given) or any(
            one.trains for one in nested
        )
        alone = all(map(self.net.is_for_inputs, self.gives))
        marked = [i for i, one in enumerate(self.statements) if one.inputs]
        if any(one.rest is not None for one in nested):
            marked.append(len(self.statements))
        if not self.trains:
            self.for_inputs = alone
            if not alone and marked:
                self.body.odd.add(self.body.unit.path)
        elif marked:
            self.rest = marked[0]
            if not alone or marked[-1] - marked[0] > len(marked) - 1 or marked[-1] < len(self.statements) - 1:
                self.body.odd.add(self.body.unit.path)
        self.statements = [replace(one, inputs=False) for one in self.statements]
