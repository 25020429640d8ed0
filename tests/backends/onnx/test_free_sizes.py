"""Exported files compute at every size what the NumPy files do, where one axis alone is free too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.base import backend
from backends.numpy.runnable import NumpyRunnable
from backends.onnx.runnable import OnnxRunnable
from spec_lang.diagnostics import SpecError
from tests.backends.free_sizes import EXTENTS, ROWS, graph_at
from tests.cases import weights_of


@pytest.mark.parametrize("free", ["HW", "H", "W"])
@pytest.mark.parametrize("name", ROWS)
def test_a_file_computes_the_same_at_every_size(name: str, free: str) -> None:
    nominal = ROWS[name][0]
    graph = graph_at(name, nominal, free=free)
    try:
        backend("onnx").check(graph)
    except SpecError as error:  # what ONNX cannot say is refused by name
        assert {d.code for d in error.diagnostics} == {"E600"} and "free" in str(error)
        return
    weights = weights_of(graph)
    file, reference = OnnxRunnable(graph, weights, threads=1), NumpyRunnable(graph, weights, "float64")
    rng, compared = np.random.default_rng(0), 0
    sizes = [(n, nominal[1]) for n in EXTENTS if "H" in free] + [(nominal[0], n) for n in EXTENTS if "W" in free]
    for size in sizes:
        try:
            graph_at(name, size, free="")
        except SpecError:
            continue
        x: Any = rng.normal(size=(2, 4, *size)).astype(np.float32)
        wanted = reference.run({"x": x})["y"]
        np.testing.assert_allclose(file.run({"x": x})["y"], wanted, rtol=1e-4, atol=2e-5)
        compared += 1
    assert compared
