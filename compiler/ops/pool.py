"""Pooling: over a sliding window, over everything, and adaptive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from compiler import shapes
from compiler.declare import AnyOf, Choice, Fault, Given, Pads, PerAxis, Real, Tensor, Word
from compiler.ops.base import Op, TensorType, Window, arg
from compiler.ops.checks import as_tuple, axis_name, need_rank, plural
from compiler.ops.sliding import Sliding, too_many_numbers
from spec_lang.frozen import frozen

_ROUND = Choice(shapes.ROUNDS)
#: The position of a maximum is a 64-bit integer in PyTorch.
POSITION_BYTES = 8


class _Pool(Sliding):
    """What maxpool and avgpool share."""

    @classmethod
    def too_many(cls, given: Sequence[Given], positional: Sequence[str]) -> Fault | None:
        return too_many_numbers(cls, given, 0)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        self._check_pads(x)
        sizes, free = self.slide(x)
        self._check_seen(x, sizes)
        return (x.with_shape((x.shape[0], *sizes), (x.free[0], *free)),)

    def most_pad(self, axis: int, x: TensorType) -> int | None:
        return self.kernel[axis] // 2

    def _round_up(self, it: str) -> tuple[str, ...]:
        return (f"`round = ceil` sees {it} in a last window that hangs over",)

    def _check_pads(self, x: TensorType) -> None:
        """As PyTorch demands: at most half of the kernel, which is not dilated for this."""
        if any(max(pair) > k // 2 for pair, k in zip(self.pad, self.kernel, strict=True)):
            worst = next(
                axis
                for axis, (pair, k) in enumerate(zip(self.pad, self.kernel, strict=True))
                if max(pair) > k // 2
            )
            most = as_tuple([min(max(pair), k // 2) for pair, k in zip(self.pad, self.kernel, strict=True)])
            raise Fault(
                "E303",
                f"{self.name} pads its {axis_name(x.rank, worst + 1)} by {max(self.pad[worst])}, "
                f"more than half of its kernel of {self.kernel[worst]}",
                label=f"at most {self.kernel[worst] // 2} for a kernel of {self.kernel[worst]}",
                help=(f"`pad = {most}`",),
                argument="pad",
                inputs=(0,),
            )

    def _check_seen(self, x: TensorType, sizes: Sequence[int]) -> None:
        for axis, (size, k, d, s, (begin, _), o) in enumerate(
            zip(x.spatial, self.kernel, self.dilations, self.stride, self.pad, sizes, strict=True)
        ):
            blind = shapes.blind_window(size, k, d, s, begin, o)
            if blind is None:
                continue
            name = axis_name(x.rank, axis + 1)
            help = (
                "`round = ceil` leaves such a window out"
                if self.round == "caffe"
                else "pad less, or dilate less"
            )
            raise Fault(
                "E303",
                f"{self.name} has a window that sees no input: along the {name} of {size}, "
                f"window {blind + 1} of {o} begins at position {blind * s - begin}",
                label="a window lies in the padding alone",
                help=(help,),
                inputs=(0,),
                argument="round" if self.round == "caffe" else None,
            )

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One operation per window element (comparisons, or additions and one division)."""
        return outputs[0].elements * math.prod(self.kernel)


@frozen
class MaxPool(_Pool):
    """The largest number in each window.  Padding counts as minus infinity.

    y[c, p] = max over t of x[c, p * stride - begin + t * dilation].  [C, spatial...] ->
    [C, spatial'...], sizes as in `conv`; pads are at most half of the kernel.

    PyTorch: MaxPool1d, MaxPool2d, MaxPool3d.  ONNX: MaxPool.
    Source: Ranzato et al. 2007; the usual 2x2: Scherer et al. 2010.
    """

    name: ClassVar[str] = "maxpool"

    kernel: tuple[int, ...] = arg(PerAxis(), "the size of the window", positional=True)
    stride: tuple[int, ...] = arg(
        PerAxis(), "the step of the window; that of the kernel if left out", default=None
    )
    pad: tuple[tuple[int, int], ...] = arg(Pads(), "what is added around the input", default=0)
    round: str = arg(_ROUND, "what happens when the size is not whole", default=Word("exact"))
    dilation: tuple[int, ...] = arg(PerAxis(), "the distance between the window's elements", default=1)

    def marks(self, outputs: Sequence[TensorType]) -> int:
        """The position of each maximum."""
        return POSITION_BYTES * outputs[0].elements


