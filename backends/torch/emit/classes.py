"""Which units share a class, and what its constructor takes.

Two units share a class if their bodies are equal but for their literals.  Literals that are
equal in all instances stay where they are; the others become parameters of the constructor,
named after the block's own parameters where those carry the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.torch.emit.forms import Slot
from backends.torch.emit.library import helpers
from backends.torch.emit.owned import owned_by_module
from backends.torch.emit.structure import Entry, Item, Structure, Unit
from backends.writer import Names, literal, pascal
from compiler.graph import Node, Value, Weight

#: Factors of a parameter that are tried for a literal: `4 * width`.
FACTORS = range(2, 17)
IMPORTED = (
    "torch",
    "nn",
    "F",
    "Tensor",
    "Any",
    "Mapping",
    "Sequence",
    "OrderedDict",
    "build_model",
    "annotations",
)


@dataclass
class Parameter:
    """A parameter of a constructor: one value per instance."""

    name: str
    values: tuple[Any, ...]
    default: Any = ...
    is_path: bool = False

    @property
    def has_default(self) -> bool:
        return self.default is not ... and any(same(v, self.default) for v in self.values)


@dataclass(eq=False)
class Plan:
    """A class to be written: its instances, one unit for each, and its literals as text."""

    base: str
    units: list[Unit] = field(default_factory=list)
    name: str = ""
    parameters: list[Parameter] = field(default_factory=list)
    init_texts: list[Any] = field(default_factory=list)
    call_texts: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)  # parameter -> attribute, for the forward pass

    @property
    def unit(self) -> Unit:
        """The instance that stands for all where they are alike."""
        return self.units[0]

    def arguments(self, path: str) -> list[tuple[Parameter, Any]]:
        """The constructor's arguments of one instance."""
        if len(self.index) != len(self.units):
            self.index = {unit.path: i for i, unit in enumerate(self.units)}
        i = self.index[path]
        return [(p, p.values[i]) for p in self.parameters]


class Disagreement(Exception):
    """The applications of something shared that cannot be one module."""

    def __init__(self, paths: frozenset[str]) -> None:
        self.paths = paths


def plans_of(structure: Structure) -> tuple[list[Plan], dict[str, Plan]]:
    """The classes in order of writing, inner ones first, and the class of each path.

    Raises `Disagreement` where the applications of a shared scope differ in what they do.
    """
    by_path: dict[str, list[Unit]] = {}
    for unit in structure.units:
        by_path.setdefault(unit.path, []).append(unit)
    wrong = frozenset(
        path for path, units in by_path.items() if len(units) > 1 and not _agree(structure, units)
    )
    if wrong:
        raise Disagreement(wrong)
    plans: dict[Any, Plan] = {}
    of: dict[str, Plan] = {}
    order = sorted(by_path, key=lambda path: -(path.count(".") + 1 if path else 0))
    position = {path: i for i, path in enumerate(reversed(list(by_path)))}
    order.sort(key=lambda path: (-(path.count(".") + 1 if path else 0), position[path]))
    for path in order:
        unit = by_path[path][-1]  # `units` has inner and later ones first: this is the first application
        if unit.sequential:
            continue
        key = (class_base(unit), body_key(structure, unit), entries_key(structure, path, of))
        plan = plans.setdefault(key, Plan(class_base(unit)))
        plan.units.append(unit)
        of[path] = plan
    made = list(plans.values())
    _name(made, structure)
    for plan in made:
        _parametrise(plan, structure, of)
    return made, of


def _agree(structure: Structure, units: list[Unit]) -> bool:
    if units[0].sequential:
        return all(u.sequential for u in units) and len({_steps_of(u) for u in units}) == 1
    keys = {(body_key(structure, unit), tuple(map(_typed, call_slots(structure, unit)))) for unit in units}
    return len(keys) == 1


def _steps_of(unit: Unit) -> tuple[str, ...]:
    return tuple(item.module or "" for item in unit.items)


# ---- keys ------------------------------------------------------------------------------


