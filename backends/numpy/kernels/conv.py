"""Convolution through columns (im2col) and matrix products, in tiles so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.kernels.window import (
    Pads,
    PerAxis,
    add_windows,
    both_ends,
    padded,
    padded_backward,
    padded_sizes,
    per_axis,
    windows,
)

# Numbers in one tile of columns: a few megabytes, so that the product finds them in the cache.
TILE = 1 << 20


def tiles(images: int, depth: int, out: tuple[int, ...], least: int = 0) -> Iterator[tuple[slice, slice]]:
    """Slices of (images, output rows) whose columns, of `depth` numbers each, hold about `TILE` numbers.

    `least` is what an image takes anyway.
    """
    rows, numbers_per_row = out[0], depth * int(np.prod(out[1:]))
    per_image = rows * numbers_per_row
    if per_image <= TILE:
        step = max(1, TILE // max(1, per_image, least))
        for first in range(0, images, step):
            yield slice(first, min(first + step, images)), slice(0, rows)
        return
    step = max(1, TILE // numbers_per_row)
    for image in range(images):
        for first in range(0, rows, step):
            yield slice(image, image + 1), slice(first, min(first + step, rows))


def columns_of(seen: Array, images: slice, rows: slice, groups: int) -> Array:
    """The windows of one tile as columns, [n, groups, C / groups * kernel, positions]."""
    rank = (seen.ndim - 2) // 2
    part = seen[(images, *(slice(None),) * (1 + rank), rows)]
    depth = seen.shape[1] // groups * int(np.prod(seen.shape[2 : 2 + rank]))
    return part.reshape(part.shape[0], groups, depth, -1)


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
    seen = windows(x, kernel, stride, dilation)
    out = seen.shape[2 + rank :]
    y: Array = np.empty((x.shape[0], groups, filters // groups, int(np.prod(out))), x.dtype)
    matrix = weight.reshape(groups, filters // groups, -1)
    offset = None if bias is None else bias.reshape(groups, -1, 1)
    flat = max(kernel) == 1 or max(out) == 1  # each window one position, or one window
    if flat and seen.size == x.size and x.flags.c_contiguous:  # x holds the columns already
        np.matmul(matrix, x.reshape(x.shape[0], groups, -1, y.shape[3]), out=y)
        if offset is not None:
            y += offset
        return y.reshape(x.shape[0], filters, *out)
    per_row = int(np.prod(out[1:]))
    for images, rows in tiles(x.shape[0], x.shape[1] * weight[0, 0].size, out):
        target = y[images, ..., rows.start * per_row : rows.stop * per_row]
        made = matrix @ columns_of(seen, images, rows, groups)
        if offset is None:
            target[...] = made
        else:
            np.add(made, offset, out=target)
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
    total: Array = np.zeros((*shape[:2], *padded_sizes(shape[2:], both_ends(pad, rank))), d.dtype)
    matrix = weight.reshape(groups, filters // groups, -1).swapaxes(1, 2)
    for images, rows in tiles(shape[0], shape[1] * weight[0, 0].size, d.shape[2:]):
        part = d[images, :, rows]
        parts = matrix @ part.reshape(part.shape[0], groups, filters // groups, -1)
        add_windows(
            total[images, :, rows.start * stride[0] :],
            parts.reshape(part.shape[0], shape[1], *kernel, *part.shape[2:]),
            stride,
            dilation,
        )
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
    seen = windows(padded(x, pad, pad_mode), kernel, per_axis(stride, rank), per_axis(dilation, rank))
    total: Array = np.zeros((groups, filters // groups, shape[1] * int(np.prod(kernel))), x.dtype)
    for images, rows in tiles(x.shape[0], x.shape[1] * int(np.prod(kernel)), d.shape[2:], total.size):
        part = d[images, :, rows]
        part = part.reshape(part.shape[0], groups, filters // groups, -1)
        total += (part @ columns_of(seen, images, rows, groups).swapaxes(2, 3)).sum(axis=0)
    return total.reshape(shape)


def channel_sums(d: Array) -> Array:
    """The sum over the batch and all positions, per channel: the gradient of a bias."""
    return d.sum(axis=(0, *range(2, d.ndim)))
