"""Every network of the zoo against a record of what an implementation from outside computes.

Names and shapes of weights, parameters, multiply-adds, and the outputs with the fixture's fill: in float64
to 1e-10 of the output's spread, in float32 within ten times the reference's own error.  The variants of a
family have a shorter record.  One network is in memory at a time.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnc
from compiler.weights import WeightsError, match

HERE = Path(__file__).parent / "zoo"
VARIANTS: dict[str, dict[str, Any]] = json.loads((HERE / "variants.json").read_text())
FIXTURES = sorted(path.stem for path in HERE.glob("*.json") if path.stem != "variants")
ALL = [*FIXTURES, *VARIANTS]

#: Compared everywhere in the short form of the tests, or on one backend; all others in the long form.
EVERYWHERE = (
    "lenet5",
    "lenet5_1998",
    "squeezenet1_1",
    "shufflenet_v2_x0_5",
    "mobilenet_v3_small",
    "googlenet_aux",
)
ONCE = (
    "alexnet",
    "caffenet",
    "resnet18",
    "densenet121",
    "mobilenet_v2",
    "mnasnet0_5",
    "efficientnet_b0",
    "convnext_tiny",
    "inception_v3_aux",
)
RUNS = (
    ("numpy", "float64"),
    ("torch", "float64"),
    ("planned", "float64"),
    ("numpy", "float32"),
    ("planned", "float32"),
    ("torch", "float32"),
    ("onnx", "float32"),
)


def _fill_module() -> Any:
    spec = importlib.util.spec_from_file_location("zoo_fill", HERE / "fill.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = _fill_module()
Row = tuple[str, tuple[int, ...], str]


def load(name: str) -> cnnc.Graph:
    """Where the fixture has auxiliary heads, so has the graph."""
    return cnnc.load(name, training=name.endswith("_aux"))


def role(name: str, shape: tuple[int, ...]) -> str:
    """What a tensor is to `fill.py`, by its name; norms have vectors, and biases of all kinds one formula."""
    last = name.rpartition(".")[2]
    if last in ("running_mean", "running_var", "bias"):
        return last
    return "weight" if last == "weight" and len(shape) > 1 else "norm_weight"


class Case:
    """A network, its record, and the filled weights."""

    def __init__(self, name: str) -> None:
        self.name, self.graph = name, load(name)
        self.record = VARIANTS[name] if name in VARIANTS else json.loads((HERE / f"{name}.json").read_text())

    @cached_property
    def rows(self) -> list[Row]:
        """Name, shape and role in the order of the record; that of a variant is alphabetical."""
        if "state" in self.record:
            return [(key, tuple(shape), role) for key, shape, role in self.record["state"]]
        return sorted(
            (key, weight.shape, role(key, weight.shape)) for key, weight in self.graph.weights.items()
        )

    @cached_property
    def state(self) -> dict[str, Any]:
        """What a published checkpoint holds, counters included."""
        return {key: fill.fill_tensor(i, role, shape) for i, (key, shape, role) in enumerate(self.rows)}

    @property
    def weights(self) -> dict[str, Any]:
        return {key: self.state[key] for key, _, role in self.rows if role != "counter"}

    def outputs(self, backend: str, dtype: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], int]]:
        """(output, what came out, what the record says, number of the fingerprint)."""
        planned = backend == "planned"
        model = cnnc.runnable(
            self.graph, "numpy" if planned else backend, self.weights, dtype, planned=planned
        )
        for number, print_ in enumerate(self.record["fingerprints"]):
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


def runs() -> list[Any]:
    """Every network on every backend; what is not for every day is marked."""
    return [
        pytest.param(
            name,
            *run,
            marks=()
            if name in EVERYWHERE or (name in ONCE and run == ("torch", "float32"))
            else pytest.mark.long,
        )
        for name in ALL
        for run in RUNS
    ]


@pytest.mark.parametrize("name", ALL)
def test_weights_parameters_and_macs_are_those_of_the_record(name: str) -> None:
    case = Case(name)
    graph, want = case.graph, case.record
    if name in VARIANTS:
        text = "\n".join(f"{key} {'x'.join(map(str, shape))}" for key, shape, _ in case.rows)
        assert len(graph.weights) == want["tensors"]
        assert hashlib.sha256(text.encode()).hexdigest() == want["sha256"]
    else:
        wanted = {key: shape for key, shape, role in case.rows if role != "counter"}
        assert {key: weight.shape for key, weight in graph.weights.items()} == wanted
    assert graph.params == want["params_trainable"]
    assert graph.macs == want["macs"]
    assert [list(v.shape) for v in graph.inputs.values()] == [i["shape"] for i in want["inputs"]]
    assert [(k, list(v.shape)) for k, v in graph.outputs.items()] == [
        (o["name"], o["shape"][1:]) for o in want["outputs"]
    ]


@pytest.mark.parametrize("case, backend, dtype", runs(), indirect=["case"])
def test_outputs_are_those_of_the_record(case: Case, backend: str, dtype: str) -> None:
    relative: dict[str, float] = {}  # float32's is recorded with the first fingerprint
    for name, got, want, number in case.outputs(backend, dtype):
        if number == 0:
            relative[name] = 1e-10 if dtype == "float64" else 10 * want["float32_max_abs_error"] / want["std"]
        assert got["shape"] == want["shape"]
        error = np.abs(np.subtract(got["samples"], want["samples"])).max()
        rounding = 5e-12 * np.abs(want["samples"]).max()  # the record has twelve digits
        allowed = relative[name] * want["std"] + rounding
        assert error <= allowed, f"{name}: {error:.2e}, allowed {allowed:.2e}"


# ---- checkpoints ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIXTURES)
def test_the_names_of_a_published_checkpoint_are_all_taken_and_all_there(name: str) -> None:
    case = Case(name)
    file = {key: (shape, "int64" if role == "counter" else "float32") for key, shape, role in case.rows}
    report = match(case.graph, file, training=True)
    assert (report.missing, report.unexpected, report.misshaped, report.refused) == ((), (), (), ())
    assert set(report.ignored) == {key for key, _, role in case.rows if role == "counter"}
    assert set(report.matched) | set(report.ignored) == set(file)


@pytest.mark.parametrize(
    "case",
    [pytest.param(name, marks=() if name in EVERYWHERE else pytest.mark.long) for name in FIXTURES],
    indirect=True,
)
def test_a_published_checkpoint_loads_as_it_is(case: Case, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "published.pth"
    torch.save({key: torch.from_numpy(array) for key, array in case.state.items()}, path)
    loaded = cnnc.load_weights(path, case.graph)
    assert loaded.keys() == case.weights.keys() == case.graph.weights.keys()
    for key, array in case.weights.items():
        np.testing.assert_array_equal(loaded[key], array)
    path.unlink()


def test_a_checkpoint_with_one_key_renamed_one_missing_and_one_transposed_is_refused_as_a_whole(
    tmp_path: Path,
) -> None:
    import torch

    from cnnc.cli import main

    case = Case("mobilenet_v3_small")
    state = {key: torch.from_numpy(array) for key, array in case.state.items()}
    state["classifier.4.bias"] = state.pop("classifier.3.bias")
    del state["features.4.block.2.fc1.weight"]
    state["classifier.0.weight"] = state["classifier.0.weight"].T.contiguous()
    path = tmp_path / "changed.pth"
    torch.save(state, path)
    with pytest.raises(WeightsError) as caught:
        cnnc.load_weights(path, case.graph)
    assert [(d.code, d.message) for d in caught.value.diagnostics] == [
        ("E510", "`features.4.block.2.fc1.weight` is missing from the file"),
        ("E510", "`classifier.3.bias` is missing from the file"),
        ("E511", "`classifier.4.bias` is in the file and not in the model"),
        ("E512", "`classifier.0.weight` is [576, 1024] in the file and [1024, 576] in the model"),
    ]
    assert any("`classifier.4.bias`" in help for help in caught.value.diagnostics[1].help)
    made = tmp_path / "made.onnx"
    made.write_bytes(b"before")
    before = path.read_bytes()
    assert main(["export", "mobilenet_v3_small", "--weights", str(path), "--output", str(made)]) != 0
    assert made.read_bytes() == b"before" and path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["changed.pth", "made.onnx"]


@pytest.mark.parametrize("name", ALL)
def test_a_published_checkpoint_serves_for_another_number_of_classes_but_for_the_head(name: str) -> None:
    case = Case(name)
    file = {key: (shape, "float32") for key, shape, role in case.rows if role != "counter"}
    if "classes" not in case.graph.arguments:
        assert name.startswith("lenet5_1998")
        return
    graph = cnnc.load(name, training=name.endswith("_aux"), classes=7)
    differ = {key for key, weight in graph.weights.items() if weight.shape != file[key][0]}
    strict = match(graph, file, training=True)
    assert {misfit.name for misfit in strict.misshaped} == differ == set(strict.remedies)
    report = match(graph, file, training=True, adapt=["head"])
    assert report.fits and report.initial == differ
    # A weight and a bias for each output, but for the softmax behind one.
    assert len(differ) == 2 * len(graph.outputs.keys() - {"prob"})
    assert set(report.source) == set(graph.weights) - differ


@pytest.mark.parametrize("name", ["vgg11", "mobilenet_v3_small", "googlenet_2014"])
def test_a_published_checkpoint_for_bgr_is_turned_at_its_first_convolution(name: str) -> None:
    case = Case(name)
    file = {key: (shape, "float32") for key, shape, role in case.rows if role != "counter"}
    report = match(case.graph, file, training=True, adapt=["bgr_to_rgb"])
    assert report.fits and report.reversed == (next(iter(case.graph.weights)),)


def test_a_checkpoint_without_auxiliary_heads_serves_for_inference_and_not_for_more(tmp_path: Path) -> None:
    whole, without = Case("googlenet_aux"), Case("googlenet")
    file = {key: (shape, "float32") for key, shape, role in without.rows if role != "counter"}
    report = match(cnnc.load("googlenet_aux"), file)
    assert report.fits and set(report.absent) == {key for key in whole.weights if key.startswith("aux")}
    assert not match(whole.graph, file, training=True).fits
