"""Fully connected layers and distances to centres."""

from __future__ import annotations

import numpy as np

from backends.numpy.kernels.arrays import Array


def fc(x: Array, weight: Array, bias: Array | None = None, *, axis: int = -1) -> Array:
    """y = x weight^T + bias along one axis; x [N, ..., I, ...], weight [O, I] -> [N, ..., O, ...]."""
    y = np.moveaxis(x, axis, -1) @ weight.T
    if bias is not None:
        y += bias
    return np.moveaxis(y, -1, axis)


def fc_input_gradient(d: Array, weight: Array, *, axis: int = -1) -> Array:
    """Gradient of `fc` for its input: d weight."""
    return np.moveaxis(np.moveaxis(d, axis, -1) @ weight, -1, axis)


def fc_weight_gradient(d: Array, x: Array, *, axis: int = -1) -> Array:
    """Gradient of `fc` for its weight: d^T x, over all rows."""
    rows = np.moveaxis(d, axis, -1).reshape(-1, d.shape[axis])
    return rows.T @ np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])


def fc_bias_gradient(d: Array, *, axis: int = -1) -> Array:
    """Gradient of `fc` for its bias: the sum of d over all rows."""
    return np.moveaxis(d, axis, -1).reshape(-1, d.shape[axis]).sum(axis=0)


def rbf(x: Array, centers: Array) -> Array:
    """Squared distance to each centre: y[n, k] = sum over i of (x[n, i] - centers[k, i])^2."""
    return np.square(x[:, None] - centers).sum(axis=2)


def rbf_backward(d: Array, x: Array, centers: Array) -> tuple[Array, Array]:
    """Gradients of `rbf` for x and for the centres."""
    pull = 2 * d[:, :, None] * (x[:, None] - centers)
    return pull.sum(axis=1), -pull.sum(axis=0)
