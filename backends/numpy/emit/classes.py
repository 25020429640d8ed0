"""Which blocks share a class, and what its constructor takes.

Two blocks share a class if their statements are equal but for numbers and choices.  Those that are equal
in all of them stay where they are; the others become parameters of the constructor, named
after the block's own parameters where these carry the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backends.numpy.emit.base import Expression, shown
from backends.numpy.emit.body import Body
from backends.numpy.emit.names import ATTRIBUTES
from backends.numpy.emit.network import Network, Statement
from backends.numpy.emit.scopes import Unit
from backends.numpy.emit.slots import Pieces, Slot, is_slot, kernel, masked, parts, signature
from backends.numpy.include import kernels
from backends.writer import Names, pascal

#: How often blocks that cannot be called as they are may be found before all are written in place.
_ROUNDS = 50
#: What a file calls by these names beside its kernels.
FILE_NAMES = ("Any", "Array", "Arrays", "Iterator", "Mapping", "TypeAlias")


@dataclass
class Parameter:
    """A parameter of a constructor: one text per block."""

    name: str
    texts: tuple[str, ...]
    default: str | None = None


@dataclass(eq=False)
class Plan:
    """A class to be written, and the blocks that are its instances."""

    base: str
    bodies: list[Body] = field(default_factory=list)
    name: str = ""
    parameters: list[Parameter] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)  # parameter -> attribute
    forward: list[Statement] = field(default_factory=list)
    backward: list[Statement] = field(default_factory=list)
    inner: list[list[tuple[str, str]]] = field(default_factory=list)  # arguments of each block inside

    @property
    def body(self) -> Body:
        """The block that stands for all where they are alike."""
        return self.bodies[0]

    @property
    def rest(self) -> int | None:
        """From which statement on all that `backward` does is for the inputs of the model."""
        found = (body.backward.rest for body in self.bodies)
        return next((rest for rest in found if rest is not None), None)


@dataclass(frozen=True)
class Place:
    """Where a block is applied: its statements, and its class."""

    body: Body
    plan: Plan


@dataclass
class Classes:
    """The model's own body, and the classes of its blocks, inner ones first."""

    model: Body
    plans: list[Plan]
    places: Mapping[Unit, Place]

    def arguments(self, unit: Unit) -> list[tuple[str, str]]:
        """(name, text) of each argument of a block beside its path; what equals the default is left out."""
        place = self.places[unit]
        which = place.plan.bodies.index(place.body)
        return [(p.name, p.texts[which]) for p in place.plan.parameters if p.texts[which] != p.default]


def classes_of(net: Network, model: str) -> Classes:
    """The classes of a network; `model` is the name of its own."""
    inline: set[str] = set()
    for _ in range(_ROUNDS):
        net.begin()
        units = net.units(inline)
        odd: set[str] = set()
        places = _places(net, units, odd)
        body = Body(net, units[0], places, odd)
        if not odd:
            break
        inline |= odd
    else:
        net.begin()
        inline |= {unit.path for unit in net.units(set())}
        (unit,), places = net.units(inline), {}
        body = Body(net, unit, places, set())
    plans = list(dict.fromkeys(place.plan for place in places.values()))
    _name(plans, model)
    classes = Classes(body, plans, places)
    for plan in plans:
        _parametrise(plan, classes)
    return classes


def _places(net: Network, units: Sequence[Unit], odd: set[str]) -> dict[Unit, Place]:
    """The body and the class of each block."""
    plans: dict[Any, Plan] = {}
    places: dict[Unit, Place] = {}
    rests: dict[int, set[int]] = {}  # by the identity of the plan: where the rest of its bodies begins
    for unit in sorted(units[1:], key=lambda unit: -sum(1 for _ in unit.chain)):
        body = Body(net, unit, places, odd)
        base = pascal(unit.scope.name)
        plan = plans.setdefault((base, _key(body, places)), Plan(base))
        plan.bodies.append(body)
        places[unit] = Place(body, plan)
        rest = rests.setdefault(id(plan), set())
        if body.backward.rest is not None:
            rest.add(body.backward.rest)
        if len(rest) > 1:
            odd.add(unit.path)
    return places


