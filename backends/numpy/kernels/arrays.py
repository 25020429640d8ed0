"""The type of the arrays that the kernels take; the generated file says `Array = np.ndarray`.

An array of floating point numbers, float32 or float64.  `Any` to the type checker: NumPy's own types do not
follow an array of any rank through indices that are put together while it runs.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any
