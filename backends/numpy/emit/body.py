"""The statements of `forward` and `backward`: names, what is kept, and how gradients meet.

Names: what the next line alone takes is `x` (its gradient `d`), so that it can be let go;
everything else has a name of its own, the user's where there is one.  Gradients of a value that
is used several times are added up in the reverse order of its uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backends.numpy.emit import EMITTERS
from backends.numpy.emit.base import Call, Expression, Layer
from backends.numpy.include import kernels
from backends.writer import Names, literal
from compiler.graph import Graph, Node, Value
from compiler.ops.base import TensorType
from compiler.ops.reshape import Identity

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
)


@dataclass(frozen=True)
class Statement:
    """`targets = expression  # remark`, under `if training` or `if inputs` where it is marked so.

    Without targets the expression stands alone.
    """

    targets: tuple[str, ...]
    expression: Expression
    remark: str = ""
    training: bool = False
    inputs: bool = False


class Body:
    """The statements for one graph.  `forward` and `backward` hold them once it is made.

    `graph` is the whole one; what `inference` has not (a head for training) stands under `if training`.
    """

    def __init__(self, inference: Graph) -> None:
        self.graph = graph = inference.with_training
        self._training_only = set(graph.nodes) - set(inference.nodes)
        self.training_outputs = [name for name in graph.outputs if name not in inference.outputs]
        self.kernels: set[str] = {"Saved", "checked_input", "checked_weights"}
        self._originals: dict[Value, Value] = {}
        self._names: dict[Value, str] = {}
        for node in graph.nodes:
            if isinstance(node.op, Identity):
                passed, original = node.output, self.original(node.inputs[0])
                self._originals[passed] = original
                if passed.name:
                    self._names.setdefault(original, passed.name)
        self.nodes = [node for node in graph.nodes if not isinstance(node.op, Identity)]
        self.outputs = {name: self.original(value) for name, value in graph.outputs.items()}
        self._producer = {node.output: node for node in self.nodes}
        self._find_needs()
        self._locals, self._chained = self._named()
        self._gradients: dict[Value, str] = {}
        self._gradient_names = Names((*kernels(), *RESERVED))
        self._given: set[Value | str] = set()
        self._keys: set[str] = set()
        self._extras: dict[tuple[Node, str], str] = {}
        self._saved: dict[Value, str] = {}
        self._pending: list[tuple[Statement, bool]] = []
        self.parameters = [self._locals[value] for value in graph.inputs.values()]
        self.single = next(iter(self.outputs)) if len(self.outputs) == 1 else None
        self.backward = self._backward()
        self.forward = self._forward()

    # -- values --------------------------------------------------------------------------

    def original(self, value: Value) -> Value:
        """The value itself, or what an `identity` passed on."""
        return self._originals.get(value, value)

    def local(self, value: Value) -> str:
        """The value in `forward`."""
        if value.weight is not None:
            return f"w[{literal(value.weight)}]"
        return self._locals[value]

    def kept(self, node: Node, what: str) -> str:
        """Where a layer keeps something beside its result."""
        if (node, what) not in self._extras:
            self._extras[node, what] = self._place(f"{node.name}.{what}")
        return self._extras[node, what]

    def saved(self, value: Value) -> str:
        """The value as `backward` reads it; forward is told to keep it."""
        if value.weight is not None:
            return f"w[{literal(value.weight)}]"
        if value not in self._saved:
            node = self._producer.get(value)
            wanted = (
                node.name if node is not None else next(n for n, v in self.graph.inputs.items() if v is value)
            )
            self._saved[value] = self._place(wanted)
        return self._saved[value]

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
            return f"g[{literal(value.weight)}]"
        if value in self._chained:
            return "d"
        if value not in self._gradients:
            self._gradients[value] = self._gradient_names.fresh(f"d_{self._locals[value]}")
        return self._gradients[value]

    def wants(self, value: Value) -> bool:
        return value in self._by_weights or value in self._by_inputs

    def in_training(self, value: Value) -> bool:
        """Whether the value exists in training alone."""
        return self._producer.get(value) in self._training_only

    def _find_needs(self) -> None:
        """Which values depend on trained weights, and which on inputs."""
        weights = self.graph.weights
        self._by_inputs: set[Value] = set(self.graph.inputs.values())
        self._by_weights: set[Value] = set()
        for node in self.nodes:
            inputs = [self.original(value) for value in node.inputs]
            self._by_weights.update(v for v in inputs if v.weight is not None and weights[v.weight].trainable)
            if any(
                weights[name].trainable for name in node.weights.values()
            ) or self._by_weights.intersection(inputs):
                self._by_weights.add(node.output)
            if self._by_inputs.intersection(inputs):
                self._by_inputs.add(node.output)

    def _named(self) -> tuple[dict[Value, str], set[Value]]:
        """The local of each value, and those that are `x`."""
        uses: dict[Value, list[int]] = {}
        for place, node in enumerate(self.nodes):
            for value in node.inputs:
                uses.setdefault(self.original(value), []).append(place)
        results = {value: name for name, value in reversed(self.outputs.items())}
        names = Names((*kernels(), *RESERVED))
        found: dict[Value, str] = {}
        chained: set[Value] = set()
        for name, value in self.graph.inputs.items():
            found[value] = names.fresh(name)
        for place, node in enumerate(self.nodes):
            value = node.output
            called = value.name or self._names.get(value, "") or results.get(value, "")
            if not called and uses.get(value) == [place + 1]:
                found[value] = "x"
                chained.add(value)
            else:
                found[value] = names.fresh(called or node.name)
        return found, chained

    # -- backward ------------------------------------------------------------------------

    def give(self, node: Node, targets: Sequence[Value | str | None], gradients: Expression) -> None:
        """Note that the expression is the gradient of the targets: values, names of weights, or nothing."""
        training = node in self._training_only
        inputs = all(isinstance(t, Value) and t not in self._by_weights for t in targets if t is not None)
        places: list[str] = []
        sums: list[Statement] = []
        for target in targets:
            if target is None:
                places.append("_")
                continue
            place = self.gradient(target) if isinstance(target, Value) else f"g[{literal(target)}]"
            if training and target not in self._given and self._outlives(target):
                zeros = self.saved(target) if isinstance(target, Value) else f"w[{literal(target)}]"
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
                own = isinstance(target, Value) and target not in self._by_weights
                sums.append(Statement((place,), f"{place} + {more}", "", training, own))
            self._given.add(target)
        values = [t for t in targets if isinstance(t, Value)]
        remark = _shape(values[0].type) if values and values[0].weight is None else ""
        if str(gradients) != places[0] or len(places) > 1:
            self._pending.append(
                (Statement(tuple(places), gradients, remark, training, inputs), "d" in places)
            )
        self._pending.extend((one, "d" in places) for one in sums)

    def _outlives(self, target: Value | str) -> bool:
        """Whether the target exists outside training too."""
        if isinstance(target, str):
            return not self.graph.weights[target].training
        if target.weight is not None:
            return not self.graph.weights[target.weight].training
        return not self.in_training(target)

    def _backward(self) -> list[Statement]:
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
        for node in reversed(self.nodes):
            if node.output not in self._given:
                continue
            EMITTERS[type(node.op)].backward(Layer(self, node))
            # What overwrites `d` comes last: the others read it.
            statements += [one for one, last in self._pending if not last]
            statements += [one for one, last in self._pending if last]
            self._pending.clear()
        for value in self.graph.inputs.values():
            if value not in self._given:
                statements.append(
                    Statement((self.gradient(value),), f"np.zeros_like({self.saved(value)})", inputs=True)
                )
        return statements

    # -- forward -------------------------------------------------------------------------

    def _forward(self) -> list[Statement]:
        statements = []
        for name, value in self.graph.inputs.items():
            local = self._locals[value]
            shape = [
                None if free else extent for extent, free in zip(value.shape, value.type.free, strict=True)
            ]
            wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
            checked = Call("checked_input", (literal(name), local, wanted, "self.dtype"))
            statements.append(Statement((self._kept(value),), checked, _shape(value.type)))
        statements += self._row_checks()
        for node in self.nodes:
            layer, emitter = Layer(self, node), EMITTERS[type(node.op)]
            training = node in self._training_only
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
