"""Dropout."""

from __future__ import annotations

import numpy as np

from backends.numpy.kernels.arrays import Array


def dropout(
    x: Array,
    p: float,
    generator: np.random.Generator,
    *,
    training: bool,
    classic: bool = False,
    spatial: bool = False,
    drop_path: bool = False,
) -> tuple[Array, Array | float | None]:
    """Drop each number (each channel of each image, if `spatial`; each image, if `drop_path`) with
    probability p while training.

    What stays is scaled by 1 / (1 - p) in training; `classic` scales by 1 - p otherwise instead.
    Returns the result and the factor that was used, None for none.
    """
    if not training:
        return (x * (1 - p), 1 - p) if classic else (x, None)
    kept = 1 if drop_path else 2 if spatial else x.ndim  # axes along which each place is drawn
    shape = (*x.shape[:kept], *(1,) * (x.ndim - kept))
    factor = (generator.random(shape) >= p).astype(x.dtype)
    if not classic and p < 1:
        factor /= 1 - p
    return x * factor, factor


def dropout_backward(d: Array, factor: Array | float | None) -> Array:
    """Gradient of `dropout`, which used this factor."""
    return d if factor is None else d * factor
