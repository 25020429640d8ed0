"""tiny.

Source: resnet.cnn, model tiny.
Input: image (N, 3, 33, 47)
Output: logits (N, 10)
Parameters: 25,362.  Multiply-accumulates for one image: 1,448,128.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BottleneckDownsample(nn.Module):
    """The block Bottleneck: (N, in_channels, 9, 12) -> (N, 4 * width, H, W)."""

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential(
            nn.Conv2d(in_channels, 4 * width, 1, stride=stride, bias=False),
            nn.BatchNorm2d(4 * width),
        )

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))  # (N, width, 9, 12)
        out = F.relu(self.bn2(self.conv2(out)))  # (N, width, H, W)
        out = self.bn3(self.conv3(out))  # (N, 4 * width, H, W)
        x = self.downsample(x)  # (N, 4 * width, H, W)
        return F.relu(out + x)  # (N, 4 * width, H, W)


class Bottleneck(nn.Module):
    """The block Bottleneck: (N, 4 * width, H, W) -> (N, 4 * width, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4 * width, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))  # (N, width, H, W)
        out = F.relu(self.bn2(self.conv2(out)))  # (N, width, H, W)
        out = self.bn3(self.conv3(out))  # (N, 4 * width, H, W)
        return F.relu(out + x)  # (N, 4 * width, H, W)


class Tiny(nn.Module):
    """The model tiny: image (N, 3, 33, 47) -> logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            BottleneckDownsample(8, 8),
            Bottleneck(8),
            Bottleneck(8),
        )
        self.layer2 = nn.Sequential(
            BottleneckDownsample(in_channels=32, width=16, stride=2),
            *(Bottleneck(16) for _ in range(3)),
        )
        self.globalavgpool1 = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (3, 33, 47):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 3, 33, 47)",
            )
        x: Tensor = F.relu(self.bn1(self.conv1(image)))  # (N, 8, 17, 24)
        x = self.maxpool1(x)  # (N, 8, 9, 12)
        x = self.layer1(x)  # (N, 32, 9, 12)
        x = self.layer2(x)  # (N, 64, 5, 6)
        x = self.globalavgpool1(x)  # (N, 64, 1, 1)
        x = torch.flatten(x, 1)  # (N, 64)
        x = self.fc(x)  # (N, 10)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Tiny:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Tiny()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
