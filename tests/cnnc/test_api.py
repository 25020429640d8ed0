"""The Python API, as the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnnc

SPEC = """model small(classes = 3, act = relu) {
    input image: [1, 9, 8]
    conv(4, 3x2, stride = (2, 1)) -> act -> flatten -> fc(classes)
    output logits
}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.cnn"
    path.write_text(SPEC)
    return path


def test_every_public_name_is_there() -> None:
    assert set(cnnc.__all__) <= set(dir(cnnc))
    for name in cnnc.__all__:
        assert getattr(cnnc, name) is not None
    with pytest.raises(AttributeError, match="laod"):
        cnnc.laod  # noqa: B018


def test_a_graph_tells_its_counts_and_its_interface(spec: Path) -> None:
    graph = cnnc.load(spec, classes=5)
    assert (graph.params, graph.macs) == (4 * 6 + 4 + 112 * 5 + 5, 28 * 24 + 112 * 5)
    assert {name: value.shape for name, value in graph.inputs.items()} == {"image": (1, 9, 8)}
    assert {name: value.shape for name, value in graph.outputs.items()} == {"logits": (5,)}
    first = graph.weights["conv1.weight"]
    assert (first.shape, first.dtype, first.trainable) == ((4, 1, 3, 2), "float32", True)
    assert first.initialiser.rule == "he"


def test_a_model_is_named_by_path_by_path_and_model_and_by_its_shipped_name(spec: Path) -> None:
    assert cnnc.load(str(spec)).name == cnnc.load(f"{spec}:small").name == "small"
    assert cnnc.load("vgg16").params == 138_357_544


def test_mistakes_come_as_one_exception_class_with_diagnostics(spec: Path) -> None:
    with pytest.raises(cnnc.SpecError) as caught:
        cnnc.load(spec, classes=0)
    assert isinstance(caught.value, cnnc.Error) and caught.value.diagnostics[0].code.startswith("E")
    with pytest.raises(cnnc.Error, match="there is no backend `nump`"):
        cnnc.runnable(cnnc.load(spec), "nump", {})
    assert cnnc.check(spec) == []
    assert [d.code[0] for d in cnnc.check("no_such_spec")] == ["E"]


def test_a_summary_shows_itself_as_text_html_and_data(spec: Path) -> None:
    summary = cnnc.summary(cnnc.load(spec))
    assert "conv1" in str(summary) and "<table>" in summary._repr_html_()
    assert sum(row.params for row in summary.rows) == summary.params == 24 + 4 + 336 + 3


@pytest.mark.parametrize("backend", ["numpy", "torch", "onnx"])
def test_arrays_in_arrays_out(spec: Path, backend: str) -> None:
    graph = cnnc.load(spec)
    weights = cnnc.initial_weights(graph, seed=1)
    image = np.linspace(-1, 1, 2 * 72, dtype=np.float32).reshape(2, 1, 9, 8)
    result = cnnc.runnable(graph, backend, weights).run({"image": image})
    reference = cnnc.runnable(graph, "numpy", weights, "float64").run({"image": image.astype(np.float64)})
    np.testing.assert_allclose(result["logits"], reference["logits"], rtol=1e-5, atol=1e-5)
    assert cnnc.generate(graph, backend)


def test_onnx_in_float64_is_refused(spec: Path) -> None:
    graph = cnnc.load(spec)
    with pytest.raises(cnnc.Error, match="float64"):
        cnnc.runnable(graph, "onnx", cnnc.initial_weights(graph), "float64")


def test_weights_go_to_a_file_and_back(spec: Path, tmp_path: Path) -> None:
    graph = cnnc.load(spec)
    weights = cnnc.initial_weights(graph, seed=4)
    cnnc.save_weights(tmp_path / "w.safetensors", weights, graph)
    back = cnnc.load_weights(tmp_path / "w.safetensors", graph)
    assert list(back) == list(graph.weights) and all((back[k] == weights[k]).all() for k in weights)


def test_a_torch_module_trains_in_anybody_s_loop(spec: Path) -> None:
    import torch

    graph = cnnc.load(spec)
    module = cnnc.torch_module(graph, cnnc.initial_weights(graph))
    assert list(module.state_dict()) == list(graph.weights)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    image, label = (
        torch.randn(4, 1, 9, 8, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 1, 2, 0]),
    )
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(module(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_an_export_is_verified(spec: Path, tmp_path: Path) -> None:
    graph = cnnc.load(spec)
    weights = cnnc.initial_weights(graph, seed=2)
    assert cnnc.export(graph, weights, tmp_path / "small.onnx").passed
    assert cnnc.verify(graph, weights).passed
    assert cnnc.verify(graph, weights, onnx=tmp_path / "small.onnx").passed
    assert not cnnc.verify(graph, cnnc.initial_weights(graph, seed=9), onnx=tmp_path / "small.onnx").passed
