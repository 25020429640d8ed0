"""stages.

Source: stages.cnn, model stages.
Input: image (N, 3, 32 (free), 40 (free))
Output: y (N, 6, 1 (free), 2 (free))
Parameters: 2,176.  Multiply-accumulates for one image: 123,576.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
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


def check_fits(
    x: Tensor,
    layer: str,
    extent: int | tuple[int, ...],
    pads: int | tuple[int, ...] = 0,
    overhang: int | tuple[int, ...] = 0,
) -> None:
    """Refuse a size that leaves room for no window.

    `pads` is what both ends get together, `overhang` how much of a window may hang over.
    """
    windows = [per_spatial_axis(value, x) for value in (extent, pads, overhang)]
    for size, k, pad, over in zip(x.shape[2:], *windows, strict=True):
        if size + pad + over < k:
            have = f"its window covers {k} of {size + pad} with the padding"
            raise ValueError(f"{layer} does not fit {tuple(x.shape)}: {have}")


def check_same_size(
    layer: str,
    tensors: Sequence[Tensor],
    dims: tuple[int, ...],
) -> None:
    """Refuse tensors that differ along one of these axes."""
    for dim in dims:
        sizes = [x.shape[dim] for x in tensors]
        if any(size != sizes[0] for size in sizes):
            apart = f"that differ along axis {dim}: {sizes}"
            raise ValueError(f"{layer} joins tensors {apart}")


class Split(nn.Module):
    """The block Split: (N, 2 * half, H, W) -> (N, 2 * half, H, W)."""

    def __init__(self, half: int, path: str) -> None:
        super().__init__()
        self.half_ = half
        self.path = path
        self.conv1 = nn.Conv2d(half, half, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = x[:, 0 : self.half_]  # (N, half, H, W)
        x = self.conv1(x[:, self.half_ : 2 * self.half_])  # (N, half, H, W)
        x = F.relu(x)  # (N, half, H, W)
        check_same_size(f"{self.path}.concat1", [a, x], dims=(2, 3))
        return torch.cat([a, x], dim=1)  # (N, 2 * half, H, W)


class Stage(nn.Module):
    """The block Stage: (N, in_channels, H, W) -> (N, width, H2, W2)."""

    def __init__(self, in_channels: int, width: int, path: str) -> None:
        super().__init__()
        self.down = nn.Conv2d(in_channels, width, 3, stride=2, padding=1)
        self.batchnorm1 = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            Split(width // 2, f"{path}.blocks.0"),
            Split(width // 2, f"{path}.blocks.1"),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.batchnorm1(self.down(x)))  # (N, width, H2, W2)
        x = self.blocks(x)  # (N, width, H2, W2)
        return x


class StageMaxpool1(nn.Module):
    """The block Stage: (N, 8, H, W) -> (N, 8, H2, W2)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.batchnorm1 = nn.BatchNorm2d(8)
        self.blocks = nn.Sequential(
            Split(4, "stage3.blocks.0"),
            Split(4, "stage3.blocks.1"),
        )
        self.maxpool1 = nn.MaxPool2d(2, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.batchnorm1(self.down(x)))  # (N, 8, H3, W3)
        x = self.blocks(x)  # (N, 8, H3, W3)
        check_fits(x, "stage3.maxpool1", extent=2)
        x = self.maxpool1(x)  # (N, 8, H2, W2)
        return x


class Act(nn.Module):
    """The block Act: (N, 6, H, W) -> (N, 6, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv1(x))  # (N, 6, H, W)


class Act2(nn.Module):
    """The block Act: (N, 6, H, W) -> (N, 6, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.conv1(x))  # (N, 6, H, W)


class Stages(nn.Module):
    """The model stages: image (N, 3, 32, 40) -> y (N, 6, 1, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = Stage(in_channels=3, width=6, path="stage1")
        self.maxpool1 = nn.MaxPool2d(2)
        self.stage2 = Stage(in_channels=6, width=8, path="stage2")
        self.stage3 = StageMaxpool1()
        self.pools = nn.Sequential(
            OrderedDict(
                p1=nn.Sequential(
                    nn.Conv2d(8, 6, 1),  # (N, 6, H4, W4)
                    nn.ReLU(),
                ),
                maxpool1=nn.MaxPool2d(2, padding=1),  # (N, 6, H4, W4)
            )
        )
        self.a1 = Act()
        self.a2 = Act2()
        self.a3 = Act2()

    def forward(self, image: Tensor) -> Tensor:
        check_input(image, "image", (3, None, None))
        x: Tensor = self.stage1(image)  # (N, 6, H, W)
        check_exact(x, "maxpool1", extent=2, stride=2)
        x = self.maxpool1(x)  # (N, 6, H2, W2)
        x = self.stage2(x)  # (N, 8, H3, W3)
        x = self.stage3(x)  # (N, 8, H4, W4)
        x = self.pools(x)  # (N, 6, H4, W4)
        x = self.a1(x)  # (N, 6, H4, W4)
        x = self.a2(x)  # (N, 6, H4, W4)
        x = self.a3(x)  # (N, 6, H4, W4)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Stages:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Stages()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
