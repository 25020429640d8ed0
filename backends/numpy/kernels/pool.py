"""Pools: over sliding windows, over everything, and to a given size (adaptive)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backends.numpy.kernels.activation import masked
from backends.numpy.kernels.arrays import Array
from backends.numpy.kernels.window import (
    Pads,
    PerAxis,
    both_ends,
    hanging_over,
    inner_slices,
    padded,
    padded_sizes,
    per_axis,
    window_counts,
    window_offsets,
)


def maxpool(
    x: Array,
    kernel: PerAxis,
    *,
    stride: PerAxis | None = None,
    pad: Pads = 0,
    overhang: PerAxis = 0,
    dilation: PerAxis = 1,
) -> Array:
    """The largest number in each window; padding is minus infinity.  The stride is the kernel if left out."""
    rank = x.ndim - 2
    kernel, dilation = per_axis(kernel, rank), per_axis(dilation, rank)
    stride = kernel if stride is None else per_axis(stride, rank)
    x = padded(x, hanging_over(pad, overhang, rank), value=-np.inf)
    out = window_counts(x.shape[2:], kernel, stride, dilation)
    y: Array = np.full((*x.shape[:2], *out), -np.inf, x.dtype)
    for _, seen in window_offsets(kernel, stride, dilation, out):
        np.maximum(y, x[(..., *seen)], out=y)
    return y


def maxpool_backward(
    d: Array,
    x: Array,
    y: Array,
    kernel: PerAxis,
    *,
    stride: PerAxis | None = None,
    pad: Pads = 0,
    overhang: PerAxis = 0,
    dilation: PerAxis = 1,
) -> Array:
    """Gradient of `y = maxpool(x)`: all of d goes to the first maximum of its window, row by row."""
    rank = x.ndim - 2
    kernel, dilation, ends = (
        per_axis(kernel, rank),
        per_axis(dilation, rank),
        hanging_over(pad, overhang, rank),
    )
    stride = kernel if stride is None else per_axis(stride, rank)
    inner = inner_slices(x.shape[2:], ends)
    x = padded(x, ends, value=-np.inf)
    dx: Array = np.zeros(x.shape, d.dtype)
    waiting = np.ones(y.shape, bool)
    apart = all(s > e * (k - 1) for k, s, e in zip(kernel, stride, dilation, strict=True))
    for _, seen in window_offsets(kernel, stride, dilation, y.shape[2:]):
        won = waiting & (x[(..., *seen)] == y)
        won_d = masked(d, won)
        if apart:
            dx[(..., *seen)] = won_d
        else:
            dx[(..., *seen)] += won_d
        waiting ^= won
    return dx[(..., *inner)]


def window_divisor(
    sizes: tuple[int, ...],
    out: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    ends: tuple[tuple[int, int], ...],
    divisor: str | float,
) -> Array:
    """What each window's sum is divided by, an array [*out].

    padded: its positions in the padded input; valid: those in the input; window: all that the
    kernel has; or a number.
    """
    if not isinstance(divisor, str):
        return np.full(out, divisor)
    counts: Array = np.ones((), int)
    for size, n, k, s, (begin, end) in zip(sizes, out, kernel, stride, ends, strict=True):
        first = np.arange(n) * s - begin
        low: Array = {"padded": -begin, "valid": 0, "window": first}[divisor]
        high: Array = {"padded": size + end, "valid": size, "window": first + k}[divisor]
        counts = np.multiply.outer(counts, np.minimum(first + k, high) - np.maximum(first, low))
    return counts


def avgpool(
    x: Array,
    kernel: PerAxis,
    *,
    stride: PerAxis | None = None,
    pad: Pads = 0,
    overhang: PerAxis = 0,
    divisor: str | float = "padded",
) -> Array:
    """The mean of each window over zero padding; `divisor` as in `window_divisor`."""
    rank, sizes = x.ndim - 2, x.shape[2:]
    kernel, ends, once = per_axis(kernel, rank), both_ends(pad, rank), (1,) * rank
    stride = kernel if stride is None else per_axis(stride, rank)
    x = padded(x, hanging_over(pad, overhang, rank))
    out = window_counts(x.shape[2:], kernel, stride, once)
    y: Array = np.zeros((*x.shape[:2], *out), x.dtype)
    for _, seen in window_offsets(kernel, stride, once, out):
        y += x[(..., *seen)]
    return y / window_divisor(sizes, out, kernel, stride, ends, divisor).astype(x.dtype)


def avgpool_backward(
    d: Array,
    shape: tuple[int, ...],
    kernel: PerAxis,
    *,
    stride: PerAxis | None = None,
    pad: Pads = 0,
    overhang: PerAxis = 0,
    divisor: str | float = "padded",
) -> Array:
    """Gradient of `avgpool` for its input of this shape: each number gets its share of d."""
    rank, sizes, out = len(shape) - 2, shape[2:], d.shape[2:]
    kernel, once, ends = per_axis(kernel, rank), (1,) * rank, hanging_over(pad, overhang, rank)
    stride = kernel if stride is None else per_axis(stride, rank)
    share = d / window_divisor(sizes, out, kernel, stride, both_ends(pad, rank), divisor).astype(d.dtype)
    dx: Array = np.zeros((*shape[:2], *padded_sizes(sizes, ends)), d.dtype)
    for _, seen in window_offsets(kernel, stride, once, out):
        dx[(..., *seen)] += share
    return dx[(..., *inner_slices(sizes, ends))]


def globalavgpool(x: Array) -> Array:
    """The mean over all positions, [N, C, 1, ...]."""
    return x.mean(axis=tuple(range(2, x.ndim)), keepdims=True)


def globalavgpool_backward(d: Array, shape: tuple[int, ...]) -> Array:
    """Gradient of `globalavgpool`: d spread evenly over all positions."""
    dx: Array = np.empty(shape, d.dtype)
    dx[...] = d / int(np.prod(shape[2:]))
    return dx


def globalmaxpool(x: Array) -> Array:
    """The maximum over all positions, [N, C, 1, ...]."""
    return x.max(axis=tuple(range(2, x.ndim)), keepdims=True)


def globalmaxpool_backward(d: Array, x: Array) -> Array:
    """Gradient of `globalmaxpool`: all of d goes to the first maximum."""
    flat = x.reshape(*x.shape[:2], -1)
    dx: Array = np.zeros(flat.shape, d.dtype)
    np.put_along_axis(dx, flat.argmax(axis=2)[..., None], d.reshape(*d.shape[:2], 1), axis=2)
    return dx.reshape(x.shape)


def adaptive_ranges(size: int, count: int) -> list[tuple[int, int]]:
    """The `count` ranges that cover `size` positions: floor(i size / count) to ceil((i + 1) size / count)."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def adaptive_means(size: int, count: int, dtype: np.dtype[np.floating]) -> Array:
    """The matrix [count, size] that takes the mean of each range."""
    matrix: Array = np.zeros((count, size), dtype)
    for row, (first, last) in zip(matrix, adaptive_ranges(size, count), strict=True):
        row[first:last] = 1 / (last - first)
    return matrix


