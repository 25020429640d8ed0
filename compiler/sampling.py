"""Random numbers that are the same everywhere.

The bits come from NumPy's Philox generator, whose raw stream is fixed, under a key that is
made from the seed and a name.  What is done to them is IEEE arithmetic that every machine
rounds alike: no library logarithm or cosine, no matrix product whose order of summation depends on
the processor or on the number of threads.  NumPy is imported when something is drawn.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

#: Numbers that are made at once, so that intermediate arrays stay in the cache.
CHUNK = 1 << 16
#: So few vectors are made orthogonal one by one.
FEW = 8

# Coefficients of series in the square of their argument.
_ARTANH = tuple(2.0 / n for n in range(1, 11, 2))
_SINE = tuple((-1) ** (n // 2) * (math.pi / 2) ** n / math.factorial(n) for n in range(1, 12, 2))
_COSINE = tuple((-1) ** (n // 2) * (math.pi / 2) ** n / math.factorial(n) for n in range(0, 13, 2))
# sqrt(1/2) as the bits of a float32.
_ROOT_HALF = 0x3F3504F3


class Stream:
    """The random numbers of one name under one seed."""

    def __init__(self, seed: int, name: str) -> None:
        from numpy.random import Philox

        digest = hashlib.sha256(f"{seed}\n{name}".encode()).digest()
        self._bits = Philox(key=int.from_bytes(digest[:16], "little"))

    def fractions(self, count: int) -> Array:
        """Numbers strictly between 0 and 1: the odd multiples of 2**-53, all equally likely."""
        import numpy as np

        raw = np.asarray(self._bits.random_raw(count))
        made: Array = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return made

    def uniform(self, count: int, low: float, high: float) -> Array:
        """Uniform between the bounds."""
        import numpy as np

        made = np.empty(count)
        for start in range(0, count, CHUNK):
            part = self.fractions(min(CHUNK, count - start))
            made[start : start + CHUNK] = low + (high - low) * part
        return made

    def normal(self, count: int, mean: float = 0.0, std: float = 1.0) -> Array:
        """Normal, in float32: two from each 64 random bits (Box and Muller 1958).

        A radius sqrt(-2 log u) in a direction that is equally likely all around, u from 2**-33 to 1:
        nothing lies further out than 6.8 deviations, and 2e-11 of all numbers would.
        """
        import numpy as np

        made = np.empty(count, np.float32)
        for start in range(0, count, CHUNK):
            pairs = (min(CHUNK, count - start) + 1) // 2
            # Little-endian, so that the halves are the same ones everywhere.
            halves = np.asarray(self._bits.random_raw(pairs), "<u8").view("<u4")
            bits = halves.astype(np.uint32, copy=False)
            radius = normal_radius(bits[:pairs])
            radius *= np.float32(std)
            x, y = circle(bits[pairs:])
            part = made[start : start + CHUNK]
            np.multiply(radius, x, out=part[:pairs])
            np.multiply(radius[: len(part) - pairs], y[: len(part) - pairs], out=part[pairs:])
        if mean:
            made += np.float32(mean)
        return made

    def permutation(self, count: int) -> NDArray[np.int64]:
        """The numbers from 0 to count - 1 in random order."""
        import numpy as np

        # The fractions differ from each other, but for a chance of count**2 / 2**53.
        order: NDArray[np.int64] = np.argsort(self.fractions(count), kind="stable").astype(np.int64)
        return order

    def sparse(self, rows: int, columns: int, nonzero: int, std: float) -> Array:
        """In every row `nonzero` normal numbers (at most all of them) at random places, zero elsewhere."""
        import numpy as np

        kept = min(nonzero, columns)
        made = np.zeros((rows, columns))
        for row in made:
            row[self.permutation(columns)[:kept]] = self.normal(kept, 0.0, std)
        return made.reshape(-1)

    def orthogonal(self, rows: int, columns: int, gain: float) -> Array:
        """A random matrix whose rows (columns, if there are fewer) are orthogonal and of length `gain`.

        Gram-Schmidt on normal vectors, which gives every rotation the same chance.
        """
        import numpy as np

        short, long = min(rows, columns), max(rows, columns)
        vectors = self.normal(short * long).astype(np.float64).reshape(short, long)
        orthonormalise(vectors)
        vectors *= gain
        return np.ascontiguousarray(vectors if rows <= columns else vectors.T).reshape(-1)


def _series(x: Array, coefficients: Sequence[float]) -> Array:
    """The polynomial with these coefficients, lowest power first; in float32, as x is."""
    value = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= x
    value += coefficients[0]
    return value


def logarithm(x: Array) -> Array:
    """The natural logarithm of positive normal numbers, to 1e-7 of the larger of it and 1.

    x = m 2^e with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh(z) with z = (m - 1) / (m + 1), as a series.
    """
    import numpy as np

    bits = x.view(np.int32)
    exponent = (bits - _ROOT_HALF) >> 23
    mantissa = (bits - (exponent << 23)).view(np.float32)
    z = mantissa - 1.0
    z /= mantissa + 1.0
    z *= _series(z * z, _ARTANH)
    made: Array = exponent.astype(np.float32)
    made *= math.log(2.0)
    made += z
    return made


def normal_radius(bits: NDArray[np.uint32]) -> Array:
    """The distance from the centre of two independent standard normal numbers, from 32 random bits."""
    import numpy as np

    u = bits.astype(np.float32)
    u += 0.5
    u *= 2.0**-32
    made = logarithm(u)
    made *= -2.0
    # Rounding leaves the logarithm of what is nearly 1 a little above zero.
    np.maximum(made, 0.0, out=made)
    return np.sqrt(made, out=made)


def circle(bits: NDArray[np.uint32]) -> tuple[Array, Array]:
    """Cosine and sine of a direction, from 32 random bits, to 2e-7.

    From the series of half the angle, t pi / 2 with -1 <= t < 1: cos = 1 - 2 sin^2, sin = 2 sin cos.
    """
    import numpy as np

    t = bits.view(np.int32).astype(np.float32)
    t *= 2.0**-31
    square = t * t
    sine = _series(square, _SINE)
    sine *= t
    y = _series(square, _COSINE)
    y *= sine
    y *= 2.0
    sine *= sine
    sine *= -2.0
    sine += 1.0
    return sine, y


def orthonormalise(vectors: Array) -> None:
    """Make the rows orthonormal, in place: Gram-Schmidt by halves, each projection done twice.

    Once loses digits where vectors are nearly parallel; twice is enough (Kahan and Parlett).
    """
    import numpy as np

    if len(vectors) > FEW:
        middle = len(vectors) // 2
        first, second = vectors[:middle], vectors[middle:]
        orthonormalise(first)
        for _ in range(2):
            second -= product(product(second, first.T), first)
        orthonormalise(second)
        return
    for row in range(len(vectors)):
        for _ in range(2):
            for other in range(row):
                vectors[row] -= (vectors[row] * vectors[other]).sum() * vectors[other]
        vectors[row] /= np.sqrt((vectors[row] * vectors[row]).sum())


def product(a: Array, b: Array) -> Array:
    """The matrix product to about 1e-11 of the largest term, bit for bit the same on every machine.

    Both sides are cut into two slices of whole numbers, so small that sums of their products are
    exact in float64 (Ozaki et al. 2012): whatever order a BLAS adds in, nothing is rounded.
    """
    import numpy as np

    bits = (53 - math.ceil(math.log2(max(a.shape[1], 2)))) // 2
    scale = 2.0**bits

    def slices(x: Array) -> tuple[Array, Array, float]:
        unit = 2.0 ** math.frexp(float(np.abs(x).max()))[1]  # a power of two above every entry
        high = np.rint(x * (scale / unit))
        low = np.rint((x * (scale / unit) - high) * scale)
        return high, low, unit

    a_high, a_low, a_unit = slices(a)
    b_high, b_low, b_unit = slices(b)
    cross = a_high @ b_low + a_low @ b_high
    result: Array = ((a_high @ b_high) + cross / scale) * (a_unit * b_unit / (scale * scale))
    return result
