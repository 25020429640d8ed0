"""sharedif.

Source: sharedif.cnn, model sharedif.
Input: image (N, 6, 20, 20)
Output: y (N, 6)
Parameters: 462.  Multiply-accumulates for one image: 108,036.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


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


class ChannelLinear(nn.Linear):
    """`nn.Linear` along the channels of (N, C, ...), at every place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Outer(nn.Module):
    """The part outer: (N, 6, 10, 10) -> (N, 6, 10, 10)."""

    def forward(self, x: Tensor, c: nn.Module, n: nn.Module, f: nn.Module) -> Tensor:
        x = n(F.relu(c(x)))  # (N, 6, 10, 10)
        return F.relu(f(x))  # (N, 6, 10, 10)


class Sharedif(nn.Module):
    """The model sharedif: image (N, 6, 20, 20) -> y (N, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.odd = nn.ModuleDict(
            {
                "maxpool1": nn.MaxPool2d(2),
                "c": nn.Conv2d(6, 6, 3, padding=1),
            }
        )
        self.conv1 = nn.Conv2d(12, 6, 1)
        self.outer = Outer()
        self.n = BatchNorm(6)
        self.f = ChannelLinear(6, 6)
        self.globalavgpool1 = nn.AdaptiveAvgPool2d(1)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (6, 20, 20):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 6, 20, 20)",
            )
        x: Tensor = self.odd["maxpool1"](image)  # (N, 6, 10, 10)
        a = F.relu(self.odd["c"](x))  # (N, 6, 10, 10)
        b = F.relu(self.odd["c"](a))  # (N, 6, 10, 10)
        x = torch.cat([a, b], dim=1)  # (N, 12, 10, 10)
        x = self.conv1(x)  # (N, 6, 10, 10)
        x = self.outer(x, self.odd["c"], self.n, self.f)  # (N, 6, 10, 10)
        x = self.globalavgpool1(x)  # (N, 6, 1, 1)
        x = torch.flatten(x, 1)  # (N, 6)
        x = self.n(self.f(x))  # (N, 6)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Sharedif:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Sharedif()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
