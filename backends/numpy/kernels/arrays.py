"""The type of the arrays that the kernels take; the generated file says `Array = np.ndarray`."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
