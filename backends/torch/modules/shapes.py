"""Modules of an `nn.Sequential` for what is an expression elsewhere."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Reshape(nn.Module):
    """Another shape for each row of the batch."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


class Permute(nn.Module):
    """The axes behind the batch in another order, counted from 1."""

    def __init__(self, order: tuple[int, ...]):
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, *self.order)


class Select(nn.Module):
    """Some channels, in this order."""

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        self.channels = list(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.channels]


class Slice(nn.Module):
    """The stretch from `start` up to, without, `stop` of one axis."""

    def __init__(self, dim: int, start: int, stop: int):
        super().__init__()
        self.dim = dim
        self.start = start
        self.stop = stop

    def forward(self, x: Tensor) -> Tensor:
        return x.narrow(self.dim, self.start, self.stop - self.start)


class Reduce(nn.Module):
    """The maximum (`amax`), `mean` or `sum` along one axis, which is dropped."""

    def __init__(self, how: str, dim: int):
        super().__init__()
        self.how = how
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "amax":
            return x.amax(dim=self.dim)
        return x.mean(dim=self.dim) if self.how == "mean" else x.sum(dim=self.dim)


class AddConstant(nn.Module):
    """x + constant."""

    def __init__(self, constant: float):
        super().__init__()
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:
        return x + self.constant


class MultiplyConstant(nn.Module):
    """x * constant."""

    def __init__(self, constant: float):
        super().__init__()
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:
        return x * self.constant


class HardSigmoid(nn.Module):
    """min(max(x + 3, 0), 6) / 6, with an exact derivative in double precision too."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x + 3) / 6
