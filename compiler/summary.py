"""The table of a model: volume, memory, weights, MACs and receptive field of every layer, and the totals.

The data is here, with a plain rendering, JSON and HTML; the command line draws it for a terminal.
Volumes are written as lectures do, height by width by channels (`224x224x64`).
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from compiler import cost
from compiler.declare import Arg, Axis, BadValue, Context, Pads, PerAxis, Tensor, show
from compiler.graph import Graph, Node, Value
from compiler.memory import Usage, usage
from compiler.memory import as_data as usage_as_data
from compiler.ops.base import TensorType
from compiler.ops.checks import as_tuple, axis_name, by_sizes
from compiler.ops.dense import Fc
from compiler.ops.reshape import Flatten
from spec_lang.frozen import frozen


class Row(NamedTuple):
    """One line: an input, a raw weight, or a layer.

    `shape` is [C, H, W] without the batch.  `memory` counts numbers, 0 for what works in place;
    `weights` are the numbers without `biases`, `params` the trainable ones of both.  Formulas are empty
    where there is nothing to multiply.  `field` and `jump` are per spatial axis, None where
    no spatial axis is left.  `kind` is input, weight, or the layer's name; for a folded row, which
    stands for several `layers`, it is block, seq, group or model.  A row that is there for
    `training` alone has weights, but costs nothing at inference.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    memory_formula: str = ""
    memory: int = 0
    weights_formula: str = ""
    weights: int = 0
    biases: int = 0
    params: int = 0
    macs: int = 0
    flops: int = 0
    field: tuple[int, ...] | None = None
    jump: tuple[int, ...] | None = None
    training: bool = False
    kind: str = ""
    layers: int = 1

    @property
    def volume(self) -> str:
        """The shape as lectures write it: `224x224x64`; that of a raw weight as it is."""
        if self.kind == "weight":
            return by_sizes(self.shape) or "1"
        return by_sizes((*self.shape[1:], *self.shape[:1])) or "1"

    @property
    def memory_text(self) -> str:
        """`224*224*64 = 3.2M`; empty for what works in place."""
        if not self.memory:
            return ""
        return (
            f"{self.memory_formula} = {short(self.memory)}"
            if "*" in self.memory_formula
            else self.memory_formula or f"{self.memory:,}"
        )

    @property
    def weights_text(self) -> str:
        """`(3*3*3)*64 = 1,728`; empty without weights."""
        if not self.weights:
            return ""
        return (
            f"{self.weights_formula} = {self.weights:,}"
            if "*" in self.weights_formula
            else f"{self.weights:,}"
        )


@frozen
class Summary:
    """The rows of a model in the order in which they run, and its totals.

    `memory` counts numbers (see `Graph.memory`); `memory_bytes` is that in float32.  `weights` and
    `biases` are the sums of their columns, frozen ones included; `params` counts what is trained.
    `usage` is the memory for inference and for training; `depth` and `sort` say what view this is
    (see `compiler.fold`).
    """

    model: str
    rows: tuple[Row, ...]
    params: int
    weights: int
    biases: int
    macs: int
    flops: int
    memory: int
    free: tuple[str, ...] = ()
    usage: Usage | None = None
    depth: int | None = None
    sort: str = "order"

    @property
    def memory_bytes(self) -> int:
        return cost.FLOAT32_BYTES * self.memory


def short(count: int) -> str:
    """A number to two digits, as lectures print it: `3.2M`, `150K`, `25K`.

    >>> short(3_211_264), short(150_528), short(999_999), short(784)
    ('3.2M', '150K', '1M', '784')
    """
    if count < 1000:
        return str(count)
    digits = len(str(count))
    rounded = (count + 5 * 10 ** (digits - 3)) // 10 ** (digits - 2) * 10 ** (digits - 2)
    for unit, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (1000, "K")):
        if rounded >= unit:
            tenths = rounded * 10 // unit
            return f"{tenths // 10}{'.' + str(tenths % 10) if tenths % 10 else ''}{letter}"
    raise AssertionError(count)


