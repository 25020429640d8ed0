"""What the tests of the planned mode share."""

from __future__ import annotations

import numpy as np
import pytest

from backends.numpy.plan import PlannedRunnable, runnable
from backends.numpy.plan.layout import Layout
from backends.numpy.plan.steps import base, conv, depthwise, pointwise, pool

LAYOUTS = {"channels last": Layout(True), "batch last": Layout(False)}


def poison(model: PlannedRunnable) -> None:
    """Not-a-number into all memory of its plans."""
    for plan in model.plans():
        for memory in plan.memory:
            memory.fill(0xFF)


def tiny_tiles(monkeypatch: pytest.MonkeyPatch, rows: bool = False) -> None:
    """Tiles of a few numbers, each of them shared out; with `rows`, batches in stretches of few rows too."""
    monkeypatch.setattr(base, "SHARED", 0)
    for name, value in {"POSITIONS": 7, "NUMBERS": 30, "LEAST": 3, "SMALL": 1}.items():
        monkeypatch.setattr(conv, name, value)
    for module in (pool, pointwise, depthwise):
        monkeypatch.setattr(module, "TILE", 20)
    if rows:
        monkeypatch.setattr(runnable, "MOST", {True: 2_000, False: 2_000})


def close(got: np.ndarray, want: np.ndarray, bound: float) -> None:
    assert got.shape == want.shape
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    assert float(np.abs(got - want).max(initial=0)) <= bound * scale