def adaptiveavgpool(x: Array, size: tuple[int, ...]) -> Array:
    """Means over ranges of positions that give an output of this size, axis by axis."""
    for axis, count in enumerate(size, start=2):
        means = adaptive_means(x.shape[axis], count, x.dtype)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ means.T, -1, axis)
    return x


def adaptiveavgpool_backward(d: Array, shape: tuple[int, ...]) -> Array:
    """Gradient of `adaptiveavgpool` for its input of this shape."""
    for axis in range(2, d.ndim):
        means = adaptive_means(shape[axis], d.shape[axis], d.dtype)
        d = np.moveaxis(np.moveaxis(d, axis, -1) @ means, -1, axis)
    return d


def adaptive_windows(
    sizes: tuple[int, ...], out: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Per output position: the position, and the slices of what it sees."""
    ranges = [adaptive_ranges(size, count) for size, count in zip(sizes, out, strict=True)]
    for place in np.ndindex(*out):
        yield place, tuple(slice(*axis[i]) for axis, i in zip(ranges, place, strict=True))


def adaptivemaxpool(x: Array, size: tuple[int, ...]) -> Array:
    """Maxima over ranges of positions that give an output of this size."""
    y: Array = np.empty((*x.shape[:2], *size), x.dtype)
    for place, seen in adaptive_windows(x.shape[2:], size):
        y[(..., *place)] = x[(..., *seen)].max(axis=tuple(range(2, x.ndim)))
    return y


def adaptivemaxpool_backward(d: Array, x: Array) -> Array:
    """Gradient of `adaptivemaxpool`: all of d goes to the first maximum of its window."""
    dx: Array = np.zeros(x.shape, d.dtype)
    for place, seen in adaptive_windows(x.shape[2:], d.shape[2:]):
        part = x[(..., *seen)]
        flat = part.reshape(*part.shape[:2], -1)
        share = np.zeros(flat.shape, d.dtype)
        np.put_along_axis(share, flat.argmax(axis=2)[..., None], d[(..., *place)][..., None], axis=2)
        dx[(..., *seen)] += share.reshape(part.shape)
    return dx
