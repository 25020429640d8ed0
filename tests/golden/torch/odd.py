"""odd.

Source: odd.cnn, model odd.
Input: I (N, 2, 4, 4)
Output: l (N, 2, 2, 2)
Parameters: 51.  Multiply-accumulates for one image: 256.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Twice(nn.Module):
    """The block Twice: (N, in_channels, 4, 4) -> (N, __class___, H, W)."""

    def __init__(self, in_channels: int, __class___: int, l_: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, __class___, 1, stride=l_)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv1(x))  # (N, __class___, H, W)


class Odd(nn.Module):
    """The model odd: I (N, 2, 4, 4) -> l (N, 2, 2, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Sequential(
            Twice(2, 2),  # (N, 2, 4, 4)
            Twice(2, 3),  # (N, 3, 4, 4)
            Twice(in_channels=3, __class___=4, l_=2),  # (N, 4, 2, 2)
        )
        self.F = nn.Sequential(
            nn.Conv2d(4, 2, 1),
            nn.ReLU(),
        )
        self.G = nn.Sequential(
            OrderedDict(
                F=nn.Conv2d(2, 2, 1),
                torch=nn.BatchNorm2d(2),
            )
        )

    def forward(self, I_: Tensor) -> Tensor:
        if I_.shape[1:] != (2, 4, 4):
            raise ValueError(f"the input I is {tuple(I_.shape)}, not (N, 2, 4, 4)")
        x: Tensor = self.s(I_)  # (N, 4, 2, 2)
        x = self.F(x)  # (N, 2, 2, 2)
        x = self.G(x)  # (N, 2, 2, 2)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Odd:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Odd()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
