"""Activations: number by number, but for the softmax family.  The shape stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from compiler.declare import Axis, Flag, Real, Word
from compiler.ops.base import Op, TensorType, WeightedOp, WeightSpec, arg
from compiler.ops.checks import channels
from spec_lang.frozen import frozen


class _Activation(Op):
    """y[i] = f(x[i])."""

    elementwise: ClassVar[bool] = True
    #: Operations per number; a call such as exp counts as one.
    operations: ClassVar[int] = 1

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """`operations` per number."""
        return self.operations * outputs[0].elements


@frozen
class Relu(_Activation):
    """max(x, 0).  PyTorch: ReLU.  ONNX: Relu.  Source: Nair and Hinton 2010."""

    name: ClassVar[str] = "relu"
    keeps: ClassVar[str] = "output"


@frozen
class Relu6(_Activation):
    """min(max(x, 0), 6).  PyTorch: ReLU6.  ONNX: Clip.  Source: Krizhevsky 2010; Howard et al. 2017."""

    name: ClassVar[str] = "relu6"
    operations: ClassVar[int] = 2


@frozen
class LeakyRelu(_Activation):
    """x where x > 0, else slope * x.  PyTorch: LeakyReLU.  ONNX: LeakyRelu.  Source: Maas et al. 2013."""

    name: ClassVar[str] = "leakyrelu"
    operations: ClassVar[int] = 2

    slope: float = arg(Real(), "the factor for negative numbers", default=0.01, positional=True)


@frozen
class PRelu(_Activation, WeightedOp):
    """x where x > 0, else weight * x, with a learned slope per channel, or one for all (`shared`).

    `weight`: [C], or [1]; it starts at 0.25.  PyTorch: PReLU.  ONNX: PRelu.  Source: He et al. 2015.
    """

    name: ClassVar[str] = "prelu"
    operations: ClassVar[int] = 2

    shared: bool = arg(Flag(), "one slope for all channels", default=False)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        if not self.shared:
            channels(self.name, inputs[0])
        return (inputs[0],)

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        return (WeightSpec("weight", (1 if self.shared else inputs[0].shape[0],), "slope"),)


@frozen
class Elu(_Activation):
    """x where x > 0, else alpha * (exp(x) - 1).  PyTorch: ELU.  ONNX: Elu.  Source: Clevert et al. 2016."""

    name: ClassVar[str] = "elu"
    operations: ClassVar[int] = 3

    alpha: float = arg(Real(), "the factor for negative numbers", default=1.0, positional=True)


@frozen
class Selu(_Activation):
    """scale * (x where x > 0, else alpha * (exp(x) - 1)), with
    alpha = 1.6732632423543772848170429916717 and scale = 1.0507009873554804934193349852946.

    PyTorch: SELU.  ONNX: Selu.  Source: Klambauer et al. 2017.
    """

    name: ClassVar[str] = "selu"
    operations: ClassVar[int] = 4


@frozen
class Gelu(_Activation):
    """x * Phi(x) = x / 2 * (1 + erf(x / sqrt(2))), the exact form.

    PyTorch: GELU.  ONNX: Gelu (from opset 20).  Source: Hendrycks and Gimpel 2016.
    """

    name: ClassVar[str] = "gelu"
    operations: ClassVar[int] = 5


@frozen
class Silu(_Activation):
    """x / (1 + exp(-x)).  PyTorch: SiLU.  ONNX: Sigmoid, Mul.

    Source: Elfwing et al. 2018; as swish: Ramachandran et al. 2017.
    """

    name: ClassVar[str] = "silu"
    operations: ClassVar[int] = 4


@frozen
class Mish(_Activation):
    """x * tanh(log(1 + exp(x))).  PyTorch: Mish.  ONNX: Mish.  Source: Misra 2020."""

    name: ClassVar[str] = "mish"
    operations: ClassVar[int] = 5


@frozen
class HardSwish(_Activation):
    """x * min(max(x + 3, 0), 6) / 6.  PyTorch: Hardswish.  ONNX: HardSwish.  Source: Howard et al. 2019."""

    name: ClassVar[str] = "hardswish"
    operations: ClassVar[int] = 5


@frozen
class HardSigmoid(_Activation):
    """min(max(x + 3, 0), 6) / 6.

    PyTorch: Hardsigmoid.  ONNX: HardSigmoid with alpha = 1/6, beta = 1/2.  Source: Howard et al. 2019.
    """

    name: ClassVar[str] = "hardsigmoid"
    operations: ClassVar[int] = 4


@frozen
class Sigmoid(_Activation):
    """1 / (1 + exp(-x)).  PyTorch: Sigmoid.  ONNX: Sigmoid.  Source: Rumelhart et al. 1986."""

    name: ClassVar[str] = "sigmoid"
    keeps: ClassVar[str] = "output"
    operations: ClassVar[int] = 4


@frozen
class Tanh(_Activation):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)).  PyTorch: Tanh.  ONNX: Tanh.  Source: LeCun et al. 1989."""

    name: ClassVar[str] = "tanh"
    keeps: ClassVar[str] = "output"


@frozen
class Softplus(_Activation):
    """log(1 + exp(x)).  PyTorch: Softplus.  ONNX: Softplus.  Source: Dugas et al. 2001."""

    name: ClassVar[str] = "softplus"
    operations: ClassVar[int] = 3


class _AlongAxis(Op):
    keeps: ClassVar[str] = "output"

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Maximum, difference, exponential, sum and division (or logarithm and difference) per number."""
        return 5 * outputs[0].elements


@frozen
class Softmax(_AlongAxis):
    """exp(x) / sum of exp(x) along `axis`, at every place of the others.

    PyTorch: Softmax.  ONNX: Softmax.  Source: Bridle 1990.
    """

    name: ClassVar[str] = "softmax"

    axis: int = arg(Axis(), "the axis whose numbers sum to 1", default=Word("channels"))


@frozen
class LogSoftmax(_AlongAxis):
    """x - log(sum of exp(x)) along `axis`, at every place of the others.

    PyTorch: LogSoftmax.  ONNX: LogSoftmax.  Source: Bridle 1990.
    """

    name: ClassVar[str] = "logsoftmax"

    axis: int = arg(Axis(), "the axis along which is summed", default=Word("channels"))


OPS: tuple[type[Op], ...] = (
    Relu,
    Relu6,
    LeakyRelu,
    PRelu,
    Elu,
    Selu,
    Gelu,
    Silu,
    Mish,
    HardSwish,
    HardSigmoid,
    Sigmoid,
    Tanh,
    Softplus,
    Softmax,
    LogSoftmax,
)
