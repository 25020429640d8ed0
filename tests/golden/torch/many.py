"""many.

Source: many.cnn, model many.
Input: image (N, 2, 5, 6)
Output: y (N, 1)
Parameters: 1,259.  Multiply-accumulates for one image: 10,680.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


class NestedMember(nn.Module):
    """The part nested.0: (N, 4, 5, 6) -> (N, 120)."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module(
            "0",
            nn.Sequential(
                nn.Sequential(
                    nn.Sequential(
                        nn.Sequential(
                            nn.Sequential(
                                nn.Conv2d(4, 4, 1),  # (N, 4, 5, 6)
                                nn.ReLU(),
                            ),
                            nn.ReLU(),  # (N, 4, 5, 6)
                        ),
                        nn.Tanh(),  # (N, 4, 5, 6)
                    ),
                    nn.Sigmoid(),  # (N, 4, 5, 6)
                ),
                nn.Identity(),  # (N, 4, 5, 6)
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = getattr(self, "0")(x)  # (N, 4, 5, 6)
        x = torch.flatten(x, 1)  # (N, 120)
        return x


class Many(nn.Module):
    """The model many: image (N, 2, 5, 6) -> y (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 1)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.conv3 = nn.Conv2d(4, 4, 1)
        self.conv4 = nn.Conv2d(4, 4, 1)
        self.conv5 = nn.Conv2d(4, 4, 1)
        self.conv6 = nn.Conv2d(4, 4, 1)
        self.conv7 = nn.Conv2d(4, 4, 1)
        self.conv8 = nn.Conv2d(4, 4, 1)
        self.conv9 = nn.Conv2d(4, 4, 1)
        self.conv10 = nn.Conv2d(4, 4, 1)
        self.conv11 = nn.Conv2d(4, 4, 1)
        self.conv12 = nn.Conv2d(4, 4, 1)
        self.conv13 = nn.Conv2d(4, 4, 1)
        self.conv14 = nn.Conv2d(4, 4, 1)
        self.conv15 = nn.Conv2d(4, 4, 1)
        self.conv16 = nn.Conv2d(4, 4, 1)
        self.conv17 = nn.Conv2d(4, 4, 1)
        self.conv18 = nn.Conv2d(4, 4, 1)
        self.conv19 = nn.Conv2d(4, 4, 1)
        self.conv20 = nn.Conv2d(4, 4, 1)
        self.nested = nn.Sequential(
            NestedMember(),  # (N, 120)
            nn.Linear(120, 7),  # (N, 7)
            AddConstant(0.5),
            MultiplyConstant(3.0),
            HardSigmoid(),
            ClassicDropout(0.1),
        )

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (2, 5, 6):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 2, 5, 6)",
            )
        a = self.conv1(image)  # (N, 4, 5, 6)
        x: Tensor = self.conv2(a)  # (N, 4, 5, 6)
        out = self.conv3(a)  # (N, 4, 5, 6)
        conv4 = self.conv4(a)  # (N, 4, 5, 6)
        conv5 = self.conv5(a)  # (N, 4, 5, 6)
        conv6 = self.conv6(a)  # (N, 4, 5, 6)
        conv7 = self.conv7(a)  # (N, 4, 5, 6)
        conv8 = self.conv8(a)  # (N, 4, 5, 6)
        conv9 = self.conv9(a)  # (N, 4, 5, 6)
        conv10 = self.conv10(a)  # (N, 4, 5, 6)
        conv11 = self.conv11(a)  # (N, 4, 5, 6)
        conv12 = self.conv12(a)  # (N, 4, 5, 6)
        conv13 = self.conv13(a)  # (N, 4, 5, 6)
        b = x + out
        b = b + conv4
        b = b + conv5
        b = b + conv6
        b = b + conv7
        b = b + conv8
        b = b + conv9
        b = b + conv10
        b = b + conv11
        b = b + conv12
        b = b + conv13
        b = b + a  # (N, 4, 5, 6)
        x = torch.tanh(self.conv14(b))  # (N, 4, 5, 6)
        tanh2 = torch.tanh(self.conv15(b))  # (N, 4, 5, 6)
        tanh3 = torch.tanh(self.conv16(b))  # (N, 4, 5, 6)
        tanh4 = torch.tanh(self.conv17(b))  # (N, 4, 5, 6)
        tanh5 = torch.tanh(self.conv18(b))  # (N, 4, 5, 6)
        tanh6 = torch.tanh(self.conv19(b))  # (N, 4, 5, 6)
        tanh7 = torch.tanh(self.conv20(b))  # (N, 4, 5, 6)
        x = x + tanh2
        x = x + tanh3
        x = x + tanh4
        x = x + tanh5
        x = x + tanh6
        x = x + tanh7
        x = x / 7  # (N, 4, 5, 6)
        maximum1 = torch.maximum(a, b)
        maximum1 = torch.maximum(maximum1, x)  # (N, 4, 5, 6)
        x = (maximum1 + a) / 2  # (N, 4, 5, 6)
        x = self.nested(x)  # (N, 7)
        x = x.reshape(x.shape[0], 7, 1)  # (N, 7, 1)
        x = x.permute(0, 2, 1)  # (N, 1, 7)
        x = x.mean(dim=2)  # (N, 1)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Many:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Many()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
