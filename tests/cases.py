"""The table of layer cases: every layer with every option, for all backends.

A row is a layer, the tensors that it takes and its arguments; `text_of` writes it as a spec and
`graph_of` builds its graph.  Nothing in a row is symmetric without need: 4 channels of 9 by 14,
kernels of 3 by 5, four different pads.  `inputs_of` and `weights_of` give seeded numbers that
stay clear of ties and of kinks, so that gradients can be compared too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compiler.declare import PerAxis, Position, Tensor, Word
from compiler.graph import Graph, GraphBuilder, Value, Weight
from compiler.initial import Initialiser
from compiler.ops import OPS
from compiler.ops.base import Op, TensorType

FREE_NAMES = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}


@dataclass(frozen=True)
class Feed:
    """A tensor that a case takes: an input of the model, or a raw weight.

    `free` leaves the spatial extents free.
    """

    shape: tuple[int, ...]
    raw: bool = False
    free: bool = False


@dataclass(frozen=True)
class LayerCase:
    """One row.

    `arguments` are as a spec gives them; a tensor argument is a `Position` among `feeds`.
    `kinks` are the inputs at which the derivative jumps.  `also` lists other spatial sizes that
    the first input may have at run time (with free extents).  `out` is the shape of the result.
    """

    id: str
    op: type[Op]
    feeds: tuple[Feed, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    out: tuple[int, ...] | None = None
    kinks: tuple[float, ...] = ()
    also: tuple[tuple[int, ...], ...] = ()

    @property
    def text(self) -> str:
        return text_of(self)

    def __str__(self) -> str:
        return self.id


def _written(value: Any, kind: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Word):
        return str(value)
    if isinstance(kind, PerAxis) and isinstance(value, tuple):
        return "x".join(map(str, value)) if len(value) > 1 else str(value[0])
    if isinstance(value, tuple):
        return "[" + ", ".join("(" + ", ".join(map(str, v)) + ")" if isinstance(v, tuple) else str(v)
                               for v in value) + "]"
    return repr(value)


def text_of(case: LayerCase) -> str:
    """The case as a model in the language."""
    names = feed_names(case)
    lines = ["model example {"]
    for name, feed in zip(names, case.feeds, strict=True):
        lines.append(f"    {'weight' if feed.raw else 'input'} {name}: [{extents_of(feed)}]")
    return "\n".join([*lines, f"    {names[0]} -> {call_of(case)}", "    output y", "}", ""])


def extents_of(feed: Feed) -> str:
    """`4, H = 9, W = 14`."""
    extents = [str(n) for n in feed.shape]
    if feed.free:
        spatial = zip(FREE_NAMES[len(extents) - 1], extents[1:], strict=True)
        extents[1:] = [f"{letter} = {n}" for letter, n in spatial]
    return ", ".join(extents)


def call_of(case: LayerCase) -> str:
    """The layer with its arguments."""
    names, given = feed_names(case), []
    if case.op.arity is None:
        given += ["it", *names[1:]]
    for one in case.op.args():
        if one.name not in case.arguments:
            continue
        value = case.arguments[one.name]
        shown = names[value] if isinstance(one.kind, Tensor) else _written(value, one.kind)
        given.append(shown if one.positional else f"{one.name} = {shown}")
    return case.op.name + (f"({', '.join(given)})" if given else "")


def feed_names(case: LayerCase) -> tuple[str, ...]:
    """The names of the tensors: a, b, c."""
    return tuple("abcdefgh"[: len(case.feeds)])


def graph_of(case: LayerCase) -> Graph:
    """The graph of a case: inputs a, b, ..., one node `layer`, output `y`."""
    builder = GraphBuilder("example")
    values: list[Value] = []
    for name, feed in zip(feed_names(case), case.feeds, strict=True):
        if feed.raw:
            values.append(builder.parameter(Weight(
                name, feed.shape, "weight", "weight", True, Initialiser("he", (("distribution",
                "normal"),)))))
            continue
        rank = len(feed.shape)
        free = {letter: 1 + i for i, letter in enumerate(FREE_NAMES[rank - 1])} if feed.free else {}
        kind = TensorType(feed.shape, (False, *[feed.free] * (rank - 1)) if rank else ())
        values.append(builder.input(name, kind, free=free))
    (result,) = builder.apply(case.op, values, path="layer", label="layer", **case.arguments)
    return builder.build({"y": result})


def numbers(shape: tuple[int, ...], seed: int, kinks: tuple[float, ...] = ()) -> np.ndarray:
    """Distinct float64 numbers from -4 to 4 in random order, exact in float32, away from kinks and ties."""
    count = int(np.prod(shape))
    rng = np.random.default_rng(seed)
    values = np.linspace(-4.0, 4.0, count + 2)[1:-1] + 0.4321 / (count + 2)
    if kinks:
        values = values * (7.0 / 4.0)
    for kink in kinks:
        near = np.abs(values - kink) < 0.01
        values[near] += 0.025
    return rng.permutation(values).reshape(shape).astype(np.float32).astype(np.float64)


def inputs_of(case: LayerCase, batch: int = 2, seed: int = 0,
              spatial: tuple[int, ...] | None = None) -> dict[str, np.ndarray]:
    """Name -> array with the batch in front; `spatial` is another size for the free extents."""
    arrays = {}
    for i, (name, feed) in enumerate(zip(feed_names(case), case.feeds, strict=True)):
        if not feed.raw:
            shape = feed.shape if spatial is None or not feed.free else (feed.shape[0], *spatial)
            arrays[name] = numbers((batch, *shape), seed + i, case.kinks)
    return arrays


def weights_of(graph: Graph, seed: int = 1) -> dict[str, np.ndarray]:
    """Dotted name -> float64 array, exact in float32.  Variances are positive, the first near eps."""
    arrays = {}
    for i, (name, weight) in enumerate(graph.weights.items()):
        rng = np.random.default_rng([seed, i])
        array = rng.uniform(-1.0, 1.0, weight.shape)
        if weight.role == "running_var":
            array = rng.uniform(0.5, 2.0, weight.shape)
            array.flat[0] = 2e-5
        elif weight.role in ("norm_weight", "slope"):
            array = rng.uniform(0.3, 1.4, weight.shape)
        arrays[name] = np.asarray(array, dtype=np.float32).astype(np.float64)
    return arrays


def _words(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Strings in the table are bare words."""
    return {k: Word(v) if isinstance(v, str) else v for k, v in arguments.items()}


