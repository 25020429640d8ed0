"""What the generated class asks of its weights and inputs, and what it keeps for `backward`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.kernels.window import Pads, PerAxis, both_ends, per_axis


class Saved(dict[str, Array]):
    """What `backward` needs, by the layer that made it.  Takes nothing in unless asked to keep."""

    def __init__(self, keep: bool, training: bool) -> None:
        super().__init__()
        self.keep, self.training = keep, training

    def __setitem__(self, name: str, value: Array) -> None:
        if self.keep:
            super().__setitem__(name, value)


class Part:
    """What stands under `path` in a mapping by dotted name, by what is left of the names."""

    def __init__(self, whole: dict[str, Array], path: str) -> None:
        self.whole, self.path = whole, path

    def __getitem__(self, name: str) -> Array:
        return self.whole[f"{self.path}.{name}"]

    def __setitem__(self, name: str, value: Array) -> None:
        self.whole[f"{self.path}.{name}"] = value


def checked_weights(
    weights: Mapping[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
    dtype: type,
    optional: tuple[str, ...] = (),
) -> dict[str, Array]:
    """The weights as arrays of one type, in the order of `shapes`.

    Raises ValueError with all that are missing (unless optional), unexpected, mis-shaped, or not numbers.
    """
    problems = [
        f"missing: {name} {list(shape)}"
        for name, shape in shapes.items()
        if name not in weights and name not in optional
    ]
    problems += [f"unexpected: {name}" for name in weights if name not in shapes]
    found = {name: np.asarray(weights[name]) for name in shapes if name in weights}
    problems += [
        f"mis-shaped: {name} is {list(array.shape)}, not {list(shapes[name])}"
        for name, array in found.items()
        if array.shape != shapes[name]
    ]
    problems += [
        f"not numbers: {name} holds {array.dtype}"
        for name, array in found.items()
        if array.dtype.kind not in "fiu"
    ]
    if problems:
        raise ValueError("the weights do not fit the model:\n  " + "\n  ".join(problems))
    return {name: np.asarray(array, dtype, order="C") for name, array in found.items()}


def checked_input(name: str, array: Array, shape: tuple[int | None, ...], dtype: type) -> Array:
    """The input as an array of this type; its shape is [N, *shape], where None is any extent from 1."""
    array = np.asarray(array)
    fits = array.ndim == 1 + len(shape) and all(
        (have > 0 if want is None else have == want)
        for have, want in zip(array.shape[1:], shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(["N", *("any" if extent is None else str(extent) for extent in shape)])
        raise ValueError(f"{name} is {list(array.shape)}, not [{wanted}]")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}, not numbers")
    return array.astype(dtype, copy=False)


def check_rows(**inputs: Array) -> None:
    """Refuse inputs that have different numbers of rows."""
    if len({len(array) for array in inputs.values()}) > 1:
        rows = ", ".join(f"{name} has {len(array)}" for name, array in inputs.items())
        raise ValueError(f"the inputs differ in their rows: {rows}")


def check_extents(name: str, *extents: int) -> None:
    """Refuse inputs that differ in an extent of one name."""
    if len(set(extents)) > 1:
        raise ValueError(f"the inputs differ in {name}: {', '.join(map(str, extents))}")


def checked_gradient(name: str, gradient: Array, output: Array) -> Array:
    """The gradient of an output, as an array of the output's shape and type."""
    gradient = np.asarray(gradient, output.dtype)
    if gradient.shape != output.shape:
        raise ValueError(f"the gradient of {name} is {list(gradient.shape)}, not {list(output.shape)}")
    return gradient


def gradient_of(name: str, gradients: Mapping[str, Array], output: Array) -> Array:
    """The gradient of one output among several; an output that is not mentioned has none."""
    return checked_gradient(name, gradients.get(name, np.zeros_like(output)), output)


def check_windows(
    layer: str,
    sizes: tuple[int, ...],
    kernel: PerAxis,
    *,
    stride: PerAxis | None = None,
    pad: Pads = 0,
    dilation: PerAxis = 1,
    overhang: PerAxis = 0,
    exact: bool = False,
    pool: bool = False,
) -> None:
    """Refuse sizes at which no window fits, the last rows would never be seen (`exact`), or a pool's
    window would lie in the padding alone."""
    rank = len(sizes)
    kernel = per_axis(kernel, rank)
    stride = kernel if stride is None else per_axis(stride, rank)
    for size, k, s, (begin, end), d, more in zip(
        sizes,
        kernel,
        stride,
        both_ends(pad, rank),
        per_axis(dilation, rank),
        per_axis(overhang, rank),
        strict=True,
    ):
        extent = d * (k - 1) + 1
        room = size + begin + end + more - extent
        if room < 0:
            raise ValueError(
                f"{layer}: its window of {extent} does not fit a size of {size} "
                f"with a padding of {begin} and {end}"
            )
        if exact and room % s > end + max(0, s - extent):
            raise ValueError(
                f"{layer} does not fit its input: ({size} - {extent} + {begin + end}) / {s} + 1 "
                f"= {room / s + 1:g}, and {room % s - end} of {size} would never be seen"
            )
        seen = np.add.outer(np.arange(room // s + 1) * s - begin, np.arange(k) * d)
        if pool and not ((seen >= 0) & (seen < size)).any(axis=1).all():
            raise ValueError(f"{layer} has a window that sees no input at a size of {size}")


def check_border(layer: str, sizes: tuple[int, ...], pad: Pads, mode: str) -> None:
    """Refuse sizes that have too little to mirror (`reflect`) or repeat (`circular`)."""
    for size, ends in zip(sizes, both_ends(pad, len(sizes)), strict=True):
        most = size - 1 if mode == "reflect" else size
        if max(ends) > most:
            raise ValueError(
                f"{layer} pads a size of {size} by {max(ends)}, but `{mode}` has at most {most} to give"
            )


def check_equal(layer: str, *shapes: tuple[int, ...], apart: int | None = None) -> None:
    """Refuse to join tensors whose shapes differ on an axis other than `apart`."""
    for shape in shapes[1:]:
        if any(a != b for axis, (a, b) in enumerate(zip(shapes[0], shape, strict=True)) if axis != apart):
            raise ValueError(f"{layer} cannot join {list(shapes[0])} and {list(shape)}")


def check_several(layer: str, count: int) -> None:
    """Refuse to normalise numbers one by one."""
    if count < 2:
        raise ValueError(f"{layer} would normalise each number by itself: its statistics need more than one")


def check_present(weights: Mapping[str, Array], names: tuple[str, ...]) -> None:
    """Refuse to train without the weights that exist in training alone."""
    missing = [name for name in names if name not in weights]
    if missing:
        raise ValueError(f"these weights are needed for training and were not given: {', '.join(missing)}")
