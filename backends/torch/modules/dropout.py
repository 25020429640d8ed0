"""Dropout beyond PyTorch's own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ClassicDropout(nn.Module):
    """Dropout as published: kept numbers stay while training, and inference multiplies by 1 - p."""

    def __init__(self, p: float, spatial: bool = False):
        super().__init__()
        self.p = p
        self.spatial = spatial

    def forward(self, x: Tensor) -> Tensor:
        drop = torch.feature_dropout if self.spatial else F.dropout
        return drop(x, self.p, self.training) * (1 - self.p)


class ChannelDropout(nn.Module):
    """Drops whole channels of (N, C, ...), whatever the number of axes."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return torch.feature_dropout(x, self.p, self.training)


class PathDropout(nn.Module):
    """Stochastic depth: drops whole images while training, and scales the others by 1 / (1 - p)."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * F.dropout(x.new_ones(x.shape[0], *[1] * (x.dim() - 1)), self.p)