def case(name: str, title: str, *feeds: tuple[int, ...] | Feed, out: tuple[int, ...] | None = None,
         kinks: tuple[float, ...] = (), also: tuple[tuple[int, ...], ...] = (),
         **arguments: Any) -> LayerCase:
    """A row; plain tuples are inputs, strings are choices."""
    fed = tuple(f if isinstance(f, Feed) else Feed(f) for f in feeds)
    return LayerCase(f"{name}: {title}", OPS[name], fed, _words(arguments), out, kinks, also)


def raw(*shape: int) -> Feed:
    return Feed(shape, raw=True)


def free(*shape: int) -> Feed:
    return Feed(shape, free=True)


LINE, MAP, BOX = (4, 13), (4, 9, 14), (4, 5, 6, 7)
PADS = ((1, 2), (0, 3))
P = Position

CONV = (
    case("conv", "everything asymmetric", MAP, filters=6, kernel=(3, 5), stride=(2, 3), dilation=(2, 1),
         pad=PADS,
         groups=2, out=(6, 4, 5)),
    case("conv", "plain", MAP, filters=6, kernel=(3, 5), out=(6, 7, 10)),
    case("conv", "one number for the kernel", MAP, filters=6, kernel=3, out=(6, 7, 12)),
    case("conv", "1x1", MAP, filters=6, kernel=1, out=(6, 9, 14)),
    case("conv", "1x1 with stride 2, on an even size", (4, 8, 14), filters=6, kernel=1, stride=2, out=(6, 4,
         7)),
    case("conv", "kernel as large as the input", MAP, filters=6, kernel=(9, 14), out=(6, 1, 1)),
    case("conv", "no bias", MAP, filters=6, kernel=(3, 5), bias=False, out=(6, 7, 10)),
    case("conv", "stride 2x3", (4, 9, 14), filters=6, kernel=(3, 5), stride=(2, 3), out=(6, 4, 4)),
    case("conv", "stride beyond the kernel", (4, 9, 14), filters=6, kernel=(1, 2), stride=(2, 3), out=(6, 5,
         5)),
    case("conv", "dilation 2x1", MAP, filters=6, kernel=(3, 5), dilation=(2, 1), out=(6, 5, 10)),
    case("conv", "dilation 1x3", MAP, filters=6, kernel=(3, 5), dilation=(1, 3), out=(6, 7, 2)),
    case("conv", "pad 2x1", MAP, filters=6, kernel=(3, 5), pad=(2, 1), out=(6, 11, 12)),
    case("conv", "four different pads", MAP, filters=6, kernel=(3, 5), pad=PADS, out=(6, 10, 13)),
    case("conv", "pads beyond the kernel", MAP, filters=6, kernel=(1, 2), pad=((2, 3), (3, 0)), out=(6, 14,
         16)),
    case("conv", "pad half", MAP, filters=6, kernel=(3, 5), pad="half", out=(6, 9, 14)),
    case("conv", "pad half with dilation", MAP, filters=6, kernel=(3, 5), dilation=(3, 2), pad="half",
         out=(6, 9, 14)),
    case("conv", "pad half with an even kernel", MAP, filters=6, kernel=(2, 4), pad="half", out=(6, 8, 13)),
    case("conv", "pad valid", MAP, filters=6, kernel=(3, 5), pad="valid", out=(6, 7, 10)),
    case("conv", "pad same, stride 1, even kernel", MAP, filters=6, kernel=(2, 4), pad="same", out=(6, 9,
         14)),
    case("conv", "pad same, stride 2x3", MAP, filters=6, kernel=(4, 5), stride=(2, 3), pad="same", out=(6, 5,
         5)),
    case("conv", "pad same_lower, stride 2x3", MAP, filters=6, kernel=(4, 5), stride=(2, 3), pad="same_lower",
         out=(6, 5, 5)),
    case("conv", "pad same_lower, stride 1, even kernel", MAP, filters=6, kernel=(2, 4), pad="same_lower",
         out=(6, 9, 14)),
    case("conv", "groups 2", MAP, filters=6, kernel=(3, 5), groups=2, out=(6, 7, 10)),
    case("conv", "depthwise with two filters a channel", MAP, filters=8, kernel=(3, 5), groups=4, out=(8, 7,
         10)),
    case("conv", "one filter, one channel", (1, 9, 14), filters=1, kernel=(3, 5), out=(1, 7, 10)),
    *(case("conv", f"pad_mode {mode}", MAP, filters=6, kernel=(3, 5), pad=PADS, pad_mode=mode, out=(6, 10,
          13))
      for mode in ("zeros", "reflect", "replicate", "circular")),
    *(case("conv", f"pad_mode {mode} with stride, dilation and groups", MAP, filters=6, kernel=(3, 5),
          stride=(2, 3),
           dilation=(2, 1), pad=((3, 1), (2, 4)), groups=2, pad_mode=mode, out=(6, 5, 6))
      for mode in ("reflect", "replicate", "circular")),
    *(case("conv", f"pad_mode {mode}, alike at both ends", MAP, filters=6, kernel=(3, 5), pad=(2, 1),
           pad_mode=mode, out=(6, 11, 12))
      for mode in ("reflect", "replicate", "circular")),
    case("conv", "round floor loses rows and columns", MAP, filters=6, kernel=(4, 3), stride=(3, 4),
         round="floor",
         out=(6, 2, 3)),
    case("conv", "round ceil hangs over", MAP, filters=6, kernel=(4, 3), stride=(3, 4), round="ceil",
         out=(6, 3, 4)),
    case("conv", "round ceil with four pads", MAP, filters=6, kernel=(4, 3), stride=(4, 4), pad=PADS,
         round="ceil",
         out=(6, 3, 4)),
    case("conv", "1-D, everything asymmetric", LINE, filters=6, kernel=3, stride=2, dilation=2, pad=((1, 2),),
         groups=2, out=(6, 6)),
    case("conv", "1-D, plain", LINE, filters=6, kernel=4, out=(6, 10)),
    case("conv", "1-D, reflect", LINE, filters=6, kernel=3, pad=((2, 1),), pad_mode="reflect", out=(6, 14)),
    case("conv", "1-D, circular", LINE, filters=6, kernel=3, pad=((2, 1),), pad_mode="circular", out=(6, 14)),
    case("conv", "1-D, same", LINE, filters=6, kernel=4, stride=2, pad="same", out=(6, 7)),
    case("conv", "3-D, everything asymmetric", BOX, filters=6, kernel=(2, 3, 1), stride=(1, 2, 3),
         dilation=(2, 1, 1), pad=((1, 0), (2, 1), (0, 2)), groups=2, out=(6, 4, 4, 3)),
    case("conv", "3-D, plain", BOX, filters=3, kernel=(2, 3, 4), out=(3, 4, 4, 4)),
    case("conv", "3-D, replicate", BOX, filters=2, kernel=(2, 3, 2), pad=((1, 0), (0, 1), (2, 1)),
         pad_mode="replicate", out=(2, 5, 5, 9)),
    case("conv", "3-D, reflect", BOX, filters=2, kernel=(2, 3, 2), pad=((1, 0), (0, 1), (2, 1)),
         pad_mode="reflect", out=(2, 5, 5, 9)),
    case("conv", "first layer of the 227x227 AlexNet, narrow", (3, 35, 23), filters=2, kernel=11, stride=4,
         out=(2, 7, 4)),
    case("conv", "7x7 stride 2 half, remainder in the padding", (3, 14, 16), filters=2, kernel=7, stride=2,
         pad="half", out=(2, 7, 8)),
    case("conv", "free extents", free(4, 9, 14), filters=6, kernel=(3, 5), stride=(2, 3), pad=PADS, groups=2,
         out=(6, 5, 5), also=((9, 14), (11, 17))),
    case("conv", "free extents, same", free(4, 9, 14), filters=6, kernel=(3, 4), pad="same", out=(6, 9, 14),
         also=((5, 20),)),
    case("conv", "free extents, reflect", free(4, 9, 14), filters=6, kernel=(3, 5), pad=PADS,
         pad_mode="reflect",
         out=(6, 10, 13), also=((7, 15),)),
    case("conv", "free extents, round floor", free(4, 9, 14), filters=6, kernel=(4, 3), stride=(3, 4),
         round="floor",
         out=(6, 2, 3), also=((8, 16),)),
    case("conv", "frozen", MAP, filters=6, kernel=(3, 5), frozen=True, out=(6, 7, 10)),
)

