"""Convolution and pooling over inputs that are padded differently at their two ends."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaddedConv1d(nn.Conv1d):
    """`nn.Conv1d` whose input is padded first: `pads` and `border` are those of `F.pad`."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[int, ...],
        border: str = "constant",
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.border = border

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads, mode=self.border))


class PaddedConv2d(nn.Conv2d):
    """`nn.Conv2d` whose input is padded first: `pads` and `border` are those of `F.pad`."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[int, ...],
        border: str = "constant",
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.border = border

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads, mode=self.border))


class PaddedConv3d(nn.Conv3d):
    """`nn.Conv3d` whose input is padded first: `pads` and `border` are those of `F.pad`."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[int, ...],
        border: str = "constant",
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.border = border

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads, mode=self.border))


def overhangs(
    x: Tensor,
    extent: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    ceil_mode: bool,
) -> tuple[int, ...]:
    """How far the last window reaches beyond the padded input, per axis: 0 unless `ceil_mode`.

    As PyTorch has it, a last window that would begin behind the input is left out.
    """
    more = []
    for size, k, s, (begin, end) in zip(x.shape[2:], extent, stride, pads, strict=True):
        outputs = (size + begin + end - k) // s + 1
        if ceil_mode and outputs * s < size + begin and (size + begin + end - k) % s:
            outputs += 1
        more.append(max(0, (outputs - 1) * s + k - size - begin - end))
    return tuple(more)


def flat(pads: tuple[tuple[int, int], ...], more: tuple[int, ...]) -> list[int]:
    """Pads in the order of `F.pad`, last axis first, with `more` at the ends."""
    both = zip(pads, more, strict=True)
    pairs = [(begin, end + extra) for (begin, end), extra in both]
    return [p for pair in reversed(pairs) for p in pair]


class PaddedMaxPool1d(nn.MaxPool1d):
    """`nn.MaxPool1d` with a (begin, end) pair of `pads` per axis."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[tuple[int, int], ...],
        ceil_mode: bool = False,
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.rounds_up = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(pad_for_maximum(self, x, self.pads, self.rounds_up))
        return y


class PaddedMaxPool2d(nn.MaxPool2d):
    """`nn.MaxPool2d` with a (begin, end) pair of `pads` per axis."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[tuple[int, int], ...],
        ceil_mode: bool = False,
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.rounds_up = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(pad_for_maximum(self, x, self.pads, self.rounds_up))
        return y


class PaddedMaxPool3d(nn.MaxPool3d):
    """`nn.MaxPool3d` with a (begin, end) pair of `pads` per axis."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[tuple[int, int], ...],
        ceil_mode: bool = False,
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.rounds_up = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(pad_for_maximum(self, x, self.pads, self.rounds_up))
        return y


def pad_for_maximum(
    pool: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d,
    x: Tensor,
    pads: tuple[tuple[int, int], ...],
    ceil_mode: bool,
) -> Tensor:
    """The input with minus infinity around it, so that no window hangs over."""

    def per_axis(value: Any) -> tuple[int, ...]:
        return (value,) * len(pads) if isinstance(value, int) else tuple(value)

    sizes = (pool.kernel_size, pool.stride, pool.dilation)
    kernel, stride, dilation = map(per_axis, sizes)
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    more = overhangs(x, extent, stride, pads, ceil_mode)
    return F.pad(x, flat(pads, more), value=float("-inf"))


class PaddedAvgPool(nn.Module):
    """Average pooling, 1-D to 3-D, with what PyTorch's own cannot say.

    `pads` is a (begin, end) pair per axis.  The sum of a window is divided by `divisor`: a number,
    "padded" (what lies in the input or its padding) or "valid" (what lies in the input).
    """

    def __init__(
        self,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        pads: tuple[tuple[int, int], ...],
        divisor: str | float,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.pads = pads
        self.divisor = divisor
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        more = overhangs(x, self.kernel_size, self.stride, self.pads, self.ceil_mode)
        total = self.sums(F.pad(x, flat(self.pads, more)))
        if not isinstance(self.divisor, str):
            return total / self.divisor
        counted = torch.ones_like(x[:1, :1])
        if self.divisor == "padded":
            counted = F.pad(counted, flat(self.pads, (0,) * len(more)), value=1.0)
            counted = F.pad(counted, flat(((0, 0),) * len(more), more))
        else:
            counted = F.pad(counted, flat(self.pads, more))
        return total / self.sums(counted)

    def sums(self, x: Tensor) -> Tensor:
        """The sum of every window."""
        if len(self.kernel_size) == 3:
            return F.avg_pool3d(x, self.kernel_size, self.stride, divisor_override=1)
        if len(self.kernel_size) == 2:
            return F.avg_pool2d(x, self.kernel_size, self.stride, divisor_override=1)
        kernel, stride = (1, *self.kernel_size), (1, *self.stride)
        row = x.unsqueeze(-2)
        return F.avg_pool2d(row, kernel, stride, divisor_override=1).squeeze(-2)
