"""pyramid.

Source: pyramid.cnn, model pyramid.
Input: image (N, 3, 32 (free), 40 (free))
Input: mask (N, 1, 32 (free), 40 (free))
Output: u (N, 6)
Output: v (N, 6)
Output: w (N, 2, 16 (free), 20 (free))
Parameters: 2,566.  Multiply-accumulates for one image: 475,248.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def check_input(x: Tensor, name: str, shape: tuple[int | None, ...]) -> None:
    """Refuse an input of another shape (without the batch; None is any extent)."""
    fits = x.dim() == len(shape) + 1
    for size, wanted in zip(x.shape[1:], shape, strict=False):
        fits = fits and wanted in (None, size)
    if not fits:
        extents = ", ".join(["N", *("any" if n is None else str(n) for n in shape)])
        raise ValueError(f"the input {name} is {tuple(x.shape)}, not ({extents})")


def check_rows(*inputs: Tensor) -> None:
    """Refuse inputs that differ in their number of rows."""
    rows = [x.shape[0] for x in inputs]
    if any(n != rows[0] for n in rows):
        raise ValueError(f"the inputs differ in their number of rows: {rows}")


def check_extents(name: str, *extents: int) -> None:
    """Refuse inputs that differ in an extent of one name."""
    if any(n != extents[0] for n in extents):
        raise ValueError(f"the inputs differ in {name}: {extents}")


def per_spatial_axis(value: int | tuple[int, ...], x: Tensor) -> tuple[int, ...]:
    """One number per spatial axis."""
    return (value,) * (x.dim() - 2) if isinstance(value, int) else value


def check_exact(
    x: Tensor,
    layer: str,
    extent: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    begin: int | tuple[int, ...] = 0,
    end: int | tuple[int, ...] = 0,
) -> None:
    """Refuse a size at which rows or columns at the end would never be seen."""
    windows = [per_spatial_axis(value, x) for value in (extent, stride, begin, end)]
    for size, k, s, pad, after in zip(x.shape[2:], *windows, strict=True):
        room = size + pad + after - k
        if room < 0 or room % s > after + max(0, s - k):
            why = "is not whole" if room >= 0 else "leaves room for no window"
            raise ValueError(
                f"{layer} does not fit an input of {tuple(x.shape)}: "
                f"({size} - {k} + {pad + after}) / {s} {why}"
            )


class Down(nn.Module):
    """The block Down: (N, 6, H, W) -> (N, 6, H2, W2)."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.maxpool1 = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        check_exact(x, f"{self.path}.maxpool1", extent=2, stride=2)
        x = self.maxpool1(x)  # (N, 6, H2, W2)
        x = self.conv1(x)  # (N, 6, H2, W2)
        return x


class Tower(nn.Module):
    """The block Tower: (N, 6, H, W) -> (N, width, 1, 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                nn.Conv2d(6, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
            ]
        )
        self.globalavgpool1 = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.blocks[0](x))  # (N, width, H, W)
        x = F.relu(self.blocks[1](x))  # (N, width, H, W)
        x = self.globalavgpool1(x)  # (N, width, 1, 1)
        return x


class Pyramid(nn.Module):
    """The model pyramid: image (N, 3, 32, 40), mask (N, 1, 32, 40) -> u (N, 6), v
    (N, 6), w (N, 2, 16, 20).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.d1 = Down("d1")
        self.d2 = Down("d2")
        self.tower1 = Tower(6)
        self.tower2 = Tower(8)
        self.fc1 = nn.Linear(8, 6)
        self.conv2 = nn.Conv2d(1, 2, 3, stride=2, padding=1).requires_grad_(False)

    def forward(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        check_input(image, "image", (3, None, None))
        check_input(mask, "mask", (1, None, None))
        check_rows(image, mask)
        check_extents("H", image.shape[2], mask.shape[2])
        check_extents("W", image.shape[3], mask.shape[3])
        x = self.conv1(image)  # (N, 6, H, W)
        x = self.d1(x)  # (N, 6, H2, W2)
        d = self.d2(x)  # (N, 6, H3, W3)
        x = d * 2.5  # (N, 6, H3, W3)
        t = self.tower1(x)  # (N, 6, 1, 1)
        x = self.tower2(d)  # (N, 8, 1, 1)
        x = torch.flatten(x, 1)  # (N, 8)
        u = self.fc1(x)  # (N, 6)
        v = torch.flatten(t, 1)  # (N, 6)
        w = self.conv2(mask)  # (N, 2, H2, W2)
        return {"u": u, "v": v, "w": w}


def build_model(weights: Mapping[str, Any] | None = None) -> Pyramid:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Pyramid()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
