"""A diff that shows itself: as text with `str`, or in so many columns, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from cnnc.render.table import table
from compiler import diff as plain
from compiler.diff import ADDED, CHANGED, REMOVED, RENAMED, Change
from compiler.graph import Graph
from compiler.summary import Row, Summary, megabytes, row_as_data
from compiler.weights import SHOWN, show_shape
from spec_lang.frozen import fields, frozen
from spec_lang.render import escape

_SIGNS = {ADDED: "+", REMOVED: "-", CHANGED: "~", RENAMED: ">"}
#: Names are padded to one width, but a long one pushes nobody else away.
_NAME = 32


@frozen
class Diff(plain.Diff):
    """What differs as data (see `compiler.diff`), and ways to look at it."""

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The diff as text; lines longer than `width` go on below, indented."""
        lines = [*_head(self), *_changes(self), *_totals(self, width), *_weights(self)]
        if width is not None:
            lines = [part for line in lines for part in _wrapped(line, width)]
        return "\n".join([*(escape(line) for line in lines), ""])

    def as_data(self) -> dict[str, Any]:
        """The diff as plain dictionaries, lists and numbers."""
        return _as_data(self)

    def to_json(self) -> str:
        return json.dumps(self.as_data(), indent=2) + "\n"


def diff_of(old: Graph, new: Graph) -> Diff:
    """What differs between two graphs."""
    data = plain.diff(old, new)
    return Diff(*(getattr(data, name) for name in fields(plain.Diff)))


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    indent = "    " if width >= 20 else ""
    return textwrap.wrap(
        line, max(width, 1), subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True
    )


# -- text ------------------------------------------------------------------------------------


def _head(diff: Diff) -> Iterator[str]:
    old, new = diff.names
    yield f"{old} -> {new}"
    yield ""
    if diff.same:
        yield "the same: layers, wiring, weights, preprocessing and settings of training"
        return
    counts = [f"{len(diff.of_kind(kind)):,} {kind}" for kind in _SIGNS if diff.of_kind(kind)]
    yield ", ".join([f"{diff.alike:,} alike", *counts])
    yield ""


def _changes(diff: Diff) -> Iterator[str]:
    names = [_name(change) for change in diff.changes] + [detail.what for detail in diff.model]
    width = max([len(name) for name in names if len(name) <= _NAME], default=0)
    for change, name in zip(diff.changes, names, strict=False):
        yield f"{_SIGNS[change.kind]} {name.ljust(width)}  {_told(change)}".rstrip()
    for detail in diff.model:
        yield f"~ {detail.what.ljust(width)}  {detail.old or 'none'} -> {detail.new or 'none'}"
    if names:
        yield ""


def _name(change: Change) -> str:
    old, new = change.old, change.new
    if old is None or new is None:
        row = new or old
        assert row is not None
        return row.name
    return old.name if old.name == new.name else f"{old.name} -> {new.name}"


def _told(change: Change) -> str:
    """What stands behind the name of a layer."""
    parts = []
    if change.kind != CHANGED:
        row = change.new or change.old
        assert row is not None
        parts += [row.layer + (" (training)" if row.training else ""), row.volume]
        if change.kind != RENAMED:
            parts += [f"{n:,} {what}" for n, what in ((row.params, "params"), (row.macs, "MACs")) if n]
    for detail in change.details:
        what = "" if detail.what == "layer" else f"{detail.what} "
        parts.append(f"{what}{detail.old} -> {detail.new}")
    return "; ".join(parts)


