"""Joins of many tensors, and the backward of joins."""

from __future__ import annotations

import numpy as np

from backends.numpy.kernels.arrays import Array


def summed(*xs: Array) -> Array:
    """The sum of all of them."""
    total = xs[0] + xs[1]
    for x in xs[2:]:
        total = total + x
    return total


def multiplied(*xs: Array) -> Array:
    """The product of all of them."""
    total = xs[0] * xs[1]
    for x in xs[2:]:
        total = total * x
    return total


def maximum(*xs: Array) -> Array:
    """The largest of all of them, place by place."""
    largest = np.maximum(xs[0], xs[1])
    for x in xs[2:]:
        largest = np.maximum(largest, x)
    return largest


def maximum_backward(d: Array, y: Array, *xs: Array) -> list[Array]:
    """Gradients of `y = maximum(*xs)`: equal maxima share d evenly."""
    share = d / np.sum([x == y for x in xs], axis=0).astype(d.dtype)
    return [np.where(x == y, share, 0) for x in xs]


def product_gradient(d: Array, xs: tuple[Array, ...], place: int) -> Array:
    """Gradient of the product of xs for the one at `place`: d times all others."""
    for i, x in enumerate(xs):
        if i != place:
            d = d * x
    return d


def unstretched(d: Array, shape: tuple[int, ...]) -> Array:
    """d summed over the axes along which a tensor of this shape was stretched to d's."""
    extra = d.ndim - len(shape)
    axes = tuple(a for a in range(d.ndim) if a < extra or (shape[a - extra] == 1 and d.shape[a] != 1))
    return d.sum(axis=axes, keepdims=True).reshape(shape) if axes else d


def concat(*xs: Array, axis: int = 1) -> Array:
    """One after the other along an axis."""
    return np.concatenate(xs, axis=axis)


def concat_backward(d: Array, sizes: tuple[int, ...], axis: int = 1) -> list[Array]:
    """Gradients of `concat`: the part of d that belongs to each."""
    return np.split(d, np.cumsum(sizes[:-1]), axis=axis)
