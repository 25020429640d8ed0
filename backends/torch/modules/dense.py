"""Layers in which every output sees every feature."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelLinear(nn.Linear):
    """`nn.Linear` along the channels of (N, C, ...), at every place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def squared_distances(x: Tensor, centers: Tensor) -> Tensor:
    """(N, features) -> (N, n): the squared distance to each of the n centres."""
    return (x.unsqueeze(1) - centers).square().sum(dim=2)
