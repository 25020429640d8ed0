"""What convolutions and pools share: padding, windows without a copy, and their adjoints.

`rank` is the number of spatial axes.  Arguments per axis are a number for all of them or a
tuple with one entry each; a pad is a number, or (begin, end) per axis.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backends.numpy.kernels.arrays import Array

# A number for all spatial axes, or one for each.
PerAxis = int | tuple[int, ...]
# The same at every end, or (begin, end) for each spatial axis.
Pads = int | tuple[tuple[int, int], ...]


def per_axis(value: PerAxis, rank: int) -> tuple[int, ...]:
    """One number per spatial axis."""
    return (value,) * rank if isinstance(value, int) else value


def both_ends(pad: Pads, rank: int) -> tuple[tuple[int, int], ...]:
    """(begin, end) per spatial axis."""
    return ((pad, pad),) * rank if isinstance(pad, int) else pad


def hanging_over(pad: Pads, overhang: PerAxis, rank: int) -> tuple[tuple[int, int], ...]:
    """The pads of all axes with `overhang` more positions at the end, for windows that stick out."""
    pairs = zip(both_ends(pad, rank), per_axis(overhang, rank), strict=True)
    return tuple((begin, end + more) for (begin, end), more in pairs)


def padded_sizes(sizes: tuple[int, ...], ends: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """The sizes with their padding."""
    return tuple(begin + size + end for size, (begin, end) in zip(sizes, ends, strict=True))


def inner_slices(sizes: tuple[int, ...], ends: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    """Where the original is in what was padded."""
    return tuple(slice(begin, begin + size) for size, (begin, _) in zip(sizes, ends, strict=True))


def border(size: int, begin: int, end: int, mode: str) -> Array:
    """The position that each position of a padded axis copies; `mode` is reflect, replicate or circular."""
    places = np.arange(-begin, size + end)
    if mode == "circular":
        return places % size
    if mode == "reflect":
        return size - 1 - np.abs(size - 1 - np.abs(places))
    return np.clip(places, 0, size - 1)


def padded(x: Array, pad: Pads, mode: str = "zeros", value: float = 0) -> Array:
    """x with its spatial axes extended: by `value`, or by copies as `border` says."""
    ends = both_ends(pad, x.ndim - 2)
    if not any(begin or end for begin, end in ends):
        return x
    if mode == "zeros":
        whole: Array = np.full((*x.shape[:2], *padded_sizes(x.shape[2:], ends)), value, x.dtype)
        whole[(..., *inner_slices(x.shape[2:], ends))] = x
        return whole
    for axis, (begin, end) in enumerate(ends, start=2):
        x = x.take(border(x.shape[axis], begin, end, mode), axis=axis)
    return x


def padded_backward(d: Array, pad: Pads, mode: str = "zeros") -> Array:
    """Gradient of what `padded` extended: what a copy received goes back to its original."""
    for axis, (begin, end) in enumerate(both_ends(pad, d.ndim - 2), start=2):
        if not (begin or end):
            continue
        whole = np.moveaxis(d, axis, 0)
        size = len(whole) - begin - end
        inner = whole[begin : begin + size]
        if mode != "zeros":
            inner = np.zeros_like(inner)
            np.add.at(inner, border(size, begin, end, mode), whole)
        d = np.moveaxis(inner, 0, axis)
    return d


def window_counts(
    sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[int, ...]:
    """How many windows fit per axis: (size - dilation (kernel - 1) - 1) // stride + 1."""
    return tuple(
        (size - d * (k - 1) - 1) // s + 1
        for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    )


def images_last(x: Array) -> Array:
    """[N, C, ...] as [C, ..., N]; a single image is not copied."""
    return np.ascontiguousarray(np.moveaxis(x, 0, -1))


def windows(x: Array, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """All windows of a padded [C, ..., N] as a view, [C, *kernel, *out, N]; nothing is copied."""
    out = window_counts(x.shape[1:-1], kernel, stride, dilation)
    first, *steps, last = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (x.shape[0], *kernel, *out, x.shape[-1]),
        (
            first,
            *(t * d for t, d in zip(steps, dilation, strict=True)),
            *(t * s for t, s in zip(steps, stride, strict=True)),
            last,
        ),
        writeable=False,
    )


def window_offsets(
    kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], out: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Per position in the window, row by row: the position, and the slices of what all windows see there."""
    for place in np.ndindex(*kernel):
        yield (
            place,
            tuple(
                slice(i * d, i * d + s * (n - 1) + 1, s)
                for i, s, d, n in zip(place, stride, dilation, out, strict=True)
            ),
        )


def add_windows(total: Array, parts: Array, stride: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    """The adjoint of `windows`: add [C, *kernel, *out, N] to the places in [C, ..., N] that they saw."""
    rank = total.ndim - 2
    kernel, out = parts.shape[1 : 1 + rank], parts.shape[1 + rank : -1]
    for place, seen in window_offsets(kernel, stride, dilation, out):
        total[(slice(None), *seen)] += parts[(slice(None), *place)]


def overhang(
    sizes: tuple[int, ...],
    kernel: PerAxis,
    stride: PerAxis | None = None,
    pad: Pads = 0,
    dilation: PerAxis = 1,
    rule: str = "ceil",
) -> tuple[int, ...]:
    """Positions past the padded end that the last window of `round = ceil` (or `caffe`) needs, per axis.

    A last window that would start past the input and its begin pad is left out; Caffe does so only
    where there is padding.
    """
    rank = len(sizes)
    kernel, ends = per_axis(kernel, rank), both_ends(pad, rank)
    stride = kernel if stride is None else per_axis(stride, rank)
    clipped = rule == "ceil" or any(begin or end for begin, end in ends)
    found = []
    for size, k, s, (begin, end), d in zip(
        sizes, kernel, stride, ends, per_axis(dilation, rank), strict=True
    ):
        reach = d * (k - 1) + 1 - size - begin - end  # of the first window past the end
        last = -(reach // s)
        if clipped and last * s >= size + begin:
            last -= 1
        found.append(max(0, last * s + reach))
    return tuple(found)
