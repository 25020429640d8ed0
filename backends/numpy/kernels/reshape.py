"""Channels in another order; backward of layers that pick or drop positions, whose forward is indexing."""

from __future__ import annotations

import numpy as np

from backends.numpy.kernels.arrays import Array


def channelshuffle(x: Array, groups: int) -> Array:
    """The first channel of each group, then the second of each, and so on."""
    n, c = x.shape[:2]
    parts = x.reshape(n, groups, c // groups, *x.shape[2:])
    return parts.swapaxes(1, 2).reshape(x.shape)


def select_backward(d: Array, shape: tuple[int, ...], channels: list[int]) -> Array:
    """Gradient of `x[:, channels]` for x of this shape; a channel that was taken twice gets both."""
    dx: Array = np.zeros(shape, d.dtype)
    for place, channel in enumerate(channels):
        dx[:, channel] += d[:, place]
    return dx


def slice_backward(d: Array, shape: tuple[int, ...], axis: int, start: int) -> Array:
    """Gradient of taking positions from `start` along an axis, for x of this shape."""
    dx: Array = np.zeros(shape, d.dtype)
    np.moveaxis(dx, axis, 0)[start : start + d.shape[axis]] = np.moveaxis(d, axis, 0)
    return dx


def sum_backward(d: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Gradient of `x.sum(axis)` for x of this shape."""
    dx: Array = np.empty(shape, d.dtype)
    dx[...] = np.expand_dims(d, axis)
    return dx


def mean_backward(d: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Gradient of `x.mean(axis)` for x of this shape."""
    return sum_backward(d / shape[axis], shape, axis)


def max_backward(d: Array, x: Array, y: Array, axis: int) -> Array:
    """Gradient of `y = x.max(axis)`: equal maxima share d evenly."""
    largest = x == np.expand_dims(y, axis)
    return largest * np.expand_dims(d, axis) / largest.sum(axis=axis, keepdims=True).astype(d.dtype)
