"""shared.

Source: shared.cnn, model shared.
Input: image (N, 3, 17, 20)
Output: p (N, 4, 9, 10)
Output: q (N, 10, 17, 20)
Output: r (N, 6, 5, 5)
Output: s (N, 4, 9, 10)
Parameters: 828.  Multiply-accumulates for one image: 216,900.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaddedConv2d(nn.Conv2d):
    """`nn.Conv2d` whose input is padded first: `pads` and `border` are those of `F.pad`."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[int, ...],
        border: str = "constant",
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.border = border

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads, mode=self.border))


class Group(nn.Module):
    """The part group."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(6, 6, 1)

    def forward(
        self,
        x1: Tensor,
        gain: Tensor,
        c: nn.Module,
        down: nn.Module,
        head: nn.Module,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        out = self.inner(x1)  # (N, 6, 9, 10)
        y = down(out)  # (N, 6, 9, 10)
        head_2, head_3 = head(y)  # (N, 2, 9, 10), (N, 4, 9, 10)
        out = y * gain  # (N, 6, 9, 10)
        out = down(out)  # (N, 6, 9, 10)
        out = out + x1  # (N, 6, 9, 10)
        x3 = c(out)  # (N, 6, 5, 5)
        head_4, head_5 = head(x3)  # (N, 2, 5, 5), (N, 4, 5, 5)
        return head_2, head_3, head_4, head_5


class RPN(nn.Module):
    """The block RPN."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1)
        self.cls = nn.Conv2d(6, 2, 1)
        self.reg = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.conv1(x))  # (N, 6, 9, 10)
        out: Tensor = self.cls(h)  # (N, 2, 9, 10)
        reg: Tensor = self.reg(h)  # (N, 4, 9, 10)
        return out, reg


class Shared(nn.Module):
    """The model shared: image (N, 3, 17, 20) -> p (N, 4, 9, 10), q (N, 10, 17, 20),
    r (N, 6, 5, 5), s (N, 4, 9, 10).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 1)
        self.c = PaddedConv2d(6, 6, 3, stride=2, pads=(0, 1, 1, 1))
        self.group = Group()
        self.down = nn.Sequential(
            nn.Conv2d(6, 6, 1),
            nn.BatchNorm2d(6),
        )
        self.head = RPN()
        self.gain = nn.Parameter(torch.randn((6, 1, 1)))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        if image.shape[1:] != (3, 17, 20):
            raise ValueError(
                f"the input image is {tuple(image.shape)}, not (N, 3, 17, 20)",
            )
        x0 = self.conv1(image)  # (N, 6, 17, 20)
        x1 = self.c(x0)  # (N, 6, 9, 10)
        # (N, 2, 9, 10), (N, 4, 9, 10), (N, 2, 5, 5), (N, 4, 5, 5)
        a, b, a_2, b_2 = self.group(x1, self.gain, self.c, self.down, self.head)
        a_3, b_3 = self.head(x0)  # (N, 2, 17, 20), (N, 4, 17, 20)
        x = F.adaptive_max_pool2d(a_3, (a.shape[-2], a.shape[-1]))  # (N, 2, 9, 10)
        p = torch.cat([x, a], dim=1)  # (N, 4, 9, 10)
        q = torch.cat([b_3, x0], dim=1)  # (N, 10, 17, 20)
        r = torch.cat([b_2, a_2], dim=1)  # (N, 6, 5, 5)
        return {"p": p, "q": q, "r": r, "s": b}


def build_model(weights: Mapping[str, Any] | None = None) -> Shared:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Shared()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
