"""Joins: several tensors into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from compiler.declare import Axis, Fault, Real, Word
from compiler.ops.base import Op, TensorType, arg
from compiler.ops.checks import axis_name, by_sizes, listed
from compiler.shapes import cdiv
from spec_lang.frozen import frozen


class _Join(Op):
    """A layer with two or more flowing inputs."""

    arity: ClassVar[int | None] = None
    keeps: ClassVar[str] = "nothing"

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        if len(inputs) + (stored.get("constant") is not None) < 2:
            raise Fault(
                "E224",
                f"{cls.name} joins at least two tensors, and gets {len(inputs)}",
                help=(f"`{cls.name}(skip, it)`, or two branches",),
            )
        return stored

    def result(self, inputs: Sequence[TensorType], shape: Sequence[int], free: Sequence[bool]) -> TensorType:
        """The type of the result, once all inputs with a batch axis agree on it.  E325, E326."""
        flowing = [(i, x) for i, x in enumerate(inputs) if x.rows is not None]
        if not flowing:
            raise Fault(
                "E326",
                f"{self.name} joins raw weights alone: the result would have no batch axis",
                inputs=tuple(range(len(inputs))),
                help=("join a raw weight with a tensor that flows",),
            )
        first, x = flowing[0]
        for position, other in flowing[1:]:
            if other.rows != x.rows:
                raise Fault(
                    "E325",
                    f"{self.name} cannot join rows of `{x.rows}` with rows of `{other.rows}`",
                    label="their numbers of rows are unrelated",
                    inputs=(first, position),
                )
        return x.with_shape(shape, free)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One operation per output number for each tensor beyond the first."""
        return (len(inputs) - 1) * outputs[0].elements


def _differ(
    layer: str,
    inputs: Sequence[TensorType],
    left: int,
    right: int,
    code: str = "E306",
    but: int | None = None,
) -> Fault:
    """The fault for two inputs whose shapes differ, each side shown, the axis that differs marked."""
    a, b = inputs[left], inputs[right]
    if a.rank != b.rank:
        return Fault(
            code,
            f"{layer} needs tensors of one rank, not {a} and {b}",
            inputs=(left, right),
            label=f"{a.rank} axes and {b.rank} axes",
            notes=_sides(inputs, left, right, ()),
            help=("`flatten` makes a vector of a feature map; a vector becomes one by `reshape`",),
        )
    axes = [i for i in range(a.rank) if a.shape[i] != b.shape[i] and i != but]
    names = [axis_name(a.rank, i) for i in axes]
    numbers = ", ".join(f"{name} {a.shape[i]} and {b.shape[i]}" for name, i in zip(names, axes, strict=True))
    equal = "equal shapes" if but is None else f"equal extents beside its axis `{axis_name(a.rank, but)}`"
    return Fault(
        code,
        f"{layer} needs {equal}: {numbers} differ",
        inputs=(left, right),
        label=f"the {listed(names)} differ{'s' if len(names) == 1 and names[0] != 'channels' else ''}",
        notes=_sides(inputs, left, right, axes),
        help=_remedy(a, b, axes),
    )


def _sides(inputs: Sequence[TensorType], left: int, right: int, axes: Sequence[int]) -> tuple[str, ...]:
    """Each side's shape, with what differs between angle brackets."""

    def marked(x: TensorType) -> str:
        return ", ".join(f">{n}<" if axis in axes else str(n) for axis, n in enumerate(x.shape))

    return tuple(f"tensor {i + 1} is [{marked(inputs[i])}]" for i in (left, right))


def _remedy(a: TensorType, b: TensorType, axes: Sequence[int]) -> tuple[str, ...]:
    """A 1x1 convolution that makes the larger map like the smaller one, if there is one."""
    if not 2 <= a.rank <= 4:
        return ()
    kernel = by_sizes((1,) * (a.rank - 1))
    if list(axes) == [0]:
        return (f"`conv({b.shape[0]}, {kernel})` gives the first one {b.shape[0]} channels",)
    large, small, which = (a, b, "first") if a.spatial >= b.spatial else (b, a, "second")
    strides = {cdiv(i, o) for i, o in zip(large.spatial, small.spatial, strict=True)}
    if len(strides) == 1:
        stride = strides.pop()
        if all(cdiv(i, stride) == o for i, o in zip(large.spatial, small.spatial, strict=True)):
            return (
                f"`conv({small.shape[0]}, {kernel}, stride = {stride})` brings the {which} one to {small}",
            )
    return ()


