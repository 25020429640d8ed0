"""Layers that move, cut, pad or drop: no weights, no MACs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from compiler.declare import Axis, BadValue, Choice, Context, Fault, Int, Ints, Pads, Word, show
from compiler.ops.base import Op, TensorType, arg
from compiler.ops.checks import axis_name, largest_divisor, need_fixed, need_rank, plural
from compiler.ops.conv import check_border
from spec_lang.frozen import frozen


class _View(Op):
    """The same numbers in the same order."""

    view: ClassVar[bool] = True
    keeps: ClassVar[str] = "nothing"

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """Its result is its input, read differently."""
        return False


@frozen
class Identity(_View):
    """y = x.  The empty branch of a join, a name for a place.  PyTorch: Identity.  ONNX: Identity."""

    name: ClassVar[str] = "identity"
    elementwise: ClassVar[bool] = True


@frozen
class Flatten(_View):
    """All axes in one, the last one fastest: [C, H, W] -> [C * H * W].  PyTorch: Flatten.  ONNX: Flatten."""

    name: ClassVar[str] = "flatten"

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 1, None, help=("`reshape([1])` makes a vector of one number",))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        return (x.with_shape((x.elements,), (any(x.free),)),)


@frozen
class Reshape(_View):
    """The same numbers in the same order under another shape.  One extent may be -1: what is left.

    `[]` is one number per image.  PyTorch: reshape.  ONNX: Reshape.
    """

    name: ClassVar[str] = "reshape"

    shape: tuple[int, ...] = arg(
        Ints(minimum=-1, minimum_length=0), "the new shape, without the batch", positional=True
    )

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        x, shape = inputs[0], stored["shape"]
        need_fixed(
            cls.name,
            x,
            range(x.rank),
            "the new shape is made of numbers",
            help=("`flatten` and `permute` work at every size",),
            argument="shape",
        )
        written = f"[{', '.join(map(str, shape))}]"
        if 0 in shape or shape.count(-1) > 1:
            raise Fault(
                "E320",
                f"reshape: {written} is no shape: extents are at least 1, and one may be -1",
                argument="shape",
                inputs=(0,),
                help=(f"the input {x} has {plural(x.elements, 'number')}",),
            )
        known = math.prod(extent for extent in shape if extent > 0)
        if x.elements % known if -1 in shape else known != x.elements:
            rest = x.elements // math.prod(shape[1:]) if shape and -1 not in shape else 0
            fits = rest and rest * math.prod(shape[1:]) == x.elements
            raise Fault(
                "E320",
                f"reshape: {x} has {plural(x.elements, 'number')}, and {written} "
                f"{'is a multiple of' if -1 in shape else 'has'} {known}",
                label="the numbers of elements differ",
                argument="shape",
                inputs=(0,),
                help=(f"`reshape([{', '.join(map(str, (rest, *shape[1:])))}])` fits",) if fits else (),
            )
        stored["shape"] = tuple(x.elements // known if extent == -1 else extent for extent in shape)
        return stored

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (inputs[0].with_shape(self.shape),)


@frozen
class Permute(Op):
    """The axes in another order: axis i of the result is axis order[i] of the input.

    Axes count from 0, without the batch; afterwards the first is `channels`.
    PyTorch: permute.  ONNX: Transpose.
    """

    name: ClassVar[str] = "permute"
    keeps: ClassVar[str] = "nothing"

    order: tuple[int, ...] = arg(Ints(), "every axis once", positional=True)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        x, order = inputs[0], stored["order"]
        if sorted(order) != list(range(x.rank)):
            written = f"[{', '.join(map(str, order))}]"
            raise Fault(
                "E321",
                f"permute: {written} does not name each of the {plural(x.rank, 'axis', 'axes')} of {x} once",
                label="the batch is not counted, axes count from 0",
                argument="order",
                inputs=(0,),
                help=(
                    f"`permute([{', '.join(map(str, reversed(range(x.rank))))}])` turns all of them around",
                )
                if x.rank
                else (),
            )
        return stored

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        return (x.with_shape([x.shape[i] for i in self.order], [x.free[i] for i in self.order]),)


@frozen
class Select(Op):
    """Some channels, in this order; one may come several times.  [C, ...] -> [len(channels), ...].

    With a grouped convolution it makes partial connections, as in C3 of LeNet-5 (LeCun et al. 1998, table I).
    PyTorch: index_select.  ONNX: Gather.
    """

    name: ClassVar[str] = "select"
    keeps: ClassVar[str] = "nothing"

    channels: tuple[int, ...] = arg(Ints(), "the channels, counted from 0", positional=True)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        x = inputs[0]
        need_rank(cls.name, x, 1, None)
        need_fixed(cls.name, x, (0,), "channels are chosen by number")
        outside = [c for c in stored["channels"] if c >= x.shape[0]]
        if outside:
            raise Fault(
                "E322",
                f"select: there is no channel {outside[0]} in {x}",
                label=f"{plural(x.shape[0], 'channel')}, counted from 0",
                argument="channels",
                inputs=(0,),
                help=(f"the last one is {x.shape[0] - 1}",),
            )
        return stored

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        return (x.with_shape((len(self.channels), *x.shape[1:]), (False, *x.free[1:])),)


@frozen
class ChannelShuffle(Op):
    """Mixes channels that groups kept apart: the first of each group, then the second of each, and so on.

    Channel i of the result is channel (i % groups) * (C / groups) + i // groups of the input; the
    shape stays.  PyTorch: ChannelShuffle.  ONNX: Gather.  Source: Zhang et al. 2017, ShuffleNet.
    """

    name: ClassVar[str] = "channelshuffle"
    keeps: ClassVar[str] = "nothing"

    groups: int = arg(Int(), "into how many groups the channels are divided", positional=True)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 2, None)
        need_fixed(cls.name, inputs[0], (0,), "its order is made of numbers")

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        count = inputs[0].shape[0]
        if count % self.groups:
            raise Fault(
                "E304",
                f"channelshuffle cannot divide {plural(count, 'channel')} into {self.groups} groups",
                label=f"{count} cannot be divided by {self.groups}",
                argument="groups",
                inputs=(0,),
                help=(f"`channelshuffle({largest_divisor(count, self.groups)})` divides {count}",),
            )
        return (inputs[0],)

    def order(self, channels: int) -> tuple[int, ...]:
        """The channel of the input that each channel of the result is."""
        return tuple(i % self.groups * (channels // self.groups) + i // self.groups for i in range(channels))


@frozen
class Slice(Op):
    """The stretch from `start` up to, without, `stop` of one axis.  PyTorch: indexing.  ONNX: Slice."""

    name: ClassVar[str] = "slice"
    keeps: ClassVar[str] = "nothing"

    axis: int = arg(Axis(), "the axis that is cut", positional=True)
    start: int = arg(Int(0), "the first position, counted from 0", positional=True)
    stop: int = arg(Int(1), "the position after the last", positional=True)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        x, axis, start, stop = inputs[0], stored["axis"], stored["start"], stored["stop"]
        need_fixed(cls.name, x, (axis,), "start and stop are numbers", argument="axis")
        extent = x.shape[axis]
        if not start < stop <= extent:
            why = "is empty" if start >= stop else f"ends after {extent}"
            raise Fault(
                "E322",
                f"slice: {start} to {stop} of the {axis_name(x.rank, axis)} of {x} {why}",
                label=f"the axis has {plural(extent, 'position')}",
                argument="start" if start >= stop else "stop",
                inputs=(0,),
                help=(f"`stop = {extent}` goes to the end",) if start < extent else (),
            )
        return stored

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        shape = list(inputs[0].shape)
        shape[self.axis] = self.stop - self.start
        return (inputs[0].with_shape(shape, inputs[0].free),)


@frozen
class Reduce(Op):
    """The maximum, mean or sum along one axis, which is dropped.  [C, H, W] -> [H, W] for `channels`.

    PyTorch: amax, mean, sum.  ONNX: ReduceMax, ReduceMean, ReduceSum.
    """

    name: ClassVar[str] = "reduce"

    how: str = arg(Choice(("max", "mean", "sum")), "what is made of the numbers", positional=True)
    axis: int = arg(Axis(), "the axis that is dropped", positional=True)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        kept = [i for i in range(x.rank) if i != self.axis]
        return (x.with_shape([x.shape[i] for i in kept], [x.free[i] for i in kept]),)

    def kept(self, inputs: Sequence[TensorType]) -> str:
        """A maximum goes back to where it came from: both are read."""
        return "both" if self.how == "max" else "nothing"

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One operation per input number."""
        return inputs[0].elements