_WORKED = (  # kernel, stride, pad, size, floor, ceil, caffe (None: refused, or not whole by any rule)
    (3, 2, 1, 64, 32, 33, 33),
    (3, 2, 0, 112, 55, 56, 56),
    (3, 2, 1, 112, 56, 57, 57),
    (4, 4, 2, 9, 3, 3, 3),
    (1, 2, 0, 32, 16, 16, None),
    (2, 1, 0, 13, 12, 12, 12),
    (3, 2, 0, 55, 27, 27, 27),
)


def _worked(name: str) -> list[LayerCase]:
    rows = []
    for kernel, stride, pad, size, *outs in _WORKED:
        for mode, out in zip(("floor", "ceil", "caffe"), outs, strict=True):
            if out is not None:
                rows.append(case(name, f"worked {kernel}/{stride}/{pad} on {size}, {mode}", (2, size),
                kernel=kernel,
                                 stride=stride, pad=pad, round=mode, out=(2, out)))
    return rows


POOL = (
    case("maxpool", "everything asymmetric", MAP, kernel=(3, 5), stride=(2, 3), pad=((1, 0), (2, 1)),
         dilation=(1, 2), round="floor", out=(4, 4, 3)),
    case("maxpool", "2x2", (4, 8, 14), kernel=2, out=(4, 4, 7)),
    case("maxpool", "stride of the kernel", MAP, kernel=(3, 2), out=(4, 3, 7)),
    case("maxpool", "overlapping", MAP, kernel=3, stride=(2, 1), out=(4, 4, 12)),
    case("maxpool", "stride beyond the kernel", (4, 9, 14), kernel=(1, 2), stride=(2, 4), out=(4, 5, 4)),
    case("maxpool", "whole input", MAP, kernel=(9, 14), out=(4, 1, 1)),
    case("maxpool", "pad 1x2", MAP, kernel=(3, 5), stride=1, pad=(1, 2), out=(4, 9, 14)),
    case("maxpool", "four different pads", MAP, kernel=(5, 6), stride=(2, 3), pad=((1, 2), (0, 3)),
         round="floor",
         out=(4, 4, 4)),
    case("maxpool", "pad half", MAP, kernel=3, stride=2, pad="half", out=(4, 5, 7)),
    case("maxpool", "pad same", MAP, kernel=(2, 3), stride=(2, 3), pad="same", out=(4, 5, 5)),
    case("maxpool", "pad same_lower", MAP, kernel=(2, 3), stride=(2, 3), pad="same_lower", out=(4, 5, 5)),
    case("maxpool", "pad same, stride 1 (tiny YOLO)", (4, 13, 13), kernel=2, stride=1, pad="same", out=(4,
         13, 13)),
    case("maxpool", "dilation", MAP, kernel=(3, 2), stride=1, dilation=(2, 3), out=(4, 5, 11)),
    case("maxpool", "dilation and ceil", MAP, kernel=(2, 3), stride=(3, 2), pad=(1, 1), dilation=(2, 3),
         round="ceil",
         out=(4, 4, 6)),
    case("maxpool", "ceil with four pads", MAP, kernel=(4, 5), stride=(4, 3), pad=((2, 1), (0, 2)),
         round="ceil",
         out=(4, 3, 5)),
    *(case(name, "ceil leaves out a window in the end padding of one axis", (4, 8, 14), kernel=(4, 5), stride=3,
           pad=((1, 2), (0, 2)), round="ceil", out=(4, 3, 5)) for name in ("maxpool", "avgpool")),
    *(case(name, "ceil hangs over by two", (4, 8, 13), kernel=(4, 5), stride=3, pad=((1, 2), (0, 2)), round="ceil",
           out=(4, 3, 5)) for name in ("maxpool", "avgpool")),
    case("maxpool", "ceil with a window that is left out", (4, 9, 9), kernel=4, stride=4, pad=2, round="ceil",
         out=(4, 3, 3)),
    case("maxpool", "kernel larger than the input, ceil", (4, 2, 2), kernel=3, stride=2, round="ceil",
         out=(4, 1, 1)),
    case("maxpool", "caffe with pads", (4, 9, 14), kernel=(3, 4), stride=(2, 3), pad=(1, 2), round="caffe",
         out=(4, 5, 6)),
    case("maxpool", "caffe without pads", (4, 10, 14), kernel=3, stride=2, round="caffe", out=(4, 5, 7)),
    case("maxpool", "1-D", LINE, kernel=3, stride=2, pad=((1, 0),), round="ceil", out=(4, 7)),
    case("maxpool", "3-D", BOX, kernel=(2, 3, 2), stride=(1, 2, 3), pad=((1, 0), (0, 0), (1, 1)),
         round="ceil",
         dilation=(2, 1, 1), out=(4, 4, 3, 3)),
    case("maxpool", "free extents", free(4, 9, 14), kernel=(3, 2), stride=(2, 3), pad=(1, 1), round="floor",
         out=(4, 5, 5), also=((9, 14), (10, 12))),
    case("maxpool", "free extents, ceil", free(4, 10, 12), kernel=(3, 4), stride=(2, 3), pad=(0, 1),
         round="ceil",
         out=(4, 5, 5), also=((9, 14), (7, 9))),
    case("maxpool", "free extents, exact", free(4, 8, 12), kernel=2, out=(4, 4, 6), also=((6, 4),)),
    *_worked("maxpool"),
    case("avgpool", "2x2", (4, 8, 14), kernel=2, out=(4, 4, 7)),
    case("avgpool", "without padding, overlapping", MAP, kernel=(3, 5), stride=(2, 3), out=(4, 4, 4)),
    *(case("avgpool", f"divisor {divisor}, four different pads", MAP, kernel=(5, 6), stride=(2, 3), pad=((1,
          2), (0, 3)),
           round="floor", divisor=divisor, out=(4, 4, 4)) for divisor in ("padded", "valid", "window", 7,
           2.5)),
    *(case("avgpool", f"divisor {divisor}, {mode}", MAP, kernel=(4, 5), stride=(3, 4), pad=(1, 2), round=mode,
           divisor=divisor, out=(4, 3 if mode == "floor" else 4, 4))
      for divisor in ("padded", "valid", "window", 7) for mode in ("floor", "ceil", "caffe")),
    *(case("avgpool", f"divisor {divisor}, ceil, uneven pads", MAP, kernel=(4, 5), stride=(4, 3), pad=((2,
          1), (0, 2)),
           round="ceil", divisor=divisor, out=(4, 3, 5)) for divisor in ("padded", "valid", "window")),
    case("avgpool", "pad same", MAP, kernel=(2, 3), stride=(2, 3), pad="same", divisor="valid", out=(4, 5,
         5)),
    case("avgpool", "pad same_lower", MAP, kernel=(2, 3), stride=(2, 3), pad="same_lower", out=(4, 5, 5)),
    case("avgpool", "pad valid", (4, 9, 13), kernel=3, stride=2, pad="valid", out=(4, 4, 6)),
    case("maxpool", "pad valid", (4, 9, 13), kernel=3, stride=2, pad="valid", out=(4, 4, 6)),
    case("avgpool", "pad half", MAP, kernel=3, stride=2, pad="half", out=(4, 5, 7)),
    case("avgpool", "1-D, valid", LINE, kernel=4, stride=3, pad=((2, 1),), round="ceil", divisor="valid",
         out=(4, 5)),
    case("avgpool", "1-D, window", LINE, kernel=4, stride=3, pad=((2, 1),), divisor="window", round="floor",
         out=(4, 5)),
    case("avgpool", "1-D, a number", LINE, kernel=4, stride=3, pad=1, divisor=3, round="floor", out=(4, 4)),
    case("avgpool", "3-D", BOX, kernel=(2, 3, 2), stride=(1, 2, 3), pad=((1, 0), (0, 0), (1, 1)),
         round="ceil",
         out=(4, 5, 3, 3)),
    case("avgpool", "3-D, valid", BOX, kernel=(2, 3, 2), stride=(1, 2, 3), pad=((1, 0), (0, 0), (1, 1)),
         round="ceil", divisor="valid", out=(4, 5, 3, 3)),
    case("avgpool", "free extents", free(4, 9, 14), kernel=(3, 2), stride=(2, 3), pad=(1, 1), round="floor",
         out=(4, 5, 5), also=((9, 14), (10, 12))),
    case("avgpool", "free extents, ceil", free(4, 10, 12), kernel=(3, 4), stride=(2, 3), pad=(0, 1),
         round="ceil",
         out=(4, 5, 5), also=((9, 14), (7, 9))),
    *_worked("avgpool"),
    *(case(name, title, shape, out=out) for name in ("globalavgpool", "globalmaxpool") for title, shape,
          out in (
        ("2-D", MAP, (4, 1, 1)), ("1-D", LINE, (4, 1)), ("3-D", BOX, (4, 1, 1, 1)), ("of 1x1", (4, 1, 1), (4,
            1, 1)))),
    *(case(name, "free extents", free(4, 9, 14), out=(4, 1, 1), also=((5, 3),))
      for name in ("globalavgpool", "globalmaxpool")),
    *(case(name, title, *feeds, **more) for name in ("adaptiveavgpool", "adaptivemaxpool") for title, feeds,
          more in (
        ("to 3x5", (MAP,), {"size": (3, 5), "out": (4, 3, 5)}),
        ("to 1", (MAP,), {"size": 1, "out": (4, 1, 1)}),
        ("where it divides", (MAP,), {"size": (3, 7), "out": (4, 3, 7)}),
        ("to its own size", (MAP,), {"size": (9, 14), "out": (4, 9, 14)}),
        ("to a larger size", (MAP,), {"size": (11, 14), "out": (4, 11, 14)}),
        ("1-D", (LINE,), {"size": 5, "out": (4, 5)}),
        ("3-D", (BOX,), {"size": (2, 4, 3), "out": (4, 2, 4, 3)}),
        ("like another", (MAP, (2, 4, 6)), {"like": P(1), "out": (4, 4, 6)}),
        ("to 1 from free extents", (free(4, 9, 14),), {"size": 1, "out": (4, 1, 1), "also": ((5, 3),)}),
    )),
)

