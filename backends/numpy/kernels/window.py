"""What convolutions and pools share: padding, windows without a copy, and their adjoints.

`rank` is the number of spatial axes.  Arguments per axis are a number for all of them or a
tuple with one entry each; a pad is a number, or (begin, end) per axis.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backends.numpy.kernels.arrays import Array


def per_axis(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """One number per spatial axis."""
    return (value,) * rank if isinstance(value, int) else value


def both_ends(pad: int | tuple[tuple[int, int], ...], rank: int) -> tuple[tuple[int, int], ...]:
    """(begin, end) per spatial axis."""
    return ((pad, pad),) * rank if isinstance(pad, int) else pad


def padded(x: Array, pad: int | tuple[tuple[int, int], ...], mode: str = "constant", value: float = 0) -> Array:
    """x with its spatial axes extended; `mode` is one of `np.pad`: constant, reflect, edge, wrap."""
    ends = both_ends(pad, x.ndim - 2)
    if not any(begin or end for begin, end in ends):
        return x
    widths = ((0, 0), (0, 0), *ends)
    return np.pad(x, widths, constant_values=value) if mode == "constant" else np.pad(x, widths, mode=mode)  # type: ignore[call-overload,no-any-return]


def padded_backward(d: Array, pad: int | tuple[tuple[int, int], ...], mode: str = "constant") -> Array:
    """Gradient of what `padded` extended: what a copy received goes back to its original."""
    for axis, (begin, end) in enumerate(both_ends(pad, d.ndim - 2), start=2):
        if not (begin or end):
            continue
        whole = np.moveaxis(d, axis, 0)
        size = len(whole) - begin - end
        inner = whole[begin:begin + size]
        if mode != "constant":
            inner = inner.copy()
            origins = np.pad(np.arange(size), (begin, end), mode=mode)  # type: ignore[call-overload]
            for place in (*range(begin), *range(begin + size, begin + size + end)):
                inner[origins[place]] += whole[place]
        d = np.moveaxis(inner, 0, axis)
    return d


def extended(x: Array, overhang: int | tuple[int, ...], value: float = 0) -> Array:
    """x with `overhang` more positions at the end of each spatial axis, for windows that stick out."""
    return padded(x, tuple((0, end) for end in per_axis(overhang, x.ndim - 2)), value=value)


def window_counts(sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...],
                  dilation: tuple[int, ...]) -> tuple[int, ...]:
    """How many windows fit per axis: (size - dilation (kernel - 1) - 1) // stride + 1."""
    return tuple((size - d * (k - 1) - 1) // s + 1
                 for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True))


def windows(x: Array, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """All windows of a padded array as a view, [N, C, *kernel, *out]; nothing is copied."""
    out = window_counts(x.shape[2:], kernel, stride, dilation)
    steps = x.strides[2:]
    return np.lib.stride_tricks.as_strided(
        x, (*x.shape[:2], *kernel, *out),
        (*x.strides[:2], *(t * d for t, d in zip(steps, dilation, strict=True)),
         *(t * s for t, s in zip(steps, stride, strict=True))), writeable=False)


def window_offsets(kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...],
                   out: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Per position in the window, row by row: the position, and the slices of what all windows see there."""
    for place in np.ndindex(*kernel):
        yield place, tuple(slice(i * d, i * d + s * (n - 1) + 1, s)
                           for i, s, d, n in zip(place, stride, dilation, out, strict=True))


def add_windows(total: Array, parts: Array, stride: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    """The adjoint of `windows`: add [N, C, *kernel, *out] to the places that the windows saw."""
    rank = total.ndim - 2
    kernel, out = parts.shape[2:2 + rank], parts.shape[2 + rank:]
    for place, seen in window_offsets(kernel, stride, dilation, out):
        total[(..., *seen)] += parts[(slice(None), slice(None), *place)]


def overhang(sizes: tuple[int, ...], kernel: int | tuple[int, ...], stride: int | tuple[int, ...],
             pad: int | tuple[tuple[int, int], ...] = 0, dilation: int | tuple[int, ...] = 1,
             rule: str = "ceil") -> tuple[int, ...]:
    """Positions past the padded end that the last window of `round = ceil` (or `caffe`) needs, per axis.

    A last window that would start past the input and its begin pad is dropped; Caffe drops it only
    where there is padding.
    """
    rank = len(sizes)
    found = []
    for size, k, s, (begin, end), d in zip(sizes, per_axis(kernel, rank), per_axis(stride, rank),
                                           both_ends(pad, rank), per_axis(dilation, rank), strict=True):
        extent = d * (k - 1) + 1
        count = -((extent - size - begin - end) // s) + 1
        if (rule == "ceil" or begin or end) and (count - 1) * s >= size + begin:
            count -= 1
        found.append(max(0, (count - 1) * s + extent - size - begin - end))
    return tuple(found)
