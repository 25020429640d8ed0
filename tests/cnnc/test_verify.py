"""Verification: what agrees passes, and, above all, what is wrong does not."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import cnnc.verification
from backends.base import Backend, BackendError, Runnable, backend
from backends.onnx.model import build
from cnnc.onnx_file import parsed
from cnnc.verification import another_size, trials_of, varied_weights, verify
from compiler.declare import Word
from compiler.graph import Graph, GraphBuilder
from compiler.ops import OPS
from compiler.ops.base import TensorType
from spec_lang.limits import Limits


def network() -> Graph:
    """One of each layer that a wrong file can get wrong, small and asymmetric."""
    b = GraphBuilder("net")
    x = b.input("image", TensorType((4, 19, 26)))
    y = b.apply(OPS["conv"], [x], path="conv1", filters=6, kernel=(3, 5), stride=(2, 1), dilation=(1, 2),
                pad=((1, 2), (0, 3)), groups=2, round=Word("floor"))[0]
    y = b.apply(OPS["batchnorm"], [y], path="bn1", eps=0.01)[0]
    y = b.apply(OPS["leakyrelu"], [y], path="act1", slope=0.2)[0]
    y = b.apply(OPS["lrn"], [y], path="lrn1", size=3, alpha=3e-4)[0]
    y = b.apply(OPS["maxpool"], [y], path="pool1", kernel=(2, 3), stride=(1, 2), pad=((1, 0), (0, 1)),
                round=Word("floor"))[0]
    y = b.apply(OPS["avgpool"], [y], path="pool2", kernel=(2, 3), stride=(2, 1), pad=((1, 0), (0, 1)),
                round=Word("floor"))[0]
    y = b.apply(OPS["concat"], [y, y], path="cat1", axis=Word("height"))[0]
    y = b.apply(OPS["elu"], [y], path="elu1", alpha=0.7)[0]
    skip = b.apply(OPS["flatten"], [y], path="flatten1")[0]
    y = b.apply(OPS["fc"], [skip], path="fc1", features=5)[0]
    return b.build({"logits": y, "probabilities": b.apply(OPS["softmax"], [y], path="softmax1")[0]})


GRAPH = network()
WEIGHTS = varied_weights(GRAPH, 3)


# ---- backends against each other ---------------------------------------------------------


def test_three_backends_agree_and_the_report_says_so() -> None:
    report = verify(GRAPH, WEIGHTS)
    assert report.passed
    names = {one.what.split(",")[0] for one in report.comparisons}
    assert names == {"torch float64", "numpy planned float64",
                     "numpy float32", "torch float32", "onnx float32", "numpy planned float32"}
    assert {one.output for one in report.comparisons} == {"logits", "probabilities"}
    text = str(report)
    assert "net: all agree" in text
    assert "batch 2" in text and "batch 1" in text
    assert "ulp 99.9 %" in text


def test_without_weights_nothing_is_left_at_zero_or_one() -> None:
    weights = varied_weights(GRAPH, 1)
    for name in GRAPH.weights:
        assert not np.isin(weights[name], (0.0, 1.0)).any(), name
    again = varied_weights(GRAPH, 1)
    assert all(np.array_equal(weights[n], again[n]) for n in weights)
    assert verify(GRAPH, backends=["numpy", "onnx"]).passed


class Wrapped(Backend):
    """NumPy, with something done to the results or the weights."""

    name: ClassVar[str] = "wrong"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = staticmethod(lambda outputs: outputs)
    change: Callable[[dict[str, Any]], dict[str, Any]] = staticmethod(lambda weights: weights)

    def covers(self) -> Any:
        return frozenset(OPS.values())

    def generate(self, graph: Graph, weights: Any = None) -> dict[str, str | bytes]:
        return {}

    def load(self, graph: Graph, weights: Mapping[str, Any], dtype: str = "float32") -> Runnable:
        inner = backend("numpy").load(graph, type(self).change(dict(weights)), dtype)
        spoil = type(self).spoil

        class Spoilt(Runnable):
            def run(self, inputs: Any, *, training: bool = False) -> Any:
                return spoil(inner.run(inputs))

        return Spoilt()


Spoil = Callable[[dict[str, Any]], dict[str, Any]]


def with_wrong(monkeypatch: pytest.MonkeyPatch, wrong: type[Wrapped]) -> None:
    monkeypatch.setattr(cnnc.verification, "backend",
                        lambda name: wrong() if name == "wrong" else backend(name))


def spoilt(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return lambda outputs: {**outputs, name: change(outputs[name].copy())}


def poked(place: tuple[int, ...], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


def off_by_little(array: np.ndarray) -> np.ndarray:
    return poked((0, 3), array[0, 3] + 1e-4 * np.abs(array).max())(array)


SPOILT = {
    "one number off by 1e-4 of the largest": spoilt("logits", off_by_little),
    "everything 0.01 % too large": spoilt("logits", lambda a: a * 1.0001),
    "NaN in one place": spoilt("probabilities", poked((0, 2), np.nan)),
    "infinity in one place": spoilt("logits", poked((0, 0), np.inf)),
    "classes reversed": spoilt("logits", lambda a: a[:, ::-1]),
    "another shape": spoilt("logits", lambda a: a[:, :-1]),
    "an output missing": lambda outputs: {"logits": outputs["logits"]},
    "one image's numbers for all": spoilt("logits", lambda a: np.repeat(a[:1], len(a), 0)),
    "zeros": spoilt("logits", np.zeros_like),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_backend_that_is_wrong_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_wrong(monkeypatch, type("Wrong", (Wrapped,), {"spoil": staticmethod(SPOILT[name])}))
    report = verify(GRAPH, WEIGHTS, backends=["numpy", "wrong"])
    assert not report.passed
    assert {one.what.split()[0] for one in report.failures} >= {"wrong"}
    assert "THEY DIFFER" in str(report)
    assert "FAILED" in str(report)


@pytest.mark.parametrize("weight", list(GRAPH.weights))
def test_one_wrong_number_in_any_weight_is_seen(weight: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(weights: dict[str, Any]) -> dict[str, Any]:
        array = weights[weight].copy()
        array.reshape(-1)[-1] += 0.05
        return {**weights, weight: array}

    with_wrong(monkeypatch, type("Wrong", (Wrapped,), {"change": staticmethod(change)}))
    assert not verify(GRAPH, WEIGHTS, backends=["numpy", "wrong"]).passed


def test_a_mistake_in_float32_alone_is_not_excused_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(outputs: dict[str, Any]) -> dict[str, Any]:
        return {n: a * (1.001 if a.dtype == np.float32 else 1.0) for n, a in outputs.items()}

    with_wrong(monkeypatch, type("Wrong", (Wrapped,), {"spoil": staticmethod(spoil)}))
    report = verify(GRAPH, WEIGHTS, backends=["numpy", "wrong"])
    assert {one.what.split(",")[0] for one in report.failures} == {"wrong float32"}


def test_an_unchanged_wrapper_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with_wrong(monkeypatch, Wrapped)
    assert verify(GRAPH, WEIGHTS, backends=["numpy", "wrong"]).passed


def test_what_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cnnc.verification.find_spec
    monkeypatch.setattr(cnnc.verification, "find_spec",
                        lambda name: None if name == "onnxruntime" else real(name))
    report = verify(GRAPH, WEIGHTS, backends=None)
    assert any("onnxruntime" in note for note in report.notes)
    assert not any(one.what.startswith("onnx") for one in report.comparisons)
    with pytest.raises(BackendError) as caught:
        verify(GRAPH, WEIGHTS, backends=["numpy", "onnx"])
    assert caught.value.diagnostics[0].code == "E605"


@pytest.mark.parametrize(("names", "code"), [
    (["numpy"], "E615"), (["numpy", "numpy"], "E615"), ([], "E615"), (["numpy", "nympy"], "E604")])
def test_nothing_to_compare_is_an_error_and_no_success(names: list[str], code: str) -> None:
    with pytest.raises(BackendError) as caught:
        verify(GRAPH, WEIGHTS, backends=names)
    assert caught.value.diagnostics[0].code == code
    if names == ["numpy"]:
        assert "asked for" in caught.value.diagnostics[0].message
        assert "pip" not in str(caught.value.diagnostics[0].help)


@pytest.mark.parametrize("change", [
    lambda w: {n: a for n, a in w.items() if n != "bn1.bias"},
    lambda w: {**w, "fc1.weight": w["fc1.weight"].T},
])
def test_weights_that_do_not_fit_are_refused(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with pytest.raises(BackendError) as caught:
        verify(GRAPH, change(WEIGHTS))
    assert caught.value.diagnostics[0].code == "E608"


def test_an_output_that_is_always_the_same_is_remarked_on() -> None:
    weights = {**WEIGHTS, "fc1.weight": np.zeros_like(WEIGHTS["fc1.weight"])}
    report = verify(GRAPH, weights, backends=["numpy", "onnx"])
    assert any("`logits` is the same" in note for note in report.notes)


def test_free_extents_are_tried_at_a_second_size() -> None:
    b = GraphBuilder("free")
    x = b.input("image", TensorType((3, 12, 16), (False, True, True)), free={"H": 1, "W": 2})
    y = b.apply(OPS["maxpool"], [x], path="pool1", kernel=(3, 4))[0]
    graph = b.build({"out": y})
    assert another_size(graph) == {"image": (3, 15, 20)} or another_size(graph) is not None
    shapes = {trial.inputs["image"].shape for trial in trials_of(graph)}
    assert len(shapes) == 3
    assert verify(graph, backends=["numpy", "onnx"]).passed


# ---- a file against NumPy ------------------------------------------------------------------


def exported() -> onnx.ModelProto:
    return onnx.load_from_string(build(GRAPH, WEIGHTS).content())


def attribute(node: str, name: str, value: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (found,) = (n for n in model.graph.node if n.name == node)
        kept = [a for a in found.attribute if a.name != name]
        assert helper.make_attribute(name, value) not in found.attribute
        del found.attribute[:]
        found.attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


def stored(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[onnx.ModelProto], None]:
    def apply(model: onnx.ModelProto) -> None:
        (tensor,) = (t for t in model.graph.initializer if t.name == name)
        changed = np.ascontiguousarray(change(numpy_helper.to_array(tensor)))
        tensor.CopyFrom(numpy_helper.from_array(changed, name))

    return apply


def operator(node: str, name: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (found,) = (n for n in model.graph.node if n.name == node)
        found.op_type = name
        del found.attribute[:]

    return change


def swapped_inputs(node: str, a: int, b: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (found,) = (n for n in model.graph.node if n.name == node)
        found.input[a], found.input[b] = found.input[b], found.input[a]

    return change


def one_larger(array: np.ndarray) -> np.ndarray:
    made = array.copy()
    made[2, 50] += 0.1
    return made


#: Files that have the right interface and compute something else.
MUTANTS = {
    "conv: begin and end pads swapped": attribute("conv1", "pads", [2, 3, 1, 0]),
    "conv: pads between axes": attribute("conv1", "pads", [2, 0, 1, 3]),
    "batchnorm: epsilon": attribute("bn1", "epsilon", 1e-5),
    "batchnorm: mean and offset swapped": swapped_inputs("bn1", 2, 3),
    "batchnorm: factor and variance swapped": swapped_inputs("bn1", 1, 4),
    "leakyrelu: slope": attribute("act1", "alpha", 0.01),
    "leakyrelu: relu": operator("act1", "Relu"),
    "lrn: alpha divided once more": attribute("lrn1", "alpha", 1e-4),
    "lrn: beta": attribute("lrn1", "beta", 0.5),
    "lrn: bias": attribute("lrn1", "bias", 2.0),
    "lrn: size": attribute("lrn1", "size", 5),
    "maxpool: pads": attribute("pool1", "pads", [0, 0, 1, 1]),
    "avgpool: padding not counted": attribute("pool2", "count_include_pad", 0),
    "avgpool: pads": attribute("pool2", "pads", [0, 1, 1, 0]),
    "elu: alpha": attribute("elu1", "alpha", 1.0),
    "softmax: over the batch": attribute("softmax1", "axis", 0),
    "softmax: logarithm": operator("softmax1", "LogSoftmax"),
    "conv: weights flipped": stored("conv1.weight", lambda a: a[:, :, ::-1]),
    "conv: bias lost": stored("conv1.bias", np.zeros_like),
    "fc: one weight changed": stored("fc1.weight", one_larger),
    "fc: bias shifted": stored("fc1.bias", lambda a: np.roll(a, 1)),
}


def test_the_exported_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(exported().SerializeToString())
    report = verify(GRAPH, WEIGHTS, onnx=path)
    assert report.passed
    assert len(report.comparisons) == 4  # two outputs at two batch sizes


def test_without_weights_those_of_the_file_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(exported().SerializeToString())
    report = verify(GRAPH, onnx=path)
    assert report.passed
    assert any("file holds" in note for note in report.notes)
    model = exported()
    MUTANTS["elu: alpha"](model)
    path.write_bytes(model.SerializeToString())
    assert not verify(GRAPH, onnx=path).passed
    del model.graph.initializer[0]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BackendError) as caught:
        verify(GRAPH, onnx=path)
    assert caught.value.diagnostics[0].code == "E608"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_file_that_computes_something_else_fails(name: str, tmp_path: Path) -> None:
    model = exported()
    MUTANTS[name](model)
    onnx.checker.check_model(model)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert not verify(GRAPH, WEIGHTS, onnx=path).passed


def renamed(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "other"
    model.graph.node.append(helper.make_node("Identity", ["logits"], ["other"]))


def fixed_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 20
    del model.graph.value_info[:]


def doubled(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.node.insert(0, helper.make_node("Cast", ["image"], ["cast"], to=1))
    for node in list(model.graph.node)[1:]:
        for i, name in enumerate(node.input):
            if name == "image":
                node.input[i] = "cast"


def more_inputs(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("extra", 1, [1]))


@pytest.mark.parametrize("change", [renamed, fixed_batch, doubled, more_inputs])
def test_a_file_of_another_model_is_refused(change: Callable[[onnx.ModelProto], None],
                                            tmp_path: Path) -> None:
    model = exported()
    change(model)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BackendError) as caught:
        verify(GRAPH, WEIGHTS, onnx=path)
    assert caught.value.diagnostics[0].code in ("E613", "E614")
    assert change is fixed_batch or caught.value.diagnostics[0].code == "E614"


def external(model: onnx.ModelProto) -> bytes:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value="../secret"))
    return bytes(model.SerializeToString())


def nested(levels: int) -> bytes:
    """A model whose graphs stand in each other: graph 7 of a model, node 1, attribute 5, its graph 6."""
    inner = b"\x0a\x00"  # a graph with one empty node
    for _ in range(levels):
        for field in (6, 5, 1):
            inner = framed(field, inner)
    return bytes(onnx.ModelProto(ir_version=10).SerializeToString()) + framed(7, inner)


def framed(field: int, content: bytes) -> bytes:
    """A field of protobuf that holds a message."""
    length, size = len(content), b""
    while length > 0x7F:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return bytes([field << 3 | 2]) + size + bytes([length]) + content


@pytest.mark.parametrize("content", [
    lambda: b"", lambda: b"not a model", lambda: exported().SerializeToString()[:-100],
    lambda: external(exported()), lambda: nested(400),
], ids=["empty", "text", "cut short", "weights elsewhere", "nested too deep"])
def test_a_file_that_is_no_usable_model_is_refused(content: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content())
    with pytest.raises(BackendError) as caught:
        verify(GRAPH, WEIGHTS, onnx=path)
    assert caught.value.diagnostics[0].code in ("E613", "E614")
    assert os.listdir(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize(("enough", "too_low", "content"), [
    (Limits(onnx_depth=5), Limits(onnx_depth=4), nested(4)),
    (Limits(onnx_nodes=11), Limits(onnx_nodes=10), exported().SerializeToString()),
])
def test_limits_of_nodes_and_depth_hold_to_one(enough: Limits, too_low: Limits, content: bytes) -> None:
    assert parsed(content, "x.onnx", enough).ir_version == 10
    with pytest.raises(BackendError) as caught:
        parsed(content, "x.onnx", too_low)
    assert caught.value.diagnostics[0].code == "E613"


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "missing", Path("/dev/null"), "a\0b"):
        with pytest.raises(BackendError) as caught:
            verify(GRAPH, WEIGHTS, onnx=path)
        assert caught.value.diagnostics[0].code == "E613"


def test_the_function_is_not_hidden_by_a_module_of_its_name(tmp_path: Path) -> None:
    package = importlib.import_module("cnnc")
    assert package.export(GRAPH, WEIGHTS, tmp_path / "net.onnx").passed
    assert callable(package.verify) and callable(package.export)