DENSE = (
    case("fc", "of a vector", (14,), features=6, out=(6,)),
    case("fc", "no bias", (14,), features=6, bias=False, out=(6,)),
    case("fc", "one feature", (14,), features=1, out=(1,)),
    case("fc", "along the channels", MAP, features=6, axis="channels", out=(6, 9, 14)),
    case("fc", "along the last axis", MAP, features=6, axis="last", out=(4, 9, 6)),
    case("fc", "along the last axis of two, no bias", LINE, features=6, axis="last", bias=False, out=(4, 6)),
    case("fc", "along the channels of free extents", free(4, 9, 14), features=6, axis="channels", out=(6, 9,
         14),
         also=((5, 3),)),
    case("fc", "a vector along its last axis", (14,), features=6, axis="last", out=(6,)),
    case("rbf", "ten centres", (14,), raw(10, 14), centers=P(1), out=(10,)),
    case("rbf", "one centre", (5,), raw(1, 5), centers=P(1), out=(1,)),
)

_SHAPES = (("vector", (6,)), ("1-D", (6, 13)), ("2-D", (6, 5, 7)), ("3-D", (6, 3, 4, 5)))

NORM = (
    *(case("batchnorm", title, shape, out=shape) for title, shape in _SHAPES),
    case("batchnorm", "eps and momentum", MAP, eps=1e-3, momentum=0.3),
    case("batchnorm", "without affine", MAP, affine=False),
    case("batchnorm", "free extents", free(4, 9, 14), also=((5, 3),)),
    case("batchnorm", "frozen", MAP, eps=1e-3, momentum=0.3, frozen=True),
    case("batchnorm", "frozen, without affine", MAP, affine=False, frozen=True),
    *(case("instancenorm", f"{title}{', affine' if affine else ''}", shape, affine=affine, out=shape)
      for title, shape in _SHAPES[1:] for affine in (False, True)),
    case("instancenorm", "eps", MAP, eps=0.1),
    case("instancenorm", "free extents", free(4, 9, 14), also=((5, 3),)),
    *(case("groupnorm", f"{groups} groups, {title}", shape, groups=groups, out=shape)
      for title, shape in _SHAPES for groups in (1, 2)),
    case("groupnorm", "a channel a group", MAP, groups=4),
    case("groupnorm", "eps, without affine", MAP, groups=2, eps=0.1, affine=False),
    case("groupnorm", "free extents", free(4, 9, 14), groups=2, also=((5, 3),)),
    *(case("layernorm", f"{axis}, {title}", shape, axis=axis, out=shape)
      for title, shape in _SHAPES for axis in ("channels", "last")),
    case("layernorm", "eps, without affine", MAP, eps=0.1, affine=False),
    case("layernorm", "last axis, without affine", MAP, axis="last", affine=False),
    case("layernorm", "channels of free extents", free(4, 9, 14), also=((5, 3),)),
    *(case("l2norm", title, shape, out=shape) for title, shape in _SHAPES),
    case("l2norm", "eps above the length", MAP, eps=20.0),
    case("l2norm", "free extents", free(4, 9, 14), also=((5, 3),)),
    *(case("lrn", title, shape, size=5, alpha=1.0, out=shape) for title, shape in _SHAPES[1:]),
    case("lrn", "defaults", MAP, size=3),
    case("lrn", "sum (the paper)", (7, 5, 3), size=5, alpha=0.3, beta=0.6, k=2.0, scale="sum"),
    case("lrn", "mean, all arguments", (7, 5, 3), size=3, alpha=0.9, beta=0.6, k=1.5),
    case("lrn", "alpha of 0", MAP, size=3, alpha=0.0, k=2.0),
    case("lrn", "beta of 0", MAP, size=3, beta=0.0, k=2.0),
    case("lrn", "window beyond the channels", (2, 5, 3), size=7, alpha=1.0),
    case("lrn", "size 1", MAP, size=1, alpha=1.0),
    *(case("lrn", f"as published, {title}", shape, size=5, alpha=1e-4, k=2.0, scale="sum", out=shape)
      for title, shape in _SHAPES[1:]),
    case("lrn", "free extents", free(4, 9, 14), size=3, alpha=1.0, also=((5, 3),)),
    *(case("scale", title, shape, out=shape) for title, shape in _SHAPES),
    case("scale", "without bias", MAP, bias=False),
    case("scale", "free extents", free(4, 9, 14), also=((5, 3),)),
)

