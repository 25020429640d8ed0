"""How a unit registers its modules and raw weights, and how it reaches them again."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from backends.layout import WIDTH, Comprehension
from backends.torch.emit.classes import Plan, is_listed, start_of
from backends.torch.emit.forms import Bracket, Named
from backends.torch.emit.notes import Shapes
from backends.torch.emit.owned import owned_by_dict, owned_by_module
from backends.torch.emit.repeats import Member, Run, runs
from backends.torch.emit.structure import Entry, Structure, Unit
from backends.writer import is_identifier, literal
from compiler.graph import Node, Weight

#: Constants of more numbers become a table in front of their class.
WRITTEN = 16
#: How far in the statements of a constructor stand.
DEPTH = 2


def access(structure: Structure, unit: Unit, path: str) -> str:
    """The expression for what is registered at `path`, seen from the unit."""
    relative = path[len(unit.path) + 1 if unit.path else 0 :]
    style = styles(structure, unit.path).get(relative.partition(".")[0], "attach")
    steps = relative.split(".")
    if style == "attribute" and len(steps) == 1:
        return f"self.{relative}"
    if style == "added" and len(steps) == 1:
        return f'getattr(self, "{relative}")'
    if style == "list" and len(steps) == 2:
        return f"self.{steps[0]}[{steps[1]}]"
    if style == "dict" and len(steps) == 2:
        return f'self.{steps[0]}["{steps[1]}"]'
    return f'at(self, "{relative}")'


def styles(structure: Structure, path: str) -> dict[str, str]:
    """First step -> how it is registered: attribute, added, list, dict or attach."""
    cache: dict[str, dict[str, str]] = structure.__dict__.setdefault("_styles", {})
    if path not in cache:
        groups: dict[str, list[Entry]] = {}
        for entry in structure.entries[path]:
            groups.setdefault(entry.steps[0], []).append(entry)
        cache[path] = {step: _style(step, group) for step, group in groups.items()}
    return cache[path]


def _style(step: str, group: list[Entry]) -> str:
    plain = is_identifier(step) and not owned_by_module(step)
    if len(group) == 1 and len(group[0].steps) == 1:
        if plain:
            return "attribute"
        is_weight = isinstance(group[0].source, Weight)
        return "attach" if owned_by_module(step) or is_weight else "added"
    modules = all(len(entry.steps) == 2 and not isinstance(entry.source, Weight) for entry in group)
    if plain and modules:
        keys = [entry.steps[1] for entry in group]
        if keys == [str(i) for i in range(len(keys))]:
            return "list"
        if not any(map(owned_by_dict, keys)):
            return "dict"
    return "attach"


def needs_labelled(structure: Structure, path: str) -> bool:
    """Whether a member's name is one that `nn.Module` assigns to."""
    return any(owned_by_module(entry.steps[0]) for entry in structure.entries[path])