@frozen
class _Amount(Pads):
    """Padding in numbers alone."""

    words: tuple[str, ...] = ()

    def describe(self) -> str:
        return "a number, one per axis, or a (begin, end) per axis"

    def accept(self, value: Any, context: Context) -> str | tuple[tuple[int, int], ...]:
        if isinstance(value, Word) or getattr(value, "bare_word", None) is not None:
            raise BadValue(f"{self.describe()}, not {show(value)}")
        return super().accept(value, context)


@frozen
class Pad(Op):
    """More positions around the spatial axes.  [C, spatial...] -> [C, begin + spatial + end, ...].

    `zeros`; `reflect` mirrors without repeating the edge; `replicate` repeats the edge; `circular`
    goes on at the other side.  PyTorch: functional.pad.  ONNX: Pad.
    """

    name: ClassVar[str] = "pad"
    keeps: ClassVar[str] = "nothing"

    amount: tuple[tuple[int, int], ...] = arg(
        _Amount(), "how much is added at the begin and end of each axis", positional=True
    )
    mode: str = arg(
        Choice(("zeros", "reflect", "replicate", "circular")), "what the padding holds", default=Word("zeros")
    )

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 2, 4)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        check_border(self.name, self.mode, x, self.amount, "amount")
        return (
            x.with_shape(
                (x.shape[0], *(i + sum(p) for i, p in zip(x.spatial, self.amount, strict=True))), x.free
            ),
        )


OPS: tuple[type[Op], ...] = (Flatten, Reshape, Permute, Select, ChannelShuffle, Slice, Reduce, Pad, Identity)