_SMOOTH = ("gelu", "silu", "mish", "sigmoid", "tanh", "softplus")
_KINKED = {"relu": (0.0,), "relu6": (0.0, 6.0), "leakyrelu": (0.0,), "prelu": (0.0,), "elu": (0.0,),
           "selu": (0.0,), "hardswish": (-3.0, 3.0), "hardsigmoid": (-3.0, 3.0)}

ACTIVATION = (
    *(case(name, "2-D", MAP, out=MAP, kinks=_KINKED.get(name, ())) for name in (*_KINKED, *_SMOOTH)),
    *(case(name, "vector", (14,), out=(14,), kinks=_KINKED.get(name, ())) for name in (*_KINKED, *_SMOOTH)),
    case("relu", "free extents", free(4, 9, 14), kinks=(0.0,), also=((5, 3),)),
    case("leakyrelu", "slope 0.2", BOX, slope=0.2, kinks=(0.0,)),
    case("leakyrelu", "negative slope", LINE, slope=-0.5, kinks=(0.0,)),
    case("leakyrelu", "slope above 1", LINE, slope=1.5, kinks=(0.0,)),
    case("prelu", "shared", MAP, shared=True, kinks=(0.0,)),
    case("prelu", "3-D", BOX, kinks=(0.0,)),
    case("prelu", "1-D", LINE, kinks=(0.0,)),
    case("elu", "alpha 0.3", LINE, alpha=0.3, kinks=(0.0,)),
    case("elu", "alpha 2", BOX, alpha=2.0, kinks=(0.0,)),
    *(case(name, title, shape, **more) for name in ("softmax", "logsoftmax") for title, shape, more in (
        ("of a vector", (14,), {}), ("over channels", MAP, {}), ("over channels of a line", LINE, {}),
        ("over channels of a box", BOX, {}), ("over the last axis", MAP, {"axis": "last"}),
        ("over the height", MAP, {"axis": "height"}), ("over the width", MAP, {"axis": "width"}),
        ("over the depth", BOX, {"axis": "depth"}), ("of free extents", free(4, 9, 14), {"also": ((5,
            3),)}))),
)

