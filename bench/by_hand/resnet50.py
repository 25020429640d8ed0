"""ResNet-50 (He et al., 2015), with the stride in the 3x3 convolution of a bottleneck.

The weights are named as in torchvision, whose checkpoints load.  25,557,032 parameters;
4,089,184,256 multiply-accumulates for one image of 224x224.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, added to its input (figure 5, right).

    (N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride)
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        # The first block of each stage changes the shape, and so has to project its input.
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out = self.relu(out + identity)
        return out


def make_stage(in_channels: int, width: int, depth: int, stride: int) -> nn.Sequential:
    """`depth` bottlenecks, of which the first has the stride."""
    out_channels = Bottleneck.expansion * width
    return nn.Sequential(
        Bottleneck(in_channels, width, stride),
        *(Bottleneck(out_channels, width) for _ in range(depth - 1)),
    )


class ResNet50(nn.Module):
    """ResNet-50: image (N, 3, 224, 224) -> logits (N, classes)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = make_stage(64, 64, depth=3, stride=1)
        self.layer2 = make_stage(256, 128, depth=4, stride=2)
        self.layer3 = make_stage(512, 256, depth=6, stride=2)
        self.layer4 = make_stage(1024, 512, depth=3, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, classes)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (3, 224, 224):
            raise ValueError(f"the image is {tuple(x.shape)}, not (N, 3, 224, 224)")
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.maxpool(x)  # (N, 64, 56, 56)
        x = self.layer1(x)  # (N, 256, 56, 56)
        x = self.layer2(x)  # (N, 512, 28, 28)
        x = self.layer3(x)  # (N, 1024, 14, 14)
        x = self.layer4(x)  # (N, 2048, 7, 7)
        x = self.avgpool(x)  # (N, 2048, 1, 1)
        x = torch.flatten(x, 1)
        x = self.fc(x)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> ResNet50:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = ResNet50()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
