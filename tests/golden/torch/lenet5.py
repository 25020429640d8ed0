"""lenet5: LeNet-5 as it is taught today, with ReLU and max pooling: the first CNN, for handwritten digits.

Source: lenet.cnn, model lenet5.
Input: image (N, 1, 32, 32)
Output: out (N, 10)
Parameters: 61,706.  Multiply-accumulates for one image: 416,520.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Lenet5(nn.Module):
    """LeNet-5 as it is taught today, with ReLU and max pooling: the first CNN, for handwritten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.maxpool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.maxpool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (1, 32, 32):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 1, 32, 32)",
            )
        x: Tensor = F.relu(self.conv1(image))  # (N, 6, 28, 28)
        x = self.maxpool1(x)  # (N, 6, 14, 14)
        x = F.relu(self.conv2(x))  # (N, 16, 10, 10)
        x = self.maxpool2(x)  # (N, 16, 5, 5)
        x = torch.flatten(x, 1)  # (N, 400)
        x = F.relu(self.fc1(x))  # (N, 120)
        x = F.relu(self.fc2(x))  # (N, 84)
        x = self.fc3(x)  # (N, 10)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Lenet5:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Lenet5()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
