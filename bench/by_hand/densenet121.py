"""DenseNet-121 (Huang et al., 2016).

The weights are named as in torchvision.  7,978,856 parameters; 2,834,161,664
multiply-accumulates for one image of 224x224.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

GROWTH = 32
DEPTHS = (6, 12, 24, 16)


class DenseLayer(nn.Module):
    """`GROWTH` new maps of all those before, through a bottleneck of four times as many.

    (N, channels, H, W) -> (N, channels + GROWTH, H, W)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, 4 * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * GROWTH)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(self.relu1(self.norm1(x)))
        out = self.conv2(self.relu2(self.norm2(out)))
        return torch.cat([x, out], dim=1)


class DenseBlock(nn.Sequential):
    """`depth` dense layers, each of which sees the maps of all those before it.

    (N, channels, H, W) -> (N, channels + depth * GROWTH, H, W)
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(f"denselayer{i + 1}", DenseLayer(channels + i * GROWTH))


class Transition(nn.Sequential):
    """Half as many maps, of half the height: (N, C, H, W) -> (N, C / 2, H / 2, W / 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2)


class DenseNet121(nn.Module):
    """DenseNet-121: image (N, 3, 224, 224) -> logits (N, classes)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        channels = 2 * GROWTH
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(),
                pool0=nn.MaxPool2d(3, stride=2, padding=1),  # (N, 64, 56, 56)
            )
        )
        for i, depth in enumerate(DEPTHS, start=1):
            if i > 1:
                self.features.add_module(f"transition{i - 1}", Transition(channels))
                channels //= 2
            self.features.add_module(f"denseblock{i}", DenseBlock(channels, depth))
            channels += depth * GROWTH
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.relu = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (3, 224, 224):
            raise ValueError(f"the image is {tuple(x.shape)}, not (N, 3, 224, 224)")
        x = self.relu(self.features(x))  # (N, 1024, 7, 7)
        x = torch.flatten(self.avgpool(x), 1)  # (N, 1024)
        x = self.classifier(x)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> DenseNet121:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = DenseNet121()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