class Registrations:
    """Writes the constructor's lines of one class."""

    def __init__(
        self,
        structure: Structure,
        plan: Plan,
        of: dict[str, Plan],
        shapes: Shapes,
        constant: Callable[[str], str],
    ) -> None:
        self.structure = structure
        self.plan = plan
        self.of = of
        self.shapes = shapes
        self.constant = constant  # a name for a constant of the file
        self.tables: list[list[str]] = []
        self.buffers: list[str] = []
        self.texts: Iterator[Any] = iter(plan.init_texts)
        self.depth = DEPTH

    def lines(self) -> Iterator[tuple[str, Any, str]]:
        """(before, tree, after) of each statement."""
        path = self.plan.unit.path
        entries = self.structure.entries[path]
        style_of = styles(self.structure, path)
        # Literals come in the order of the entries, so all are built first, then grouped.
        built = [(entry, self.build(entry)) for entry in entries]
        done: set[str] = set()
        for entry, tree in built:
            step = entry.steps[0]
            style = style_of[step]
            if style in ("list", "dict"):
                if step not in done:
                    done.add(step)
                    yield self._holder(step, style, [(e, t) for e, t in built if e.steps[0] == step])
            elif style == "attribute":
                if isinstance(entry.source, Weight) and not entry.source.trainable:
                    self.buffers.append(step)
                    yield "", Bracket("self.register_buffer(", (f'"{step}"', tree), ")"), ""
                    continue
                yield f"self.{step} = ", tree, ""
            elif style == "added":
                yield "", Bracket("self.add_module(", (f'"{step}"', tree), ")"), ""
            else:
                yield "", Bracket("attach(", ("self", f'"{".".join(entry.steps)}"', tree), ")"), ""

    @staticmethod
    def _holder(step: str, style: str, built: list[tuple[Entry, Any]]) -> tuple[str, Any, str]:
        is_list = style == "list"
        members = runs([Member("" if is_list else literal(e.steps[1]), tree) for e, tree in built], DEPTH + 2)
        whole = members[0] if len(members) == 1 and isinstance(members[0], Run) else None
        inner: Any
        if is_list and whole:
            inner = Comprehension(whole.tree, whole.clause)
        elif is_list:
            items = tuple(starred(m) if isinstance(m, Run) else m.tree for m in members)
            inner = Bracket("[", items, "]", tall=True)
        elif whole:
            inner = mapping("{", whole)
        else:
            inner = Bracket("{", named(members, '"{}": '), "}", tall=True)
        return f"self.{step} = ", Bracket(f"nn.Module{'List' if is_list else 'Dict'}(", (inner,), ")"), ""

    def build(self, entry: Entry) -> Any:
        """The expression that makes an entry's module or weight."""
        source = entry.source
        if isinstance(source, Weight):
            return self._raw(source)
        if isinstance(source, Node):
            return self._layer(source)
        if source.sequential:
            return self._sequential(source)
        arguments = next(self.texts)
        plan = self.of[source.path]
        # By position where no default is passed over and each number speaks for itself.
        first = [p.name for p in plan.parameters[: len(arguments)]]
        plain = not any(text in ("True", "False") for _, text in arguments)
        short = len(arguments) <= 2 and plain and [name for name, _ in arguments] == first
        items = tuple(text if short else Named(f"{name}=", text) for name, text in arguments)
        return Bracket(f"{plan.name}(", items, ")")

    def _layer(self, node: Node) -> Bracket:
        layer = self.structure.forms[node].layer
        assert layer is not None
        items = []
        by_name = False
        for keyword, _ in layer.arguments:
            text = next(self.texts)
            if text is None:
                by_name = by_name or not keyword
            else:
                items.append(Named(f"{keyword}=", text) if keyword else text)
        assert not (by_name and any(isinstance(i, str) for i in items))
        return Bracket(f"{layer.callee}(", tuple(items), ").requires_grad_(False)" if layer.frozen else ")")

    def _raw(self, weight: Weight) -> Any:
        """A raw weight at its starting numbers where a spec gives them, else at random ones."""
        rule, arguments = weight.initialiser.rule, dict(weight.initialiser.arguments)
        made: Any
        if not is_listed(weight):
            extents = [next(self.texts) for _ in weight.shape]
            shape = f"({extents[0]},)" if len(extents) == 1 else f"({', '.join(extents)})"
        if rule in ("zeros", "ones"):
            made = f"torch.{rule}({shape})"
        elif rule == "constant":
            made = Bracket("torch.full(", (shape, repr(float(arguments["value"]))), ")")
        elif rule == "value" and not is_listed(weight):
            made = Bracket("torch.full(", (shape, repr(float(start_of(weight)))), ")")
        elif rule == "value" and weight.elements > WRITTEN:
            name = self.constant(weight.name.upper())
            self.tables.append(packed(name, start_of(weight)))
            made = f"torch.tensor({name})"
        elif rule == "value":
            made = Bracket("torch.tensor(", (_numbers(start_of(weight)),), ")")
        else:
            made = f"torch.randn({shape})"
        return Bracket("nn.Parameter(", (made,), ")") if weight.trainable else made

    def _note(self, unit: Unit, entry: Entry) -> str:
        if isinstance(entry.source, Unit) and entry.source.sequential:
            return ""  # its members say theirs
        return self.shapes.member(f"{unit.path}.{'.'.join(entry.steps)}")

    def _sequential(self, unit: Unit) -> Bracket | Named:
        entries = self.structure.entries[unit.path]
        steps = [entry.steps[0] for entry in entries]
        counted, plain = steps == [str(i) for i in range(len(steps))], all(map(is_identifier, steps))
        deeper = 1 if counted else 2 if plain else 3  # brackets around the members
        self.depth += deeper
        trees = [self.build(entry) for entry in entries]
        self.depth -= deeper
        notes = [self._note(unit, entry) for entry in entries]
        labels = ["" if counted else literal(step) for step in steps]
        members = runs(list(map(Member, labels, trees, notes)), self.depth + deeper)
        if self.depth == DEPTH and len(set(notes)) == 1:
            members = [replace(member, note="") for member in members]  # the forward pass says it
        if len(members) == 1 and isinstance(members[0], Run):
            # All of it is one comprehension, and what is said of a member is said of the whole.
            run = members[0]
            inner = starred(run) if counted else pairs("OrderedDict(", run, ")")
            return Named("", Bracket("nn.Sequential(", (inner,), ")"), run.note)
        if counted:
            items = tuple(Named("", starred(m) if isinstance(m, Run) else m.tree, m.note) for m in members)
            return Bracket("nn.Sequential(", items, ")", tall=True)
        if plain:
            inner = Bracket("OrderedDict(", named(members, "{}="), ")", tall=True)
        else:
            inner = Bracket("OrderedDict(", (Bracket("{", named(members, '"{}": '), "}", tall=True),), ")")
        return Bracket("nn.Sequential(", (inner,), ")", tall=True)