def _key(body: Body, places: Mapping[Unit, Place]) -> Any:
    """What a body does, without numbers and choices."""
    statements = tuple(
        (one.targets, masked(one.expression), one.training, one.loop)
        for one in (*body.forward, *body.backward.statements)
    )
    inner = tuple(
        (id(places[unit].plan), body.unit.relative(unit.path))
        for unit in body.unit.items
        if isinstance(unit, Unit)
    )
    gives = tuple(body.locals[value] for value in body.backward.gives)
    results = tuple(body.locals[value] for value in body.unit.outputs)
    ways = (len(body.forward), tuple(body.parameters), tuple(body.backward.arguments))
    return (*ways, statements, inner, gives, results, body.unit.drops)


# ---- parameters ------------------------------------------------------------------------


class _Parameters:
    """Finds the text of each slot, making parameters where blocks differ."""

    def __init__(self, plan: Plan, classes: Sequence[Plan]) -> None:
        self.plan = plan
        # What the constructor reads beside its parameters.
        self.names = Names(("self", "path", "i", "range", *(one.name for one in classes)))
        arguments = [body.unit.scope.arguments for body in plan.bodies]
        self.arguments = {
            name: _texts([given.get(name) for given in arguments]) for name in arguments[0]
        }
        #: By the name that is wanted: what agrees by chance alone stays apart.
        self.made: dict[tuple[str, tuple[str, ...]], Parameter] = {}

    def text(self, name: str, texts: tuple[str, ...], default: str | None = None) -> str | Parameter:
        """The text that all blocks have, or the parameter that gives it."""
        if len(set(texts)) == 1:
            return texts[0]
        like = [own for own, given in self.arguments.items() if given == texts]
        wanted = like[0] if like and name not in like else name
        made = self.made.get((wanted, texts))
        if made is None:
            own = self.names.fresh(wanted.lstrip("_") or name)  # two in front mean something to Python
            made = self.made[wanted, texts] = Parameter(own, texts)
        made.default = made.default or (default if default in texts else None)
        return made


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    """A block's argument in all instances; 2 beside 0.5 is 2.0, as the layers have it."""
    if float in map(type, values):
        values = [float(value) if type(value) is int else value for value in values]
    return tuple(map(_text, values))


def _text(value: Any) -> str:
    """A block's argument as the emitters write it."""
    plain = isinstance(value, (bool, int, float)) or (
        isinstance(value, (tuple, list)) and all(isinstance(one, (int, float)) for one in value)
    )
    return shown(tuple(value) if isinstance(value, list) else value) if plain else ""


def _parametrise(plan: Plan, classes: Classes) -> None:
    """The statements of a class, its parameters, and the arguments of the blocks inside."""
    found = _Parameters(plan, classes.plans)
    attributes = Names((*ATTRIBUTES, *plan.body.attributes))

    def stored(text: str | Parameter) -> str:
        if isinstance(text, str):
            return text
        if text.name not in plan.stored:
            plan.stored[text.name] = attributes.fresh(text.name)
        return f"self.{plan.stored[text.name]}"

    remarks = _Remarks()
    ways = (
        (plan.forward, [body.forward for body in plan.bodies]),
        (plan.backward, [body.backward.statements for body in plan.bodies]),
    )
    for target, written in ways:
        for row in zip(*written, strict=True):
            expression = _merged([one.expression for one in row], found, stored)
            target.append(replace(row[0], expression=expression, remark=remarks.of([r.remark for r in row])))
    inner = [[unit for unit in body.unit.items if isinstance(unit, Unit)] for body in plan.bodies]
    for units in zip(*inner, strict=True):
        parameters = classes.places[units[0]].plan.parameters
        which = [classes.places[unit].plan.bodies.index(classes.places[unit].body) for unit in units]
        arguments = []
        for p in parameters:
            text = found.text(p.name, tuple(p.texts[i] for i in which), p.default)
            if text != p.default:
                arguments.append((p.name, text if isinstance(text, str) else text.name))
        plan.inner.append(arguments)
    plan.parameters = sorted(found.made.values(), key=lambda p: p.default is not None)


