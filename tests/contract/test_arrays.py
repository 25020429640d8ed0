"""Arrays that are handed to the Python API: whatever is wrong with them is our exception, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnc
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.contract.base import SMALL

X = np.linspace(-1, 1, 128).reshape(2, 1, 8, 8).astype(np.float32)
BACKENDS = ("numpy", "torch", "onnx")

#: What it shows -> the inputs.
INPUTS: dict[str, Any] = {
    "none": {}, "one too many": {"x": X, "z": X}, "no mapping": X, "nothing": None, "complex": {"x": X.astype(complex)},
    "text": {"x": X.astype(str)}, "objects": {"x": X.astype(object)}, "dates": {"x": X.astype("M8[s]")},
    "no batch": {"x": X[0]}, "an axis too many": {"x": X[None]}, "another width": {"x": X[..., :7]}, "a word": {"x": "x"},
    "a number": {"x": 1.0}, "no channels": {"x": X[:, :0]}, "None": {"x": None},
}
#: What it shows -> what becomes of a weight.
WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "text": lambda a: a.astype(str), "complex": lambda a: a.astype(complex), "objects": lambda a: a.astype(object),
    "lists": lambda a: a.tolist(), "None": lambda a: None, "another shape": lambda a: a[:1], "scalars": lambda a: np.float32(1),
}
#: Unusual arrays that are fine.
FINE: dict[str, Callable[[Any], Any]] = {
    "float64": lambda a: a.astype(np.float64), "of the other byte order": lambda a: a.astype(">f4"),
    "in Fortran's order": np.asfortranarray, "backwards": lambda a: a[::-1][::-1], "read-only": lambda a: np.broadcast_to(a, a.shape),
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load(Source("a.cnn", SMALL))


@pytest.fixture(scope="module")
def weights(graph: Graph) -> dict[str, Any]:
    return cnnc.initial_weights(graph)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_that_are_wrong(backend: str, name: str, graph: Graph, weights: dict[str, Any]) -> None:
    with pytest.raises(cnnc.Error) as caught:
        cnnc.runnable(graph, backend, weights).run(INPUTS[name])
    assert [one.code for one in caught.value.diagnostics] == ["E606"]


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_that_are_wrong(backend: str, name: str, graph: Graph, weights: dict[str, Any], tmp_path: Path) -> None:
    given = {key: WEIGHTS[name](array) for key, array in weights.items()}
    calls = [lambda: cnnc.runnable(graph, backend, given), lambda: cnnc.verify(graph, given),
             lambda: cnnc.export(graph, given, tmp_path / "o"), lambda: cnnc.generate(graph, "onnx", given)]
    for call in calls:
        with pytest.raises(cnnc.Error) as caught:
            call()
        assert {one.code for one in caught.value.diagnostics} == {"E608"}
    if name != "lists":
        with pytest.raises(cnnc.Error):
            cnnc.save_weights(tmp_path / "o", given, graph)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FINE)
@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_that_are_unusual_give_the_same_numbers(backend: str, name: str, graph: Graph, weights: dict[str, Any]) -> None:
    plain = cnnc.runnable(graph, backend, weights).run({"x": X})["y"]
    unusual = {key: FINE[name](array) for key, array in weights.items()}
    got = cnnc.runnable(graph, backend, unusual).run({"x": FINE[name](X)})["y"]
    assert np.allclose(got, plain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, b"x", {}, {1}, 3j, print, object(), "\ud800", [[]],
                                   np.array([object()]), np.float32("nan")], ids=range(13))
def test_parameters_that_are_no_values_of_the_language(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.cnn"
    path.write_text(SMALL.replace("model m", "model m(n = 3)").replace("fc(3)", "fc(n)"))
    with pytest.raises(cnnc.SpecError) as caught:
        cnnc.load(path, n=value)
    assert all(one.code[:2] in ("E2", "E3", "E4") for one in caught.value.diagnostics)
    assert all(c.isprintable() or c == "\n" for c in str(caught.value))


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_that_are_not_a_number_give_no_number(backend: str, graph: Graph, weights: dict[str, Any]) -> None:
    got = cnnc.runnable(graph, backend, weights).run({"x": X * np.nan})["y"]
    assert np.isnan(got).all()