def starred(run: Run) -> Bracket:
    """`*(Bottleneck(256) for _ in range(5))`."""
    return Bracket("*(", (Comprehension(run.tree, run.clause, run.shape),), ")")


def pairs(before: str, run: Run, after: str) -> Bracket:
    """`OrderedDict((f"layer{i}", Layer(8)) for i in range(1, 7))`."""
    pair = Bracket("(", (run.label, run.tree), ")")
    return Bracket(before, (Comprehension(pair, run.clause, run.shape),), after)


def mapping(before: str, run: Run) -> Bracket:
    """`{f"layer{i}": Layer(8) for i in range(1, 7)}`."""
    return Bracket(before, (Comprehension(Named(f"{run.label}: ", run.tree), run.clause, run.shape),), "}")


def named(members: list[Member], spelled: str) -> tuple[Named, ...]:
    """Members with their labels in front of them, as `spelled`, and runs of them as `**{...}`."""
    return tuple(
        Named("", mapping("**{", m), m.note)
        if isinstance(m, Run)
        else Named(spelled.format(m.label[1:-1]), m.tree, m.note)
        for m in members
    )


def _numbers(values: Any) -> Any:
    if isinstance(values, (tuple, list)):
        return Bracket("[", tuple(map(_numbers, values)), "]")
    return repr(float(values))


def packed(name: str, values: Any) -> list[str]:
    """A table of numbers as a constant, many on a line."""

    def rows(values: Any, depth: int) -> list[str]:
        indent = "    " * depth
        if any(isinstance(v, (tuple, list)) for v in values):
            inner = [line for v in values for line in rows(v, depth + 1)]
            return [f"{indent}[", *inner, f"{indent}],"]
        texts = [
            repr(float(v)).removesuffix("0") if float(v).is_integer() else repr(float(v)) for v in values
        ]
        filled = textwrap.wrap(", ".join(texts), WIDTH - len(indent) - 3)
        return [f"{indent}[" + f"\n{indent} ".join(filled) + "],"]

    lines = "\n".join(rows(values, 0)).removesuffix(",").splitlines()
    return ["# fmt: off", f"{name} = {lines[0]}", *lines[1:], "# fmt: on"]


__all__ = ["Registrations", "access", "needs_labelled"]
