"""Threads: those of BLAS are told and given back, tasks are each done once."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from backends.numpy.plan import threads
from backends.numpy.plan.threads import MOST, Blas, Workers, blas


def test_every_task_runs_once_and_no_two_of_a_worker_at_a_time() -> None:
    workers = Workers(4)
    for count in (0, 1, 2, 3, 50):
        done: list[int] = []
        busy: set[int] = set()
        lock = threading.Lock()

        def task(number: int, worker: int, done: list[int] = done, busy: set[int] = busy,
                 lock: threading.Lock = lock) -> None:  # fmt: skip
            with lock:
                assert worker not in busy
                busy.add(worker)
            time.sleep(0.0005)
            with lock:
                busy.remove(worker)
                done.append(number)

        workers.share([lambda worker, n=n: task(n, worker) for n in range(count)])
        assert sorted(done) == list(range(count))


def test_what_a_task_raises_is_raised_when_all_have_ended() -> None:
    workers, ended = Workers(3), []

    def slow(worker: int) -> None:
        time.sleep(0.02)
        ended.append(worker)

    def wrong(worker: int) -> None:
        raise ValueError("wrong")

    for tasks in ([wrong, slow, slow], [slow, slow, wrong]):
        ended.clear()
        with pytest.raises(ValueError, match="wrong"):
            workers.share(tasks)
        before = len(ended)
        time.sleep(0.05)
        assert len(ended) == before
    workers.share([slow, slow])
    assert len(ended) >= 2


def test_there_are_neither_no_workers_nor_too_many() -> None:
    assert [Workers(count).count for count in (-1, 0, 1, 3, 1000)] == [1, 1, 1, 3, MOST]


def test_blas_has_one_thread_while_asked_and_then_as_many_as_before() -> None:
    own = blas()
    if own._functions is None:
        pytest.skip("the BLAS of this NumPy does not tell its threads")
    before = own.threads
    try:
        own._functions[1](2)
        count = own.threads
        with own.single():
            assert own.threads == 1
            with own.single():
                assert own.threads == 1
            assert own.threads == 1
        assert own.threads == count
        with pytest.raises(KeyError), own.single():
            raise KeyError
        assert own.threads == count
    finally:
        own._functions[1](before)


def test_two_threads_that_ask_leave_what_was_there() -> None:
    """The one that began first ends first."""
    count = [4]
    own = Blas()
    own._functions = (lambda: count[0], lambda number: count.__setitem__(0, number))
    first, second = own.single(), own.single()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert count == [1]
    second.__exit__(None, None, None)
    assert count == [4]


def test_a_blas_that_cannot_be_told_counts_as_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_PREFIXES", ("nobody_",))
    own = Blas()
    assert own._functions is None and own.threads == 1
    with own.single():
        assert own.threads == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    workers = Workers(2)
    done: list[int] = []
    workers.share([lambda worker: done.append(worker)] * 4)
    child = os.fork()
    if child == 0:
        done.clear()
        workers.share([lambda worker: time.sleep(0.001) or done.append(worker)] * 4)
        os._exit(0 if len(done) == 4 else 1)
    for _ in range(200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child waits for threads that it does not have")
    assert status == 0 and len(done) == 4


def test_sums_do_not_depend_on_the_number_of_threads() -> None:
    out = np.zeros(64)
    tasks = [lambda worker, n=n: out.__setitem__(n, np.arange(n).sum()) for n in range(64)]
    for count in (1, 2, 5):
        out.fill(-1)
        Workers(count).share(tasks)
        assert out.tolist() == [n * (n - 1) / 2 for n in range(64)]
