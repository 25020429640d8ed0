"""The runnable under the one interface: shapes, modes, dtypes, and what it refuses."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from backends.base import BackendError
from backends.torch import TorchBackend
from backends.torch.runnable import generated, module
from compiler.graph import Graph
from compiler.initial import initial_weights
from compiler.load import load
from spec_lang.source import Source

SPEC = """
model m {
    input x: [3, H = 6, W = 8]
    conv(4, 3x3, pad = half) -> batchnorm -> relu -> dropout(0.5)
    as h
    training { globalavgpool -> flatten -> aux: fc(2)
               output aux }
    h -> maxpool(2x2) -> globalavgpool -> flatten -> fc(5)
    output y
}
""".replace("\n    as h", " as h")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load(Source("m.cnn", SPEC))


def code_of(refused: pytest.ExceptionInfo[BackendError]) -> str:
    return refused.value.diagnostics[0].code


def image(*shape: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).normal(size=shape)}


def test_results_have_the_dtype_that_was_asked_for(graph: Graph) -> None:
    weights = initial_weights(graph, seed=0)
    for dtype in ("float32", "float64"):
        assert TorchBackend().load(graph, weights, dtype).run(image(2, 3, 6, 8))["y"].dtype == dtype


def test_training_mode_updates_running_statistics_and_shows_its_outputs(graph: Graph) -> None:
    weights = initial_weights(graph, seed=0)
    model = TorchBackend().load(graph, weights)
    assert list(model.run(image(4, 3, 6, 8))) == ["y"]
    assert np.array_equal(model.weights()["batchnorm1.running_mean"], weights["batchnorm1.running_mean"])
    assert sorted(model.run(image(4, 3, 6, 8), training=True)) == ["aux", "y"]
    assert not np.array_equal(model.weights()["batchnorm1.running_mean"], weights["batchnorm1.running_mean"])
    assert np.array_equal(model.weights()["fc2.weight"], weights["fc2.weight"])


def test_gradients_reach_the_heads_of_training_in_training_alone(graph: Graph) -> None:
    weights = initial_weights(graph, seed=0)
    model = TorchBackend().load(graph, weights, "float64")
    d = {"y": np.ones((4, 5)), "aux": np.ones((4, 2))}
    found = model.gradients(image(4, 3, 6, 8), d, training=True)
    assert np.abs(found.weights["aux.weight"]).max() > 0
    assert found.inputs["x"].shape == (4, 3, 6, 8)
    quiet = (
        TorchBackend().load(graph, weights, "float64").gradients(image(4, 3, 6, 8), {"y": np.ones((4, 5))})
    )
    assert "aux.weight" not in quiet.weights
    assert np.abs(quiet.weights["fc2.weight"]).max() > 0


def test_the_caller_keeps_its_arrays(graph: Graph) -> None:
    weights = initial_weights(graph, seed=0)
    for array in weights.values():
        array.flags.writeable = False
    before = {name: array.copy() for name, array in weights.items()}
    given = image(4, 3, 6, 8)
    given["x"].flags.writeable = False
    model = TorchBackend().load(graph, weights)
    model.run(given, training=True)
    model.weights()["fc2.weight"][:] = 7
    assert all(np.array_equal(weights[name], array) for name, array in before.items())
    assert np.array_equal(model.weights()["fc2.weight"], before["fc2.weight"])


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({}, "E606"),
        ({"x": np.zeros((2, 3, 6))}, "E606"),
        ({"x": np.zeros((2, 1, 6, 8))}, "E606"),
        ({"x": np.zeros((2, 3, 6, 8)), "z": np.zeros(3)}, "E606"),
        ({"x": np.zeros((2, 3, 7, 8))}, "E607"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_anything_runs(
    graph: Graph, arrays: Any, code: str
) -> None:
    model = TorchBackend().load(graph, initial_weights(graph, seed=0))
    with pytest.raises(BackendError) as refused:
        model.run(arrays)
    assert code_of(refused) == code


def test_weights_that_do_not_fit_are_refused_all_at_once(graph: Graph) -> None:
    weights = dict(initial_weights(graph, seed=0))
    del weights["conv1.bias"], weights["aux.weight"]
    weights["fc2.weight"] = np.zeros((5, 3))
    with pytest.raises(BackendError) as refused:
        TorchBackend().load(graph, weights)
    assert [d.code for d in refused.value.diagnostics] == ["E608", "E608"]
    assert "`conv1.bias` [4] is missing" in refused.value.diagnostics[0].message
    assert "`fc2.weight` is [5, 3], not [5, 4]" in refused.value.diagnostics[1].message


def test_weights_of_training_may_be_missing(graph: Graph) -> None:
    weights = initial_weights(graph, seed=0)
    whole = TorchBackend().load(graph, weights, "float64")
    inference = {name: array for name, array in weights.items() if not name.startswith("aux")}
    part = TorchBackend().load(graph, inference, "float64")
    assert np.array_equal(whole.run(image(2, 3, 6, 8))["y"], part.run(image(2, 3, 6, 8))["y"])


def test_unknown_outputs_and_shapes_of_gradients_are_refused(graph: Graph) -> None:
    model = TorchBackend().load(graph, initial_weights(graph, seed=0))
    for d in ({"z": np.ones((2, 5))}, {"y": np.ones((2, 4))}):
        with pytest.raises(BackendError) as refused:
            model.gradients(image(2, 3, 6, 8), d)
        assert code_of(refused) == "E606"


def test_a_dtype_that_is_not_there_is_refused(graph: Graph) -> None:
    with pytest.raises(BackendError) as refused:
        TorchBackend().load(graph, initial_weights(graph, seed=0), "float16")
    assert code_of(refused) == "E601"


def test_a_module_is_in_inference_mode_and_trains_in_anybodys_loop(graph: Graph) -> None:
    made = module(graph, initial_weights(graph, seed=0))
    assert not made.training
    before = made.state_dict()["fc2.weight"].clone()
    made.train()
    optimiser = torch.optim.SGD(made.parameters(), lr=0.1)
    made(torch.randn(4, 3, 6, 8))["y"].square().mean().backward()
    optimiser.step()
    assert not torch.equal(made.state_dict()["fc2.weight"], before)
    assert type(pickle.loads(pickle.dumps(made))) is type(made)


def test_one_source_is_one_module(graph: Graph) -> None:
    assert generated(graph) is generated(load(Source("m.cnn", SPEC)))


def test_a_backend_is_found_and_its_import_brings_no_framework() -> None:
    program = (
        "import sys, backends.torch\nassert 'torch' not in sys.modules\n"
        "from backends.base import backend\nprint(type(backend('torch')).__name__)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "TorchBackend\n", done.stderr