DROPOUT = (
    case("dropout", "inverted", MAP),
    case("dropout", "inverted, 0.2, of a vector", (14,), p=0.2),
    case("dropout", "classic", (14,), p=0.3, mode="classic"),
    case("dropout", "classic, of a map", MAP, p=0.3, mode="classic"),
    case("dropout", "spatial", MAP, p=0.3, spatial=True),
    case("dropout", "spatial, classic, 1-D", LINE, p=0.3, spatial=True, mode="classic"),
    case("dropout", "spatial, of a vector", (14,), p=0.3, spatial=True),
    case("dropout", "p of 0", MAP, p=0.0),
    case("dropout", "whole images", MAP, p=0.3, mode="path"),
    case("dropout", "whole images, of a vector", (14,), p=0.2, mode="path"),
)

SHAPE = (
    *(case("flatten", title, shape, out=out) for title, shape, out in (
        ("2-D", MAP, (504,)), ("1-D", LINE, (52,)), ("3-D", BOX, (840,)), ("vector", (14,), (14,)))),
    case("flatten", "free extents", free(4, 9, 14), out=(504,), also=((5, 3),)),
    case("reshape", "to a map", (24,), shape=(2, 3, 4), out=(2, 3, 4)),
    case("reshape", "to fewer axes", MAP, shape=(18, 28), out=(18, 28)),
    case("reshape", "what is left", MAP, shape=(6, -1, 7), out=(6, 12, 7)),
    case("reshape", "to one number", (1, 1, 1), shape=(), out=()),
    case("reshape", "to another order of extents", MAP, shape=(14, 4, 9), out=(14, 4, 9)),
    case("permute", "channels last", MAP, order=(1, 2, 0), out=(9, 14, 4)),
    case("permute", "height and width", MAP, order=(0, 2, 1), out=(4, 14, 9)),
    case("permute", "2 axes", LINE, order=(1, 0), out=(13, 4)),
    case("permute", "4 axes", BOX, order=(2, 0, 3, 1), out=(6, 4, 7, 5)),
    case("permute", "free extents", free(4, 9, 14), order=(2, 0, 1), out=(14, 4, 9), also=((5, 3),)),
    case("select", "in another order, one twice", MAP, channels=(3, 0, 1, 3, 2), out=(5, 9, 14)),
    case("select", "ascending by steps of their own", MAP, channels=(0, 2, 3), out=(3, 9, 14)),
    case("select", "every other", MAP, channels=(1, 3), out=(2, 9, 14)),
    case("select", "the first and the last", MAP, channels=(0, 3), out=(2, 9, 14)),
    case("select", "one", MAP, channels=(2,), out=(1, 9, 14)),
    case("select", "of a vector", (14,), channels=(13, 0, 5), out=(3,)),
    case("select", "free extents", free(4, 9, 14), channels=(3, 1), out=(2, 9, 14), also=((5, 3),)),
    case("channelshuffle", "2 groups of 3", (6, 9, 14), groups=2, out=(6, 9, 14)),
    case("channelshuffle", "3 groups of 2", (6, 13), groups=3, out=(6, 13)),
    case("channelshuffle", "2 groups of 4, 3-D", (8, 5, 6, 7), groups=2, out=(8, 5, 6, 7)),
    case("channelshuffle", "one group", MAP, groups=1, out=MAP),
    case("channelshuffle", "as many groups as channels", MAP, groups=4, out=MAP),
    case("channelshuffle", "free extents", free(12, 9, 14), groups=3, out=(12, 9, 14), also=((5, 3),)),
    case("slice", "channels", MAP, axis="channels", start=1, stop=3, out=(2, 9, 14)),
    case("slice", "height", MAP, axis="height", start=2, stop=9, out=(4, 7, 14)),
    case("slice", "width", MAP, axis="width", start=0, stop=5, out=(4, 9, 5)),
    case("slice", "last", LINE, axis="last", start=12, stop=13, out=(4, 1)),
    case("slice", "depth", BOX, axis="depth", start=1, stop=4, out=(4, 3, 6, 7)),
    case("slice", "channels of free extents", free(4, 9, 14), axis="channels", start=1, stop=3, out=(2, 9,
         14),
         also=((5, 3),)),
    *(case("reduce", f"{how} over the {axis}", shape, how=how, axis=axis, out=out)
      for how in ("max", "mean", "sum") for axis, shape, out in (
          ("channels", MAP, (9, 14)), ("height", MAP, (4, 14)), ("width", MAP, (4, 9)),
          ("depth", BOX, (4, 6, 7)), ("last", LINE, (4,)))),
    case("reduce", "of a vector", (14,), how="mean", axis="channels", out=()),
    case("reduce", "free extents", free(4, 9, 14), how="mean", axis="width", out=(4, 9), also=((5, 3),)),
    *(case("pad", f"{mode}, four different", MAP, amount=((1, 2), (0, 3)), mode=mode, out=(4, 12, 17))
      for mode in ("zeros", "reflect", "replicate", "circular")),
    *(case("pad", f"{mode}, 1-D", LINE, amount=((2, 1),), mode=mode, out=(4, 16))
      for mode in ("zeros", "reflect", "replicate", "circular")),
    *(case("pad", f"{mode}, 3-D", BOX, amount=((1, 0), (2, 1), (0, 3)), mode=mode, out=(4, 6, 9, 10))
      for mode in ("zeros", "reflect", "replicate", "circular")),
    case("pad", "one number", MAP, amount=2, out=(4, 13, 18)),
    case("pad", "one per axis", MAP, amount=(2, 1), out=(4, 13, 16)),
    case("pad", "as far as reflect goes", (4, 3, 4), amount=((2, 2), (3, 0)), mode="reflect", out=(4, 7, 7)),
    case("pad", "as far as circular goes", (4, 3, 4), amount=((3, 2), (4, 0)), mode="circular", out=(4, 8,
         8)),
    case("pad", "free extents", free(4, 9, 14), amount=((1, 2), (0, 3)), mode="reflect", out=(4, 12, 17),
         also=((5, 6),)),
    *(case("pad", f"{mode}, free extents", free(4, 9, 14), amount=((1, 2), (0, 3)), mode=mode, out=(4, 12, 17),
           also=((5, 6),)) for mode in ("zeros", "replicate", "circular")),
    case("identity", "2-D", MAP, out=MAP),
    case("identity", "vector", (14,), out=(14,)),
)