@frozen
class AvgPool(_Pool):
    """The mean of each window.

    y[c, p] = (sum over t of x[c, p * stride - begin + t]) / divisor; padding counts as zeros.
    `divisor`: `padded` (PyTorch's and Caffe's default) counts what lies in the input and its
    declared padding, not what hangs over; `valid` counts real numbers alone; `window` is the whole kernel;
    a number is itself.  [C, spatial...] -> [C, spatial'...], sizes as in `maxpool`.

    PyTorch: AvgPool1d, AvgPool2d, AvgPool3d (`count_include_pad`, `divisor_override`).
    ONNX: AveragePool.  Source: LeCun et al. 1989 (subsampling).
    """

    name: ClassVar[str] = "avgpool"

    kernel: tuple[int, ...] = arg(PerAxis(), "the size of the window", positional=True)
    stride: tuple[int, ...] = arg(
        PerAxis(), "the step of the window; that of the kernel if left out", default=None
    )
    pad: tuple[tuple[int, int], ...] = arg(Pads(), "what is added around the input", default=0)
    round: str = arg(_ROUND, "what happens when the size is not whole", default=Word("exact"))
    divisor: str | float = arg(
        AnyOf((Choice(("padded", "valid", "window")), Real(above=0))),
        "what the sum of a window is divided by",
        default=Word("padded"),
    )


