"""The forward pass of a class: one statement per layer, flat, with shapes in comments."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from backends.layout import WIDTH, flat, lines_of
from backends.torch.emit.classes import IMPORTED, Plan, live_items, text_of
from backends.torch.emit.forms import Bracket
from backends.torch.emit.library import helpers
from backends.torch.emit.members import access
from backends.torch.emit.notes import Shapes
from backends.torch.emit.structure import Item, Structure, Unit
from backends.writer import Names, identifier, literal
from compiler.graph import Node, Value
from compiler.ops.norm import BatchNorm, GroupNorm, InstanceNorm
from compiler.ops.reshape import Select, Slice

#: How many layers may stand in one expression: convolution, norm, activation.
NESTING = 3
LONGEST = 24
#: Calls that return a `Tensor` for type checkers, too; most of PyTorch's return `Any`.
TYPED = ("F.relu(", "F.relu6(", "F.silu(", "F.hardswish(", "torch.cat(")


class Locals:
    """Names of tensors, which become free again when nobody needs the tensor any more."""

    def __init__(self, reserved: set[str]) -> None:
        self.reserved = Names({"self", *IMPORTED, *helpers(), *reserved})
        self.names: dict[str, str] = {}  # wanted -> what it became
        self.live: set[str] = set()
        self.counts: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        base = self._safe(wanted)
        name = base
        while name in self.live:
            self.counts[base] = self.counts.get(base, 1) + 1
            name = self._safe(f"{base}_{self.counts[base]}")
        self.live.add(name)
        return name

    def _safe(self, wanted: str) -> str:
        wanted = identifier(re.sub(r"\W+", "_", wanted).strip("_") or "tensor")[:LONGEST]
        if wanted not in self.names:
            self.names[wanted] = self.reserved.fresh(wanted)
        return self.names[wanted]

    def release(self, name: str) -> None:
        self.live.discard(name)
        self.counts.clear()


class Forward:
    """Writes the forward pass of one class."""

    def __init__(
        self, structure: Structure, plan: Plan, shapes: Shapes, conditional: bool, always: Container[str]
    ) -> None:
        """`always` are the outputs that the model has in inference, too."""
        self.structure = structure
        self.plan = plan
        self.unit = plan.unit
        self.shapes = shapes
        self.is_model = self.unit.parent is None
        self.graph = structure.graph
        self.conditional = conditional
        self.always = always
        self.alias: dict[Value, Value] = {}
        self.items = self._without_identities(self.unit)
        self.others = [self._without_identities(unit) for unit in plan.units]
        self.maker = {value: item for item in self.items for value in item.outputs}
        self.texts = iter(plan.call_texts)
        self.locals = Locals(set())
        self.name: dict[Value, str] = {}
        self.pending: dict[Value, tuple[str, int]] = {}
        self.body: list[str] = []
        self.depth = 0
        self.modules: dict[str, str] = {}
        self.typed: set[str] = set()
        self._count_uses()

    # -- what is used where ----------------------------------------------------------------

    def _without_identities(self, unit: Unit) -> list[Item]:
        """The items, where what only passes its input on has vanished."""
        made = []
        for item in live_items(unit):
            inputs = [self._real(v) for v in item.inputs]
            form = self.structure.forms[item.source] if isinstance(item.source, Node) else None
            if form is not None and item.module is None and form.call == "{0}":
                self.alias[item.outputs[0]] = inputs[0]
            else:
                made.append(replace(item, inputs=inputs))
        return made

    def _real(self, value: Value) -> Value:
        return self.alias.get(value, value)

    def _count_uses(self) -> None:
        self.last: dict[Value, int] = {}
        self.uses: dict[Value, int] = {}
        self.user: dict[Value, Item] = {}
        for i, item in enumerate(self.items):
            for value in item.inputs:
                self.last[value] = i
                self.user[value] = item
                self.uses[value] = self.uses.get(value, 0) + 1
        outputs = self.graph.outputs.values() if self.is_model else self.unit.outputs
        self.results = [self._real(v) for v in outputs]
        for value in self.results:
            self.last[value] = len(self.items)
            self.uses[value] = self.uses.get(value, 0) + 1

    def _is_conditional(self, item: Item) -> bool:
        return self.conditional and item.training and not self.unit.training

    # -- the whole -------------------------------------------------------------------------

    def write(self) -> tuple[list[str], str, list[str]]:
        """The parameters (with annotations), the annotation of the result, and the lines of the body."""
        parameters = self._parameters()
        self.only_training = {v for item in self.items if self._is_conditional(item) for v in item.outputs}
        for value in self.results:
            if value in self.only_training and not self.is_model:
                # What exists in training alone is None otherwise.
                self.name[value] = self.locals.fresh(self._hint(value, "aside"))
                self.body.append(f"{self.name[value]}: Tensor | None = None")
        inside = False
        for i, item in enumerate(self.items):
            guarded = self._is_conditional(item)
            if guarded and not inside:
                self.body.append("if self.training:")
            inside = guarded
            self.depth = 1 if inside else 0
            self._statement(i, item)
        self.depth = 0
        result = self._return()
        return parameters, result, self.body if self._return_directly() else self._annotated()

    def _parameters(self) -> list[str]:
        made = []
        if self.is_model:
            for name, value in self.graph.inputs.items():
                self.name[value] = self.locals.fresh(name)
                made.append(f"{self.name[value]}: Tensor")
                self.typed.add(self.name[value])
        else:
            for i, value in enumerate(self.unit.inputs):
                plain = self._hint(value, "x") if value.name and len(self.unit.inputs) > 1 else "x"
                self.name[value] = self.locals.fresh(plain if i or value.name else "x")
                made.append(f"{self.name[value]}: Tensor")
                self.typed.add(self.name[value])
        for path in self.unit.modules:
            self.modules[path] = self.locals.fresh(path.rpartition(".")[2])
            made.append(f"{self.modules[path]}: nn.Module")
        return made

    def checks(self) -> list[str]:
        """The lines that refuse inputs of another shape, two steps in."""
        plain = self._plain_check()
        if plain:
            return plain
        made: list[Bracket] = []
        for name, value in self.graph.inputs.items():
            extents = [
                "None" if free else str(n) for n, free in zip(value.shape, value.type.free, strict=True)
            ]
            shape = f"({', '.join(extents)}{',' if len(extents) == 1 else ''})"
            made.append(Bracket("check_input(", (self.name[value], f'"{name}"', shape), ")"))
        by_rows: dict[str | None, list[str]] = {}
        for value in self.graph.inputs.values():
            by_rows.setdefault(value.type.rows, []).append(self.name[value])
        made += [Bracket("check_rows(", tuple(names), ")") for names in by_rows.values() if len(names) > 1]
        for extent, places in self.graph.free.items():
            if len(places) > 1:
                sizes = [f"{self.name[self.graph.inputs[name]]}.shape[{axis + 1}]" for name, axis in places]
                made.append(Bracket("check_extents(", (literal(extent), *sizes), ")"))
        return [line for tree in made for line in lines_of("", tree, "", 2)]

    def _plain_check(self) -> list[str]:
        """The same without a helper: for a single input, no extent of which is free."""
        (name, value), *others = self.graph.inputs.items()
        if others or any(value.type.free) or not value.shape:
            return []
        local, wanted = self.name[value], ", ".join(["N", *map(str, value.shape)])
        test = f"        if {local}.shape[1:] != {text_of(value.shape)}:"
        text = f'f"the input {name} is {{tuple({local}.shape)}}, not ({wanted})"'
        return [test, *lines_of("", Bracket("raise ValueError(", (text,), ")"), "", 3)]

    # -- statements ------------------------------------------------------------------------

    def _value(self, value: Value) -> str:
        """The expression of a tensor: a local name, or a raw weight of this unit."""
        if value in self.pending:
            return self.pending[value][0]
        if value in self.name:
            return self.name[value]
        assert value.weight is not None
        return access(self.structure, self.unit, value.weight)

    def _module(self, path: str) -> str:
        return self.modules.get(path) or access(self.structure, self.unit, path)

    def _statement(self, i: int, item: Item) -> None:
        if isinstance(item.source, Unit):
            inputs = [self._value(v) for v in item.inputs]
            inputs += [self._module(path) for path in item.source.modules]
            assert item.module is not None
            tree: Any = Bracket(f"{self._module(item.module)}(", tuple(inputs), ")")
            self._assign(i, item, tree, ())
            return
        form = self.structure.forms[item.source]
        slots = {key: next(self.texts) for key, _ in form.slots}
        # As formatters have it: a slice of literals is written close, any other with spaces.
        slots["colon"] = ":" if all(slots[k].isdigit() for k, _ in form.slots) else " : "
        if item.module is not None:
            slots["layer"] = self._module(item.module)
        if self._defer(i, item, form.call, form.then, form.before, slots):
            return
        inputs = [self._value(v) for v in item.inputs]
        for check in form.before:
            self._line("", _filled(check, inputs, slots))
        self._assign(
            i, item, _filled(form.call, inputs, slots), tuple((then, inputs, slots) for then in form.then)
        )

    def _defer(self, i: int, item: Item, call: Any, then: Any, before: Any, slots: Mapping[str, str]) -> bool:
        """Leave a simple call to the norm or activation that takes its result: `F.relu(self.bn1(...))`."""
        if then or before or len(item.outputs) != 1 or i + 1 == len(self.items):
            return False
        value, follower = item.outputs[0], self.items[i + 1]
        if self._says(value) or self.uses[value] != 1 or follower.inputs != [value] or value in self.name:
            return False
        if not isinstance(follower.source, Node) or self._is_conditional(item) != self._is_conditional(
            follower
        ):
            return False
        op, form = follower.source.op, self.structure.forms[follower.source]
        closes = isinstance(op, (BatchNorm, GroupNorm, InstanceNorm)) or (op.elementwise and not form.then)
        cuts = (
            isinstance(item.source, Node) and isinstance(item.source.op, (Select, Slice)) and follower.module
        )
        if (
            not (closes or cuts)
            or not isinstance(form.call, str)
            or form.call.count("{0}") != 1
            or form.before
        ):
            return False
        if any(self.pending.get(v, ("", 0))[1] + 2 > NESTING for v in item.inputs):
            return False
        text = flat(_filled(call, [self._value(v) for v in item.inputs], slots))
        if len(text) > WIDTH - 48:
            return False
        depth = 1 + max((self.pending.get(v, ("", 0))[1] for v in item.inputs), default=0)
        self.pending[value] = (text, depth)
        self.last.update({v: max(self.last[v], i + 1) for v in self._sources(item)})
        return True

    def _sources(self, item: Item) -> list[Value]:
        """The named tensors that a statement reads, through what was left to it."""
        found: list[Value] = []
        for value in item.inputs:
            if value in self.pending:
                found += self._sources(self.maker[value])
            elif value in self.name:
                found.append(value)
        return found

    def _assign(self, i: int, item: Item, tree: Any, then: tuple[Any, ...]) -> None:
        sources = list(dict.fromkeys(self._sources(item)))
        dead = [v for v in sources if self.last[v] == i]
        reusable = dead
        if then:  # Later statements read the other inputs again.
            first = self._sources_of(item.inputs[0])
            reusable = [v for v in dead if v in first and item.inputs.count(item.inputs[0]) == 1]
        for value in reusable:
            self.locals.release(self.name[value])
        names = [self._target(i, item, value, reusable) for value in item.outputs]
        for value in dead:
            if value not in reusable and self.name[value] not in names:
                self.locals.release(self.name[value])
        notes = [self._shape(i, k) for k in range(len(item.outputs))]
        self._line(f"{', '.join(names)} = ", tree, "" if then else ", ".join(notes))
        for n, (template, inputs, slots) in enumerate(then):
            note = notes[0] if n == len(then) - 1 else ""
            self._line(f"{names[0]} = ", _filled(template, inputs, {**slots, "out": names[0]}), note)

    def _sources_of(self, value: Value) -> list[Value]:
        if value in self.pending:
            return self._sources(self.maker[value])
        return [value]

    def _target(self, i: int, item: Item, value: Value, reusable: list[Value]) -> str:
        """The name of a result: the user's, that of the tensor that ends here, or one from the label."""
        if value in self.name:  # declared above, for what exists in training alone
            return self.name[value]
        if self._says(value):
            wanted = value.name
        elif len(item.outputs) == 1 and (flowing := self._flowing(item, reusable)):
            wanted = flowing
        elif self.is_model and "x" not in self.locals.live and "x" not in self.graph.inputs:
            wanted = "x"
        else:
            end, label = self._chain(value, item)
            binary = end is None or self._takes_two(end)
            wanted = (
                "out"
                if binary and not label and "out" not in self.locals.live
                else label or self._label(item)
            )
        name = self.locals.fresh(wanted)
        self.name[value] = name
        return name

    def _says(self, value: Value) -> bool:
        """Whether the user's name is kept: not that of a block's result outside, nor of the only output."""
        if not value.name or value not in self.results:
            return bool(value.name)
        return self.is_model and len(self.results) > 1

    def _flowing(self, item: Item, reusable: list[Value]) -> str:
        """The name that flows on: that of the input that ends here; at a join `x` or `out` alone."""
        names = [self.name[v] for v in reusable if self._is_plain(v)]
        if len(item.inputs) == 1 or not names:
            return names[0] if names else ""
        return next((name for name in ("x", "out") if name in names), "")

    def _is_plain(self, value: Value) -> bool:
        """Whether the name says nothing that would be wrong of another tensor."""
        return not self._says(value) or self.name[value] in ("x", "out")

    def _chain(self, value: Value, item: Item) -> tuple[Item | None, str]:
        """Where a chain that begins here ends (at a join, or None), and a name for it.

        The name is the label of the only unit in the chain, or, in front of a longer join, that
        of its last layer with weights.
        """
        length, name, unit = 1, "", isinstance(item.source, Unit)
        last = item
        while self.uses.get(value) == 1:
            user = self.user.get(value)
            if user is None or len(user.inputs) != 1 or len(user.outputs) != 1:
                break
            length, last, value = length + 1, user, user.outputs[0]
            if isinstance(user.source, Unit) or user.source.weights:
                item, unit = user, isinstance(user.source, Unit)
        end = self.user.get(value)
        long = end is not None and isinstance(end.source, Node) and not self._takes_two(end)
        if long or (unit and length == 1 and last is item):
            name = self._label(item)
        return end, name

    def _takes_two(self, item: Item) -> bool:
        """Whether it is a sum, or joins what came in with what became of it."""
        if not isinstance(item.source, Node):
            return False
        if item.source.op.name in ("add", "multiply"):
            return True
        return len(item.inputs) == 2 and any(value in self.unit.inputs for value in item.inputs)

    def _label(self, item: Item) -> str:
        path = item.source.path
        return (
            ".".join(path.split(".")[-2:]) if path.rpartition(".")[2].isdigit() else path.rpartition(".")[2]
        )

    @staticmethod
    def _hint(value: Value, otherwise: str) -> str:
        return value.name or otherwise

    def _shape(self, i: int, k: int) -> str:
        return self.shapes.text([items[i].outputs[k] for items in self.others])

    def _line(self, before: str, tree: Any, comment: str = "") -> None:
        # The body stands two steps in: the layout has to know, but the lines are indented later.
        made = lines_of(before, tree, "", self.depth + 2, comment)
        self.body += [line[8:] for line in made]

    # -- the result ------------------------------------------------------------------------

    def _return(self) -> str:
        if not self.is_model:
            if not self.results:
                # Nobody uses what is made here; the module is there for its weights.
                self.body.append("return None")
                return "None"
            names = [self._value(v) for v in self.results]
            self.body += [line[8:] for line in lines_of("return ", ", ".join(names), "", 2)]
            if len(names) == 1:
                return "Tensor"
            kinds = ["Tensor | None" if v in self.only_training else "Tensor" for v in self.results]
            return f"tuple[{', '.join(kinds)}]"
        outputs = {name: self._real(value) for name, value in self.graph.outputs.items()}
        if len(outputs) == 1:
            self.body.append(f"return {self._value(next(iter(outputs.values())))}")
            return "Tensor"
        always = {n: v for n, v in outputs.items() if n in self.always}
        items = tuple(f"{literal(n)}: {self._value(v)}" for n, v in always.items())
        if len(always) == len(outputs):
            self._line("return ", Bracket("{", items, "}"))
        else:
            name = self.locals.fresh("outputs")
            self._line(f"{name} = ", Bracket("{", items, "}"))
            self.body.append("if self.training:")
            self.body += [
                f"    {name}[{literal(n)}] = {self._value(v)}" for n, v in outputs.items() if n not in always
            ]
            self.body.append(f"return {name}")
        return "dict[str, Tensor]"

    def _return_directly(self) -> bool:
        """Let the last statement be the result where its type is known: `return F.relu(out + x)`."""
        if len(self.body) < 2 or len(self.results) != 1:
            return False
        last = re.fullmatch(r"(\w+) = (.*)", self.body[-2])
        if not last or self.body[-1] != f"return {last[1]}" or not last[2].startswith(TYPED):
            return False
        self.body[-2:] = [f"return {last[2]}"]
        return True

    def _annotated(self) -> list[str]:
        """The body with a type on the first assignment of what is returned; modules return Any."""
        returned = {self.name[v] for v in self.results if v in self.name and v not in self.only_training}
        if self.is_model and len(self.graph.outputs) > 1:
            return self.body
        made = []
        for line in self.body:
            found = re.match(r"( *)(\w+) = ", line)
            if found and found[2] in returned and found[2] not in self.typed:
                self.typed.add(found[2])
                typed = f"{found[1]}{found[2]}: Tensor = {line[found.end() :]}"
                if len(typed) + 8 > WIDTH:
                    made.append(f"{found[1]}{found[2]}: Tensor")
                else:
                    line = typed
            made.append(line)
        return made


def _filled(tree: Any, inputs: list[str], slots: Mapping[str, str]) -> Any:
    """A template with its inputs and literals put in."""
    if isinstance(tree, Bracket):
        return Bracket(
            _filled(tree.open, inputs, slots),
            tuple(_filled(item, inputs, slots) for item in tree.items),
            tree.close,
            tree.tall,
        )
    return tree.format(*inputs, **slots)
