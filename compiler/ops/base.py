"""What a layer is: one frozen dataclass that says everything about it but how to compute it.

Shapes here have no batch axis and put channels first: `(C, H, W)`.  MACs are
multiply-accumulate operations for one image, counted as the zoo's published tables do:
one per weight use in convolutions and fully connected layers, nothing elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Self

from compiler.declare import Context, Declared, Fault, Flag, Given, Tensor, arg
from spec_lang.frozen import frozen

BATCH = "batch"


@frozen
class TensorType:
    """The type of a tensor: extents without the batch axis, channels first.

    `shape` holds nominal sizes; `free[i]` says that extent i may differ at run time.
    `rows` names the leading axis that is not written: `batch`, or the name of an input that
    is `per image`; None for a raw weight, which has no such axis.
    """

    shape: tuple[int, ...]
    free: tuple[bool, ...] = ()
    rows: str | None = BATCH
    dtype: str = "float"

    def __post_init__(self) -> None:
        if len(self.free) != len(self.shape):
            object.__setattr__(self, "free", self.free or (False,) * len(self.shape))

    # Said here rather than by `frozen`: every layer is looked up by the types that flow into it.
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorType)
            and self.shape == other.shape
            and self.free == other.free
            and self.rows == other.rows
            and self.dtype == other.dtype
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.free, self.rows, self.dtype))

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def spatial(self) -> tuple[int, ...]:
        """The extents after the channels."""
        return self.shape[1:]

    @property
    def elements(self) -> int:
        """Numbers per image."""
        return math.prod(self.shape)

    def with_shape(self, shape: Sequence[int], free: Sequence[bool] | None = None) -> TensorType:
        """The same rows and dtype with another shape (nothing free unless said)."""
        free = tuple(free) if free is not None else (False,) * len(shape)
        return TensorType(tuple(shape), free, self.rows, self.dtype)

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self.shape)) + "]"


@frozen
class WeightSpec:
    """A tensor that a layer owns.

    `role` is one of weight, bias, norm_weight, norm_bias, slope, running_mean, running_var,
    constant.  `fan_in` and `fan_out` are for the initialisers (weights only).  Running
    statistics and constants are not trainable and do not count as parameters.
    """

    name: str
    shape: tuple[int, ...]
    role: str
    fan_in: int = 0
    fan_out: int = 0

    @property
    def is_parameter(self) -> bool:
        return self.role not in ("running_mean", "running_var", "constant")


@frozen
class Window:
    """How an output position sees the input, per spatial axis: extent, stride, begin pad."""

    extent: tuple[int, ...]
    stride: tuple[int, ...]
    begin: tuple[int, ...]


@frozen
class Op(Declared):
    """One layer.  A subclass declares `name`, its arguments, and the methods that differ."""

    name: ClassVar[str]
    what: ClassVar[str] = "layer"
    #: How many tensors flow in: a number, or None for a join, which takes two or more.
    arity: ClassVar[int | None] = 1
    #: Whether the layer owns weights (and so takes `frozen`).
    weighted: ClassVar[bool] = False
    #: Whether it behaves differently while training (dropout, batchnorm).
    mode_dependent: ClassVar[bool] = False
    #: Whether each output number depends on one input number alone.
    elementwise: ClassVar[bool] = False
    #: Whether a raw weight may flow in (it has no batch axis); tensor arguments take one anyway.
    takes_raw: ClassVar[bool] = False
    #: Whether the result is the input's numbers in their order, so that both can lie in one place.
    view: ClassVar[bool] = False
    #: What the gradient reads again in PyTorch: the `inputs`, the first `input`, the `output`, `both`,
    #: `nothing`, or for `weights` the inputs, if the layer's own are trained.
    keeps: ClassVar[str] = "inputs"

    @classmethod
    def apply_to(cls, inputs: Sequence[TensorType], given: Sequence[Given] = (), **named: Any) -> Self:
        """Bind arguments for these inputs.

        A tensor argument comes as the position of that tensor among `inputs`.  Keywords are
        a short form for `Given(name, value)`.  Raises `Fault`.
        """
        given = [*given, *(Given(k, v) for k, v in named.items())]
        cls.check_raw(inputs)
        cls.check_inputs(inputs)
        return cls(**cls.prepare(cls.stored(given, inputs[0].rank if inputs else 0), inputs))

    @classmethod
    def stored(cls, given: Sequence[Given], rank: int) -> dict[str, Any]:
        """The arguments as they are stored, but for what `prepare` does.  Raises `Fault`."""
        return cls.normalised(cls.match(given), Context(spatial=max(rank - 1, 0), rank=rank))

    @classmethod
    def check_raw(cls, inputs: Sequence[TensorType]) -> None:
        """Refuse a raw weight where a tensor with a batch axis is meant to flow: E326."""
        if cls.takes_raw:
            return
        for position, x in enumerate(inputs[: cls.arity]):
            if x.rows is None:
                raise Fault(
                    "E326",
                    f"{cls.name} cannot take a raw weight {x}: it has no batch axis",
                    label="a raw weight flows in here",
                    inputs=(position,),
                    help=("raw weights go into `add`, `multiply`, or an argument that is a tensor",),
                )

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        """Refuse inputs of a rank that the layer cannot take, before arguments are read."""

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        """Finish normalising what depends on the input's size: explicit pads, axes.  Raises `Fault`."""
        return stored

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The types of the results, or `Fault`.  One result unless the layer says otherwise."""
        return (inputs[0],)

    def weights(self, inputs: Sequence[TensorType]) -> tuple[WeightSpec, ...]:
        """The tensors that the layer owns for these inputs, in PyTorch's order."""
        return ()

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Multiply-accumulates for one image."""
        return 0

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Floating-point operations for one image: 2 per MAC, plus what else the formula does."""
        return 2 * self.macs(inputs, outputs)

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """Whether the result needs room of its own.

        False for what works number by number and can write over its input, for views, and for
        pools that leave everything as it is.
        `memory` counts the inputs of the model and every result for which this holds.
        """
        return not self.elementwise

    def unchanged(self, inputs: Sequence[TensorType]) -> bool:
        """Whether the result is the input at inference, so that nothing is computed."""
        return self.view

    def kept(self, inputs: Sequence[TensorType]) -> str:
        """What of one application the gradient reads again: `keeps`, unless the arguments matter."""
        return self.keeps

    def marks(self, outputs: Sequence[TensorType]) -> int:
        """Bytes for one image that the gradient keeps beside tensors: positions of maxima, masks."""
        return 0

    def window(self, inputs: Sequence[TensorType]) -> Window | None:
        """The window for receptive fields; None where a position sees only itself."""
        return None

    @classmethod
    @cache
    def tensor_args(cls) -> tuple[str, ...]:
        """The names of arguments that are tensors, in order; they follow the flowing inputs."""
        return tuple(a.name for a in cls.args() if isinstance(a.kind, Tensor))


@frozen
class WeightedOp(Op):
    """A layer with weights."""

    weighted: ClassVar[bool] = True
    last: ClassVar[str] = "frozen"
    frozen: bool = arg(Flag(), "keep its weights out of training", default=False)


__all__ = ["BATCH", "Fault", "Op", "TensorType", "WeightSpec", "WeightedOp", "Window", "arg"]
