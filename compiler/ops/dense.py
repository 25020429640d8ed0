"""Layers in which every output sees every feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from compiler.declare import Axis, Fault, Flag, Int, Tensor, Word
from compiler.ops.base import Op, TensorType, WeightedOp, WeightSpec, arg
from compiler.ops.checks import need_fixed, need_rank
from spec_lang.frozen import frozen

_FREE_HELP = (
    "`globalavgpool` or `adaptiveavgpool(7)` before `flatten` gives the same features at every size",
)


@frozen
class Fc(WeightedOp):
    """Fully connected: y = weight x + bias, with weight [features, in] and bias [features].

    [in] -> [features].  With `axis` it is applied along that axis at every place of the others:
    [..., in, ...] -> [..., features, ...].  MACs: outputs * in.

    PyTorch: Linear.  ONNX: Gemm, or MatMul and Add along an axis.  Source: Rosenblatt 1958.
    """

    name: ClassVar[str] = "fc"
    keeps: ClassVar[str] = "weights"

    features: int = arg(Int(), "how many numbers come out", positional=True)
    bias: bool = arg(Flag(), "whether a number per feature is added", default=True)
    axis: int | None = arg(
        Axis(words=("channels", "last"), optional=True),
        "the axis along which a tensor of several axes is multiplied",
        default=Word("none"),
    )

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        x, axis = inputs[0], stored["axis"]
        if axis is None and x.rank > 1:
            raise Fault(
                "E305",
                f"fc takes a vector, and a feature map {x} stands in front of it",
                label=f"the input is {x} here",
                inputs=(0,),
                help=(
                    f"`flatten -> fc({stored['features']})`, which makes {x.elements} features of it",
                    "`axis = channels` or `axis = last` applies it along one axis",
                ),
            )
        if axis is None:
            need_rank("fc", x, 1, 1, help=("`reshape([1])` makes a vector of one number",))
        need_fixed("fc", x, (0 if axis is None else axis,), "its weights depend on {it}", help=_FREE_HELP)
        return stored

    @property
    def position(self) -> int:
        """The axis that is multiplied."""
        return 0 if self.axis is None else self.axis

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        shape = list(inputs[0].shape)
        shape[self.position] = self.features
        return (inputs[0].with_shape(shape, inputs[0].free),)

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        inner = inputs[0].shape[self.position]
        weight = WeightSpec("weight", (self.features, inner), "weight", fan_in=inner, fan_out=self.features)
        return (weight, WeightSpec("bias", (self.features,), "bias")) if self.bias else (weight,)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return outputs[0].elements * inputs[0].shape[self.position]

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """2 per MAC, and one addition per output for the bias."""
        return super().flops(inputs, outputs) + (outputs[0].elements if self.bias else 0)


@frozen
class Rbf(Op):
    """Squared distance to centres: y[i] = sum over j of (x[j] - centers[i, j])^2.

    [features] -> [n], where `centers` is a raw `weight` of [n, features].  It counts no MACs.

    PyTorch and ONNX: a subtraction, a square and a sum.  Source: LeCun et al. 1998, "Gradient-based
    learning applied to document recognition", the output layer of LeNet-5.
    """

    name: ClassVar[str] = "rbf"

    centers: int = arg(Tensor(), "a raw weight of [n, features]", positional=True)

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        need_rank(
            cls.name,
            inputs[0],
            1,
            1,
            help=("`flatten` in front makes a vector",) if inputs[0].rank > 1 else (),
        )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, centers = inputs[0], inputs[self.centers]
        if centers.rows is not None:
            raise Fault(
                "E326",
                f"rbf: `centers` is a raw weight of [n, features], not a tensor with a batch axis {centers}",
                argument="centers",
                inputs=(self.centers,),
                help=(f"`weight centers: [10, {x.shape[0]}]`",),
            )
        need_fixed(self.name, x, (0,), "its centres have a fixed number of them", help=_FREE_HELP)
        if centers.rank != 2 or centers.shape[1] != x.shape[0]:
            rows = centers.shape[0] if centers.shape else 10
            raise Fault(
                "E329",
                f"rbf: `centers` is {centers}, and its input has {x.shape[0]} features",
                label=f"[n, {x.shape[0]}] is needed",
                argument="centers",
                inputs=(0, self.centers),
                help=(f"`[{rows}, {x.shape[0]}]`",),
            )
        return (x.with_shape((centers.shape[0],)),)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """A subtraction, a square and an addition per centre and feature."""
        return 3 * inputs[self.centers].elements


OPS: tuple[type[Op], ...] = (Fc, Rbf)
