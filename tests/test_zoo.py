"""Every network of the zoo against a record of what an implementation from outside computes.

Names and shapes of weights, parameters, multiply-adds, and the outputs with the fixture's fill:
in float64 to 1e-8 of the output's spread, in float32 within ten times the reference's own error.
One network is in memory at a time.
"""

from __future__ import annotations

import gc
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnc

HERE = Path(__file__).parent / "zoo"

QUICK = ("lenet5", "lenet5_1998")
LARGE = ("alexnet", "caffenet")
LONG = ("alexnet_2012", "vgg11", "vgg11_bn", "vgg13", "vgg16", "vgg16_bn", "vgg19_bn")
ALL = QUICK + LARGE + LONG


def _fill_module() -> Any:
    spec = importlib.util.spec_from_file_location("zoo_fill", HERE / "fill.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = _fill_module()


def fixture(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return data


class Case:
    """A network with its fixture and the filled weights."""

    def __init__(self, name: str) -> None:
        self.fixture = fixture(name)
        self.graph = cnnc.load(name)
        self.weights = {
            key: fill.fill_tensor(i, role, shape)
            for i, (key, shape, role) in enumerate(self.fixture["state"])
            if role != "counter"
        }

    def outputs(self, backend: str, dtype: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], int]]:
        """(output, what came out, what the fixture says, number of the fingerprint)."""
        model = cnnc.runnable(self.graph, backend, self.weights, dtype)
        for number, print_ in enumerate(self.fixture["fingerprints"]):
            arrays = [fill.fill_input(shape, j) for j, shape in enumerate(print_["inputs"])]
            inputs = {
                name: array.astype(dtype) for name, array in zip(self.graph.inputs, arrays, strict=True)
            }
            got = model.run(inputs)
            assert list(got) == [o["name"] for o in print_["outputs"]]
            for want in print_["outputs"]:
                assert got[want["name"]].dtype == np.dtype(dtype)
                yield want["name"], fill.summarize(got[want["name"]]), want, number


@pytest.fixture(scope="module")
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    yield Case(request.param)
    gc.collect()


def networks() -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in ALL]


@pytest.mark.parametrize("name", ALL)
def test_weights_parameters_and_macs_are_those_of_the_fixture(name: str) -> None:
    graph, want = cnnc.load(name), fixture(name)
    rows = {key: tuple(shape) for key, shape, role in want["state"] if role != "counter"}
    assert {key: weight.shape for key, weight in graph.weights.items()} == rows
    assert graph.params == want["params_trainable"]
    assert graph.macs == want["macs"]
    assert [list(v.shape) for v in graph.inputs.values()] == [i["shape"] for i in want["inputs"]]
    assert {k: list(v.shape) for k, v in graph.outputs.items()} == {
        o["name"]: o["shape"][1:] for o in want["outputs"]
    }


@pytest.mark.parametrize("case", networks(), indirect=True)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_outputs_in_float64_are_those_of_the_fixture(case: Case, backend: str) -> None:
    for name, got, want, _ in case.outputs(backend, "float64"):
        assert got["shape"] == want["shape"]
        error = np.abs(np.subtract(got["samples"], want["samples"])).max()
        assert error <= 1e-8 * want["std"], f"{name}: {error / want['std']:.2e} of the spread"


@pytest.mark.parametrize("case", networks(), indirect=True)
@pytest.mark.parametrize("backend", ["numpy", "torch", "onnx"])
def test_outputs_in_float32_are_as_close_as_the_reference_s_own(case: Case, backend: str) -> None:
    bounds: dict[str, float] = {}
    for name, got, want, number in case.outputs(backend, "float32"):
        if number == 0:
            bounds[name] = 10 * want["float32_max_abs_error"]
        error = np.abs(np.subtract(got["samples"], want["samples"])).max()
        assert error <= bounds[name], f"{name}: {error:.2e}, allowed {bounds[name]:.2e}"


@pytest.mark.parametrize("name, parameters", [("vgg13_bn", 133_053_736), ("vgg19", 143_667_240)])
def test_variants_without_a_fixture_have_the_published_size(name: str, parameters: int) -> None:
    assert cnnc.load(name).params == parameters
