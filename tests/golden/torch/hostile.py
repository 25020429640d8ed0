"""hostile.

Source: hostile.cnn, model hostile.
Input: image (N, 3, 8, 9)
Output: a/b (N, 4, 8, 9)
Parameters: 588.  Multiply-accumulates for one image: 33,120.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Labelled(nn.Module):
    """A module whose members may bear any name, `training` too."""

    def __setattr__(self, name: str, value: Any) -> None:
        # nn.Module takes every assignment to a member's name for the member.
        if name in self.__dict__ and not isinstance(value, (nn.Module, nn.Parameter)):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def attach(parent: nn.Module, path: str, member: nn.Module | Tensor) -> None:
    """Register a module, parameter or buffer at a dotted path beneath `parent`."""
    *steps, name = path.split(".")
    for step in steps:
        child = parent._modules.get(step)
        if child is None:
            child = parent._modules[step] = Labelled()
        parent = child
    if isinstance(member, nn.Module):
        parent._modules[name] = member
    elif isinstance(member, nn.Parameter):
        parent._parameters[name] = member
    else:
        parent._buffers[name] = member


def at(parent: nn.Module, path: str) -> Any:
    """What `attach` registered."""
    found: Any = parent
    for step in path.split("."):
        if step in found._modules:
            found = found._modules[step]
        elif step in found._parameters:
            found = found._parameters[step]
        else:
            found = found._buffers[step]
    return found


class Head(Labelled):
    """The block Head: (N, 4, 8, 9) -> (N, 4, 8, 9)."""

    def __init__(self) -> None:
        super().__init__()
        attach(self, "type", nn.Conv2d(4, 4, 1))
        attach(self, "half", nn.BatchNorm2d(4))
        attach(self, "training", nn.Conv2d(4, 4, 1))
        attach(self, "forward", nn.Parameter(torch.randn((4, 1, 1))))
        attach(self, "__class__", nn.Conv2d(4, 4, 1))
        attach(self, "_modules", nn.Conv2d(4, 4, 1))
        self.add_module("class", nn.Conv2d(4, 4, 1))
        self.add_module("0", nn.Conv2d(4, 4, 1))
        self.add_module("a-b", nn.Conv2d(4, 4, 1))
        self.add_module("3x3", nn.Conv2d(4, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = at(self, "half")(at(self, "type")(x))  # (N, 4, 8, 9)
        x = at(self, "training")(x)  # (N, 4, 8, 9)
        x = x * at(self, "forward")  # (N, 4, 8, 9)
        x = at(self, "__class__")(x)  # (N, 4, 8, 9)
        x = at(self, "_modules")(x)  # (N, 4, 8, 9)
        x = getattr(self, "class")(x)  # (N, 4, 8, 9)
        x = getattr(self, "0")(x)  # (N, 4, 8, 9)
        x = getattr(self, "a-b")(x)  # (N, 4, 8, 9)
        x = getattr(self, "3x3")(x)  # (N, 4, 8, 9)
        return x


class F_2(nn.Module):
    """The part F: (N, 4, 8, 9) -> (N, 4, 8, 9)."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("0", nn.Conv2d(4, 4, 1))
        self.append = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(getattr(self, "0")(x))  # (N, 4, 8, 9)
        x = self.append(x)  # (N, 4, 8, 9)
        return x


class Nn(Labelled):
    """The part nn: (N, 4, 8, 9) -> (N, 4, 8, 9)."""

    def __init__(self) -> None:
        super().__init__()
        attach(self, "train", nn.Conv2d(4, 4, 1))
        attach(self, "eval", nn.Conv2d(4, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = at(self, "train")(x)  # (N, 4, 8, 9)
        x = at(self, "eval")(x)  # (N, 4, 8, 9)
        return x


class Hostile(Labelled):
    """The model hostile: image (N, 3, 8, 9) -> a/b (N, 4, 8, 9)."""

    def __init__(self) -> None:
        super().__init__()
        self.self = nn.Conv2d(3, 4, 1)
        self.torch = Head()
        self.F = F_2()
        self.nn = Nn()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(4, 4, 1),
                nn.Conv2d(4, 4, 1),
            ]
        )
        self.named = nn.ModuleDict(
            {
                "a": nn.Conv2d(4, 4, 1),
                "b": nn.Conv2d(4, 4, 1),
            }
        )
        attach(self, "deep.type.x", nn.Conv2d(4, 4, 1))
        attach(self, "deep.type.y", nn.Conv2d(4, 4, 1))
        attach(self, "deep.training", nn.Conv2d(4, 4, 1))
        attach(self, "keys.keys", nn.Conv2d(4, 4, 1))
        attach(self, "keys.b", nn.Conv2d(4, 4, 1))
        attach(self, "state_dict", nn.Conv2d(4, 4, 1))
        self.x = nn.Conv2d(4, 4, 1)
        self.out = nn.Conv2d(4, 4, 1)
        self.print = nn.Conv2d(4, 4, 1)
        self.len = nn.Conv2d(4, 4, 1)
        self.check_input = nn.Conv2d(4, 4, 1)
        self.build_model = nn.Conv2d(4, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (3, 8, 9):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 3, 8, 9)",
            )
        x: Tensor = self.self(image)  # (N, 4, 8, 9)
        x = self.torch(x)  # (N, 4, 8, 9)
        x = self.F(x)  # (N, 4, 8, 9)
        x = self.nn(x)  # (N, 4, 8, 9)
        x = self.convs[0](x)  # (N, 4, 8, 9)
        x = self.convs[1](x)  # (N, 4, 8, 9)
        x = self.named["a"](x)  # (N, 4, 8, 9)
        x = self.named["b"](x)  # (N, 4, 8, 9)
        x = at(self, "deep.type.x")(x)  # (N, 4, 8, 9)
        x = at(self, "deep.type.y")(x)  # (N, 4, 8, 9)
        x = at(self, "deep.training")(x)  # (N, 4, 8, 9)
        x = at(self, "keys.keys")(x)  # (N, 4, 8, 9)
        x = at(self, "keys.b")(x)  # (N, 4, 8, 9)
        x = at(self, "state_dict")(x)  # (N, 4, 8, 9)
        x = self.x(x)  # (N, 4, 8, 9)
        x = self.out(x)  # (N, 4, 8, 9)
        x = self.print(x)  # (N, 4, 8, 9)
        x = self.len(x)  # (N, 4, 8, 9)
        x = self.check_input(x)  # (N, 4, 8, 9)
        x = self.build_model(x)  # (N, 4, 8, 9)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Hostile:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Hostile()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
