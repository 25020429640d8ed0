"""layers.

Source: layers.cnn, model layers.
Input: map (N, 4, 9, 14)
Input: line (N, 4, 13)
Input: box (N, 4, 5, 6, 7)
Output: norms (N, 6, 4, 5)
Output: borders (N, 4, 3, 6)
Output: largest (N, 4, 5, 5)
Output: means (N, 4, 4, 5)
Output: vector (N, 6)
Output: mapped (N, 5, 9, 3)
Output: moved (N, 9, 7)
Output: reshaped (N, 99)
Output: from_line (N, 4, 2)
Output: distances (N, 3)
Output: from_box (N, 4, 4, 4, 4)
Parameters: 937.  Multiply-accumulates for one image: 49,722.
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


class PaddedConv1d(nn.Conv1d):
    """`nn.Conv1d` whose input is padded first: `pads` and `border` are those of `F.pad`."""

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


class PaddedConv3d(nn.Conv3d):
    """`nn.Conv3d` whose input is padded first: `pads` and `border` are those of `F.pad`."""

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


def overhangs(
    x: Tensor,
    extent: tuple[int, ...],
    stride: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    ceil_mode: bool,
) -> tuple[int, ...]:
    """How far the last window reaches beyond the padded input, per axis: 0 unless `ceil_mode`.

    As PyTorch has it, a last window that would begin behind the input is left out.
    """
    more = []
    for size, k, s, (begin, end) in zip(x.shape[2:], extent, stride, pads, strict=True):
        outputs = (size + begin + end - k) // s + 1
        if ceil_mode and outputs * s < size + begin and (size + begin + end - k) % s:
            outputs += 1
        more.append(max(0, (outputs - 1) * s + k - size - begin - end))
    return tuple(more)


def flat(pads: tuple[tuple[int, int], ...], more: tuple[int, ...]) -> list[int]:
    """Pads in the order of `F.pad`, last axis first, with `more` at the ends."""
    both = zip(pads, more, strict=True)
    pairs = [(begin, end + extra) for (begin, end), extra in both]
    return [p for pair in reversed(pairs) for p in pair]


class PaddedMaxPool2d(nn.MaxPool2d):
    """`nn.MaxPool2d` with a (begin, end) pair of `pads` per axis."""

    def __init__(
        self,
        *sizes: Any,
        pads: tuple[tuple[int, int], ...],
        ceil_mode: bool = False,
        **options: Any,
    ):
        super().__init__(*sizes, **options)
        self.pads = pads
        self.rounds_up = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(pad_for_maximum(self, x, self.pads, self.rounds_up))
        return y


def pad_for_maximum(
    pool: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d,
    x: Tensor,
    pads: tuple[tuple[int, int], ...],
    ceil_mode: bool,
) -> Tensor:
    """The input with minus infinity around it, so that no window hangs over."""

    def per_axis(value: Any) -> tuple[int, ...]:
        return (value,) * len(pads) if isinstance(value, int) else tuple(value)

    sizes = (pool.kernel_size, pool.stride, pool.dilation)
    kernel, stride, dilation = map(per_axis, sizes)
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    more = overhangs(x, extent, stride, pads, ceil_mode)
    return F.pad(x, flat(pads, more), value=float("-inf"))


class PaddedAvgPool(nn.Module):
    """Average pooling, 1-D to 3-D, with what PyTorch's own cannot say.

    `pads` is a (begin, end) pair per axis.  The sum of a window is divided by `divisor`: a number,
    "padded" (what lies in the input or its padding) or "valid" (what lies in the input).
    """

    def __init__(
        self,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        pads: tuple[tuple[int, int], ...],
        divisor: str | float,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.pads = pads
        self.divisor = divisor
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        more = overhangs(x, self.kernel_size, self.stride, self.pads, self.ceil_mode)
        total = self.sums(F.pad(x, flat(self.pads, more)))
        if not isinstance(self.divisor, str):
            return total / self.divisor
        counted = torch.ones_like(x[:1, :1])
        if self.divisor == "padded":
            counted = F.pad(counted, flat(self.pads, (0,) * len(more)), value=1.0)
            counted = F.pad(counted, flat(((0, 0),) * len(more), more))
        else:
            counted = F.pad(counted, flat(self.pads, more))
        return total / self.sums(counted)

    def sums(self, x: Tensor) -> Tensor:
        """The sum of every window."""
        if len(self.kernel_size) == 3:
            return F.avg_pool3d(x, self.kernel_size, self.stride, divisor_override=1)
        if len(self.kernel_size) == 2:
            return F.avg_pool2d(x, self.kernel_size, self.stride, divisor_override=1)
        kernel, stride = (1, *self.kernel_size), (1, *self.stride)
        row = x.unsqueeze(-2)
        return F.avg_pool2d(row, kernel, stride, divisor_override=1).squeeze(-2)


def per_channel(weight: Tensor, x: Tensor) -> Tensor:
    """One number per channel, shaped so that it meets the channels of (N, C, ...)."""
    return weight.reshape(-1, *(1,) * (x.dim() - 2))


class Scale(nn.Module):
    """A learned factor, and offset, per channel of (N, C, ...)."""

    def __init__(self, channels: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        x = x * per_channel(self.weight, x)
        return x if self.bias is None else x + per_channel(self.bias, x)


class L2Norm(nn.Module):
    """Unit length over the channels of (N, C, ...), times a learned factor per channel."""

    def __init__(self, channels: int, eps: float = 1e-12):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1, eps=self.eps) * per_channel(self.weight, x)


class ChannelNorm(nn.LayerNorm):
    """`nn.LayerNorm` along the channels of (N, C, ...), at every place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ChannelLinear(nn.Linear):
    """`nn.Linear` along the channels of (N, C, ...), at every place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def squared_distances(x: Tensor, centers: Tensor) -> Tensor:
    """(N, features) -> (N, n): the squared distance to each of the n centres."""
    return (x.unsqueeze(1) - centers).square().sum(dim=2)


class ClassicDropout(nn.Module):
    """Dropout as published: kept numbers stay while training, and inference multiplies by 1 - p."""

    def __init__(self, p: float, spatial: bool = False):
        super().__init__()
        self.p = p
        self.spatial = spatial

    def forward(self, x: Tensor) -> Tensor:
        drop = torch.feature_dropout if self.spatial else F.dropout
        return drop(x, self.p, self.training) * (1 - self.p)


class Layers(nn.Module):
    """The model layers: map (N, 4, 9, 14), line (N, 4, 13), box (N, 4, 5, 6, 7) ->
    norms (N, 6, 4, 5), borders (N, 4, 3, 6), largest (N, 4, 5, 5), means (N, 4,
    4, 5), vector (N, 6), mapped (N, 5, 9, 3), moved (N, 9, 7), reshaped (N, 99),
    from_line (N, 4, 2), distances (N, 3), from_box (N, 4, 4, 4, 4).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = PaddedConv2d(
            4,
            6,
            (3, 5),
            stride=(2, 3),
            dilation=(2, 1),
            groups=2,
            pads=(0, 3, 1, 2),
        )
        self.conv2 = nn.Conv2d(6, 6, 1, bias=False)
        self.batchnorm1 = nn.BatchNorm2d(6, eps=0.001, momentum=0.3)
        self.batchnorm2 = nn.BatchNorm2d(6, affine=False)
        self.instancenorm1 = nn.InstanceNorm2d(6, eps=0.1, affine=True)
        self.groupnorm1 = nn.GroupNorm(2, 6, eps=0.1)
        self.layernorm1 = nn.LayerNorm(5, eps=0.1)
        self.layernorm2 = ChannelNorm(6, elementwise_affine=False)
        self.l2norm1 = L2Norm(6, eps=0.1)
        self.lrn1 = nn.LocalResponseNorm(3, alpha=1.5, beta=0.6, k=2.0)
        self.scale1 = Scale(6, bias=False)
        self.scale2 = Scale(6)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
        self.conv4 = PaddedConv2d(4, 4, 3, pads=(0, 1, 1, 0), border="circular")
        self.conv5 = nn.Conv2d(4, 4, (2, 3), stride=(3, 2)).requires_grad_(False)
        self.maxpool1 = nn.MaxPool2d((3, 2), stride=(2, 3), padding=1, dilation=(1, 2))
        self.maxpool2 = PaddedMaxPool2d(2, stride=1, pads=((1, 0), (0, 1)))
        self.avgpool1 = nn.AvgPool2d(
            (3, 5),
            stride=(2, 3),
            padding=(1, 2),
            ceil_mode=True,
            count_include_pad=False,
        )
        self.avgpool2 = nn.AvgPool2d(2, stride=1, divisor_override=3)
        self.avgpool3 = PaddedAvgPool(
            (2, 2),
            stride=(1, 1),
            pads=((1, 0), (0, 1)),
            divisor=2.5,
        )
        self.adaptiveavgpool1 = nn.AdaptiveAvgPool2d((3, 5))
        self.globalmaxpool1 = nn.AdaptiveMaxPool2d(1)
        self.fc1 = nn.Linear(8, 6, bias=False)
        self.prelu1 = nn.PReLU(6)
        self.prelu2 = nn.PReLU()
        self.fc2 = ChannelLinear(4, 5)
        self.fc3 = nn.Linear(14, 3)
        self.dropout1 = nn.Dropout2d(0.2)
        self.dropout2 = ClassicDropout(0.3)
        self.gain = nn.Parameter(torch.randn((4, 1, 1)))
        self.conv6 = PaddedConv1d(4, 4, 3, stride=2, pads=(1, 2))
        self.maxpool3 = nn.MaxPool1d(2)
        self.avgpool4 = nn.AvgPool1d(2, stride=1, padding=1)
        self.globalavgpool1 = nn.AdaptiveAvgPool1d(1)
        self.centers = nn.Parameter(torch.randn((3, 20)))
        self.conv7 = PaddedConv3d(
            4,
            4,
            (2, 3, 1),
            stride=(1, 2, 3),
            pads=(0, 2, 2, 1, 1, 0),
        )
        self.maxpool4 = nn.MaxPool3d((2, 1, 1), stride=1)
        self.avgpool5 = PaddedAvgPool(
            (2, 2, 1),
            stride=(1, 1, 1),
            pads=((1, 0), (0, 1), (0, 0)),
            divisor="padded",
        )
        self.batchnorm3 = nn.BatchNorm3d(4)
        self.adaptivemaxpool2 = nn.AdaptiveMaxPool3d(2)

    def forward(self, map_: Tensor, line: Tensor, box: Tensor) -> dict[str, Tensor]:
        check_input(map_, "map", (4, 9, 14))
        check_input(line, "line", (4, 13))
        check_input(box, "box", (4, 5, 6, 7))
        check_rows(map_, line, box)
        x = self.conv1(map_)  # (N, 6, 4, 5)
        x = self.batchnorm2(self.batchnorm1(self.conv2(x)))  # (N, 6, 4, 5)
        x = self.groupnorm1(self.instancenorm1(x))  # (N, 6, 4, 5)
        x = self.layernorm1(x)  # (N, 6, 4, 5)
        x = self.layernorm2(x)  # (N, 6, 4, 5)
        x = self.l2norm1(x)  # (N, 6, 4, 5)
        norms = self.scale2(self.scale1(self.lrn1(x)))  # (N, 6, 4, 5)
        x = self.conv3(map_)  # (N, 4, 9, 14)
        x = self.conv4(x)  # (N, 4, 8, 13)
        borders = self.conv5(x)  # (N, 4, 3, 6)
        x = self.maxpool1(map_)  # (N, 4, 5, 5)
        largest = self.maxpool2(x)  # (N, 4, 5, 5)
        x = self.avgpool1(map_)  # (N, 4, 5, 6)
        x = self.avgpool2(x)  # (N, 4, 4, 5)
        means = self.avgpool3(x)  # (N, 4, 4, 5)
        a = self.adaptiveavgpool1(map_)  # (N, 4, 3, 5)
        x = F.adaptive_max_pool2d(map_, (a.shape[-2], a.shape[-1]))  # (N, 4, 3, 5)
        x = torch.cat([x, a], dim=1)  # (N, 8, 3, 5)
        x = self.globalmaxpool1(x)  # (N, 8, 1, 1)
        x = torch.flatten(x, 1)  # (N, 8)
        x = self.prelu1(F.leaky_relu(self.fc1(x), 0.2))  # (N, 6)
        x = F.selu(F.elu(self.prelu2(x), 0.3))  # (N, 6)
        x = F.mish(F.silu(F.gelu(x)))  # (N, 6)
        x = torch.sigmoid(F.relu6(F.hardswish(x) + 3) / 6)  # (N, 6)
        x = F.relu6(F.softplus(torch.tanh(x), threshold=40))  # (N, 6)
        x = F.softmax(x, dim=1)  # (N, 6)
        vector = F.log_softmax(x, dim=1)  # (N, 6)
        x = self.fc2(map_)  # (N, 5, 9, 14)
        x = self.fc3(x)  # (N, 5, 9, 3)
        mapped = self.dropout2(self.dropout1(F.softmax(x, dim=2)))  # (N, 5, 9, 3)
        x = map_ * self.gain  # (N, 4, 9, 14)
        x = x + 0.5  # (N, 4, 9, 14)
        x = x[:, [3, 1, 0, 1]]  # (N, 4, 9, 14)
        x = x[:, :, :, 2:13]  # (N, 4, 9, 11)
        x = x.permute(0, 2, 3, 1)  # (N, 9, 11, 4)
        x = F.pad(x, (0, 3, 1, 2), mode="replicate")  # (N, 9, 14, 7)
        moved = x.amax(dim=2)  # (N, 9, 7)
        x = map_[:, 0:3:2]  # (N, 2, 9, 14)
        x = F.pad(x, (2, 2, 1, 1), mode="circular")  # (N, 2, 11, 18)
        x = x.reshape(x.shape[0], 4, 99)  # (N, 4, 99)
        reshaped = x.mean(dim=1)  # (N, 99)
        x = self.conv6(line)  # (N, 4, 7)
        x = self.maxpool3(x)  # (N, 4, 3)
        x = self.avgpool4(x)  # (N, 4, 4)
        x = self.globalavgpool1(x)  # (N, 4, 1)
        x = torch.cat([x, x], dim=2)  # (N, 4, 2)
        slice2 = line[:, :, 0:5]  # (N, 4, 5)
        slice2 = torch.flatten(slice2, 1)  # (N, 20)
        distances = squared_distances(slice2, self.centers)  # (N, 3)
        out = self.conv7(box)  # (N, 4, 5, 4, 3)
        out = self.maxpool4(out)  # (N, 4, 4, 4, 3)
        out = self.batchnorm3(self.avgpool5(out))  # (N, 4, 4, 4, 3)
        out = self.adaptivemaxpool2(out)  # (N, 4, 2, 2, 2)
        from_box = F.pad(out, (1, 1, 1, 1, 1, 1))  # (N, 4, 4, 4, 4)
        return {
            "norms": norms,
            "borders": borders,
            "largest": largest,
            "means": means,
            "vector": vector,
            "mapped": mapped,
            "moved": moved,
            "reshaped": reshaped,
            "from_line": x,
            "distances": distances,
            "from_box": from_box,
        }


def build_model(weights: Mapping[str, Any] | None = None) -> Layers:
    """The model; `weights` is an array or tensor for each name of its `state_dict`."""
    model = Layers()
    if weights is not None:
        state = {name: torch.as_tensor(value) for name, value in weights.items()}
        model.load_state_dict(state)
    return model