def summarise(graph: Graph, batch: int = 1) -> Summary:
    """The summary of a graph; `batch` images at a time are what its memory in use is counted for."""
    full = graph.with_training
    names = _names(full)
    rows = [
        Row(name, "input", v.shape, formula(v.type), v.type.elements, kind="input")
        for name, v in graph.inputs.items()
    ]
    rows += [
        Row(
            weight.name,
            "weight" if weight.trainable else "weight(trainable = false)",
            weight.shape,
            weights_formula="*".join(map(str, weight.shape)),
            weights=weight.elements if cost.counts(weight) else 0,
            params=weight.elements if weight.trainable else 0,
            training=weight.training,
            kind="weight",
        )
        for weight in graph.weights.values()
        if weight.layer == "weight"
    ]
    texts: dict[tuple[int, int], str] = {}
    volumes: dict[int, str] = {}
    formulas: dict[tuple[int, ...], str] = {}
    for node, macs, flops, memory, _, weights, biases, params, field in cost.costs(full):
        op, type = node.op, node.outputs[0].type
        # Layers that are alike share their op, and only arguments that are tensors tell them apart.
        like = (id(node), 0) if op.tensor_args() else (id(op), node.inputs[0].type.rank)
        text = texts.get(like)
        if text is None:
            text = texts[like] = layer_text(node, names)
        if node.training and not graph.training:
            macs = flops = memory = 0
        volume = multiplied = ""
        if memory:
            volume = volumes.get(id(type)) or volumes.setdefault(id(type), formula(type))
        if weights:
            shape = full.weights[node.weights["weight"]].shape
            if isinstance(op, Fc) and op.axis is None and len(shape) == 2:
                multiplied = f"{formula(_in_front(full, node) or TensorType(shape[1:]))}*{shape[0]}"
            else:
                multiplied = formulas.get(shape) or formulas.setdefault(shape, _weights_formula(shape))
        size, jump = field or (None, None)
        rows.append(
            Row(
                node.name,
                text,
                type.shape,
                volume,
                memory,
                multiplied,
                weights,
                biases,
                params,
                macs,
                flops,
                size,
                jump,
                node.training,
                op.name,
            )
        )
    return Summary(
        graph.name,
        tuple(rows),
        graph.params,
        sum([row.weights for row in rows]),
        sum([row.biases for row in rows]),
        graph.macs,
        sum([row.flops for row in rows]),
        graph.memory,
        tuple(f"{name} = {graph.inputs[at].shape[axis]}" for name, ((at, axis), *_) in graph.free.items()),
        usage(graph, batch),
    )


def _names(graph: Graph) -> dict[int, str]:
    """What each value is called, by its identity: only arguments that are tensors name one."""
    if not any(node.op.tensor_args() for node in graph.nodes):
        return {}
    names = {id(value): name for name, value in graph.inputs.items()}
    for node in graph.nodes:
        for value in node.outputs:
            names[id(value)] = value.name or node.name
    return names


def formula(x: TensorType) -> str:
    """The product that gives the number of elements, channels last: `224*224*64`."""
    return "*".join(map(str, (*x.shape[1:], *x.shape[:1]))) or "1"


def _weights_formula(shape: tuple[int, ...]) -> str:
    """`(3*3*3)*64` for a convolution, `512*10` for a matrix, else the number."""
    if len(shape) > 2:
        return f"({'*'.join(map(str, (*shape[2:], shape[1])))})*{shape[0]}"
    return "*".join(map(str, reversed(shape)))


def _in_front(graph: Graph, node: Node) -> TensorType | None:
    """The map that a flatten in front of this layer makes a vector of; None if there is none."""
    value: Value = node.inputs[0]
    while (maker := graph.producer.get(value)) is not None:
        if isinstance(maker.op, Flatten):
            return maker.input_types[0]
        if maker.op.new_volume(maker.input_types):
            return None
        value = maker.inputs[0]
    return None


# -- the layer as a spec has it ------------------------------------------------------------


def layer_text(node: Node, names: dict[int, str] | None = None) -> str:
    """The layer with the arguments that differ from their defaults: `conv(64, 3x3, pad = 1)`.

    `names` maps the identity of a value to what it is called, for arguments that are tensors.
    """
    x = node.input_types[0]
    context = Context(spatial=max(x.rank - 1, 0), rank=x.rank)
    parts = []
    for a in node.op.args():
        value = getattr(node.op, a.name)
        if value is None or _is_default(node, a, value, context):
            continue
        text = _argument(node, a, value, x.rank, names or {})
        parts.append(text if a.positional else f"{a.name} = {text}")
    return f"{node.op.name}({', '.join(parts)})" if parts else node.op.name


def _is_default(node: Node, a: Arg, value: Any, context: Context) -> bool:
    if a.name == "stride" and a.default is None:
        return bool(value == getattr(node.op, "kernel", None))
    if a.required or a.default is None:
        return False
    try:
        return bool(a.kind.accept(a.default, context) == value)
    except BadValue:
        return False


def _argument(node: Node, a: Arg, value: Any, rank: int, names: dict[int, str]) -> str:
    if isinstance(a.kind, Tensor):
        given = node.inputs[value]
        return given.name or names.get(id(given), f"tensor {value + 1}")
    if isinstance(a.kind, Axis):
        word = axis_name(rank, value)
        return word if word in a.kind.words else "last"
    if isinstance(a.kind, PerAxis):
        return by_sizes(value) if a.positional or len(set(value)) > 1 else str(value[0])
    if isinstance(a.kind, Pads):
        if all(begin == end for begin, end in value):
            return as_tuple([begin for begin, _ in value])
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    if isinstance(value, tuple) and len(value) > 8:
        return f"[{', '.join(map(str, value[:6]))}, ... {len(value)} in all]"
    return show(value)