def body_key(structure: Structure, unit: Unit) -> Any:
    """What a unit's forward pass does, without literals and names of tensors."""
    number: dict[Value, int] = {value: i for i, value in enumerate(unit.inputs)}
    modules = {path: i for i, path in enumerate(unit.modules)}

    def ref(value: Value) -> Any:
        if value.weight is not None and value not in unit.inputs:
            return value.weight[len(unit.path) + 1 if unit.path else 0 :]
        return number[value]

    def module(path: str | None) -> Any:
        if path is None or path in modules:
            return modules.get(path or "")
        return path[len(unit.path) + 1 if unit.path else 0 :]

    made: list[Any] = [len(unit.inputs), len(unit.modules)]
    for item in live_items(unit):
        refs = tuple(map(ref, item.inputs))
        if isinstance(item.source, Node):
            form = structure.forms[item.source]
            call = (form.call, form.then, form.before, tuple(k for k, _ in form.slots))
            made.append((call, module(item.module), refs, item.training))
        else:
            inner = tuple(map(module, item.source.modules))
            made.append(("unit", module(item.module), refs, inner, item.training))
        for value in item.outputs:
            number[value] = len(number)
        made.append(len(item.outputs))
    made.append(tuple(map(ref, unit.outputs)))
    return tuple(made)


def live_items(unit: Unit) -> Iterator[Item]:
    """Items with a result that is used somewhere."""
    return (item for item in unit.items if item.outputs)


def entries_key(structure: Structure, path: str, of: Mapping[str, Plan]) -> Any:
    """What a unit registers, without literals."""
    return tuple((entry.steps, _entry_key(structure, entry, of)) for entry in structure.entries[path])


def _entry_key(structure: Structure, entry: Entry, of: Mapping[str, Plan]) -> Any:
    source = entry.source
    if isinstance(source, Node):
        layer = structure.forms[source].layer
        assert layer is not None
        return layer.callee, tuple(keyword for keyword, _ in layer.arguments), layer.frozen
    if isinstance(source, Weight):
        shape = source.shape if is_listed(source) else len(source.shape)
        return "weight", shape, source.trainable, repr(source.initialiser)
    if source.sequential:
        return "sequential", entries_key(structure, source.path, of)
    return "class", id(of[source.path])


def is_listed(weight: Weight) -> bool:
    """Whether a raw weight is written number by number, so that its shape is not said."""
    return weight.initialiser.rule == "value" and not isinstance(start_of(weight), (int, float))


def start_of(weight: Weight) -> Any:
    """The number or the numbers that a spec gives a raw weight (`value = ...`)."""
    return dict(weight.initialiser.arguments)["values"]


def class_base(unit: Unit) -> str:
    """The name of a class: the block's, or made from the label."""
    scope = unit.scope
    if scope.name and scope.kind in ("block", "model"):
        return pascal(scope.name)
    step = unit.path.rpartition(".")[2]
    if not step or step.isdigit():
        step = scope.name or (f"{unit.path.split('.')[-2]}_member" if unit.path.count(".") else scope.kind)
    return pascal(step.rstrip("0123456789_-") or step)


def _name(plans: list[Plan], structure: Structure) -> None:
    """Names for the classes; a variant that registers more is named after what it has beyond the first."""
    names = Names((*IMPORTED, *helpers()))
    groups: dict[str, list[Plan]] = {}
    for plan in sorted(
        plans, key=lambda plan: (plan.unit.path != "", len(structure.entries[plan.unit.path]))
    ):
        groups.setdefault(plan.base, []).append(plan)
    taken: set[str] = set()
    for base, group in groups.items():
        first = {entry.steps[0] for entry in structure.entries[group[0].unit.path]}
        for plan in group:
            wanted = base
            if plan is not group[0]:
                extra = [e.steps[0] for e in structure.entries[plan.unit.path] if e.steps[0] not in first]
                wanted = base + (pascal(extra[0]) if extra and not extra[0].isdigit() else "2")
                count = 2
                while wanted in taken or wanted in groups:
                    count += 1
                    wanted = f"{base}{count}"
            plan.name = names.fresh(wanted)
            taken.add(plan.name)