def _totals(diff: Diff, width: int | None) -> Iterator[str]:
    """A table, or where that is too wide a line for each."""
    if diff.same:
        return
    rows = []
    for what, old, new in _numbers(diff):
        written = megabytes if what.endswith("memory") else "{:,}".format
        change = new - old
        sign = "+" if change > 0 else "-"
        told = f"{sign}{written(abs(change))}" if change else ""
        share = f"{100 * change / old:+.1f} %" if change and old else ""
        rows.append((what, written(old), written(new), told, share))
    lines = table(("", *diff.names, "difference", ""), rows, right=(1, 2, 3, 4)).splitlines()
    if width is None or max(map(len, lines)) <= width:
        yield from lines
    else:
        for what, before, after, told, share in rows:
            yield f"{what}: {before}" + (f" -> {after}  {told}  {share}".rstrip() if told else "")
    yield ""


def _numbers(diff: plain.Diff) -> list[tuple[str, int, int]]:
    """The totals, the memory in bytes."""
    old, new = diff.old, diff.new
    assert old.usage is not None and new.usage is not None
    return [
        ("layers", _layers(old), _layers(new)),
        ("parameters", old.params, new.params),
        ("MACs", old.macs, new.macs),
        ("inference memory", old.usage.inference.total, new.usage.inference.total),
        ("training memory", old.usage.training.total, new.usage.training.total),
    ]


def _layers(summary: Summary) -> int:
    return sum(row.kind not in ("input", "weight") for row in summary.rows)


def _weights(diff: Diff) -> Iterator[str]:
    old, new = diff.names
    report, (had, wanted) = diff.weights, diff.shapes
    carried = sum(_elements(wanted[name]) for name in report.matched)
    yield (
        f"weights of {old} that fit {new}, by name and shape: {len(report.matched):,} of {len(wanted):,}, "
        f"{carried:,} of {sum(map(_elements, wanted.values())):,} values"
    )
    if diff.renames:
        values = sum(_elements(had[name]) for name in diff.renames)
        yield f"  under the new names of their layers fit {len(diff.renames):,} of {old}, {values:,} values"
    listed = (
        (
            "another shape",
            [f"{m.name} {show_shape(m.found)} -> {show_shape(m.wanted)}" for m in report.misshaped],
        ),
        ("missing", [f"{name} {show_shape(wanted[name])}" for name in report.missing]),
        ("missing, for training alone", [f"{name} {show_shape(wanted[name])}" for name in report.absent]),
        ("left over", [f"{name} {show_shape(had[name])}" for name in report.unexpected]),
    )
    for what, names in listed:
        if names:
            more = f", and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
            yield f"  {what} ({len(names):,}): {', '.join(names[:SHOWN])}{more}"


def _elements(shape: Sequence[int]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


# -- data ------------------------------------------------------------------------------------


def _as_data(diff: Diff) -> dict[str, Any]:
    def row(one: Row | None) -> dict[str, Any] | None:
        return None if one is None else row_as_data(one)

    def details(found: Sequence[plain.Detail]) -> list[dict[str, str]]:
        return [{"what": d.what, "old": d.old, "new": d.new} for d in found]

    report, (had, wanted) = diff.weights, diff.shapes
    return {
        "old": diff.names[0],
        "new": diff.names[1],
        "same": diff.same,
        "alike": diff.alike,
        "changes": [
            {"kind": c.kind, "old": row(c.old), "new": row(c.new), "details": details(c.details)}
            for c in diff.changes
        ],
        "model": details(diff.model),
        "totals": {
            what.replace(" ", "_").lower(): {"old": old, "new": new, "difference": new - old}
            for what, old, new in _numbers(diff)
        },
        "weights": {
            "tensors": len(wanted),
            "values": sum(map(_elements, wanted.values())),
            "carried": len(report.matched),
            "carried_values": sum(_elements(wanted[name]) for name in report.matched),
            "misshaped": [
                {"name": m.name, "old": list(m.found), "new": list(m.wanted)} for m in report.misshaped
            ],
            "renames": dict(diff.renames),
            "missing": [{"name": name, "shape": list(wanted[name])} for name in report.missing],
            "missing_in_training": [{"name": name, "shape": list(wanted[name])} for name in report.absent],
            "left_over": [{"name": name, "shape": list(had[name])} for name in report.unexpected],
        },
    }
