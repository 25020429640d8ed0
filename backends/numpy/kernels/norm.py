"""Normalisations.  What they have in common is `standardised` and its backward.

A backward computes the statistics anew from x: that costs a pass and saves keeping them.
"""

from __future__ import annotations

import numpy as np

from backends.numpy.kernels.arrays import Array


def by_channel(values: Array, ndim: int) -> Array:
    """[C] as [C, 1, ...], to be used with an array [N, C, ...] of so many axes."""
    return values.reshape(-1, *(1,) * (ndim - 2))


def standardised(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    """(x - mean) / sqrt(variance + eps) over these axes (biased), and the factor 1 / sqrt(variance + eps)."""
    centred = x - x.mean(axis=axes, keepdims=True)
    factor = 1 / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + eps)
    return centred * factor, factor


def standardised_backward(d: Array, unit: Array, factor: Array, axes: tuple[int, ...]) -> Array:
    """Gradient for x of `unit, factor = standardised(x)`, given that of `unit`."""
    mean = d.mean(axis=axes, keepdims=True)
    along = (d * unit).mean(axis=axes, keepdims=True)
    return factor * (d - mean - unit * along)


def batchnorm(
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    training: bool,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> Array:
    """(x - mean) / sqrt(variance + eps) * weight + bias, per channel.

    In training the statistics are the batch's (the variance biased), and the running ones move
    towards them by `momentum`, in place (the variance unbiased).  Otherwise the running ones are used.
    """
    if training:
        axes = (0, *range(2, x.ndim))
        mean, var, count = x.mean(axis=axes), x.var(axis=axes), x.size // x.shape[1]
        if count < 2:
            raise ValueError(f"batchnorm needs more than one number per channel to train on, got {x.shape}")
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (var * (count / (count - 1)) - running_var)
    else:
        mean, var = running_mean, running_var
    factor = 1 / np.sqrt(var + eps)
    if weight is not None:
        factor = factor * weight
    shift = -mean * factor if bias is None else bias - mean * factor
    y = x * by_channel(factor, x.ndim)
    y += by_channel(shift, x.ndim)
    return y


def batchnorm_backward(
    d: Array,
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    *,
    training: bool,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """Gradients of `batchnorm` for x, the weight and the bias."""
    axes = (0, *range(2, x.ndim))
    scaled = d if weight is None else d * by_channel(weight, x.ndim)
    if training:
        unit, factor = standardised(x, axes, eps)
        dx = standardised_backward(scaled, unit, factor, axes)
    else:
        factor = by_channel(1 / np.sqrt(running_var + eps), x.ndim)
        unit = (x - by_channel(running_mean, x.ndim)) * factor
        dx = scaled * factor
    return dx, (d * unit).sum(axis=axes), d.sum(axis=axes)


def groupnorm(
    x: Array, groups: int, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> Array:
    """Each group of channels of each image standardised by itself, then weight and bias per channel."""
    y = standardised(x.reshape(x.shape[0], groups, -1), (2,), eps)[0].reshape(x.shape)
    if weight is not None:
        y *= by_channel(weight, x.ndim)
    if bias is not None:
        y += by_channel(bias, x.ndim)
    return y


def groupnorm_backward(
    d: Array, x: Array, groups: int, weight: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Gradients of `groupnorm` for x, the weight and the bias."""
    axes, split = (0, *range(2, x.ndim)), (x.shape[0], groups, -1)
    scaled = d if weight is None else d * by_channel(weight, x.ndim)
    unit, factor = standardised(x.reshape(split), (2,), eps)
    dx = standardised_backward(scaled.reshape(split), unit, factor, (2,)).reshape(x.shape)
    return dx, (d * unit.reshape(x.shape)).sum(axis=axes), d.sum(axis=axes)


def layernorm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, axis: int, eps: float = 1e-5
) -> Array:
    """x standardised along one axis, then weight and bias along it."""
    y = standardised(x, (axis,), eps)[0]
    along = np.moveaxis(y, axis, -1)
    if weight is not None:
        along *= weight
    if bias is not None:
        along += bias
    return y


def layernorm_backward(
    d: Array, x: Array, weight: Array | None = None, *, axis: int, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Gradients of `layernorm` for x, the weight and the bias."""
    unit, factor = standardised(x, (axis,), eps)
    others = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    scaled = d if weight is None else np.moveaxis(np.moveaxis(d, axis, -1) * weight, -1, axis)
    return (
        standardised_backward(scaled, unit, factor, (axis,)),
        (d * unit).sum(axis=others),
        d.sum(axis=others),
    )


def l2norm(x: Array, weight: Array, *, eps: float = 1e-12) -> Array:
    """x / max(its norm over the channels, eps), times a factor per channel."""
    size = np.sqrt(np.square(x).sum(axis=1, keepdims=True))
    return x / np.maximum(size, eps) * by_channel(weight, x.ndim)


def l2norm_backward(d: Array, x: Array, weight: Array, *, eps: float = 1e-12) -> tuple[Array, Array]:
    """Gradients of `l2norm` for x and the weight."""
    size = np.sqrt(np.square(x).sum(axis=1, keepdims=True))
    unit = x / np.maximum(size, eps)
    scaled = d * by_channel(weight, x.ndim)
    along = np.where(size > eps, (scaled * unit).sum(axis=1, keepdims=True), 0)
    return (scaled - unit * along) / np.maximum(size, eps), (d * unit).sum(axis=(0, *range(2, x.ndim)))


def channel_window_sums(x: Array, size: int) -> Array:
    """Per channel the sum over the `size` channels around it (odd), fewer at the ends."""
    half = size // 2
    total = x.copy()
    for step in range(1, min(half, x.shape[1] - 1) + 1):
        total[:, step:] += x[:, :-step]
        total[:, :-step] += x[:, step:]
    return total


def lrn(x: Array, size: int, *, alpha: float, beta: float, k: float) -> Array:
    """y = x / (k + alpha S)^beta, S the sum of squares over `size` channels around each."""
    return x * (k + alpha * channel_window_sums(np.square(x), size)) ** -beta


def lrn_backward(d: Array, x: Array, size: int, *, alpha: float, beta: float, k: float) -> Array:
    """Gradient of `lrn` for x."""
    base = k + alpha * channel_window_sums(np.square(x), size)
    power = base**-beta
    return d * power - 2 * alpha * beta * x * channel_window_sums(d * x * power / base, size)


def scale(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x times a factor per channel, plus an offset per channel."""
    y = x * by_channel(weight, x.ndim)
    return y if bias is None else y + by_channel(bias, x.ndim)


def scale_backward(d: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Gradients of `scale` for x, the weight and the bias."""
    axes = (0, *range(2, x.ndim))
    return d * by_channel(weight, x.ndim), (d * x).sum(axis=axes), d.sum(axis=axes)
