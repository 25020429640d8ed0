"""Threads: a single-threaded BLAS, and Python threads that share tasks out.

Copies and element-wise functions of NumPy run on one core.  So where the threads of BLAS can be
told (OpenBLAS, which NumPy's wheels bring), a plan takes as many Python threads as BLAS would take,
and each task calls a BLAS of one thread.  Where they cannot, tasks run one after the other and
BLAS does as it likes.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np

#: What one step does apart: called with the number of the worker, whose scratch it may use.
Task = Callable[[int], None]

#: More Python threads than this would wait for the interpreter's lock.
MOST = 8
#: Under these names builds of OpenBLAS tell and take their number of threads.
_PREFIXES = ("scipy_openblas_", "openblas_")
_SUFFIXES = ("64_", "")


class Blas:
    """The number of threads of NumPy's BLAS, where it can be told; 1 otherwise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = 1
        self._functions = _openblas()

    @property
    def threads(self) -> int:
        return int(self._functions[0]()) if self._functions else 1

    @contextmanager
    def single(self) -> Iterator[None]:
        """One thread while this lasts, in whichever thread of Python; then as many as before."""
        if not self._functions:
            yield
            return
        get, put = self._functions
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = int(get())
                if self._before > 1:
                    put(1)
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users and self._before > 1:
                    put(self._before)


def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The functions of the OpenBLAS that NumPy has loaded, if it is one."""
    try:
        # Looked up in the extension module and in the libraries that it has loaded.
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for prefix, suffix in itertools.product(_PREFIXES, _SUFFIXES):
        get = getattr(library, f"{prefix}get_num_threads{suffix}", None)
        put = getattr(library, f"{prefix}set_num_threads{suffix}", None)
        if get is not None and put is not None:
            get.restype, put.argtypes, put.restype = ctypes.c_int, [ctypes.c_int], None
            return get, put
    return None


@cache
def blas() -> Blas:
    """NumPy's BLAS, which a process has once."""
    return Blas()


class Workers:
    """The calling thread and `count - 1` more.  Tasks of one call run in any order, each once."""

    def __init__(self, count: int) -> None:
        self.count = max(1, min(count, MOST))
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def share(self, tasks: Sequence[Task]) -> None:
        """Run all tasks; returns when all are done, and raises what one of them raised."""
        helpers = min(self.count, len(tasks)) - 1
        if helpers < 1:
            for task in tasks:
                task(0)
            return
        if self._pool is None or self._process != os.getpid():  # threads do not survive a fork
            self._pool = ThreadPoolExecutor(self.count - 1, "cnnc-plan")
            self._process = os.getpid()
        numbers = itertools.count()  # `next` of it is one step of the interpreter: each number goes to one
        waiting = [self._pool.submit(_work, tasks, numbers, worker) for worker in range(1, helpers + 1)]
        try:
            _work(tasks, numbers, 0)
        finally:
            for one in waiting:
                one.exception()  # nobody may still write when the next step begins
        for one in waiting:
            one.result()


def _work(tasks: Sequence[Task], numbers: Iterator[int], worker: int) -> None:
    total = len(tasks)
    while (number := next(numbers)) < total:
        tasks[number](worker)
