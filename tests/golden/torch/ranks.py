"""ranks.

Source: ranks.cnn, model ranks.
Input: image (N, 4, 9, 14)
Input: line (N, 4, 7)
Output: map (N, 4, 3, 4)
Output: line_ (N, 4, 7)
Output: vector (N, 4)
Parameters: 216.  Multiply-accumulates for one image: 10,448.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm


def check_input(x: Tensor, name: str, shape: tuple[int | None, ...]) -> None:
    """Refuse an input of another shape (without the batch; None is any extent)."""
    fits = x.dim() == len(shape) + 1
    for size, wanted in zip(x.shape[1:], shape, strict=False):
        fits = fits and wanted in (None, size)
    if not fits:
        extents = ", ".join(["N", *("any" if n is None else str(n) for n in shape)])
        raise ValueError(f"the input {name} is {tuple(x.shape)}, not ({extents})")


def check_rows(*inputs: Tensor) -> None:
    """Refuse inputs that differ in their number of rows."""
    rows = [x.shape[0] for x in inputs]
    if any(n != rows[0] for n in rows):
        raise ValueError(f"the inputs differ in their number of rows: {rows}")


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


def per_channel(weight: Tensor, x: Tensor) -> Tensor:
    """One number per channel, shaped so that it meets the channels of (N, C, ...)."""
    return weight.reshape(-1, *(1,) * (x.dim() - 2))


class Scale(nn.Module):
    """A learned factor, and offset, per channel of (N, C, ...)."""

    def __init__(self, channels: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        x = x * per_channel(self.weight, x)
        return x if self.bias is None else x + per_channel(self.bias, x)


class L2Norm(nn.Module):
    """Unit length over the channels of (N, C, ...), times a learned factor per channel."""

    def __init__(self, channels: int, eps: float = 1e-12):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1, eps=self.eps) * per_channel(self.weight, x)


class ChannelNorm(nn.LayerNorm):
    """`nn.LayerNorm` along the channels of (N, C, ...), at every place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def plain(x: Tensor) -> Tensor:
    """The same numbers, which lie in memory in the order of their axes, and so do their gradients."""
    return x.flatten().view_as(x)


class BatchNorm(_BatchNorm):
    """`nn.BatchNorm1d`, `2d` and `3d` in one, for inputs of different ranks, and of extents of 1.

    For those, PyTorch's own (2.13) have wrong gradients where they come in another order of axes.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return plain(super().forward(plain(x)))


class InstanceNorm(_InstanceNorm):
    """`nn.InstanceNorm1d`, `2d` and `3d` in one, for inputs of different ranks."""

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, None, None, self.weight, self.bias, eps=self.eps)


class ChannelLinear(nn.Linear):
    """`nn.Linear` along the channels of (N, C, ...), at every place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Ranks(nn.Module):
    """The model ranks: image (N, 4, 9, 14), line (N, 4, 7) -> map (N, 4, 3, 4),
    line_ (N, 4, 7), vector (N, 4).
    """

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(4, 4, 3, stride=2)
        self.up = PaddedConv2d(
            4,
            4,
            (3, 2),
            pads=(1, 0, 1, 1),
            border="reflect",
        ).requires_grad_(False)
        self.i = InstanceNorm(4, affine=True)
        self.l = ChannelNorm(4)
        self.b = BatchNorm(4)
        self.f = ChannelLinear(4, 4)
        self.s = Scale(4)
        self.p = nn.PReLU(4)
        self.g = nn.GroupNorm(2, 4)
        self.n = L2Norm(4)

    def forward(self, image: Tensor, line: Tensor) -> dict[str, Tensor]:
        check_input(image, "image", (4, 9, 14))
        check_input(line, "line", (4, 7))
        check_rows(image, line)
        x = self.c(F.pad(image, (0, 1, 1, 1)))  # (N, 4, 5, 7)
        x = self.up(x)  # (N, 4, 5, 7)
        x = self.i(self.c(F.pad(x, (1, 1, 1, 1))))  # (N, 4, 3, 4)
        x = self.b(self.l(x))  # (N, 4, 3, 4)
        x = self.p(self.s(self.f(x)))  # (N, 4, 3, 4)
        x = self.g(x)  # (N, 4, 3, 4)
        map_ = self.n(x)  # (N, 4, 3, 4)
        x = self.i(line)  # (N, 4, 7)
        x = self.b(self.l(x))  # (N, 4, 7)
        x = self.p(self.s(self.f(x)))  # (N, 4, 7)
        x = self.g(x)  # (N, 4, 7)
        m = self.n(x)  # (N, 4, 7)
        x = m.mean(dim=2)  # (N, 4)
        x = self.b(self.l(x))  # (N, 4)
        x = self.p(self.s(self.f(x)))  # (N, 4)
        x = self.g(x)  # (N, 4)
        vector = self.n(x)  # (N, 4)
        return {"map": map_, "line_": m, "vector": vector}


def build_model(weights: Mapping[str, Any] | None = None) -> Ranks:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Ranks()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
