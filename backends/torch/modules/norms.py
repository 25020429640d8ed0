"""Normalisation and factors per channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm


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


class LocalResponseNorm(nn.LocalResponseNorm):
    """`nn.LocalResponseNorm` for (N, C, D, H, W) too, however it lies in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.contiguous())


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


class FrozenBatchNorm(_BatchNorm):
    """Batch normalisation by its running statistics, which never move: as at inference, in training too."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.batch_norm(
            plain(x),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            eps=self.eps,
        )
        return plain(y)


class InstanceNorm(_InstanceNorm):
    """`nn.InstanceNorm1d`, `2d` and `3d` in one, for inputs of different ranks."""

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, None, None, self.weight, self.bias, eps=self.eps)
