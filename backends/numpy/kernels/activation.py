"""Activations, number by number, and softmax along an axis.

A backward takes what the forward gave (`y`) where that is enough, else its input (`x`).
"""

from __future__ import annotations

import numpy as np

from backends.numpy.kernels.arrays import Array

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

# erf and erfc as quotients of polynomials in three ranges, within 1e-15.
# W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969) 631-637.
ERF_SMALL = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
ERFC_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594e0,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
ERFC_LARGE = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242e0,
        1.87295284992346725e0,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)


def masked(d: Array, mask: Array) -> Array:
    """d where the mask is true, 0 elsewhere.

    A product is some times faster than a choice, but inf * 0 is not 0.
    """
    with np.errstate(invalid="ignore"):
        product = d * mask
    return product if np.isfinite(product).all() else np.where(mask, d, 0)


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu_backward(d: Array, y: Array) -> Array:
    """Gradient of `y = relu(x)`."""
    return masked(d, y > 0)


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6)."""
    return np.clip(x, 0, 6)


def relu6_backward(d: Array, y: Array) -> Array:
    """Gradient of `y = relu6(x)`."""
    return masked(d, (y > 0) & (y < 6))


def leakyrelu(x: Array, slope: float = 0.01) -> Array:
    """x where it is positive, slope * x elsewhere."""
    return np.where(x > 0, x, slope * x)


def leakyrelu_backward(d: Array, x: Array, slope: float = 0.01) -> Array:
    """Gradient of `leakyrelu`."""
    return np.where(x > 0, d, slope * d)


def prelu(x: Array, weight: Array) -> Array:
    """x where it is positive, weight * x elsewhere; one slope per channel, or one in all."""
    return np.where(x > 0, x, weight.reshape(-1, *(1,) * (x.ndim - 2)) * x)


def prelu_backward(d: Array, x: Array, weight: Array) -> tuple[Array, Array]:
    """Gradients of `prelu` for x and the slopes."""
    dx = np.where(x > 0, d, weight.reshape(-1, *(1,) * (x.ndim - 2)) * d)
    slopes = np.where(x > 0, 0, d * x).sum(axis=(0, *range(2, x.ndim)))
    return dx, slopes.sum().reshape(1) if len(weight) == 1 else slopes


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where it is positive, alpha (e^x - 1) elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_backward(d: Array, x: Array, alpha: float = 1.0) -> Array:
    """Gradient of `elu`."""
    return np.where(x > 0, d, d * (alpha * np.exp(np.minimum(x, 0))))


def selu(x: Array) -> Array:
    """The scaled `elu` whose constants keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


def selu_backward(d: Array, x: Array) -> Array:
    """Gradient of `selu`."""
    return SELU_SCALE * elu_backward(d, x, SELU_ALPHA)


def quotient(x: Array, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    """Numerator over denominator, each a polynomial with its highest power first."""
    above, below = np.zeros_like(x), np.zeros_like(x)
    for one in coefficients[0]:
        above = above * x + one
    for one in coefficients[1]:
        below = below * x + one
    return above / below


def erfc(x: Array) -> Array:
    """The complementary error function, 1 - erf(x), precise in its small tail too."""
    size = np.abs(x)
    small = np.minimum(size, 0.46875)
    middle = np.clip(size, 0.46875, 4)
    large = np.clip(size, 4, 28)  # e^(-28^2) is 0
    near = 1 - small * quotient(small * small, ERF_SMALL)
    inverse = 1 / (large * large)
    far = (np.pi**-0.5 - inverse * quotient(inverse, ERFC_LARGE)) / large
    tail = np.exp(-(np.minimum(size, 28) ** 2)) * np.where(size <= 4, quotient(middle, ERFC_MIDDLE), far)
    upper = np.where(size <= 0.46875, near, tail)
    return np.where(x < 0, 2 - upper, upper)


def gelu(x: Array) -> Array:
    """x Phi(x), Phi the standard normal distribution: the exact form."""
    return x * (erfc(x * -(0.5**0.5)) * 0.5)


def gelu_backward(d: Array, x: Array) -> Array:
    """Gradient of `gelu`: Phi(x) + x phi(x)."""
    density = np.exp(-0.5 * x * x) * (2 * np.pi) ** -0.5
    return d * (erfc(x * -(0.5**0.5)) * 0.5 + x * density)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, decay) / (1 + decay)


def sigmoid_backward(d: Array, y: Array) -> Array:
    """Gradient of `y = sigmoid(x)`."""
    return d * y * (1 - y)


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def silu_backward(d: Array, x: Array) -> Array:
    """Gradient of `silu`."""
    gate = sigmoid(x)
    return d * gate * (1 + x * (1 - gate))


def softplus(x: Array) -> Array:
    """log(1 + e^x), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_backward(d: Array, x: Array) -> Array:
    """Gradient of `softplus`."""
    return d * sigmoid(x)


def mish(x: Array) -> Array:
    """x tanh(softplus(x))."""
    return x * np.tanh(softplus(x))


def mish_backward(d: Array, x: Array) -> Array:
    """Gradient of `mish`."""
    gate = np.tanh(softplus(x))
    return d * (gate + x * (1 - gate * gate) * sigmoid(x))


def hardsigmoid(x: Array) -> Array:
    """min(max(x + 3, 0), 6) / 6."""
    return np.clip(x + 3, 0, 6) / 6


def hardsigmoid_backward(d: Array, x: Array) -> Array:
    """Gradient of `hardsigmoid`."""
    return d * (np.abs(x) < 3) / 6


def hardswish(x: Array) -> Array:
    """x hardsigmoid(x)."""
    return x * np.clip(x + 3, 0, 6) / 6


def hardswish_backward(d: Array, x: Array) -> Array:
    """Gradient of `hardswish`."""
    return d * np.where(x >= 3, 1, np.where(x > -3, x / 3 + 0.5, 0))


def tanh_backward(d: Array, y: Array) -> Array:
    """Gradient of `y = tanh(x)`."""
    return d * (1 - y * y)


def softmax(x: Array, *, axis: int = 1) -> Array:
    """e^x over its sum along the axis."""
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def softmax_backward(d: Array, y: Array, *, axis: int = 1) -> Array:
    """Gradient of `y = softmax(x)`."""
    return y * (d - (d * y).sum(axis=axis, keepdims=True))


def logsoftmax(x: Array, *, axis: int = 1) -> Array:
    """log(softmax(x)) without taking the log of a small number."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def logsoftmax_backward(d: Array, y: Array, *, axis: int = 1) -> Array:
    """Gradient of `y = logsoftmax(x)`."""
    return d - np.exp(y) * d.sum(axis=axis, keepdims=True)
