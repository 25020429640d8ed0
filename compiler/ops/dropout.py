"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from compiler.declare import Choice, Fault, Flag, Real, Word
from compiler.ops.base import Op, TensorType, arg
from compiler.ops.checks import need_rank
from spec_lang.frozen import frozen


@frozen
class Dropout(Op):
    """Sets numbers to zero with probability p while training; with `spatial`, whole channels.

    `inverted`: what is kept is divided by 1 - p while training, and inference is the identity.
    `classic`: what is kept stays while training, and inference multiplies by 1 - p.
    `path`: as `inverted`, for whole images: at the end of a residual branch it leaves an image the
    shortcut alone (stochastic depth).  The shape stays.

    PyTorch: Dropout; Dropout1d, Dropout2d, Dropout3d for `spatial`; torchvision's StochasticDepth with
    mode "row" for `path`.  ONNX: nothing, or Mul for `classic`.
    Source: Hinton et al. 2012; `classic` as in Krizhevsky et al. 2012; `spatial`: Tompson et al. 2015;
    `path`: Huang et al. 2016, Deep Networks with Stochastic Depth.
    """

    name: ClassVar[str] = "dropout"
    mode_dependent: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True
    keeps: ClassVar[str] = "nothing"

    p: float = arg(
        Real(minimum=0, below=1), "the probability that a number is dropped", default=0.5, positional=True
    )
    mode: str = arg(
        Choice(("inverted", "classic", "path")),
        "when the rest is scaled; `path`: whole images are dropped",
        default=Word("inverted"),
    )
    spatial: bool = arg(Flag(), "whole channels are dropped", default=False)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        if self.spatial and self.mode == "path":
            raise Fault(
                "E312",
                "dropout: `spatial` drops channels, and `mode = path` whole images",
                argument="spatial",
                help=("`dropout(..., mode = path)` alone drops images",),
            )
        if self.spatial:
            need_rank(self.name, inputs[0], 1, None)
        return (inputs[0],)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """None at inference; one multiplication per number for `classic`."""
        return outputs[0].elements if self.mode == "classic" else 0

    def unchanged(self, inputs: Sequence[TensorType]) -> bool:
        """`classic` multiplies at inference."""
        return self.mode != "classic"

    def marks(self, outputs: Sequence[TensorType]) -> int:
        """A byte for whatever is kept or dropped as one: a number, a channel, an image."""
        if self.p == 0:
            return 0
        if self.mode == "path":
            return 1
        return outputs[0].shape[0] if self.spatial else outputs[0].elements


OPS: tuple[type[Op], ...] = (Dropout,)