JOIN = (
    *(case(name, "two maps", MAP, MAP, out=MAP) for name in ("add", "multiply", "maximum", "average")),
    *(case(name, "three maps", MAP, MAP, MAP, out=MAP) for name in ("add", "multiply", "maximum", "average")),
    *(case(name, "two vectors", (14,), (14,), out=(14,)) for name in ("add", "multiply", "maximum",
          "average")),
    *(case(name, "free extents", free(4, 9, 14), free(4, 9, 14), out=MAP, also=((5, 3),))
      for name in ("add", "multiply", "maximum", "average")),
    *(case(name, title, *feeds, out=out, **more) for name in ("add", "multiply") for title, feeds, out,
          more in (
        ("a number", (MAP,), MAP, {"constant": -2.5}),
        ("two maps and a number", (MAP, MAP), MAP, {"constant": 0.75}),
        ("a weight per channel", (MAP, raw(4, 1, 1)), MAP, {}),
        ("a weight per place", (MAP, raw(1, 9, 14)), MAP, {}),
        ("a weight per row", (MAP, raw(1, 9, 1)), MAP, {}),
        ("a whole weight", (MAP, raw(4, 9, 14)), MAP, {}),
        ("a weight of one number", (MAP, raw()), MAP, {}),
        ("a weight for a vector", ((14,), raw(14)), (14,), {}),
        ("a weight of one for a vector", ((14,), raw(1)), (14,), {}),
        ("a gate", (MAP, (4, 1, 1)), MAP, {}),
        ("a gate in front", ((4, 1, 1), MAP), MAP, {}),
        ("a gate of one channel", (MAP, (1, 1, 1)), MAP, {}),
        ("a gate and a weight", (MAP, (4, 1, 1), raw(4, 9, 1)), MAP, {}),
        ("a gate, 1-D", (LINE, (4, 1)), LINE, {}),
        ("a gate, 3-D", (BOX, (4, 1, 1, 1)), BOX, {}),
        ("a weight stretches a gate", ((4, 1, 1), raw(4, 3, 5)), (4, 3, 5), {}),
        ("weights stretch a gate and each other", ((4, 1, 1), raw(4, 1, 5), raw(1, 3, 1)), (4, 3, 5), {}),
        ("a weight per channel of free extents", (free(4, 9, 14), raw(4, 1, 1)), MAP, {"also": ((5, 3),)}),
        ("a gate of free extents", (free(4, 9, 14), (4, 1, 1)), MAP, {"also": ((5, 3),)}))),
    case("concat", "two", MAP, (3, 9, 14), out=(7, 9, 14)),
    case("concat", "three", MAP, (1, 9, 14), (2, 9, 14), out=(7, 9, 14)),
    case("concat", "vectors", (14,), (3,), out=(17,)),
    case("concat", "along the height", MAP, (4, 2, 14), axis="height", out=(4, 11, 14)),
    case("concat", "along the width", MAP, (4, 9, 3), axis="width", out=(4, 9, 17)),
    case("concat", "along the last axis", LINE, (4, 3), axis="last", out=(4, 16)),
    case("concat", "along the depth", BOX, (4, 2, 6, 7), axis="depth", out=(4, 7, 6, 7)),
    case("concat", "free extents", free(4, 9, 14), free(3, 9, 14), out=(7, 9, 14), also=((5, 3),)),
    case("concat", "along an axis that is free", free(4, 9, 14), free(4, 9, 14), axis="height", out=(4, 18, 14),
         also=((5, 3),)),
)

CASES: tuple[LayerCase, ...] = (*CONV, *POOL, *DENSE, *NORM, *ACTIVATION, *DROPOUT, *SHAPE, *JOIN)

