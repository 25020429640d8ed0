"""The planned mode: a graph with its weights as a list of ready steps, for inference alone.

The generated file is the reference, clear first.  A plan computes the same numbers faster.  It is
made for the shapes of one set of inputs:

`lower.py` leaves out what inference does not need, folds batchnorm and fixes free extents;
`units.py` groups nodes into units (a convolution with its bias, sum and activation, say);
`layout.py` and `storage.py` give every value a place in memory: axis order, margins of zeros for
padding, buffers shared by values that do not live at the same time;
`steps/` makes each unit a function without arguments; what has no step of its own goes through the
reference kernels (`steps/reference.py`), so that a plan covers what the reference covers.

Work is shared out by `threads.py`: either among Python threads, each with a single-threaded BLAS, or
not at all.  The two are never mixed: a BLAS worker that spins after its call slows the next layer.
"""

from __future__ import annotations

from backends.numpy.plan.runnable import PlannedRunnable

__all__ = ["PlannedRunnable"]