# ---- literals --------------------------------------------------------------------------


def init_sites(structure: Structure, path: str) -> Iterator[Slot | str]:
    """The literals of a constructor in the order of writing; for an inner class its path."""
    for entry in structure.entries[path]:
        source = entry.source
        if isinstance(source, Node):
            layer = structure.forms[source].layer
            assert layer is not None
            for _, slot in layer.arguments:
                yield slot
        elif isinstance(source, Weight):
            if not is_listed(source):
                yield from (Slot(extent, "size") for extent in source.shape)
        elif isinstance(source, Unit):
            if source.sequential:
                yield from init_sites(structure, source.path)
            else:
                yield source.path


def call_slots(structure: Structure, unit: Unit) -> list[Slot]:
    """The literals of a forward pass in the order of writing."""
    return [
        slot
        for item in live_items(unit)
        if isinstance(item.source, Node)
        for _, slot in structure.forms[item.source].slots
    ]


def _typed(slot: Slot) -> Any:
    return repr(slot.value)


def same(a: Any, b: Any) -> bool:
    """Equal and of one type: 1 is not True."""
    return repr(a) == repr(b)


def text_of(value: Any) -> str:
    """A literal as Python."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(text_of, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def type_of(values: tuple[Any, ...]) -> str:
    """The annotation of a parameter with these values."""

    def one(value: Any) -> str:
        if isinstance(value, tuple):
            return f"tuple[{', '.join(map(one, value))}]" if value else "tuple[()]"
        return type(value).__name__

    return " | ".join(sorted({one(value) for value in values}, key=lambda t: (t.startswith("tuple"), t)))


@dataclass
class _Column:
    """A literal over all instances."""

    values: tuple[Any, ...]
    name: str
    default: Any = ...
    is_path: bool = False

    @property
    def constant(self) -> bool:
        return all(same(v, self.values[0]) for v in self.values)


class _Parameters:
    """Finds the text of each literal, making parameters where instances differ."""

    def __init__(self, plan: Plan, of: Mapping[str, Plan]) -> None:
        self.plan = plan
        # What a constructor reads beside its parameters, the classes of inner blocks among it.
        self.names = Names(("self", *IMPORTED, *helpers(), *(one.name for one in of.values())))
        self.count = len(plan.units)
        shared = set.intersection(*(set(unit.scope.arguments) for unit in plan.units))
        self.arguments: dict[str, tuple[Any, ...]] = {}
        for name in plan.unit.scope.arguments:
            values = tuple(unit.scope.arguments.get(name) for unit in plan.units)
            plain = all(type(v) in (int, float, bool) or _is_ints(v) for v in values)
            if float in map(type, values):  # 2 beside 0.5 is 2.0, as the layers have it
                values = tuple(float(v) if type(v) is int else v for v in values)
            if name in shared and plain and not all(same(v, values[0]) for v in values):
                self.arguments[name] = values
        self.made: list[Parameter] = []

    def text(self, column: _Column, spell: Callable[[Parameter], str]) -> str:
        """The literal, or the expression of parameters that gives it in every instance."""
        if column.constant:
            return text_of(column.values[0])
        if column.is_path:
            found = self._path(column, spell)
            if found:
                return found
        for p in self.made:
            if _equal(p.values, column.values):
                if p.default is ...:
                    p.default = column.default
                return spell(p)
        for name, values in self.arguments.items():
            if _equal(values, column.values):
                return spell(self._make(name, values, column.default))
        for p in self.made:
            expression = multiple(p.values, column.values)
            if expression:
                return expression.format(spell(p))
        for name, values in self.arguments.items():
            expression = multiple(values, column.values)
            if expression and not any(p.name == name for p in self.made):
                return expression.format(spell(self._make(name, values)))
        return spell(self._make(column.name, column.values, column.default, column.is_path))

    def _path(self, column: _Column, spell: Callable[[Parameter], str]) -> str | None:
        """`f"{path}.pool"`, where the rest behind the instance's path is the same in all."""
        paths = tuple(unit.path for unit in self.plan.units)
        rests = {
            value[len(path) :]
            for value, path in zip(column.values, paths, strict=True)
            if value.startswith(path)
        }
        if len(rests) != 1 or not all(v.startswith(p) for v, p in zip(column.values, paths, strict=True)):
            return None
        known = next((p for p in self.made if _equal(p.values, paths)), None) or self._make(
            "path", paths, is_path=True
        )
        return f'f"{{{spell(known)}}}{rests.pop()}"'

    def _make(
        self, name: str, values: tuple[Any, ...], default: Any = ..., is_path: bool = False
    ) -> Parameter:
        made = Parameter(self.names.fresh(name), values, default, is_path)
        self.made.append(made)
        return made