def _equal_shapes(layer: str, inputs: Sequence[TensorType]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    for position in range(1, len(inputs)):
        if inputs[position].shape != inputs[0].shape:
            raise _differ(layer, inputs, 0, position)
    return inputs[0].shape, tuple(any(flags) for flags in zip(*(x.free for x in inputs), strict=True))


def may_stretch(x: TensorType) -> bool:
    """Whether `add` and `multiply` stretch a 1 of it: a raw weight, or a map that is 1 by 1 at every size."""
    return x.rows is None or (x.rank > 1 and all(n == 1 for n in x.spatial) and not any(x.free[1:]))


def _stretched(layer: str, inputs: Sequence[TensorType]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Equal shapes, but for a 1 that may stretch."""
    whole = next((i for i, x in enumerate(inputs) if not may_stretch(x)), None)
    if whole is None:
        whole = max(range(len(inputs)), key=lambda i: (inputs[i].rank, inputs[i].elements, -i))
    rank = inputs[whole].rank
    shape = list(inputs[whole].shape)
    for position, x in enumerate(inputs):
        if x.rank == 0 and x.rows is None:
            continue
        if x.rank != rank:
            raise _differ(layer, inputs, min(whole, position), max(whole, position))
        for axis in range(rank):
            mine, so_far = x.shape[axis], shape[axis]
            if mine == so_far or (mine == 1 and may_stretch(x)):
                continue
            if so_far == 1 and may_stretch(inputs[whole]) and not x.free[axis]:
                shape[axis] = mine
                continue
            raise _differ(layer, inputs, min(whole, position), max(whole, position))
    free = [False] * rank
    for axis in range(rank):
        spanning = [x for x in inputs if x.rank and (x.shape[axis] > 1 or shape[axis] == 1)]
        free[axis] = any(x.free[axis] for x in spanning)
        for position, x in enumerate(inputs):
            if free[axis] and x.rows is None and x.rank and x.shape[axis] > 1:
                raise Fault(
                    "E309",
                    f"{layer}: the {axis_name(rank, axis)} is free, "
                    f"but a raw weight {x} has {x.shape[axis]} there",
                    label="the weight fits one size alone",
                    inputs=(whole, position),
                    help=("a raw weight of extent 1 on that axis stretches",),
                )
    return tuple(shape), tuple(free)


@frozen
class Add(_Join):
    """The sum of tensors, and of a number if one is given.

    Shapes are equal; a 1 stretches in a raw weight and in a map whose spatial extents are all 1.
    PyTorch: +.  ONNX: Add.  Source of the shortcut: He et al. 2016, "Deep residual learning".
    """

    name: ClassVar[str] = "add"
    takes_raw: ClassVar[bool] = True

    constant: float | None = arg(Real(), "a number that is added", default=None, positional=True)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (self.result(inputs, *_stretched(self.name, inputs)),)

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """A number alone is added in place."""
        return len(inputs) > 1

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One addition per output number for each term beyond the first."""
        return super().flops(inputs, outputs) + (0 if self.constant is None else outputs[0].elements)


@frozen
class Multiply(_Join):
    """The product of tensors, and of a number if one is given, number by number.

    Shapes are equal; a 1 stretches in a raw weight and in a map whose spatial extents are all 1.
    PyTorch: *.  ONNX: Mul.  Source of the gate: Hu et al. 2018, "Squeeze-and-excitation networks".
    """

    name: ClassVar[str] = "multiply"
    takes_raw: ClassVar[bool] = True

    constant: float | None = arg(Real(), "a number that is multiplied", default=None, positional=True)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (self.result(inputs, *_stretched(self.name, inputs)),)

    def new_volume(self, inputs: Sequence[TensorType]) -> bool:
        """A number alone is multiplied in place."""
        return len(inputs) > 1

    def kept(self, inputs: Sequence[TensorType]) -> str:
        """Each factor for the others' gradients; a number needs none."""
        return "inputs" if len(inputs) > 1 else "nothing"

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One multiplication per output number for each factor beyond the first."""
        return super().flops(inputs, outputs) + (0 if self.constant is None else outputs[0].elements)


@frozen
class Maximum(_Join):
    """The largest of tensors of one shape, number by number.

    PyTorch: maximum.  ONNX: Max.  Source: Goodfellow et al. 2013, "Maxout networks".
    """

    name: ClassVar[str] = "maximum"
    keeps: ClassVar[str] = "inputs"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (self.result(inputs, *_equal_shapes(self.name, inputs)),)


@frozen
class Average(_Join):
    """The mean of tensors of one shape, number by number.  PyTorch: a sum and a product.  ONNX: Mean."""

    name: ClassVar[str] = "average"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return (self.result(inputs, *_equal_shapes(self.name, inputs)),)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One operation per output number and tensor."""
        return len(inputs) * outputs[0].elements


@frozen
class Concat(_Join):
    """Tensors one after the other along `axis`; all other extents are equal.

    PyTorch: cat.  ONNX: Concat.  Source: Szegedy et al. 2015; Huang et al. 2017.
    """

    name: ClassVar[str] = "concat"

    axis: int = arg(Axis(), "the axis along which they follow one another", default=Word("channels"))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        axis, first = self.axis, inputs[0].shape
        before, after = first[:axis], first[axis + 1 :]
        for position, x in enumerate(inputs):
            other = x.shape
            if len(other) != len(first) or other[:axis] != before or other[axis + 1 :] != after:
                raise _differ(self.name, inputs, 0, position, "E307", axis)
        shape = (*before, sum([x.shape[axis] for x in inputs]), *after)
        return (
            self.result(inputs, shape, [any(flags) for flags in zip(*(x.free for x in inputs), strict=True)]),
        )

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """None."""
        return 0


OPS: tuple[type[Op], ...] = (Add, Multiply, Maximum, Average, Concat)
