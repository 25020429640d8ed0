"""unetpp.

Source: unetpp.cnn, model unetpp.
Input: image (N, 3, 16 (free), 24 (free))
Output: logits (N, 1, 16 (free), 24 (free))
Parameters: 6,833.  Multiply-accumulates for one image: 924,288.
"""

from __future__ import annotations

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


class Double(nn.Module):
    """The block Double: (N, in_channels, H, W) -> (N, width, H, W)."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1)
        self.batchnorm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.batchnorm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.batchnorm1(self.conv1(x)))  # (N, width, H, W)
        return F.relu(self.batchnorm2(self.conv2(x)))  # (N, width, H, W)


class Unetpp(nn.Module):
    """The model unetpp: image (N, 3, 16, 24) -> logits (N, 1, 16, 24)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0_0 = Double(3, 4)
        self.maxpool1 = nn.MaxPool2d(2)
        self.conv1_0 = Double(4, 8)
        self.maxpool2 = nn.MaxPool2d(2)
        self.conv2_0 = Double(8, 12)
        self.conv0_1 = Double(12, 4)
        self.conv1_1 = Double(20, 8)
        self.conv0_2 = Double(16, 4)
        self.final = nn.Conv2d(4, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        check_input(image, "image", (3, None, None))
        x_0_0 = self.conv0_0(image)  # (N, 4, H, W)
        check_exact(x_0_0, "maxpool1", extent=2, stride=2)
        x: Tensor = self.maxpool1(x_0_0)  # (N, 4, H2, W2)
        x_1_0 = self.conv1_0(x)  # (N, 8, H2, W2)
        check_exact(x_1_0, "maxpool2", extent=2, stride=2)
        x = self.maxpool2(x_1_0)  # (N, 8, H3, W3)
        x_2_0 = self.conv2_0(x)  # (N, 12, H3, W3)
        # (N, 8, H, W)
        x = F.adaptive_avg_pool2d(x_1_0, (x_0_0.shape[-2], x_0_0.shape[-1]))
        check_same_size("concat1", [x_0_0, x], dims=(2, 3))
        x = torch.cat([x_0_0, x], dim=1)  # (N, 12, H, W)
        x_0_1 = self.conv0_1(x)  # (N, 4, H, W)
        # (N, 12, H2, W2)
        x = F.adaptive_avg_pool2d(x_2_0, (x_1_0.shape[-2], x_1_0.shape[-1]))
        check_same_size("concat2", [x_1_0, x], dims=(2, 3))
        x = torch.cat([x_1_0, x], dim=1)  # (N, 20, H2, W2)
        x_1_1 = self.conv1_1(x)  # (N, 8, H2, W2)
        # (N, 8, H, W)
        x = F.adaptive_avg_pool2d(x_1_1, (x_0_0.shape[-2], x_0_0.shape[-1]))
        check_same_size("concat3", [x_0_0, x_0_1, x], dims=(2, 3))
        x = torch.cat([x_0_0, x_0_1, x], dim=1)  # (N, 16, H, W)
        x_0_2 = self.conv0_2(x)  # (N, 4, H, W)
        x = self.final(x_0_2)  # (N, 1, H, W)
        return x


def build_model(weights: Mapping[str, Any] | None = None) -> Unetpp:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Unetpp()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
