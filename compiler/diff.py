"""What differs between two graphs: layers, totals, and which weights of one fit the other.

Layers are matched in one of two ways, whichever leaves less to tell.  By name: those of one name and one
kind belong together, and then what is alike, in order (a rename).  Or first what is alike, in order, and then
by name: so a layer in front, which moves all numbers by one, is one layer more and not a change of every one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from compiler.adapt import Shape
from compiler.align import align
from compiler.declare import Declared, show
from compiler.graph import Graph, Value
from compiler.initial import Initialiser
from compiler.ops.base import BATCH, Op
from compiler.ops.checks import by_sizes
from compiler.summary import Row, Summary, summarise
from compiler.training import TrainSettings, as_written
from compiler.weights import Report, match
from spec_lang.frozen import frozen

#: Longer numbers of a weight are not told one by one.
_LONG = 60

ADDED, REMOVED, CHANGED, RENAMED = "added", "removed", "changed", "renamed"


@frozen
class Detail:
    """One thing that is otherwise: what it is called, and both texts (empty for what is not there)."""

    what: str
    old: str
    new: str


@frozen
class Change:
    """A layer (an input, a raw weight) that is not as it was.

    `kind` is added (no `old`), removed (no `new`), changed, or renamed; a renamed one is of the same type,
    with the same arguments and shapes, and has details where it is wired otherwise or shares its weights.
    """

    kind: str
    old: Row | None
    new: Row | None
    details: tuple[Detail, ...] = ()


@frozen
class Diff:
    """How `new` differs from `old`.

    Attributes:
        names: what to call the two.
        old, new: their summaries.
        alike: how many layers, inputs and raw weights are the same in both.
        changes: the others, in the order in which they run.
        model: what differs that is no layer: outputs, preprocessing, settings of training.
        weights: what becomes of the weights of `old` when they are loaded into `new`, by the rule that
            holds for files (see `compiler.weights.match`).
        shapes: the shape of every weight of the two, by name.
        renames: name in `old` -> name in `new`, for weights of layers that are renamed: those fit, too, if
            somebody renames them.
    """

    names: tuple[str, str]
    old: Summary
    new: Summary
    alike: int
    changes: tuple[Change, ...]
    model: tuple[Detail, ...]
    weights: Report
    shapes: tuple[Mapping[str, Shape], Mapping[str, Shape]]
    renames: Mapping[str, str]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.changes and not self.model and self.weights.fits

    def of_kind(self, kind: str) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind == kind)


def diff(old: Graph, new: Graph) -> Diff:
    """How one graph differs from another."""
    known: dict[Op, int] = {}
    one, other = _Side(old, known), _Side(new, known)
    pairs = _best(one, other)
    back = {b: a for a, b in pairs.items()}
    changes: list[tuple[tuple[int, int, int], Change]] = []
    renames: dict[str, str] = {}
    alike = 0
    behind = -1
    for a, item in enumerate(one.items):
        b = pairs.get(a)
        if b is None:
            changes.append(((behind, 1, a), Change(REMOVED, item.row, None)))
            continue
        behind = b
        to = other.items[b]
        details = (*_details(item, to), *_wiring(one, other, a, b, pairs, back))
        kind = RENAMED if item.name != to.name else CHANGED
        if kind == RENAMED:
            # Alike, and so of the same weights, by the layer's own names.
            renames |= {
                name: to.weights[own] for own, name in item.weights.items() if name != to.weights[own]
            }
        if details or kind == RENAMED:
            changes.append(((b, 0, 0), Change(kind, item.row, to.row, details)))
        else:
            alike += 1
    changes += [
        ((b, 0, 0), Change(ADDED, None, item.row)) for b, item in enumerate(other.items) if b not in back
    ]
    changes.sort(key=lambda entry: entry[0])
    weights = {name: (weight.shape, weight.dtype) for name, weight in old.weights.items()}
    return Diff(
        _labels(old, new),
        one.summary,
        other.summary,
        alike,
        tuple(change for _, change in changes),
        _model(one, other, pairs),
        match(new, weights, training=new.training),
        (_shapes(old), _shapes(new)),
        renames,
    )


def _shapes(graph: Graph) -> dict[str, Shape]:
    return {name: weight.shape for name, weight in graph.weights.items()}


# -- the two sides ---------------------------------------------------------------------------


class _Item(NamedTuple):
    """A row with what it is matched by: name and kind, and what makes it alike to others.

    `op` numbers what is one layer with one set of arguments; `sources` are the items, and which of their
    results, that flow in.
    """

    name: tuple[str, str]  # input, weight or layer, and the name: each has names of its own
    kind: str
    op: int
    inputs: tuple[tuple[int, ...], ...]
    like: Hashable
    row: Row
    sources: tuple[tuple[int, int], ...] = ()
    weights: Mapping[str, str] = {}
    declared: str = ""  # an input as a spec has it


class _Side:
    """A graph as a list of items; `known` numbers the layers of both graphs that are equal."""

    def __init__(self, graph: Graph, known: dict[Op, int]) -> None:
        self.graph = graph
        self.summary = summarise(graph)
        full = graph.with_training
        self.items: list[_Item] = []
        makers: dict[int, tuple[int, int]] = {}
        raw: dict[str, int] = {}
        rows = self.summary.rows
        for value, row in zip(graph.inputs.values(), rows, strict=False):
            makers[id(value)] = (len(self.items), 0)
            declared = _declared(graph, value)
            like: Hashable = ("input", declared)
            self.items.append(_Item(("input", row.name), "input", 0, (), like, row, declared=declared))
        for row in rows[len(graph.inputs) : len(rows) - len(full.nodes)]:
            raw[row.name] = len(self.items)
            like = (row.layer, row.shape)
            self.items.append(_Item(("weight", row.name), "weight", 0, (), like, row, (), {"": row.name}))
        numbers: dict[int, int] = {}  # by identity: layers that are alike share their op

        def source(value: Value) -> tuple[int, int]:
            return (raw[value.weight], 0) if value.weight is not None else makers[id(value)]

        for node, row in zip(full.nodes, rows[len(self.items) :], strict=True):
            op = node.op
            number = numbers.get(id(op))
            if number is None:
                number = numbers[id(op)] = known.setdefault(op, len(known))
            inputs = tuple([value.type.shape for value in node.inputs])
            like = (number, inputs, *[value.type.shape for value in node.outputs], node.training)
            sources = tuple([source(value) for value in node.inputs])
            for at, value in enumerate(node.outputs):
                makers[id(value)] = (len(self.items), at)
            self.items.append(
                _Item(("layer", row.name), op.name, number, inputs, like, row, sources, node.weights)
            )
        self.outputs = {name: source(value) for name, value in full.outputs.items()}


# -- what belongs together -------------------------------------------------------------------


def _best(one: _Side, other: _Side) -> dict[int, int]:
    """The positions that belong together, by the way of matching that leaves less to tell."""
    by_name = _pairs(one, other, names_first=True)
    cost = _cost(one, other, by_name)
    if cost == (0, 0):
        return by_name
    in_order = _pairs(one, other, names_first=False)
    return in_order if _cost(one, other, in_order) < cost else by_name


def _pairs(one: _Side, other: _Side, *, names_first: bool) -> dict[int, int]:
    named = {item.name: b for b, item in enumerate(other.items)}
    pairs: dict[int, int] = {}
    taken: set[int] = set()

    def pair_names(accept: Any) -> None:
        for a, item in enumerate(one.items):
            b = named.get(item.name)
            if a not in pairs and b is not None and b not in taken and accept(item, other.items[b]):
                pairs[a] = b
                taken.add(b)

    if names_first:
        pair_names(lambda item, to: item.kind == to.kind)
    rest_a = [a for a in range(len(one.items)) if a not in pairs]
    rest_b = [b for b in range(len(other.items)) if b not in taken]
    found = align([one.items[a].like for a in rest_a], [other.items[b].like for b in rest_b])
    for i, j in found:
        pairs[rest_a[i]] = rest_b[j]
        taken.add(rest_b[j])
    pair_names(lambda item, to: item.kind == to.kind)
    pair_names(lambda item, to: True)
    return pairs


def _cost(one: _Side, other: _Side, pairs: Mapping[int, int]) -> tuple[int, int]:
    """How many are added, removed, or changed in what they are or where they stand; and how many renamed."""
    back = {b: a for a, b in pairs.items()}
    changed = sum(
        one.items[a].like != other.items[b].like or bool(_wiring(one, other, a, b, pairs, back))
        for a, b in pairs.items()
    )
    renamed = sum(one.items[a].name != other.items[b].name for a, b in pairs.items())
    return len(one.items) + len(other.items) - 2 * len(pairs) + changed, renamed


# -- what differs ----------------------------------------------------------------------------


def _details(item: _Item, to: _Item) -> tuple[Detail, ...]:
    """What is otherwise in two rows that belong together."""
    old, new = item.row, to.row
    found = []
    if old.layer != new.layer:
        found.append(Detail("layer", old.layer, new.layer))
    elif item.op != to.op:
        found.append(Detail("layer", old.layer, f"{new.layer} with other arguments"))  # of a list that is cut
    if old.shape != new.shape:
        found.append(Detail("output", old.volume, new.volume))
    elif item.inputs != to.inputs:
        found.append(Detail("input", _volumes(item.inputs), _volumes(to.inputs)))
    elif item.declared != to.declared:
        found.append(Detail("declared", item.declared, to.declared))
    if old.training != new.training:
        found.append(Detail("training alone", *("yes" if row.training else "no" for row in (old, new))))
    for what, less, more in (("params", old.params, new.params), ("MACs", old.macs, new.macs)):
        if less != more:
            found.append(Detail(what, f"{less:,}", f"{more:,}"))
    return tuple(found)


def _declared(graph: Graph, value: Value) -> str:
    """`[3, H = 224, W = 224]`, and `per image` where it has rows of its own."""
    names = {place: extent for extent, places in graph.free.items() for place in places}
    extents = [
        f"{names[value.name, axis]} = {extent}" if (value.name, axis) in names else str(extent)
        for axis, extent in enumerate(value.shape)
    ]
    return f"[{', '.join(extents)}]{' per image' if value.type.rows != BATCH else ''}"


def _volumes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join(by_sizes((*shape[1:], *shape[:1])) or "1" for shape in shapes)


def _wiring(
    one: _Side, other: _Side, a: int, b: int, pairs: Mapping[int, int], back: Mapping[int, int]
) -> tuple[Detail, ...]:
    """Where something else flows in, though both sources are in both graphs.

    What flows in from a layer that is added, or came from one that is removed, is told by that.
    """
    before, after = one.items[a].sources, other.items[b].sources
    if len(before) != len(after):
        return (Detail("inputs", str(len(before)), str(len(after))),)
    found = []
    for (source, at), (to, at_to) in zip(before, after, strict=True):
        if source in pairs and to in back and (pairs[source], at) != (to, at_to):
            found.append(Detail("from", one.items[source].row.name, other.items[to].row.name))
    return tuple(found)


def _model(one: _Side, other: _Side, pairs: Mapping[int, int]) -> tuple[Detail, ...]:
    """What differs that is no layer."""
    found = []
    for name in dict.fromkeys((*one.outputs, *other.outputs)):
        before, after = one.outputs.get(name), other.outputs.get(name)
        old = one.items[before[0]].row.name if before is not None else ""
        new = other.items[after[0]].row.name if after is not None else ""
        if before is None or after is None or pairs.get(before[0], after[0]) != after[0]:
            found.append(Detail(f"output {name}", old, new))
    a, b = one.graph, other.graph
    steps, new_steps = (" -> ".join(map(_written, graph.preprocess)) for graph in (a, b))
    if steps != new_steps:
        found.append(Detail("preprocess", steps, new_steps))
    settings, new_settings = (graph.settings or TrainSettings() for graph in (a, b))
    for setting in TrainSettings.args():
        old, new = (_value(getattr(each, setting.name)) for each in (settings, new_settings))
        if old != new:
            found.append(Detail(f"train {setting.name}", old, new))
    starts = [
        (name, weight.initialiser, b.weights[name].initialiser)
        for name, weight in a.weights.items()
        if name in b.weights
        and (b.weights[name].shape, b.weights[name].role) == (weight.shape, weight.role)
        and b.weights[name].initialiser != weight.initialiser
    ]
    if starts:
        name, start, new_start = starts[0]
        more = f" and {len(starts) - 1} more" if len(starts) > 1 else ""
        found.append(Detail(f"init {name}{more}", *_starts(start, new_start)))
    return tuple(found)


def _starts(start: Initialiser, other: Initialiser) -> tuple[str, str]:
    """How a weight starts, in two texts that differ."""
    old, new = (
        f"value = {show(dict(one.arguments)['values'])}" if one.rule == "value" else one.described
        for one in (start, other)
    )
    if start.rule == other.rule == "value" and max(len(old), len(new)) > _LONG:
        return "its numbers", "other numbers"
    return (old if len(old) <= _LONG else "its numbers"), (new if len(new) <= _LONG else "its numbers")


def _written(step: Declared) -> str:
    """A step or a setting as a spec has it, with all its arguments."""
    parts = [f"{a.name} = {as_written(getattr(step, a.name))}" for a in step.args()]
    return f"{step.name}({', '.join(parts)})" if parts else step.name


def _value(value: Any) -> str:
    return _written(value) if isinstance(value, Declared) else as_written(value)


def _labels(old: Graph, new: Graph) -> tuple[str, str]:
    """What to call the two: by their names, else by the arguments or the files in which they differ."""
    if old.name != new.name:
        return old.name, new.name
    differing = [
        name
        for name in dict.fromkeys((*old.arguments, *new.arguments))
        if old.arguments.get(name) != new.arguments.get(name)
    ]
    if differing:

        def called(graph: Graph) -> str:
            given = [f"{n} = {show(graph.arguments[n])}" for n in differing if n in graph.arguments]
            return f"{graph.name}({', '.join(given)})"

        return called(old), called(new)
    if old.source_name != new.source_name:
        return f"{old.name} ({old.source_name})", f"{new.name} ({new.source_name})"
    return old.name, new.name
