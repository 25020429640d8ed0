"""A graph as one self-contained NumPy file: forward, backward, and the kernels that it needs.

`kernels/` holds the arithmetic, `emit/` writes the file, `runnable.py` runs it, `train.py` trains it.
`plan/` runs a graph for inference alone, faster, without a file.
"""

from __future__ import annotations

from backends.numpy.runnable import NumpyBackend

__all__ = ["NumpyBackend"]
