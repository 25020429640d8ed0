"""The statements of `forward`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.numpy.emit import EMITTERS
from backends.numpy.emit.base import Call, Layer
from backends.numpy.emit.network import Statement, common_remark, shape_remark
from backends.numpy.emit.scopes import Run, Unit
from backends.writer import literal
from compiler.graph import Node, Value

if TYPE_CHECKING:
    from backends.numpy.emit.body import Body


class Forward:
    """What flows forward within one class; what `backward` reads is known by then."""

    def __init__(self, body: Body) -> None:
        self.body, self.net, self.unit, self.kept = body, body.net, body.unit, body.kept

    def statements(self) -> list[Statement]:
        """The inputs, then a statement for each item, and what is kept of it."""
        statements = self._taken()
        for item in self.body.items:
            if isinstance(item, Node):
                training = item in self.body.training_only
                statements += self._layer(item, training)
            else:
                training = item.training and not self.unit.training
                statements += self._block(item, training)
            statements += [
                Statement((self.kept.shapes[value],), f"{self.body.locals[value]}.shape", "", training)
                for value in item.outputs
                if value in self.kept.shapes
            ]
        return statements

    def _taken(self) -> list[Statement]:
        """The inputs: those of the model are checked, and kept where `backward` needs them."""
        if self.body.in_block:
            kept = [
                (self.kept.values[v], self.body.locals[v]) for v in self.body.inputs if v in self.kept.values
            ]
            kept += [
                (self.kept.shapes[v], f"{self.body.locals[v]}.shape")
                for v in self.body.inputs
                if v in self.kept.shapes
            ]
            return [Statement((place,), expression) for place, expression in kept]
        statements = []
        for name, value in self.net.graph.inputs.items():
            local = self.body.locals[value]
            shape = [
                None if free else extent for extent, free in zip(value.shape, value.type.free, strict=True)
            ]
            wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
            checked = Call("checked_input", (literal(name), local, wanted, "self.dtype"))
            statements.append(Statement((self._kept(value),), checked, shape_remark(value.type)))
        return statements + self._row_checks()

    def _layer(self, node: Node, training: bool) -> list[Statement]:
        statements = []
        layer, emitter = Layer(self.body, node), EMITTERS[type(node.op)]
        if any(layer.is_free(i) for i in range(len(node.inputs))):
            statements += [Statement((), check, "", training) for check in emitter.checks(layer)]
        targets, remark = [self._kept(node.output)], shape_remark(node.output.type)
        if emitter.extra:
            targets = [self.body.locals[node.output], layer.extra(emitter.extra)]
        statements.append(Statement(tuple(targets), emitter.forward(layer), remark, training))
        if emitter.extra and node.output in self.kept.values:
            statements.append(
                Statement((self.kept.values[node.output],), self.body.locals[node.output], "", training)
            )
        return statements

    def _block(self, item: Unit | Run, training: bool) -> list[Statement]:
        """The call of a block, or a loop over several."""
        given = ["weights", "saved"] if self.body.in_block else ["w", "s"]
        units = item.units if isinstance(item, Run) else [item]
        if units[0].drops:
            given.append(self.body.generator)
        incoming = [self.body.local(value) for value in item.inputs]
        outgoing = item.outputs
        made = [unit.outputs[0] for unit in units] if isinstance(item, Run) else outgoing
        remark = common_remark(value.type for value in made)
        if isinstance(item, Run):
            flowing = self.body.locals[outgoing[0]]
            block = self.body.loop(item)
            called = Call(f"{block}.forward", (flowing, *given))
            loop = f"for {block} in self.{self.body.attribute(item)}:"
            before = [Statement((flowing,), incoming[0], "", training)] if flowing != incoming[0] else []
            statements = [*before, Statement((flowing,), called, remark, training, loop=loop)]
            targets = outgoing
        else:
            called = Call(f"self.{self.body.attribute(item)}.forward", (*incoming, *given))
            single = len(outgoing) == 1
            names = [self._kept(value) if single else self.body.locals[value] for value in outgoing]
            statements = [Statement(tuple(names), called, remark, training)]
            targets = [] if single else outgoing
        kept = [(self.kept.values[v], self.body.locals[v]) for v in targets if v in self.kept.values]
        return statements + [Statement((place,), local, "", training) for place, local in kept]

    def _kept(self, value: Value) -> str:
        """The target of a value: its local, and its place in `s` if backward reads it."""
        kept = self.kept.values.get(value)
        return self.body.locals[value] if kept is None else f"{self.body.locals[value]} = {kept}"

    def _row_checks(self) -> list[Statement]:
        """Inputs that share the batch have the same number of rows, and extents of one name are equal."""
        rows: dict[str | None, list[str]] = {}
        for value in self.net.graph.inputs.values():
            rows.setdefault(value.type.rows, []).append(self.body.locals[value])
        together = [names for names in rows.values() if len(names) > 1]
        if together:
            self.net.kernels.add("check_rows")
        checks = [Call("check_rows", tuple(f"{name}={name}" for name in names)) for names in together]
        for extent, places in self.net.graph.free.items():
            if len(places) > 1:
                self.net.kernels.add("check_extents")
                inputs = [(self.body.locals[self.net.graph.inputs[name]], axis + 1) for name, axis in places]
                shapes = [f"{local}.shape[{axis}]" for local, axis in inputs]
                checks.append(Call("check_extents", (literal(extent), *shapes)))
        return [Statement((), check) for check in checks]