class _Whole(Op):
    """A pool over all spatial axes."""

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 2, 4)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        return (
            x.with_shape((x.shape[0], *(1 for _ in x.spatial)), (x.free[0], *(False for _ in x.spatial))),
        )

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """Not where there is one position already."""
        return any(size > 1 for size in inputs[0].spatial)

    def unchanged(self, inputs: Sequence[TensorType]) -> bool:
        return not self.new_volume(inputs)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One operation per input number."""
        return inputs[0].elements

    def window(self, inputs: Sequence[TensorType]) -> Window:
        sizes = inputs[0].spatial
        return Window(sizes, sizes, (0,) * len(sizes))


@frozen
class GlobalAvgPool(_Whole):
    """The mean of each channel.  [C, spatial...] -> [C, 1, ...]: the axes stay, with extent 1.

    PyTorch: AdaptiveAvgPool2d(1) and its kin.  ONNX: GlobalAveragePool.
    Source: Lin et al. 2014, "Network in network".
    """

    name: ClassVar[str] = "globalavgpool"
    keeps: ClassVar[str] = "nothing"


@frozen
class GlobalMaxPool(_Whole):
    """The largest number of each channel.  [C, spatial...] -> [C, 1, ...]: the axes stay, with extent 1.

    PyTorch: AdaptiveMaxPool2d(1) and its kin.  ONNX: GlobalMaxPool.  Source: Oquab et al. 2015.
    """

    name: ClassVar[str] = "globalmaxpool"

    def marks(self, outputs: Sequence[TensorType]) -> int:
        """The position of each maximum."""
        return POSITION_BYTES * outputs[0].elements


class _Adaptive(Op):
    """A pool whose windows follow from the size of its result."""

    size: tuple[int, ...] | None
    like: int | None

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 2, 4)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        if stored["size"] is None and stored["like"] is None:
            raise Fault(
                "E311",
                f"{cls.name} needs `size`, or `like` and a tensor of that size",
                notes=(f"signature: {cls.signature()}",),
                help=(f"`{cls.name}(7)`",),
            )
        if stored["size"] is not None and stored["like"] is not None:
            raise Fault(
                "E315",
                f"{cls.name} takes `size` or `like`, not both",
                argument="like",
                notes=(f"signature: {cls.signature()}",),
            )
        if stored["like"] is not None:
            other = inputs[stored["like"]]
            if other.rank != inputs[0].rank:
                raise Fault(
                    "E308",
                    f"{cls.name}: `like` is {other}, which has {plural(other.rank, 'axis', 'axes')}, "
                    f"and its input {inputs[0]} has {inputs[0].rank}",
                    argument="like",
                    inputs=(0, stored["like"]),
                    label="as many spatial axes as the input are needed",
                )
        return stored

    def sizes(self, inputs: Sequence[TensorType]) -> tuple[int, ...]:
        """The spatial sizes of the result."""
        if self.size is not None:
            return self.size
        assert self.like is not None
        return inputs[self.like].spatial

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, sizes = inputs[0], self.sizes(inputs)
        free = inputs[self.like].free[1:] if self.like is not None else (False,) * len(sizes)
        return (x.with_shape((x.shape[0], *sizes), (x.free[0], *free)),)

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """Not where the input has the size already: as in VGG, whose 7x7 map is pooled to 7x7."""
        return self.sizes(inputs) != inputs[0].spatial

    def unchanged(self, inputs: Sequence[TensorType]) -> bool:
        return not self.new_volume(inputs)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """At most one operation per element of the largest window, for each output."""
        return outputs[0].elements * math.prod(self.window(inputs).extent)

    def window(self, inputs: Sequence[TensorType]) -> Window:
        """The largest window; its stride is the mean step, rounded up.

        Window j begins j * in mod out behind a multiple of out, at most out - gcd(in, out).
        """
        pairs = list(zip(inputs[0].spatial, self.sizes(inputs), strict=True))
        steps = tuple(shapes.cdiv(size, outputs) for size, outputs in pairs)
        largest = tuple(
            shapes.cdiv(size + outputs - math.gcd(size, outputs), outputs) for size, outputs in pairs
        )
        return Window(largest, steps, (0,) * len(pairs))


@frozen
class AdaptiveAvgPool(_Adaptive):
    """The mean of windows that divide the input into `size` (or the size of `like`) parts per axis.

    Window j covers floor(j * in / out) to ceil((j + 1) * in / out); windows may overlap, and the
    result may be larger than the input.  [C, spatial...] -> [C, size...].

    PyTorch: AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d.  ONNX: AveragePool where
    the size divides, else by parts.  Source: He et al. 2014, "Spatial pyramid pooling".
    """

    name: ClassVar[str] = "adaptiveavgpool"

    size: tuple[int, ...] | None = arg(PerAxis(), "the size of the result", default=None, positional=True)
    like: int | None = arg(Tensor(), "a tensor whose spatial size the result gets", default=None)

    def kept(self, inputs: Sequence[TensorType]) -> str:
        """Nothing for one position, which is a mean."""
        return "input" if any(size > 1 for size in self.sizes(inputs)) else "nothing"


@frozen
class AdaptiveMaxPool(_Adaptive):
    """The largest number in windows that divide the input into `size` (or the size of `like`) parts per axis.

    Windows as in `adaptiveavgpool`.  [C, spatial...] -> [C, size...].

    PyTorch: AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d.  ONNX: MaxPool where the
    size divides, else by parts.  Source: He et al. 2014, "Spatial pyramid pooling".
    """

    name: ClassVar[str] = "adaptivemaxpool"
    keeps: ClassVar[str] = "input"

    size: tuple[int, ...] | None = arg(PerAxis(), "the size of the result", default=None, positional=True)
    like: int | None = arg(Tensor(), "a tensor whose spatial size the result gets", default=None)

    def marks(self, outputs: Sequence[TensorType]) -> int:
        """The position of each maximum."""
        return POSITION_BYTES * outputs[0].elements


OPS: tuple[type[Op], ...] = (MaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, AdaptiveAvgPool, AdaptiveMaxPool)
