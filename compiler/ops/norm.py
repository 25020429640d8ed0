"""Normalisation, and the learned factor per channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from compiler.declare import Axis, Choice, Fault, Flag, Int, Real, Word
from compiler.ops.base import Op, TensorType, WeightedOp, WeightSpec, arg
from compiler.ops.checks import channels, largest_divisor, need_fixed, need_rank, plural
from spec_lang.frozen import frozen

_EPS = Real(above=0)


def _affine(extent: int) -> tuple[WeightSpec, ...]:
    return WeightSpec("weight", (extent,), "norm_weight"), WeightSpec("bias", (extent,), "norm_bias")


def _single(layer: str, x: TensorType, what: str, help: Sequence[str]) -> Fault:
    return Fault(
        "E324",
        f"{layer} would normalise each number of {x} by itself: {what}",
        label="the result would not depend on the input",
        help=help,
        inputs=(0,),
    )


@frozen
class BatchNorm(WeightedOp):
    """Batch normalisation per channel.

    y = (x - mean) / sqrt(var + eps) * weight + bias.  While training, mean and (biased) variance are
    those of the batch, over N and the spatial axes, and the running ones follow by
    r = (1 - momentum) r + momentum * batch, with the unbiased variance; otherwise the running ones are used.
    With `frozen` the running ones are used while training too, and stay.
    The shape stays.  `weight`, `bias` (if `affine`), `running_mean`, `running_var` are [C].

    PyTorch: BatchNorm1d, BatchNorm2d, BatchNorm3d.  ONNX: BatchNormalization (inference).
    Source: Ioffe and Szegedy 2015.
    """

    name: ClassVar[str] = "batchnorm"
    mode_dependent: ClassVar[bool] = True

    eps: float = arg(_EPS, "is added to the variance", default=1e-5)
    momentum: float = arg(
        Real(minimum=0, maximum=1), "the weight of the new batch in the running statistics", default=0.1
    )
    affine: bool = arg(Flag(), "whether it has a learned factor and offset", default=True)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 1, 4)
        channels(cls.name, inputs[0])

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        shape = (inputs[0].shape[0],)
        running = (
            WeightSpec("running_mean", shape, "running_mean"),
            WeightSpec("running_var", shape, "running_var"),
        )
        return (*(_affine(shape[0]) if self.affine else ()), *running)

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """At inference it is a factor and an offset per channel, and works in place."""
        return False

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One multiplication and one addition per number, as at inference."""
        return 2 * outputs[0].elements


@frozen
class InstanceNorm(WeightedOp):
    """Normalisation of each channel of each image over its spatial axes.

    y = (x - mean) / sqrt(var + eps) [* weight + bias], biased variance, no running statistics.
    [C, spatial...] -> the same, with more than one spatial element.  `weight`, `bias`: [C], if `affine`.

    PyTorch: InstanceNorm1d, InstanceNorm2d, InstanceNorm3d.  ONNX: InstanceNormalization.
    Source: Ulyanov et al. 2016.
    """

    name: ClassVar[str] = "instancenorm"

    eps: float = arg(_EPS, "is added to the variance", default=1e-5)
    affine: bool = arg(Flag(), "whether it has a learned factor and offset", default=False)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 2, 4)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        if self.affine:
            channels(self.name, x)
        if math.prod(x.spatial) == 1:
            raise _single(
                self.name,
                x,
                "it has one spatial element",
                ("leave it out here; `batchnorm` or `layernorm` work on 1x1",),
            )
        return (x,)

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        return _affine(inputs[0].shape[0]) if self.affine else ()

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Mean, variance, shift and scale: 5 per number, and 2 more for factor and offset."""
        return (7 if self.affine else 5) * outputs[0].elements


@frozen
class GroupNorm(WeightedOp):
    """Normalisation of each image over groups of channels and all spatial axes.

    y = (x - mean) / sqrt(var + eps) [* weight + bias] with the statistics of C / groups
    channels, biased variance.  The shape stays.  `weight`, `bias`: [C], if `affine`.

    PyTorch: GroupNorm.  ONNX: InstanceNormalization between reshapes.  Source: Wu and He 2018.
    """

    name: ClassVar[str] = "groupnorm"

    groups: int = arg(Int(), "into how many groups the channels are divided", positional=True)
    eps: float = arg(_EPS, "is added to the variance", default=1e-5)
    affine: bool = arg(Flag(), "whether it has a learned factor and offset", default=True)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        channels(cls.name, inputs[0])

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x = inputs[0]
        count = x.shape[0]
        if count % self.groups:
            fitting = largest_divisor(count, self.groups)
            raise Fault(
                "E304",
                f"groupnorm cannot divide {plural(count, 'channel')} into {self.groups} groups",
                label=f"{count} cannot be divided by {self.groups}",
                argument="groups",
                inputs=(0,),
                help=(f"`groupnorm({fitting})` divides {count}",),
            )
        if x.elements == self.groups:
            raise _single(
                self.name,
                x,
                f"each of its {plural(self.groups, 'group')} holds one number",
                ("use fewer groups",),
            )
        return (x,)

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        return _affine(inputs[0].shape[0]) if self.affine else ()

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Mean, variance, shift and scale: 5 per number, and 2 more for factor and offset."""
        return (7 if self.affine else 5) * outputs[0].elements