def _merged(row: Sequence[Expression], found: _Parameters, stored: Any) -> Expression:
    """The expressions of one statement in all blocks as one."""
    first = row[0]
    rows = [parts(expression) for expression in row]
    plain = [_joined(column, found, stored) for column in zip(*[p for p, _ in rows], strict=True)]
    if isinstance(first, str):
        return plain[0]
    arguments = plain[1:]
    taken = signature(kernel(first))
    names = dict.fromkeys(name for _, named in rows for name in named)
    for name in sorted(names, key=lambda n: list(taken).index(n) if n in taken else -1):
        columns = [named.get(name) for _, named in rows]
        if name == "inputs":
            arguments.append("inputs=inputs")
            continue
        default = taken.get(name)
        filled = [(Slot(name, default or "None"),) if pieces is None else pieces for pieces in columns]
        if all(map(is_slot, filled)):
            texts = tuple(piece.text for pieces in filled for piece in pieces if isinstance(piece, Slot))
            if set(texts) != {default}:
                arguments.append(f"{name}={stored(found.text(name, texts, default))}")
        else:
            arguments.append(f"{name}={_joined(filled, found, stored)}")
    return replace(first, callee=plain[0], arguments=tuple(arguments))


def _joined(column: Sequence[Pieces], found: _Parameters, stored: Any) -> str:
    """The same pieces of every block as one text."""
    made = ""
    for cells in zip(*column, strict=True):
        slots = [cell for cell in cells if isinstance(cell, Slot)]
        if slots:
            made += stored(found.text(slots[0].name, tuple(slot.text for slot in slots)))
        else:
            made += str(cells[0])
    return _SLICE.sub(_apart, made)


#: One slice between brackets and commas.
_SLICE = re.compile(r"(?<=[\[ ])[\w.]*(?::[\w.]*)+(?=[\],])")


def _apart(found: re.Match[str]) -> str:
    """A slice as ruff writes it: spaces around the colon where a bound is more than a name or a number."""
    return found[0].replace(":", " : ").strip() if "." in found[0] else found[0]


class _Remarks:
    """Shapes in remarks; extents that differ between blocks go by a letter, or a multiple of it."""

    _AXES = {1: "C", 2: "CL", 3: "CHW", 4: "CDHW"}

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[str, tuple[int, ...]]]] = {}

    def of(self, remarks: Sequence[str]) -> str:
        if len(set(remarks)) == 1:
            return remarks[0]
        rows = [remark.strip("[]").split(", ")[1:] for remark in remarks]
        if len({len(row) for row in rows}) > 1 or len(rows[0]) not in self._AXES:
            return ""
        letters = self._AXES[len(rows[0])]
        columns = zip(letters, zip(*rows, strict=True), strict=True)
        return f"[{', '.join(['N', *(self._extent(letter, texts) for letter, texts in columns)])}]"

    def _extent(self, letter: str, texts: tuple[str, ...]) -> str:
        if len(set(texts)) == 1:
            return texts[0]
        free = "~" if any(text.startswith("~") for text in texts) else ""
        values = tuple(int(text.lstrip("~")) for text in texts)
        known = self._known.setdefault(letter, [])
        for name, base in known:
            if values == base:
                return free + name
        for name, base in known:
            for k in range(2, 9):
                if values == tuple(k * b for b in base):
                    return f"{free}{k}{name}"
                if tuple(k * v for v in values) == base:
                    return f"{free}{name}/{k}"
        name = f"{letter}{len(known) + 1 if known else ''}"
        known.append((name, values))
        return free + name


# ---- names -----------------------------------------------------------------------------


def _name(plans: Sequence[Plan], model: str) -> None:
    """Names for the classes; a variant that has more is named after what it has beyond the first."""
    names = Names((*kernels(), *FILE_NAMES, model))
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        groups.setdefault(plan.base, []).append(plan)
    for base, group in groups.items():
        group.sort(key=lambda plan: len(_steps(plan.body)))
        first = _steps(group[0].body)
        for plan in group:
            extra = [step for step in _steps(plan.body) if step not in first]
            wanted = base
            if plan is not group[0]:
                wanted = base + pascal(extra[0]) if extra and not extra[0][:1].isdigit() else f"{base}2"
            count = 2
            while wanted != base and (wanted in groups or any(wanted == one.name for one in plans)):
                count += 1
                wanted = f"{base}{count}"
            plan.name = names.fresh(wanted)


def _steps(body: Body) -> dict[str, None]:
    """What stands right under a block's path."""
    paths: list[str] = []
    for item in body.unit.items:
        paths += [item.path] if isinstance(item, Unit) else item.weights.values()
    return dict.fromkeys(body.unit.relative(path).split(".")[0] for path in paths)
