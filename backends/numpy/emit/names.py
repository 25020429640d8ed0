"""The names of what a class holds: its locals in `forward`, its blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from backends.numpy.emit.network import Network
from backends.numpy.emit.scopes import Item, Run, Unit, counted_paths
from backends.numpy.include import kernels
from backends.writer import Names
from compiler.graph import Value

#: Names that `forward` uses for itself; those of `backward` begin with `d_` and meet none.
RESERVED = (
    "np",
    "self",
    "w",
    "s",
    "x",
    "training",
    "keep",
    "outputs",
    "weights",
    "saved",
    "generator",
    "block",
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


def named(
    net: Network, unit: Unit, items: Sequence[Item], loops: Iterable[str]
) -> tuple[dict[Value, str], set[Value]]:
    """The local of each value, and those that are `x`; `loops` are the variables of loops.

    What the next line alone takes is `x`, so that it can be let go; everything else has a name of
    its own, the user's where there is one.
    """
    in_block = unit.parent is not None
    uses: dict[Value, list[int]] = {}
    for place, item in enumerate(items):
        for value in item.inputs:
            uses.setdefault(net.original(value), []).append(place)
    results = {value: name for name, value in reversed(net.outputs.items())} if not in_block else {}
    for value in unit.outputs if in_block else ():  # what is returned alone is let go
        uses.setdefault(value, []).extend([len(items)] * len(unit.outputs))
    names = Names((*kernels(), *RESERVED, *loops))
    found: dict[Value, str] = {}
    chained: set[Value] = set()
    if not in_block:
        for name, value in net.graph.inputs.items():
            found[value] = names.fresh(name)
    for value in unit.inputs if in_block else ():
        if len(unit.inputs) == 1 and uses.get(value) == [0]:
            found[value] = "x"
            chained.add(value)
        else:
            found[value] = names.fresh("x_in")
    for place, item in enumerate(items):
        for value in item.outputs:
            called = value.name or net.names.get(value, "") or results.get(value, "")
            if in_block and value in unit.outputs:
                called = ""  # what it is called is a matter of the place
            if not called and uses.get(value) == [place + 1] and len(item.outputs) == 1:
                found[value] = "x"
                chained.add(value)
            else:
                source = item.path if isinstance(item, Unit) and len(item.outputs) == 1 else None
                made = unit.relative(source or net.producer[value].name)
                found[value] = names.fresh(called or made)
    return found, chained


def attached(unit: Unit, items: Sequence[Item]) -> dict[Unit | Run, str]:
    """The attributes of the blocks inside; a list is named after what its paths have in common.

    Where several have the same in common, after the first and the last of their numbers, too.
    """
    names = Names(ATTRIBUTES)
    found: dict[Unit | Run, str] = {}
    common: dict[Run, str] = {}
    ranges: dict[Run, str] = {}
    for item in items:
        if isinstance(item, Run):
            paths = [unit.relative(one.path) for one in item.units]
            counted = counted_paths(paths)
            shared = counted[0] if counted is not None else os.path.commonprefix(paths)
            common[item] = shared.strip("_-.") or "blocks"
            if counted is not None:
                ranges[item] = f"_{counted[1]}_{counted[1] + len(paths) - 1}"
    for item in items:
        if isinstance(item, Run):
            several = list(common.values()).count(common[item]) > 1
            found[item] = names.fresh(common[item] + (ranges.get(item, "") if several else ""))
        elif isinstance(item, Unit):  # two underscores in front mean something to Python
            found[item] = names.fresh(unit.relative(item.path).strip("_") or "block")
    return found
