"""The statements of `forward` and `backward`: names, what is kept, and how gradients meet.

Names: what the next line alone takes is `x` (its gradient `d`), so that it can be let go;
everything else has a name of its own, the user's where there is one.  Gradients of a value that
is used several times are added up in the reverse order of its uses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backends.numpy.emit import EMITTERS
from backends.numpy.emit.base import Call, Expression, Layer
from backends.numpy.emit.scopes import Item, Run, Unit, counted_paths, units_of
from backends.numpy.include import kernels
from backends.writer import Hole, Names, formatted, literal
from compiler.graph import Graph, Node, Value
from compiler.ops.base import TensorType
from compiler.ops.reshape import Identity

if TYPE_CHECKING:
    from backends.numpy.emit.classes import Place

#: Names that the generated methods use for themselves.
RESERVED = (
    "np",
    "self",
    "w",
    "s",
    "g",
    "x",
    "d",
    "more",
    "training",
    "keep",
    "inputs",
    "outputs",
    "gradients",
    "weights",
    "saved",
    "generator",
    "block",
    "Part",
)
#: Attributes of the generated classes that are theirs.
ATTRIBUTES = (
    "SHAPES",
    "STATISTICS",
    "TRAINING_ONLY",
    "backward",
    "dtype",
    "forward",
    "generator",
    "path",
    "weights",
    "_saved",
)


@dataclass(frozen=True)
class Statement:
    """`targets = expression  # remark`, under `if training` or `if inputs` where it is marked so.

    Without targets the expression stands alone.  `loop` is the head of a loop around it.
    """

    targets: tuple[str, ...]
    expression: Expression
    remark: str = ""
    training: bool = False
    inputs: bool = False
    loop: str = ""


class Network:
    """What holds for the whole graph, whichever class a node is written in.

    `graph` is the whole one; what `inference` has not (a head for training) stands under `if training`.
    """

    def __init__(self, inference: Graph) -> None:
        self.graph = graph = inference.with_training
        self.training_only = set(graph.nodes) - set(inference.nodes)
        self.training_outputs = [name for name in graph.outputs if name not in inference.outputs]
        self.kernels: set[str] = {"Saved", "checked_input", "checked_weights"}
        self.originals: dict[Value, Value] = {}
        self.names: dict[Value, str] = {}
        for node in graph.nodes:
            if isinstance(node.op, Identity):
                passed, original = node.output, self.original(node.inputs[0])
                self.originals[passed] = original
                if passed.name:
                    self.names.setdefault(original, passed.name)
        self.nodes = [node for node in graph.nodes if not isinstance(node.op, Identity)]
        self.outputs = {name: self.original(value) for name, value in graph.outputs.items()}
        self.producer = {node.output: node for node in self.nodes}
        self._find_needs()

    def original(self, value: Value) -> Value:
        """The value itself, or what an `identity` passed on."""
        return self.originals.get(value, value)

    def units(self, inline: set[str]) -> list[Unit]:
        """The model and its blocks, outer ones first."""
        return units_of(self.graph, self.nodes, self.originals, self.training_only, inline)

    def _find_needs(self) -> None:
        """Which values depend on trained weights, and which on inputs."""
        weights = self.graph.weights
        self.by_inputs: set[Value] = set(self.graph.inputs.values())
        self.by_weights: set[Value] = set()
        for node in self.nodes:
            inputs = [self.original(value) for value in node.inputs]
            self.by_weights.update(v for v in inputs if v.weight is not None and weights[v.weight].trainable)
            if any(
                weights[name].trainable for name in node.weights.values()
            ) or self.by_weights.intersection(inputs):
                self.by_weights.add(node.output)
            if self.by_inputs.intersection(inputs):
                self.by_inputs.add(node.output)


class Body:
    """The statements of one class: of the model, or of a block.

    `forward` and `backward` hold them once it is made.  `places` are the blocks inside that were
    made before; `odd` gathers the paths of those that cannot be called as they are.
    """

    def __init__(self, net: Network, unit: Unit, places: Mapping[Unit, Place], odd: set[str]) -> None:
        self.net, self.unit, self.graph = net, unit, net.graph
        self.in_block = unit.parent is not None
        self.kernels = net.kernels
        self.training = "saved.training" if self.in_block else "training"
        self.trained = "saved.training" if self.in_block else "s.training"
        self.generator = "generator" if self.in_block else "self.generator"
        self._places, self._odd = places, odd
        self._training_only = set() if unit.training else net.training_only
        self._inputs = list(net.graph.inputs.values()) if not self.in_block else unit.inputs
        self._results = list(net.outputs.values()) if not self.in_block else unit.outputs
        self.training_outputs = net.training_outputs
        self.outputs = net.outputs
        self.items = self._with_runs()
        self._maker = {value: item for item in self.items for value in item.outputs}
        self._locals, self._chained = self._named()
        self._attributes = self._attached()
        self._kept_before: frozenset[Value] = frozenset()
        self.trains = False  # it gives gradients of weights
        self.gives: list[Value] = []  # the inputs whose gradients `backward` of a block gives
        self.for_inputs = False  # all that it gives is for the inputs of the model
        self.rest: int | None = None  # from which statement on it is
        self._begin()
        self.parameters = [self._locals[value] for value in self._inputs]
        self.single = next(iter(self.outputs)) if len(self.outputs) == 1 else None
        backward = self._backward()
        if self.in_block:
            # What is kept in any case tells its shape as well: known once all of it is written.
            self._kept_before = frozenset(self._saved)
            self._begin()
            backward = self._backward()
        self.backward = backward
        self.forward = self._forward()
        if self.in_block:
            self._find_rest()

    def _begin(self) -> None:
        """Nothing is written yet."""
        self._gradients: dict[Value, str] = {}
        self._gradient_names = Names((*kernels(), *RESERVED))
        self._given: set[Value | str] = set()
        self._times: dict[Value, int] = {}
        self._keys: set[str] = set()
        self._extras: dict[tuple[Node, str], str] = {}
        self._saved: dict[Value, str] = {}
        self._shapes: dict[Value, str] = {}
        self._pending: list[tuple[Statement, bool]] = []

    def _with_runs(self) -> list[Item]:
        """The items, where blocks of one class that follow each other are one."""
        uses: dict[Value, int] = {}
        for item in self.unit.items:
            for value in item.inputs:
                uses[self.original(value)] = uses.get(self.original(value), 0) + 1
        for value in self._results:
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

    def _attached(self) -> dict[Unit | Run, str]:
        """The attributes of the blocks inside; a list is named after what its paths have in common."""
        names = Names(ATTRIBUTES)
        found: dict[Unit | Run, str] = {}
        for item in self.items:
            if isinstance(item, Run):
                paths = [self.unit.relative(unit.path) for unit in item.units]
                counted = counted_paths(paths)
                common = counted[0] if counted is not None else os.path.commonprefix(paths)
                found[item] = names.fresh(common.strip("_-.") or "blocks")
            elif isinstance(item, Unit):  # two underscores in front mean something to Python
                found[item] = names.fresh(self.unit.relative(item.path).strip("_") or "block")
        return found

    def _follows(self, first: Unit, second: Unit) -> bool:
        """Whether the second does to the result of the first what the first did to its input."""
        a, b = self._places[first], self._places[second]
        return (
            a.plan is b.plan
            and first.training == second.training
            and first.outputs == second.inputs
            and all(len(one.inputs) == len(one.outputs) == 1 for one in (first, second))
            and all(len(one.body.gives) == 1 and one.body.rest is None for one in (a, b))
            and a.body.for_inputs == b.body.for_inputs
            and first.outputs[0].name == ""
        )

    # -- values --------------------------------------------------------------------------

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
        return self._locals[value] if value.weight is None else self.weight(value.weight)

    def kept(self, node: Node, what: str) -> str:
        """Where a layer keeps something beside its result."""
        if (node, what) not in self._extras:
            self._extras[node, what] = self._place(f"{self.unit.relative(node.name)}.{what}")
        return self._extras[node, what]

    def saved(self, value: Value) -> str:
        """The value as `backward` reads it; forward is told to keep it."""
        if value.weight is not None:
            return self.weight(value.weight)
        if value not in self._saved:
            self._saved[value] = self._place(self._key(value))
        return self._saved[value]

    def shape_of(self, value: Value) -> str:
        """The shape of a value as `backward` reads it; where the value is not kept, its shape is."""
        if value.weight is not None or value in self._saved or value in self._kept_before:
            return f"{self.saved(value)}.shape"
        if value not in self._shapes:
            self._shapes[value] = self._place(f"{self._key(value)}.shape")
        return self._shapes[value]

    def _key(self, value: Value) -> str:
        """Under which name a value is kept."""
        maker = self._maker.get(value)
        if isinstance(maker, Node):
            return self.unit.relative(maker.name)
        if maker is not None:
            return self.unit.relative(self.net.producer[value].name)
        if self.in_block:
            return self._locals[value]
        return next(n for n, v in self.graph.inputs.items() if v is value)

    def _place(self, wanted: str) -> str:
        """A place in `s` under this key, or under one like it where that is taken."""
        key, count = wanted, 1
        while key in self._keys:
            count += 1
            key = f"{wanted}_{count}"
        self._keys.add(key)
        return f"s[{literal(key)}]"

    def gradient(self, value: Value) -> str:
        """Where the gradient of a value is gathered."""
        if value.weight is not None:
            return f"g[{literal(self.unit.relative(value.weight))}]"
        if value in self._chained:
            return "d"
        if value not in self._gradients:
            self._gradients[value] = self._gradient_names.fresh(f"d_{self._locals[value]}")
        return self._gradients[value]

    def wants(self, value: Value) -> bool:
        return value in self.net.by_weights or value in self.net.by_inputs

    def in_training(self, value: Value) -> bool:
        """Whether the value exists in training alone."""
        return self.net.producer.get(value) in self._training_only

    def _named(self) -> tuple[dict[Value, str], set[Value]]:
        """The local of each value, and those that are `x`."""
        uses: dict[Value, list[int]] = {}
        for place, item in enumerate(self.items):
            for value in item.inputs:
                uses.setdefault(self.original(value), []).append(place)
        results = {value: name for name, value in reversed(self.outputs.items())} if not self.in_block else {}
        for value in self._results if self.in_block else ():  # what is returned alone is let go
            uses.setdefault(value, []).extend([len(self.items)] * len(self._results))
        names = Names((*kernels(), *RESERVED))
        found: dict[Value, str] = {}
        chained: set[Value] = set()
        if not self.in_block:
            for name, value in self.graph.inputs.items():
                found[value] = names.fresh(name)
        for value in self._inputs if self.in_block else ():
            if len(self._inputs) == 1 and uses.get(value) == [0]:
                found[value] = "x"
                chained.add(value)
            else:
                found[value] = names.fresh("x_in")
        for place, item in enumerate(self.items):
            for value in item.outputs:
                called = value.name or self.net.names.get(value, "") or results.get(value, "")
                if self.in_block and value in self._results:
                    called = ""  # what it is called is a matter of the place
                if not called and uses.get(value) == [place + 1] and len(item.outputs) == 1:
                    found[value] = "x"
                    chained.add(value)
                else:
                    source = item.path if isinstance(item, Unit) and len(item.outputs) == 1 else None
                    made = self.unit.relative(source or self.net.producer[value].name)
                    found[value] = names.fresh(called or made)
        return found, chained

    # -- backward ------------------------------------------------------------------------

    def give(self, node: Node, targets: Sequence[Value | str | None], gradients: Expression) -> None:
        """Note that the expression is the gradient of the targets: values, names of weights, or nothing."""
        training = node in self._training_only
        inputs = all(isinstance(t, Value) and self._is_for_inputs(t) for t in targets if t is not None)
        places: list[str] = []
        sums: list[Statement] = []
        for target in targets:
            if target is None:
                places.append("_")
                continue
            place = self.gradient(target) if isinstance(target, Value) else self._weight_gradient(target)
            self._count(target)
            if training and target not in self._given and self._outlives(target):
                zeros = self.saved(target) if isinstance(target, Value) else self.weight(target)
                self._pending.append((Statement((place,), f"np.zeros_like({zeros})", inputs=inputs), False))
                self._given.add(target)
            if target not in self._given:
                places.append(place)
            elif len(targets) == 1:
                gradients = _after(f"{place} + ", gradients)
                places.append(place)
            else:
                more = f"more_{len(sums) + 1}" if sums else "more"
                places.append(more)
                alone = isinstance(target, Value) and self._is_for_inputs(target)
                sums.append(Statement((place,), f"{place} + {more}", "", training, alone))
            self._given.add(target)
        values = [t for t in targets if isinstance(t, Value)]
        remark = _shape(values[0].type) if values and values[0].weight is None else ""
        if str(gradients) != places[0] or len(places) > 1:
            self._pending.append(
                (Statement(tuple(places), gradients, remark, training, inputs), "d" in places)
            )
        self._pending.extend((one, "d" in places) for one in sums)

    def _is_for_inputs(self, value: Value) -> bool:
        """Whether the gradient of the value is for the inputs of the model alone."""
        return value not in self.net.by_weights

    def _weight_gradient(self, dotted: str) -> str:
        return f"g[{literal(self.unit.relative(dotted))}]"

    def _count(self, target: Value | str, times: int = 1) -> None:
        if isinstance(target, Value):
            self._times[target] = self._times.get(target, 0) + times

    def _give_back(self, item: Unit | Run) -> None:
        """The gradients that a block gives, from those of what it made; a run of them in a loop."""
        units = item.units if isinstance(item, Run) else [item]
        first = self._places[units[0]].body
        missing = not all(value in self._given for value in item.outputs)
        if missing or (not first.for_inputs and any(map(self._is_for_inputs, item.outputs))):
            self._odd.update(unit.path for unit in units)
            return
        given = ["weights" if self.in_block else "w", "saved" if self.in_block else "s"]
        given.append("gradients" if self.in_block else "g")
        if first.rest is not None:
            given.append("inputs=inputs")
        training = item.training and not self.unit.training
        place = [self.gradient(value) for value in item.outputs]
        for value in first.gives:
            # Sums are formed in the same order as where a block is not called: one after the other.
            late = first.rest is not None or (self._is_for_inputs(value) and not first.for_inputs)
            added = value in self._given or (training and self._outlives(value))
            if added and (first.times(value) > 1 or late):
                self._odd.update(unit.path for unit in units)
                return
        if isinstance(item, Run):
            value = first.gives[0]
            called = Call("block.backward", ("", *given))
            remark = _shape(value.type)
            self._give_looped(item, value, place[0], called, remark, training, first.for_inputs)
            return
        called = Call(f"self.{self.attribute(item)}.backward", (*place, *given))
        self._give_called(item, first, called, training)

    def _give_called(self, item: Unit, body: Body, called: Call, training: bool) -> None:
        places: list[str] = []
        sums: list[Statement] = []
        expression: Expression = called
        for value in body.gives:
            place = self.gradient(value)
            self._zeros_before(value, place, training, body.for_inputs)
            self._count(value, body.times(value))
            if value not in self._given:
                places.append(place)
            elif len(body.gives) == 1:
                expression = _after(f"{place} + ", expression)
                places.append(place)
            else:
                more = f"more_{len(sums) + 1}" if sums else "more"
                places.append(more)
                sums.append(Statement((place,), f"{place} + {more}", "", training, body.for_inputs))
            self._given.add(value)
        remark = _shape(body.gives[0].type) if body.gives else ""
        call = Statement(tuple(places), expression, remark, training, body.for_inputs)
        self._pending.append((call, "d" in places))
        self._pending.extend((one, "d" in places) for one in sums)

    def _give_looped(
        self, run: Run, value: Value, start: str, called: Call, remark: str, training: bool, inputs: bool
    ) -> None:
        target = self.gradient(value)
        self._zeros_before(value, target, training, inputs)
        self._count(value, self._places[run.units[0]].body.times(value))
        flowing = "more" if value in self._given else target
        if start != flowing:
            self._pending.append((Statement((flowing,), start, "", training, inputs), True))
        call = replace(called, arguments=(flowing, *called.arguments[1:]))
        loop = f"for block in reversed(self.{self.attribute(run)}):"
        self._pending.append((Statement((flowing,), call, remark, training, inputs, loop), True))
        if flowing != target:
            self._pending.append(
                (Statement((target,), f"{target} + {flowing}", "", training, inputs), True)
            )
        self._given.add(value)

    def _zeros_before(self, value: Value, place: str, training: bool, inputs: bool) -> None:
        """What training alone adds to a gradient is added to zeros where nothing else comes before."""
        if training and value not in self._given and self._outlives(value):
            zeros = f"np.zeros_like({self.saved(value)})"
            self._pending.append((Statement((place,), zeros, inputs=inputs), False))
            self._given.add(value)

    def attribute(self, item: Unit | Run) -> str:
        """The attribute that holds a block, or a list of them."""
        return self._attributes[item]

    def _outlives(self, target: Value | str) -> bool:
        """Whether the target exists outside training too."""
        if isinstance(target, str):
            return not self.graph.weights[target].training
        if target.weight is not None:
            return not self.graph.weights[target.weight].training
        return not self.in_training(target)

    def times(self, value: Value) -> int:
        """How many gradients of a value are added up here."""
        return self._times.get(value, 0)

    def _backward(self) -> list[Statement]:
        statements = self._given_from_outside()
        for item in reversed(self.items):
            if isinstance(item, Node):
                if item.output not in self._given:
                    continue
                EMITTERS[type(item.op)].backward(Layer(self, item))
            else:
                self._give_back(item)
            # What overwrites `d` comes last: the others read it.
            statements += [one for one, last in self._pending if not last]
            statements += [one for one, last in self._pending if last]
            self._pending.clear()
        if self.in_block:
            return statements
        for value in self.graph.inputs.values():
            if value not in self._given:
                statements.append(
                    Statement((self.gradient(value),), f"np.zeros_like({self.saved(value)})", inputs=True)
                )
        return statements

    def _given_from_outside(self) -> list[Statement]:
        """The gradients of the results: arguments of a block, checked ones of the model."""
        if self.in_block:
            self._given.update(self._results)
            self.arguments = [self.gradient(value) for value in self._results]
            return []
        statements = []
        always = [name for name in self.outputs if name not in self.training_outputs]
        for name in (*always, *self.training_outputs):
            value = self.outputs[name]
            place, training = self.gradient(value), name in self.training_outputs
            if self.single is not None:
                self.kernels.add("checked_gradient")
                given: Expression = Call("checked_gradient", (literal(name), place, self.saved(value)))
            else:
                self.kernels.add("gradient_of")
                given = Call("gradient_of", (literal(name), "gradients", self.saved(value)))
            if training and value not in self._given and not self.in_training(value):
                statements.append(Statement((place,), f"np.zeros_like({self.saved(value)})"))
                self._given.add(value)
            if value in self._given:
                given = _after(f"{place} + ", given)
            self._given.add(value)
            statements.append(Statement((place,), given, _shape(value.type), training))
        return statements

    def _find_rest(self) -> None:
        """What a block gives, and what of it is for the inputs of the model alone."""
        self.gives = [value for value in self._inputs if value in self._given]
        nested = [self._places[unit].body for unit in self.unit.items if isinstance(unit, Unit)]
        self.trains = any(isinstance(given, str) or given.weight is not None for given in self._given) or any(
            body.trains for body in nested
        )
        alone = all(map(self._is_for_inputs, self.gives))
        marked = [i for i, one in enumerate(self.backward) if one.inputs]
        if any(body.rest is not None for body in nested):
            marked.append(len(self.backward))
        if not self.trains:
            self.for_inputs = alone
            if not alone and marked:
                self._odd.add(self.unit.path)
        elif marked:
            self.rest = marked[0]
            if not alone or marked[-1] - marked[0] > len(marked) - 1 or marked[-1] < len(self.backward) - 1:
                self._odd.add(self.unit.path)
        self.backward = [replace(one, inputs=False) for one in self.backward]

    # -- forward -------------------------------------------------------------------------

    def _forward(self) -> list[Statement]:
        statements = self._taken()
        for item in self.items:
            training = item.training and not self.unit.training
            if isinstance(item, Node):
                statements += self._layer(item, item in self._training_only)
            else:
                statements += self._block(item, training)
            statements += [
                Statement((self._shapes[value],), f"{self._locals[value]}.shape", "", training)
                for value in item.outputs
                if value in self._shapes
            ]
        return statements

    def _taken(self) -> list[Statement]:
        """The inputs: those of the model are checked, and kept where `backward` needs them."""
        if self.in_block:
            kept = [(self._saved[v], self._locals[v]) for v in self._inputs if v in self._saved]
            kept += [(self._shapes[v], f"{self._locals[v]}.shape") for v in self._inputs if v in self._shapes]
            return [Statement((place,), expression) for place, expression in kept]
        statements = []
        for name, value in self.graph.inputs.items():
            local = self._locals[value]
            shape = [
                None if free else extent for extent, free in zip(value.shape, value.type.free, strict=True)
            ]
            wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
            checked = Call("checked_input", (literal(name), local, wanted, "self.dtype"))
            statements.append(Statement((self._kept(value),), checked, _shape(value.type)))
        return statements + self._row_checks()

    def _layer(self, node: Node, training: bool) -> list[Statement]:
        statements = []
        layer, emitter = Layer(self, node), EMITTERS[type(node.op)]
        if any(layer.is_free(i) for i in range(len(node.inputs))):
            statements += [Statement((), check, "", training) for check in emitter.checks(layer)]
        targets, remark = [self._kept(node.output)], _shape(node.output.type)
        if emitter.extra:
            targets = [self._locals[node.output], layer.extra(emitter.extra)]
        statements.append(Statement(tuple(targets), emitter.forward(layer), remark, training))
        if emitter.extra and node.output in self._saved:
            statements.append(
                Statement((self._saved[node.output],), self._locals[node.output], "", training)
            )
        return statements

    def _block(self, item: Unit | Run, training: bool) -> list[Statement]:
        """The call of a block, or a loop over several."""
        given = ["weights", "saved"] if self.in_block else ["w", "s"]
        units = item.units if isinstance(item, Run) else [item]
        if units[0].drops:
            given.append(self.generator)
        incoming = [self.local(value) for value in item.inputs]
        outgoing = item.outputs
        remark = _shape(outgoing[0].type)
        if isinstance(item, Run):
            flowing = self._locals[outgoing[0]]
            called = Call("block.forward", (flowing, *given))
            loop = f"for block in self.{self.attribute(item)}:"
            before = [Statement((flowing,), incoming[0], "", training)] if flowing != incoming[0] else []
            statements = [*before, Statement((flowing,), called, remark, training, loop=loop)]
            targets = outgoing
        else:
            called = Call(f"self.{self.attribute(item)}.forward", (*incoming, *given))
            single = len(outgoing) == 1
            names = [self._kept(value) if single else self._locals[value] for value in outgoing]
            statements = [Statement(tuple(names), called, remark, training)]
            targets = [] if single else outgoing
        kept = [(self._saved[v], self._locals[v]) for v in targets if v in self._saved]
        return statements + [Statement((place,), local, "", training) for place, local in kept]

    def _kept(self, value: Value) -> str:
        """The target of a value: its local, and its place in `s` if backward reads it."""
        kept = self._saved.get(value)
        return self._locals[value] if kept is None else f"{self._locals[value]} = {kept}"

    def _row_checks(self) -> list[Statement]:
        """Inputs that share the batch have the same number of rows, and extents of one name are equal."""
        rows: dict[str | None, list[str]] = {}
        for value in self.graph.inputs.values():
            rows.setdefault(value.type.rows, []).append(self._locals[value])
        together = [names for names in rows.values() if len(names) > 1]
        if together:
            self.kernels.add("check_rows")
        checks = [Call("check_rows", tuple(f"{name}={name}" for name in names)) for names in together]
        for extent, places in self.graph.free.items():
            if len(places) > 1:
                self.kernels.add("check_extents")
                inputs = [(self._locals[self.graph.inputs[name]], axis + 1) for name, axis in places]
                shapes = [f"{local}.shape[{axis}]" for local, axis in inputs]
                checks.append(Call("check_extents", (literal(extent), *shapes)))
        return [Statement((), check) for check in checks]


def _after(prefix: str, expression: Expression) -> Expression:
    """The expression with something in front, still broken between arguments if it is a call."""
    if isinstance(expression, Call):
        return replace(expression, callee=prefix + expression.callee)
    return prefix + expression


def _shape(type: TensorType) -> str:
    """`[N, 6, 28, 28]`; what is free has a `~` in front of its nominal size."""
    extents = [
        f"~{extent}" if free else str(extent) for extent, free in zip(type.shape, type.free, strict=True)
    ]
    return f"[{', '.join(['N', *extents])}]"
