"""Views of a summary: blocks folded into one row each, and rows in another order.

Both keep the totals: what a folded row says is the sum of what it stands for, and where it ends.
"""

from __future__ import annotations

from collections import Counter

from compiler.graph import Graph, Node, Scope
from compiler.summary import Row, Summary
from spec_lang.frozen import replace

_Key = tuple[str, int]


def fold(summary: Summary, graph: Graph, depth: int) -> Summary:
    """The summary with layers whose paths have more than `depth` steps folded into rows for the first steps.

    `layer1.0.conv1` is a part of `layer1` at depth 1, and of `layer1.0` at depth 2; at depth 0 everything
    is a part of the model.  A shared block has a row for each time it is applied.  A row stands where its
    first layer does; its output and receptive field are those of its last one.
    """
    nodes = graph.with_training.nodes
    start = len(summary.rows) - len(nodes)
    around: dict[int, tuple[Scope, ...]] = {}
    groups: dict[_Key, list[tuple[Row, Node]]] = {}
    for row, node in zip(summary.rows[start:], nodes, strict=True):
        steps = node.path.split(".")
        if len(steps) <= depth:
            groups[row.name, id(node)] = [(row, node)]
        else:
            key = (".".join(steps[:depth]), _application(node.scope, steps[:depth], around))
            groups.setdefault(key, []).append((row, node))

    # Raw weights come first in a summary; those of a folded block are a part of its first row.
    front: list[Row] = []
    folded = {name for name, _ in groups}
    owned: dict[str, list[Row]] = {}
    for row in summary.rows[:start]:
        steps = row.name.split(".")
        prefix = ".".join(steps[:depth])
        if row.kind != "weight" or len(steps) <= depth or prefix not in folded:
            front.append(row)
        else:
            owned.setdefault(prefix, []).append(row)
    rows = front
    names = Counter(row.name for row in front)
    for (name, _), members in groups.items():
        row, node = members[0]
        if len(node.path.split(".")) > depth:
            row = _folded(name, members, owned.pop(name, []), graph)
        taken = names[row.name]
        names[row.name] += 1
        rows.append(row._replace(name=f"{row.name}_{taken + 1}") if taken else row)
    return replace(summary, rows=tuple(rows), depth=depth)


def _application(scope: Scope, prefix: list[str], around: dict[int, tuple[Scope, ...]]) -> int:
    """Which application this is of the innermost shared block that a prefix lies in; else 0."""
    chain: list[Scope] = []
    walk: Scope | None = scope
    while walk is not None and id(walk) not in around:
        chain.append(walk)
        walk = walk.parent
    shared = around[id(walk)] if walk is not None else ()
    for one in reversed(chain):
        if one.absolute is not None:
            shared = (*shared, one)
        around[id(one)] = shared
    for one in reversed(around[id(scope)]):
        steps = ".".join(one.absolute or ()).split(".")
        if prefix[: len(steps)] == steps:
            return id(one)
    return 0


def _folded(name: str, members: list[tuple[Row, Node]], weights: list[Row], graph: Graph) -> Row:
    """The row of a whole block."""
    parts = [*weights, *(row for row, _ in members)]
    last = members[-1][0]
    kind, what = _what(name, members[0][1].scope)
    count = len(members)
    return Row(
        name or graph.name,
        f"{what}, {count:,} layer{'s' if count > 1 else ''}",
        last.shape,
        memory=sum([row.memory for row in parts]),
        weights=sum([row.weights for row in parts]),
        biases=sum([row.biases for row in parts]),
        params=sum([row.params for row in parts]),
        macs=sum([row.macs for row in parts]),
        flops=sum([row.flops for row in parts]),
        field=last.field,
        jump=last.jump,
        training=all(row.training for row, _ in members),
        kind=kind,
        layers=count,
    )


def _what(path: str, scope: Scope) -> tuple[str, str]:
    """The kind of scope that has this path, and what to call it: a block's name, or the kind."""
    found = None
    walk: Scope | None = scope
    while walk is not None:
        if walk.kind != "join" and walk.path == path:
            found = walk  # the outermost one wins
        walk = walk.parent
    if found is None:
        return "group", "group"  # the steps come from labels with dots
    return found.kind, found.name if found.kind == "block" else found.kind


def sort(summary: Summary, by: str) -> Summary:
    """The summary with its rows by one of `SORTS`, largest first; equal ones stay in their order."""
    if by == "order":
        return summary
    rows = sorted(summary.rows, key=lambda row: -int(getattr(row, by)))
    return replace(summary, rows=tuple(rows), sort=by)