# -- renderings ----------------------------------------------------------------------------

HEADINGS = (
    "name",
    "layer",
    "output",
    "memory",
    "weights",
    "biases",
    "params",
    "MACs",
    "receptive field",
    "jump",
)
#: Columns that hold numbers and so are aligned to the right.
NUMERIC = frozenset({"biases", "params", "MACs", "share"})
#: What rows can be sorted by, with the column of each; `order` is that in which they run.
SORTS = {"order": "", "macs": "MACs", "params": "params", "memory": "memory"}


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, one for each of `HEADINGS`."""
    return (
        row.name,
        row.layer + (" (training)" if row.training else ""),
        row.volume,
        row.memory_text,
        row.weights_text,
        *(f"{count:,}" if count else "" for count in (row.biases, row.params, row.macs)),
        by_sizes(row.field) if row.field else "",
        by_sizes(row.jump) if row.jump else "",
    )


def table(summary: Summary) -> list[tuple[str, ...]]:
    """The texts of all rows, headings first; beside what they are sorted by stands the share of it."""
    lines = [HEADINGS, *[cells(row) for row in summary.rows]]
    if summary.sort == "order":
        return lines
    counts = [getattr(row, summary.sort) for row in summary.rows]
    total = sum(counts)
    shares = [f"{100 * count / total:.1f} %" if count else "" for count in counts]
    beside = HEADINGS.index(SORTS[summary.sort]) + 1
    return [
        (*line[:beside], share, *line[beside:]) for line, share in zip(lines, ["share", *shares], strict=True)
    ]


def megabytes(count: int) -> str:
    """`61.0 MB`, or smaller and larger units of a thousand."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:,.1f} {letter}B"
    return f"{count} bytes"


def totals(summary: Summary) -> tuple[str, ...]:
    """The lines under the table."""
    lines = [
        f"parameters {summary.params:,}  (weights {summary.weights:,}, biases {summary.biases:,})",
        f"MACs       {summary.macs:,}  (FLOPs {summary.flops:,})",
        f"memory     {summary.memory:,} values, {megabytes(summary.memory_bytes)} in float32, per image",
    ]
    if summary.usage is not None:
        lines += in_use(summary.usage)
    if summary.free:
        lines.append(f"counted at {', '.join(summary.free)}")
    return tuple(lines)


def in_use(usage: Usage) -> tuple[str, str]:
    """The memory for inference and for training, a line each."""
    inference, training = usage.inference, usage.training
    images = f"{usage.batch:,} image{'s' if usage.batch > 1 else ''}"
    state = f"{training.optimizer} {megabytes(training.state)}, " if training.state else ""
    return (
        f"inference  {megabytes(inference.total)} for {images}: weights {megabytes(inference.weights)}, "
        f"activations {megabytes(inference.activations)} at most, in {inference.peak}",
        f"training   {megabytes(training.total)} for {images}: weights {megabytes(training.weights)}, "
        f"gradients {megabytes(training.gradients)}, {state}activations {megabytes(training.activations)}",
    )


def render_plain(summary: Summary) -> str:
    """The table and its totals as text, columns aligned, for any output."""
    lines = table(summary)
    headings = lines[0]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]

    def aligned(line: Sequence[str]) -> str:
        fitted = [
            text.rjust(width) if heading in NUMERIC else text.ljust(width)
            for text, width, heading in zip(line, widths, headings, strict=True)
        ]
        return "  ".join(fitted).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join(
        [summary.model, "", aligned(headings), rule, *map(aligned, lines[1:]), "", *totals(summary), ""]
    )


def as_data(summary: Summary) -> dict[str, Any]:
    """The summary as plain dictionaries, lists and numbers."""
    from dataclasses import asdict  # the one place that takes what it takes to import

    data = asdict(summary)
    data["memory_bytes"] = summary.memory_bytes
    del data["usage"]
    if summary.usage is not None:
        data |= usage_as_data(summary.usage)
    data["rows"] = tuple(map(row_as_data, summary.rows))
    return data


def row_as_data(row: Row) -> dict[str, Any]:
    """A row as plain data, the volume as a text beside the shape."""
    return {**row._asdict(), "volume": row.volume}


def to_json(summary: Summary) -> str:
    """`as_data` as JSON text."""
    return json.dumps(as_data(summary), indent=2) + "\n"


def render_html(summary: Summary) -> str:
    """The table and its totals as an HTML fragment, for notebooks."""

    def line(tag: str, texts: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

    headings, *rows = table(summary)
    body = "".join(line("td", row) for row in rows)
    under = "<br>".join(html.escape(text) for text in totals(summary))
    return (
        f"<table><caption>{html.escape(summary.model)}</caption><thead>{line('th', headings)}</thead>"
        f"<tbody>{body}</tbody></table><p>{under}</p>"
    )
