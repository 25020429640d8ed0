"""The statements of `backward`: how the gradients of what is used several times meet.

They are added up in the reverse order of the uses.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    def of(self, value: Value) -> str:
        """Where the gradient of a value is gathered."""
        if value.weight is not None:
            return f"g[{literal(self.body.unit.relative(value.weight))}]"
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
        training = node in self.body.training_only
        inputs = all(isinstance(t, Value) and self.net.is_for_inputs(t) for t in targets if t is not None)
        places: list[str] = []
        sums: list[Statement] = []
        for target in targets:
            if target is None:
                places.append("_")
                continue
            place = (
                self.of(target)
                if isinstance(target, Value)
                else f"g[{literal(self.body.unit.relative(target))}]"
            )
            self._count(target)
            if training and target not in self._given and self._outlives(target):
                zeros = (
                    self.body.kept.value(target) if isinstance(target, Value) else self.body.weight(target)
                )
                self._pending.append((Statement((place,), f"np.zeros_like({zeros})", inputs=inputs), False))
                self._given.add(target)
            if target not in self._given:
                places.append(place)
            elif len(targets) == 1:
                gradients = after(f"{place} + ", gradients)
                places.append(place)
            else:
                more = f"more_{len(sums) + 1}" if sums else "more"
                places.append(more)
                alone = isinstance(target, Value) and self.net.is_for_inputs(target)
                sums.append(Statement((place,), f"{place} + {more}", "", training, alone))
            self._given.add(target)
        values = [t for t in targets if isinstance(t, Value)]
        remark = common_remark(v.type for v in values) if values and values[0].weight is None else ""
        if str(gradients) != places[0] or len(places) > 1:
            self._pending.append(
                (Statement(tuple(places), gradients, remark, training, inputs), "d" in places)
            )
        self._pending.extend((one, "d" in places) for one in sums)

    def _count(self, target: Value | str, times: int = 1) -> None:
        if isinstance(target, Value):
            self._times[target] = self._times.get(target, 0) + times

    def _zeros_before(self, value: Value, place: str, training: bool, inputs: bool) -> None:
        """What training alone adds to a gradient is added to zeros where nothing else comes before."""
        if training and value not in self._given and self._outlives(value):
            zeros = f"np.zeros_like({self.body.kept.value(value)})"
            self._pending.append((Statement((place,), zeros, inputs=inputs), False))
            self._given.add(value)

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
        self._give_called(item, first, called, training)

    def _give_called(self, item: Unit, inner: Backward, called: Call, training: bool) -> None:
        """One call gives all that the block gives."""
        places: list[str] = []
        sums: list[Statement] = []
        expression: Expression = called
        for value in inner.gives:
            place = self.of(value)
            self._zeros_before(value, place, training, inner.for_inputs)
            self._count(value, inner.times(value))
            if value not in self._given:
                places.append(place)
            elif len(inner.gives) == 1:
                expression = after(f"{place} + ", expression)
                places.append(place)
            else:
                more = f"more_{len(sums) + 1}" if sums else "more"
                places.append(more)
                sums.append(Statement((place,), f"{place} + {more}", "", training, inner.for_inputs))
            self._given.add(value)
        remark = common_remark(value.type for value in inner.gives)
        call = Statement(tuple(places), expression, remark, training, inner.for_inputs)
        self._pending.append((call, "d" in places))
        self._pending.extend((one, "d" in places) for one in sums)

    def _give_looped(
        self, run: Run, value: Value, start: str, called: Call, remark: str, training: bool, inputs: bool
    ) -> None:
        """The gradient flows back through each block of a run."""
        target = self.of(value)
        self._zeros_before(value, target, training, inputs)
        self._count(value, self.body.places[run.units[0]].body.backward.times(value))
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
