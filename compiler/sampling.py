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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Numbers that are made at once, so that intermediate arrays stay in the cache.
CHUNK = 1 << 15
#: So few vectors are made orthogonal one by one.
FEW = 8

# Wichura 1988, "Algorithm AS 241: The Percentage Points of the Normal Distribution", PPND16:
# numerators and denominators, lowest power first, for |p - 1/2| <= 0.425, for the tails, and
# for the far tails.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2,
     5.3941960214247511077e3, 2.1213794301586595867e4, 3.9307895800092710610e4,
     2.8729085735721942674e4, 5.2264952788528545610e3),
)
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0,
     6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
     5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
_FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
     1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
     1.42151175831644588870e-7, 2.04426310338993978564e-15),
)


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
        """Normal, by the inverse of its distribution function."""
        import numpy as np

        made = np.empty(count)
        for start in range(0, count, CHUNK):
            part = normal_quantile(self.fractions(min(CHUNK, count - start)))
            made[start : start + CHUNK] = mean + std * part
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
        vectors = self.normal(short * long).reshape(short, long)
        orthonormalise(vectors)
        vectors *= gain
        return np.ascontiguousarray(vectors if rows <= columns else vectors.T).reshape(-1)


def _ratio(x: Array, polynomials: tuple[Sequence[float], Sequence[float]]) -> Array:
    import numpy as np

    values = []
    for coefficients in polynomials:
        value = np.full_like(x, coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value *= x
            value += coefficient
        values.append(value)
    result: Array = values[0] / values[1]
    return result


def logarithm(x: Array) -> Array:
    """The natural logarithm to 1e-15, of additions, products and quotients alone.

    x = m 2^e with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh((m - 1) / (m + 1)), as a series.
    """
    import numpy as np

    mantissa, exponent = np.frexp(x)
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    z = (mantissa - 1.0) / (mantissa + 1.0)
    square = z * z
    series = np.zeros_like(z)
    for odd in range(23, 0, -2):
        series = series * square + 1.0 / odd
    result: Array = (exponent - small) * math.log(2.0) + 2.0 * z * series
    return result


def normal_quantile(p: Array) -> Array:
    """The number below which a standard normal variable lies with probability p, to 1e-15."""
    import numpy as np

    q = p - 0.5
    result: Array = q * _ratio(0.180625 - q * q, _CENTRE)
    outside = np.abs(q) > 0.425
    side = q[outside]
    r = np.sqrt(-logarithm(np.minimum(p[outside], 1.0 - p[outside])))
    tails = _ratio(r - 1.6, _TAIL)
    far = r > 5.0
    tails[far] = _ratio(r[far] - 5.0, _FAR)
    result[outside] = np.copysign(tails, side)
    return result


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
