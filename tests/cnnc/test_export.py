"""Export: the file is there and right, or not there at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import backends.onnx.model
from backends.base import BackendError
from backends.onnx.runnable import run, session
from backends.onnx.wire import Model
from cnnc.exporting import export
from cnnc.files import OutputError
from cnnc.preprocess import apply
from cnnc.verification import varied_weights, verify
from compiler.declare import Given, Word
from compiler.graph import Graph, GraphBuilder
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.preprocess import bind_step


def network(free: bool = False) -> Graph:
    b = GraphBuilder("net")
    kind = TensorType((3, 18, 22), (False, free, free))
    x = b.input("image", kind, free={"H": 1, "W": 2} if free else {})
    y = b.apply(OPS["conv"], [x], path="conv1", filters=6, kernel=(3, 5), pad=Word("half"), bias=False)[0]
    y = b.apply(OPS["batchnorm"], [y], path="bn1")[0]
    y = b.apply(OPS["relu"], [y], path="relu1")[0]
    y = b.apply(OPS["maxpool"], [y], path="pool1", kernel=2)[0]
    y = b.apply(OPS["globalavgpool"], [y], path="pool2")[0]
    y = b.apply(OPS["flatten"], [y], path="flatten1")[0]
    y = b.apply(OPS["fc"], [y], path="fc1", features=3)[0]
    steps = (bind_step("resize", [Given(None, (18, 22))]), bind_step("rescale", [Given(None, 1 / 255)]),
             bind_step("normalize", [Given("mean", (0.4, 0.5, 0.6)), Given("std", (0.2, 0.3, 0.4))]))
    return b.build({"logits": y}, source_text="model net {}\n", preprocess=() if free else steps)


GRAPH = network()
WEIGHTS = varied_weights(GRAPH, 2)


def code_of(call: Callable[[], Any], kind: type[Exception] = BackendError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value.diagnostics[0].code)  # type: ignore[attr-defined]


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path)).graph.node]


def test_the_file_is_verified_and_folded(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    report = export(GRAPH, WEIGHTS, path)
    assert report.passed
    assert len(report.comparisons) == 2
    assert operators(path) == ["Conv", "Relu", "MaxPool", "GlobalAveragePool", "Flatten", "Gemm"]
    assert verify(GRAPH, WEIGHTS, onnx=path).passed
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_folding_can_be_left_out(tmp_path: Path) -> None:
    export(GRAPH, WEIGHTS, tmp_path / "net.onnx", fold=False)
    assert "BatchNormalization" in operators(tmp_path / "net.onnx")


def test_two_exports_have_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        export(GRAPH, WEIGHTS, tmp_path / name, preprocess=True, classes=["x", "y", "z"])
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_file_can_take_pixels(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    report = export(GRAPH, WEIGHTS, path, preprocess=True)
    assert all("images of" in one.what for one in report.comparisons)
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 31), np.uint8)
    plain = tmp_path / "plain.onnx"
    export(GRAPH, WEIGHTS, plain)
    got = run(session(str(path)), {"image": images})["logits"]
    expected = run(session(str(plain)), {"image": apply(GRAPH, images)})["logits"]
    assert np.abs(got - expected).max() < 1e-5
    assert verify(GRAPH, WEIGHTS, onnx=path).passed  # the file itself says that it takes pixels


def test_free_extents_are_compared_at_a_second_size(tmp_path: Path) -> None:
    graph = network(free=True)
    report = export(graph, varied_weights(graph), tmp_path / "net.onnx")
    assert any("H = " in one.what for one in report.comparisons)
    assert session(str(tmp_path / "net.onnx")).get_inputs()[0].shape == ["batch", 3, "H", "W"]


def test_the_mode_follows_the_umask_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.onnx").symlink_to("real.onnx")
    before = os.umask(0o027)
    try:
        export(GRAPH, WEIGHTS, tmp_path / "link.onnx")
    finally:
        os.umask(before)
    assert (tmp_path / "link.onnx").is_symlink()
    assert stat.S_IMODE((tmp_path / "real.onnx").stat().st_mode) == 0o640


def test_bad_outputs_are_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.onnx.model, "build", None)
    spec = tmp_path / "net.cnn"
    spec.write_text("model net {}")
    os.mkfifo(tmp_path / "fifo")
    refused: list[tuple[Any, str, tuple[Path, ...]]] = [
        (tmp_path, "E901", ()), (tmp_path / "fifo", "E901", ()), ("/dev/null", "E901", ()),
        (tmp_path / "no" / "x", "E903", ()), (spec, "E902", (spec,))]
    for path, code, inputs in refused:
        assert code_of(lambda p=path, i=inputs: export(GRAPH, WEIGHTS, p, inputs=i), OutputError) == code
    assert sorted(os.listdir(tmp_path)) == ["fifo", "net.cnn"]


def spoilt_build(change: Callable[[onnx.ModelProto, dict[str, Any]], None]) -> Callable[..., Model]:
    real = backends.onnx.model.build

    def build(*given: Any, **more: Any) -> Model:
        made = real(*given, **more)
        arrays = dict(made.arrays)
        change(made.message, arrays)
        return Model(made.message, arrays)

    return build


def wrong_weight(model: onnx.ModelProto, arrays: dict[str, Any]) -> None:
    arrays["fc1.bias"] = arrays["fc1.bias"] + np.float32(0.01)


def wrong_operator(model: onnx.ModelProto, arrays: dict[str, Any]) -> None:
    model.graph.node[1].op_type = "Sigmoid"


def no_such_operator(model: onnx.ModelProto, arrays: dict[str, Any]) -> None:
    model.graph.node[1].op_type = "Rleu"


def wrong_shape(model: onnx.ModelProto, arrays: dict[str, Any]) -> None:
    arrays["fc1.weight"] = arrays["fc1.weight"][:, :-1].copy()


@pytest.mark.parametrize(("change", "code"), [
    (wrong_weight, "E612"), (wrong_operator, "E612"), (no_such_operator, "E611"), (wrong_shape, "E611")])
def test_a_file_that_fails_its_checks_is_not_kept(change: Any, code: str, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.onnx.model, "build", spoilt_build(change))
    path = tmp_path / "net.onnx"
    assert code_of(lambda: export(GRAPH, WEIGHTS, path)) == code
    assert os.listdir(tmp_path) == []
    path.write_bytes(b"older")
    assert code_of(lambda: export(GRAPH, WEIGHTS, path)) == code
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_a_wrong_fold_is_found_by_the_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cnnc.exporting as module

    real = module.fold_batchnorm

    def wrong(graph: Graph, weights: Any) -> Any:
        folded, numbers, changed = real(graph, weights)
        return folded, {**numbers, "conv1.bias": np.zeros_like(numbers["conv1.bias"])}, changed

    monkeypatch.setattr(module, "fold_batchnorm", wrong)
    assert code_of(lambda: export(GRAPH, WEIGHTS, tmp_path / "net.onnx")) == "E612"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("graph", "weights", "more", "code"), [
    (GRAPH, {n: a for n, a in WEIGHTS.items() if n != "fc1.bias"}, {}, "E608"),
    (GRAPH, {**WEIGHTS, "fc1.bias": np.zeros(4, np.float32)}, {}, "E608"),
    (replace(GRAPH, preprocess=()), WEIGHTS, {"preprocess": True}, "E609"),
    (GRAPH, WEIGHTS, {"classes": ["a", "b"]}, "E609"),
])
def test_what_does_not_fit_the_model_is_refused(graph: Graph, weights: Any, more: dict[str, Any], code: str,
                                                tmp_path: Path) -> None:
    assert code_of(lambda: export(graph, weights, tmp_path / "net.onnx", **more)) == code
    assert os.listdir(tmp_path) == []
