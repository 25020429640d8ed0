"""Convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from compiler.declare import Choice, Fault, Flag, Given, Int, Pads, PerAxis, Word
from compiler.ops.base import Op, TensorType, WeightedOp, WeightSpec, arg
from compiler.ops.checks import axis_name, largest_divisor, need_fixed
from compiler.ops.sliding import Sliding, too_many_numbers
from spec_lang.frozen import frozen


def pad_limit(mode: str, size: int) -> int | None:
    """The most that a border mode can pad on one side of an axis of this size; None for any."""
    return {"reflect": size - 1, "circular": size}.get(mode)


def check_border(
    layer: str, mode: str, x: TensorType, pads: Sequence[tuple[int, int]], argument: str
) -> None:
    """E303 where `reflect` or `circular` would need more than the input has."""
    for axis, (size, pair) in enumerate(zip(x.spatial, pads, strict=True)):
        most = pad_limit(mode, size)
        if most is not None and max(pair) > most:
            name = axis_name(x.rank, axis + 1)
            raise Fault(
                "E303",
                f"{layer} pads its {name} by {max(pair)}, but `{mode}` has at most {most} to give "
                f"at a {name} of {size}",
                label=f"{max(pair)} of {size} cannot be taken from inside",
                help=(f"pad at most {most}, or use `replicate`",),
                argument=argument,
                inputs=(0,),
            )


@frozen
class Conv(Sliding, WeightedOp):
    """Convolution (as everywhere in deep learning, a cross-correlation), 1-D, 2-D or 3-D by its input.

    y[o, p] = bias[o] + sum over c, t of weight[o, c, t] * x[first + c, p * stride - begin + t * dilation],
    where `first` is the first channel of the group of o.  [C, spatial...] -> [filters, spatial'...];
    each axis gives (size - F + begin + end) / stride + 1 with F = dilation * (kernel - 1) + 1, see `round`.
    `weight` is [filters, C / groups, kernel...], `bias` is [filters].  Overhang of `ceil` is padded
    as `pad_mode` says.  MACs: outputs * C / groups * kernel elements.

    PyTorch: Conv1d, Conv2d, Conv3d.  ONNX: Conv, after Pad where `pad_mode` is not zeros.
    Source: LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition";
    dilation: Yu and Koltun 2016; groups: Krizhevsky et al. 2012.
    """

    name: ClassVar[str] = "conv"

    filters: int = arg(Int(), "how many channels come out", positional=True)
    kernel: tuple[int, ...] = arg(PerAxis(), "the size of the window", positional=True)
    stride: tuple[int, ...] = arg(PerAxis(), "the step of the window", default=1)
    pad: tuple[tuple[int, int], ...] = arg(Pads(), "what is added around the input", default=0)
    dilation: tuple[int, ...] = arg(PerAxis(), "the distance between the kernel's elements", default=1)
    groups: int = arg(Int(), "how many groups of channels are convolved apart", default=1)
    bias: bool = arg(Flag(), "whether a number per filter is added", default=True)
    pad_mode: str = arg(
        Choice(("zeros", "reflect", "replicate", "circular")), "what the padding holds", default=Word("zeros")
    )
    round: str = arg(
        Choice(("exact", "floor", "ceil")), "what happens when the size is not whole", default=Word("exact")
    )

    @classmethod
    def too_many(cls, given: Sequence[Given], positional: Sequence[str]) -> Fault | None:
        return too_many_numbers(cls, given, 1)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        x = inputs[0]
        need_fixed(cls.name, x, (0,), "the weights depend on {it}")
        if stored["round"] == "ceil":
            free = [axis for axis in range(1, x.rank) if stored["stride"][axis - 1] > 1]
            need_fixed(
                cls.name,
                x,
                free,
                "the padding of `round = ceil` depends on {it}",
                argument="round",
                help=("`round = floor` works at every size",),
            )
        return super().prepare(stored, inputs)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        if x.shape[0] % self.groups or self.filters % self.groups:
            raise self._groups_fault(x.shape[0])
        sizes, free = self.slide(x)
        if self.pad_mode != "zeros":  # of which there are enough
            check_border(self.name, self.pad_mode, x, self.lowered_pads(x), "pad")
        return (x.with_shape((self.filters, *sizes), (False, *free)),)

    def _groups_fault(self, channels: int) -> Fault:
        fitting = largest_divisor(math.gcd(channels, self.filters), self.groups)
        bad = [
            text
            for count, text in (
                (channels, f"{channels} input channels"),
                (self.filters, f"{self.filters} filters"),
            )
            if count % self.groups
        ]
        return Fault(
            "E304",
            f"conv cannot divide {channels} input channels and {self.filters} filters "
            f"into {self.groups} groups",
            label=f"{' and '.join(bad)} cannot be divided by {self.groups}",
            help=(f"`groups = {fitting}` divides both",),
            argument="groups",
            inputs=(0,),
        )

    def most_pad(self, axis: int, x: TensorType) -> int | None:
        return pad_limit(self.pad_mode, x.spatial[axis])

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        inner, window = inputs[0].shape[0] // self.groups, math.prod(self.kernel)
        shape = (self.filters, inner, *self.kernel)
        weight = WeightSpec("weight", shape, "weight", fan_in=inner * window, fan_out=self.filters * window)
        return (weight, WeightSpec("bias", (self.filters,), "bias")) if self.bias else (weight,)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return outputs[0].elements * (inputs[0].shape[0] // self.groups) * math.prod(self.kernel)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """2 per MAC, and one addition per output for the bias."""
        return super().flops(inputs, outputs) + (outputs[0].elements if self.bias else 0)


OPS: tuple[type[Op], ...] = (Conv,)
