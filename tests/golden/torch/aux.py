"""goog.

Source: aux.cnn, model goog.
Input: image (N, 3, 15, 19)
Output: logits (N, 5)
Parameters: 4,548.  Multiply-accumulates for one image: 862,005.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Inception(nn.Module):
    """The block Inception: (N, in_channels, 13, 17) -> (N, C, 13, 17)."""

    def __init__(self, in_channels: int, a: int, b: int, c: int) -> None:
        super().__init__()
        self.branch1 = nn.Sequential(
            nn.Conv2d(in_channels, a, 1),
            nn.ReLU(),
        )
        self.branch2 = nn.Sequential(
            nn.Conv2d(in_channels, b, 1),  # (N, b, 13, 17)
            nn.ReLU(),
            nn.Conv2d(b, 2 * b, 3, padding=1),  # (N, 2 * b, 13, 17)
            nn.ReLU(),
        )
        self.maxpool1 = nn.MaxPool2d(3, stride=1, padding=1)
        self.branch3 = nn.Conv2d(in_channels, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch1 = self.branch1(x)  # (N, a, 13, 17)
        branch2 = self.branch2(x)  # (N, 2 * b, 13, 17)
        x = self.maxpool1(x)  # (N, in_channels, 13, 17)
        x = F.relu(self.branch3(x))  # (N, c, 13, 17)
        return torch.cat([branch1, branch2, x], dim=1)  # (N, C, 13, 17)


class Aux(nn.Module):
    """The block Aux: (N, in_features, 13, 17) -> (N, 5)."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.globalavgpool1 = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(in_features, 7)
        self.dropout1 = nn.Dropout(0.2)
        self.fc2 = nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.globalavgpool1(x)  # (N, in_features, 1, 1)
        x = torch.flatten(x, 1)  # (N, in_features)
        x = self.dropout1(F.relu(self.fc1(x)))  # (N, 7)
        x = self.fc2(x)  # (N, 5)
        return x


class Goog(nn.Module):
    """The model goog: image (N, 3, 15, 19) -> logits (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3)
        self.batchnorm1 = nn.BatchNorm2d(6)
        self.inception3a = Inception(in_channels=6, a=3, b=4, c=5)
        self.aux1 = Aux(16)
        self.inception3b = Inception(in_channels=16, a=6, b=8, c=10)
        self.aux2 = Aux(32)
        self.inception4 = Inception(in_channels=32, a=2, b=9, c=1)
        self.globalavgpool1 = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(21, 5)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        if image.shape[1:] != (3, 15, 19):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 3, 15, 19)",
            )
        x = F.relu(self.batchnorm1(self.conv1(image)))  # (N, 6, 13, 17)
        x = self.inception3a(x)  # (N, 16, 13, 17)
        if self.training:
            aux1 = self.aux1(x)  # (N, 5)
        x = self.inception3b(x)  # (N, 32, 13, 17)
        if self.training:
            aux2 = self.aux2(x)  # (N, 5)
        x = self.inception4(x)  # (N, 21, 13, 17)
        x = self.globalavgpool1(x)  # (N, 21, 1, 1)
        x = torch.flatten(x, 1)  # (N, 21)
        logits = self.fc1(x)  # (N, 5)
        outputs = {"logits": logits}
        if self.training:
            outputs["aux1"] = aux1
            outputs["aux2"] = aux2
        return outputs


TRAINING_ONLY = {
    "aux1.fc1.weight",
    "aux1.fc1.bias",
    "aux1.fc2.weight",
    "aux1.fc2.bias",
    "aux2.fc1.weight",
    "aux2.fc1.bias",
    "aux2.fc2.weight",
    "aux2.fc2.bias",
}


def build_model(weights: Mapping[str, Any] | None = None) -> Goog:
    """The model; `weights` is an array or tensor for each name of its `state_dict`.

    What only training uses may be missing as a whole.
    """
    model = Goog()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        if not TRAINING_ONLY & state.keys():
            own = model.state_dict()
            state.update({name: own[name] for name in TRAINING_ONLY})
        model.load_state_dict(state)
    return model
