"""Convolution through columns (im2col) and matrix products, in tiles so that memory stays bounded.

Within a tile the images are the last axis: rows of a small picture are short, and with the images
beside each other what is copied or added at once is long all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.kernels.window import (
    Pads,
    PerAxis,
    add_windows,
    both_ends,
    images_last,
    padded,
    padded_backward,
    padded_sizes,
    per_axis,
    window_counts,
    windows,
)

# Numbers in one tile of columns: a few megabytes, so that the product finds them in the cache.
TILE = 1 << 20


def tiles(
    images: int, depth: int, out: tuple[int, ...], weights: int = 0
) -> Iterator[tuple[slice, list[slice]]]:
    """Slices of images, each with slices of output rows, whose columns hold at most about `TILE` numbers.

    A position's column has `depth` numbers.  Images share a tile up to a quarter of that, or as many
    numbers as there are weights, so that what a product does with the weights is worth it.
    """
    per_row = max(1, depth * int(np.prod(out[1:])))
    several = max(1, min(TILE, max(TILE // 4, weights)) // (out[0] * per_row))
    step = max(1, TILE // per_row)
    rows = [slice(first, min(first + step, out[0])) for first in range(0, out[0], step)]
    for first in range(0, images, several):
        yield slice(first, min(first + several, images)), rows


def columns_of(seen: Array, rows: slice, groups: int) -> Array:
    """The windows of these output rows as columns, [groups, C / groups * kernel, positions * N]."""
    rank = (seen.ndim - 2) // 2
    depth = seen.shape[0] // groups * int(np.prod(seen.shape[1 : 1 + rank]))
    return seen[(slice(None),) * (1 + rank) + (rows,)].reshape(groups, depth, -1)


def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: PerAxis = 1,
    pad: Pads = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    pad_mode: str = "zeros",
) -> Array:
    """y[n, o, i] = bias[o] + sum over c, u of weight[o, c, u] * padded x[n, c, i * stride + u * dilation].

    x [N, C, ...], weight [O, C / groups, *kernel] -> [N, O, ...].  Output o sees the input
    channels of its group alone.
    """
    rank, filters = x.ndim - 2, weight.shape[0]
    kernel, stride, dilation = weight.shape[2:], per_axis(stride, rank), per_axis(dilation, rank)
    x = padded(x, pad, pad_mode)
    out = window_counts(x.shape[2:], kernel, stride, dilation)
    per_row = int(np.prod(out[1:]))
    y: Array = np.empty((x.shape[0], filters, out[0] * per_row), x.dtype)
    matrix = weight.reshape(groups, filters // groups, -1)
    offset = None if bias is None else bias.reshape(-1, 1)
    depth = x.shape[1] * int(np.prod(kernel))
    flat = max(kernel) == 1 or max(out) == 1  # each window one position, or one window
    if flat and depth * y.shape[2] * len(x) == x.size and x.flags.c_contiguous:  # x holds the columns already
        x = x.reshape(x.shape[0], groups, -1, y.shape[2])
        np.matmul(matrix, x, out=y.reshape(x.shape[0], groups, -1, y.shape[2]))
        if offset is not None:
            y += offset
        return y.reshape(x.shape[0], filters, *out)
    for images, bands in tiles(len(x), depth, out, weight.size):
        seen = windows(images_last(x[images]), kernel, stride, dilation)
        for rows in bands:
            made = (matrix @ columns_of(seen, rows, groups)).reshape(filters, -1)
            if offset is not None:
                made += offset
            made = made.reshape(filters, -1, seen.shape[-1])
            y[images, :, rows.start * per_row : rows.stop * per_row] = np.moveaxis(made, -1, 0)
    return y.reshape(x.shape[0], filters, *out)


def conv_input_gradient(
    d: Array,
    shape: tuple[int, ...],
    weight: Array,
    *,
    stride: PerAxis = 1,
    pad: Pads = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    pad_mode: str = "zeros",
) -> Array:
    """Gradient of `conv` for its input of this shape: each window gets back weight^T d."""
    rank, filters = d.ndim - 2, weight.shape[0]
    kernel, stride, dilation = weight.shape[2:], per_axis(stride, rank), per_axis(dilation, rank)
    sizes = padded_sizes(shape[2:], both_ends(pad, rank))
    total: Array = np.empty((*shape[:2], *sizes), d.dtype)
    matrix = weight.reshape(groups, filters // groups, -1).swapaxes(1, 2)
    for images, bands in tiles(shape[0], shape[1] * int(np.prod(kernel)), d.shape[2:], weight.size):
        part = images_last(d[images])
        whole: Array = np.zeros((shape[1], *sizes, part.shape[-1]), d.dtype)
        for rows in bands:
            given = part[:, rows]
            parts = matrix @ given.reshape(groups, filters // groups, -1)
            add_windows(
                whole[:, rows.start * stride[0] :],
                parts.reshape(shape[1], *kernel, *given.shape[1:]),
                stride,
                dilation,
            )
        total[images] = np.moveaxis(whole, -1, 0)
    return padded_backward(total, pad, pad_mode)


def conv_weight_gradient(
    d: Array,
    x: Array,
    shape: tuple[int, ...],
    *,
    stride: PerAxis = 1,
    pad: Pads = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    pad_mode: str = "zeros",
) -> Array:
    """Gradient of `conv` for its weight of this shape: d times the columns of x, over all windows."""
    rank, filters, kernel = x.ndim - 2, shape[0], shape[2:]
    stride, dilation = per_axis(stride, rank), per_axis(dilation, rank)
    x = padded(x, pad, pad_mode)
    total: Array = np.zeros((groups, filters // groups, shape[1] * int(np.prod(kernel))), x.dtype)
    for images, bands in tiles(len(x), x.shape[1] * int(np.prod(kernel)), d.shape[2:], total.size):
        seen, part = windows(images_last(x[images]), kernel, stride, dilation), images_last(d[images])
        for rows in bands:
            given = part[:, rows].reshape(groups, filters // groups, -1)
            total += given @ columns_of(seen, rows, groups).swapaxes(1, 2)
    return total.reshape(shape)


def channel_sums(d: Array) -> Array:
    """The sum over the batch and all positions, per channel: the gradient of a bias."""
    return d.sum(axis=(0, *range(2, d.ndim)))