@frozen
class LayerNorm(WeightedOp):
    """Normalisation along one axis, at every place of the others.

    y = (x - mean) / sqrt(var + eps) [* weight + bias] with mean and biased variance along `axis`.
    The shape stays.  `weight`, `bias`: [extent of the axis], if `affine`.

    PyTorch: LayerNorm(extent) along the last axis.  ONNX: LayerNormalization.  Source: Ba et al.
    2016; along the channels of a feature map: Liu et al. 2022, "A ConvNet for the 2020s".
    """

    name: ClassVar[str] = "layernorm"

    eps: float = arg(_EPS, "is added to the variance", default=1e-5)
    affine: bool = arg(Flag(), "whether it has a learned factor and offset", default=True)
    axis: int = arg(Axis(words=("channels", "last")), "the axis that is normalised", default=Word("channels"))

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        if stored["affine"]:
            need_fixed(
                cls.name,
                inputs[0],
                (stored["axis"],),
                "the weights depend on {it}",
                help=("`affine = false` has no weights",),
            )
        return stored

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        return _affine(inputs[0].shape[self.axis]) if self.affine else ()

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Mean, variance, shift and scale: 5 per number, and 2 more for factor and offset."""
        return (7 if self.affine else 5) * outputs[0].elements


@frozen
class L2Norm(WeightedOp):
    """Unit length over the channels, times a factor per channel.

    y[c] = weight[c] * x[c] / max(sqrt(sum over channels of x^2), eps), at every place.  The
    shape stays.  `weight`: [C].

    PyTorch: functional.normalize and a product.  ONNX: ReduceL2, Max, Div, Mul.
    Source: Liu et al. 2016, "ParseNet".
    """

    name: ClassVar[str] = "l2norm"

    eps: float = arg(_EPS, "the smallest length that is divided by", default=1e-12)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        channels(cls.name, inputs[0])

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        return (WeightSpec("weight", (inputs[0].shape[0],), "norm_weight"),)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Square, addition, division and factor: 4 per number."""
        return 4 * outputs[0].elements


@frozen
class Lrn(Op):
    """Local response normalisation across channels.

    y[c] = x[c] / (k + a * sum of x[c']^2 over the size channels around c)^beta, where channels
    outside count as zero; a = alpha / size for `scale = mean` (Caffe, PyTorch, ONNX), a = alpha for
    `scale = sum` (the paper, TensorFlow).  [C, spatial...] -> the same; `size` is odd.

    PyTorch: LocalResponseNorm.  ONNX: LRN.  Source: Krizhevsky et al. 2012, section 3.3
    (size 5, alpha 1e-4, beta 0.75, k 2, scale sum).
    """

    name: ClassVar[str] = "lrn"

    size: int = arg(Int(), "how many neighbouring channels are summed; odd", positional=True)
    alpha: float = arg(Real(minimum=0), "the weight of the sum", default=1e-4)
    beta: float = arg(Real(minimum=0), "the exponent", default=0.75)
    k: float = arg(Real(above=0), "is added to the sum", default=1.0)
    scale: str = arg(Choice(("mean", "sum")), "whether alpha is divided by size", default=Word("mean"))

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(cls.name, inputs[0], 2, None)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        size = stored["size"]
        if size % 2 == 0:
            raise Fault(
                "E323",
                f"lrn: an even size of {size} has no middle, and frameworks disagree where it lies",
                label="an odd size is needed",
                argument="size",
                help=(f"`lrn({size - 1})` or `lrn({size + 1})`",),
            )
        return stored

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """A square and `size` additions, then factor, offset, power and division."""
        return (self.size + 5) * outputs[0].elements


@frozen
class Scale(WeightedOp):
    """A learned factor, and offset, per channel: y[c] = weight[c] * x[c] + bias[c].

    The shape stays.  `weight` and (if `bias`) `bias`: [C].

    PyTorch: a product and a sum.  ONNX: Mul, Add.  Source: Caffe's Scale layer.
    """

    name: ClassVar[str] = "scale"
    keeps: ClassVar[str] = "weights"
    elementwise: ClassVar[bool] = True

    bias: bool = arg(Flag(), "whether an offset is added", default=True)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        channels(cls.name, inputs[0])

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        shape = (inputs[0].shape[0],)
        weight = WeightSpec("weight", shape, "norm_weight")
        return (weight, WeightSpec("bias", shape, "bias")) if self.bias else (weight,)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One multiplication, and one addition for the offset."""
        return (2 if self.bias else 1) * outputs[0].elements


OPS: tuple[type[Op], ...] = (BatchNorm, InstanceNorm, GroupNorm, LayerNorm, L2Norm, Lrn, Scale)