def _is_ints(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(v) is int for v in value)


def _equal(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return all(same(x, y) for x, y in zip(a, b, strict=True))


def multiple(base: tuple[Any, ...], values: tuple[Any, ...]) -> str | None:
    """`4 * {}` or `{} // 2`, if that gives the values from the base in every instance."""
    if not all(type(v) is int and v > 0 for v in (*base, *values)):
        return None
    for k in FACTORS:
        if all(v == k * b for v, b in zip(values, base, strict=True)):
            return f"{k} * {{}}"
        if all(k * v == b for v, b in zip(values, base, strict=True)):
            return f"{{}} // {k}"
    return None


def _parametrise(plan: Plan, structure: Structure, of: Mapping[str, Plan]) -> None:
    """Texts of all literals of a class, and its parameters."""
    parameters = _Parameters(plan, of)
    rows = [list(init_sites(structure, unit.path)) for unit in plan.units]
    for sites in zip(*rows, strict=True):
        first = sites[0]
        if isinstance(first, Slot):
            slots = [site for site in sites if isinstance(site, Slot)]
            if all(slot.default is not ... and same(slot.value, slot.default) for slot in slots):
                plan.init_texts.append(None)
                continue
            # A default may depend on another argument, as a pool's stride does on its kernel.
            default = first.default if all(same(slot.default, first.default) for slot in slots) else ...
            column = _Column(tuple(slot.value for slot in slots), first.name, default)
            plan.init_texts.append(parameters.text(column, lambda p: p.name))
        else:
            plan.init_texts.append(_inner_arguments(first, [str(s) for s in sites], of, parameters))
    calls = [call_slots(structure, unit) for unit in plan.units]
    steps = {entry.steps[0] for entry in structure.entries[plan.unit.path]}
    attributes = Names((*steps, *IMPORTED))
    for row in zip(*calls, strict=True):
        column = _Column(tuple(s.value for s in row), row[0].name, row[0].default, row[0].is_path)

        def spell(p: Parameter) -> str:
            if p.name not in plan.stored:
                wanted = f"{p.name}_" if owned_by_module(p.name) else p.name
                plan.stored[p.name] = attributes.fresh(wanted)
            return f"self.{plan.stored[p.name]}"

        plan.call_texts.append(parameters.text(column, spell))
    plan.parameters = sorted(parameters.made, key=lambda p: p.has_default)


def _inner_arguments(
    first: str, paths: list[str], of: Mapping[str, Plan], parameters: _Parameters
) -> list[tuple[str, str]]:
    """(name, text) of each argument of an inner class; what equals the default is left out."""
    inner = of[first]
    rows = [inner.arguments(path) for path in paths]
    made = []
    for cells in zip(*rows, strict=True):
        p = cells[0][0]
        column = _Column(
            tuple(value for _, value in cells), p.name, p.default if p.has_default else ..., p.is_path
        )
        if p.has_default and column.constant and same(column.values[0], p.default):
            continue
        made.append((p.name, parameters.text(column, lambda q: q.name)))
    return made
