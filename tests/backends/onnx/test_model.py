"""The file as a whole: names, dimensions, metadata, bytes, and what is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from backends.base import BackendError
from backends.onnx import OnnxBackend
from backends.onnx.emit import refusal
from backends.onnx.model import build
from backends.onnx.runnable import OnnxRunnable, run, session
from backends.onnx.wire import LARGEST, Model
from cnnc.verification import verify
from compiler.declare import Position, Word
from compiler.graph import Graph, GraphBuilder, Weight
from compiler.initial import Initialiser
from compiler.ops import OPS
from compiler.ops.base import TensorType
from spec_lang.diagnostics import Error


def network(prefix: str = "", output: str = "logits", image: str = "image") -> Graph:
    b = GraphBuilder("net")
    x = b.input(image, TensorType((4, 9, 14)))
    y = b.apply(OPS["conv"], [x], path=f"{prefix}conv1", filters=6, kernel=(3, 5), stride=(2, 3), groups=2,
                round=Word("floor"))[0]
    y = b.apply(OPS["batchnorm"], [y], path=f"{prefix}bn1")[0]
    y = b.apply(OPS["dropout"], [y], path=f"{prefix}dropout1", p=0.25)[0]
    y = b.apply(OPS["silu"], [y], path=f"{prefix}silu1")[0]
    y = b.apply(OPS["flatten"], [y], path=f"{prefix}flatten1")[0]
    y = b.apply(OPS["fc"], [y], path=f"{prefix}fc1", features=3)[0]
    return b.build({output: y}, source_text="model net { }\n# \u00e9\n")


def numbers(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: rng.uniform(0.1, 1.0, w.shape).astype(np.float32) for n, w in graph.weights.items()}


def loaded(graph: Graph, **more: Any) -> onnx.ModelProto:
    model = onnx.load_from_string(build(graph, numbers(graph), **more).content())
    onnx.checker.check_model(model, full_check=True)
    return model


def test_nodes_and_initialisers_carry_the_names_of_the_spec() -> None:
    graph = network("layer1.0.")
    model = loaded(graph)
    assert [(n.name, n.op_type) for n in model.graph.node] == [
        ("layer1.0.conv1", "Conv"), ("layer1.0.bn1", "BatchNormalization"),
        ("layer1.0.silu1/Sigmoid", "Sigmoid"), ("layer1.0.silu1", "Mul"),
        ("layer1.0.flatten1", "Flatten"), ("layer1.0.fc1", "Gemm")]
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    weights = numbers(graph)
    assert stored.keys() == weights.keys()
    assert all(np.array_equal(stored[n], weights[n]) for n in weights)


def test_versions_are_those_that_every_runtime_loads() -> None:
    model = loaded(network())
    assert model.ir_version == 10
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)]


def test_the_batch_is_a_named_dimension_and_shapes_need_no_glue() -> None:
    model = loaded(network())
    (image,) = session(model.SerializeToString()).get_inputs()
    assert image.shape == ["batch", 4, 9, 14]
    assert not {"Shape", "Gather", "Unsqueeze", "Concat", "Cast"} & {n.op_type for n in model.graph.node}
    assert not any(a.name == "auto_pad" for n in model.graph.node for a in n.attribute)


def test_metadata_holds_the_spec_its_hash_the_labels_and_the_version() -> None:
    graph = network()
    props = {p.key: p.value for p in loaded(graph, classes=["a", "b\u00e9", "c"]).metadata_props}
    assert props["cnnc.spec"] == graph.source_text
    assert props["cnnc.spec_sha256"] == hashlib.sha256(graph.source_text.encode()).hexdigest()
    assert json.loads(props["cnnc.classes"]) == ["a", "b\u00e9", "c"]
    assert props["cnnc.model"] == "net"
    assert props["cnnc.version"]
    assert "cnnc.classes" not in {p.key for p in loaded(graph).metadata_props}


def test_two_builds_give_the_same_bytes() -> None:
    first, second = (build(network(), numbers(network()), classes=["x", "y", "z"]).content()
                     for _ in range(2))
    assert first == second


def test_weights_are_written_from_the_arrays_themselves() -> None:
    graph = network()
    weights = numbers(graph)
    views = [c for c in build(graph, weights).chunks() if isinstance(c, memoryview)]
    assert any(np.shares_memory(np.frombuffer(v, np.float32), weights["fc1.weight"]) for v in views)


def test_other_float_types_and_orders_are_converted() -> None:
    graph = network()
    plain = numbers(graph)
    odd = {n: np.asfortranarray(a.astype(np.float64)) for n, a in plain.items()}
    assert build(graph, odd).content() == build(graph, plain).content()


def test_the_size_is_known_before_anything_is_written() -> None:
    model = build(network(), numbers(network()))
    assert model.size == len(model.content())


def test_a_file_beyond_two_gib_is_refused_with_its_size() -> None:
    message = build(network(), numbers(network())).message
    big = np.broadcast_to(np.zeros((), np.float32), (2**29,))
    with pytest.raises(BackendError) as caught:
        Model(message, {"w": big})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E610"
    assert f"{2**31:,}"[:6] in diagnostic.message
    assert f"{LARGEST:,}" in diagnostic.message


HOSTILE = ['logits"\n', "a/b", "../x", "\u202eabc", "'; import os", "conv1", "{}", "#", "a b", "%s", "silu1"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_outputs_survive_as_they_are(name: str) -> None:
    graph = network(output=name)
    content = build(graph, numbers(graph)).content()
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    made = run(session(content), {"image": np.ones((1, 4, 9, 14), np.float32)})
    assert list(made) == [name]


def test_a_name_for_two_tensors_is_refused() -> None:
    for graph in (network(output="image"), network(output="conv1.weight"), network(image="fc1.bias")):
        with pytest.raises(Error) as caught:
            OnnxBackend().check(graph)
        assert caught.value.diagnostics[0].code == "E600"


def test_a_free_extent_called_as_the_rows_leaves_both_apart() -> None:
    b = GraphBuilder("m")
    x = b.input("image", TensorType((3, 9), (False, True)), free={"batch": 1})
    graph = b.build({"y": b.apply(OPS["relu"], [x], path="relu1")[0]})
    assert session(build(graph, {}).content()).get_inputs()[0].shape == ["batch_rows", 3, "batch"]


def test_an_input_per_image_has_rows_of_its_own() -> None:
    b = GraphBuilder("m")
    image = b.input("image", TensorType((3, 9)))
    boxes = b.input("boxes", TensorType((4,), rows="boxes"))
    graph = b.build({"a": b.apply(OPS["relu"], [image], path="r1")[0],
                     "b": b.apply(OPS["relu"], [boxes], path="r2")[0]})
    runnable = OnnxBackend().load(graph, {})
    made = runnable.run({"image": np.ones((2, 3, 9)), "boxes": -np.ones((7, 4))})
    assert (made["a"].shape, made["b"].shape) == ((2, 3, 9), (7, 4))


def test_one_tensor_may_be_two_outputs_and_an_input_an_output() -> None:
    b = GraphBuilder("m")
    x = b.input("image", TensorType((3, 4)))
    y = b.apply(OPS["relu"], [x], path="relu1")[0]
    z = b.apply(OPS["identity"], [y], path="identity1")[0]
    graph = b.build({"a": y, "b": y, "same": x, "after": z})
    content = build(graph, {}).content()
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    image = np.array([[[-1, 2, 3, 4]] * 3], np.float32)
    made = run(session(content), {"image": image})
    assert np.array_equal(made["same"], image)
    assert all(np.array_equal(made[n], np.maximum(image, 0)) for n in ("a", "b", "after"))


def test_inverted_dropout_and_identity_leave_nothing() -> None:
    b = GraphBuilder("m")
    x = b.input("image", TensorType((3, 4)))
    y = b.apply(OPS["dropout"], [x], path="dropout1")[0]
    y = b.apply(OPS["identity"], [y], path="identity1")[0]
    graph = b.build({"y": b.apply(OPS["relu"], [y], path="relu1")[0]})
    model = loaded(graph)
    assert [(n.op_type, list(n.input)) for n in model.graph.node] == [("Relu", ["image"])]


def test_equal_constants_are_stored_once_and_shared_weights_too() -> None:
    b = GraphBuilder("m")
    x = b.input("image", TensorType((4,)))
    for _ in range(2):
        x = b.apply(OPS["relu6"], [b.apply(OPS["fc"], [x], path="head", features=4)[0]], path="act")[0]
    model = loaded(b.build({"y": x}))
    assert sorted(t.name for t in model.graph.initializer) == [
        "head.bias", "head.weight", "number/0", "number/6"]
    assert [n.name for n in model.graph.node] == ["head", "act", "head_2", "act_2"]


def test_a_raw_weight_is_an_initialiser_of_its_name() -> None:
    b = GraphBuilder("m")
    x = b.input("image", TensorType((3, 4)))
    gate = b.parameter(Weight("block.gate", (3, 1), "weight", "weight", True, Initialiser("ones")))
    graph = b.build({"y": b.apply(OPS["multiply"], [x, gate], path="multiply1")[0]})
    model = loaded(graph)
    assert [t.name for t in model.graph.initializer] == ["block.gate"]


def one_layer(name: str, free: bool = True, feeds: int = 1, **arguments: Any) -> Graph:
    b = GraphBuilder("m")
    kind = TensorType((4, 9, 14), (False, free, free))
    values = [b.input(n, kind, free={"H": 1, "W": 2} if free else {}) for n in "ab"[:feeds]]
    words = {k: Word(v) if isinstance(v, str) else v for k, v in arguments.items()}
    return b.build({"y": b.apply(OPS[name], values, path="layer", **words)[0]})


@pytest.mark.parametrize(("name", "arguments"), [
    ("adaptiveavgpool", {"size": (3, 5)}),
    ("adaptivemaxpool", {"size": (1, 5)}),
    ("adaptivemaxpool", {"like": Position(1), "feeds": 2}),
    ("avgpool", {"kernel": 3, "stride": 2, "round": "ceil", "divisor": "window"}),
    ("avgpool", {"kernel": 3, "stride": 2, "round": "caffe", "divisor": 7}),
])
def test_what_a_file_cannot_do_at_free_sizes_is_refused_at_the_layer(name: str,
                                                                     arguments: dict[str, Any]) -> None:
    graph = one_layer(name, **arguments)
    with pytest.raises(Error) as caught:
        OnnxBackend().check(graph)
    assert [d.code for d in caught.value.diagnostics] == ["E600"]
    assert "free" in caught.value.diagnostics[0].message
    assert refusal(one_layer(name, free=False, **arguments).nodes[0]) is None


@pytest.mark.parametrize(("dtype", "word"), [("float64", "double-precision"), ("float16", "float16")])
def test_other_float_types_are_refused(dtype: str, word: str) -> None:
    graph = network()
    with pytest.raises(BackendError) as caught:
        OnnxBackend().load(graph, numbers(graph), dtype)
    assert caught.value.diagnostics[0].code == "E601"
    assert word in caught.value.diagnostics[0].message


@pytest.mark.parametrize(("inputs", "code"), [
    ({}, "E606"),
    ({"image": np.zeros((1, 4, 9, 14)), "imgae": np.zeros(1)}, "E606"),
    ({"image": np.zeros((4, 9, 14))}, "E606"),
    ({"image": np.zeros((1, 4, 9, 13))}, "E606"),
    ({"image": np.zeros((1, 4, 9, 14), "U2")}, "E606"),
])
def test_inputs_that_do_not_fit_are_refused(inputs: dict[str, np.ndarray], code: str) -> None:
    graph = network()
    with pytest.raises(BackendError) as caught:
        OnnxBackend().load(graph, numbers(graph)).run(inputs)
    assert caught.value.diagnostics[0].code == code


def test_a_free_size_that_a_layer_cannot_honour_is_refused_by_name() -> None:
    graph = one_layer("maxpool", kernel=(3, 2))
    runnable = OnnxBackend().load(graph, {})
    assert runnable.run({"a": np.zeros((1, 4, 6, 8))})["y"].shape == (1, 4, 2, 4)
    with pytest.raises(BackendError) as caught:
        runnable.run({"a": np.zeros((1, 4, 7, 8))})
    assert caught.value.diagnostics[0].code == "E607"
    assert "`layer`" in caught.value.diagnostics[0].message


def test_training_and_gradients_are_refused() -> None:
    graph = network()
    runnable = OnnxBackend().load(graph, numbers(graph))
    image = {"image": np.zeros((1, 4, 9, 14))}
    for call in (lambda: runnable.run(image, training=True), lambda: runnable.gradients(image, {})):
        with pytest.raises(BackendError) as caught:
            call()
        assert caught.value.diagnostics[0].code == "E602"


def test_the_weights_come_back() -> None:
    graph = network()
    weights = numbers(graph)
    back = OnnxBackend().load(graph, weights).weights()
    assert back.keys() == weights.keys()
    assert all(np.array_equal(back[n], weights[n]) for n in weights)


def test_a_spec_text_changes_the_metadata_alone() -> None:
    graph = network()
    other = replace(graph, source_text="model net { } # two")
    first, second = loaded(graph), loaded(other)
    assert first.graph == second.graph
    assert first != second


def chain(kind: TensorType, names: dict[str, int], *layers: tuple[str, dict[str, Any]]) -> Graph:
    b = GraphBuilder("m")
    y = b.input("x", kind, free=names)
    for i, (layer, arguments) in enumerate(layers):
        words = {k: Word(v) if isinstance(v, str) else v for k, v in arguments.items()}
        y = b.apply(OPS[layer], [y], path=f"layer{i}", **words)[0]
    return b.build({"y": y})


TURNED = ("permute", {"order": (1, 0, 2)})
FREE_CHAINS = {
    "instancenorm of channels that are free": (TURNED, ("instancenorm", {"eps": 0.1})),
    "layernorm of channels that are free": (TURNED, ("layernorm", {"eps": 0.1, "affine": False})),
    "softmax over channels that are free": (TURNED, ("softmax", {})),
    "lrn over channels that are free": (TURNED, ("lrn", {"size": 3, "alpha": 0.5})),
    "lrn as published over channels that are free": (TURNED, ("lrn", {"size": 3})),
    "pools of channels that are free": (TURNED, ("avgpool", {"kernel": (2, 2), "stride": 1})),
    "a reduction over what is free": (TURNED, ("reduce", {"how": "mean", "axis": "channels"})),
    "fc along another axis": (TURNED, ("fc", {"features": 3, "axis": "last"})),
}


@pytest.mark.parametrize("name", FREE_CHAINS)
def test_channels_may_be_free_after_a_permutation(name: str) -> None:
    graph = chain(TensorType((4, 9, 6), (False, True, False)), {"H": 1}, *FREE_CHAINS[name])
    assert verify(graph, backends=["numpy", "onnx"]).passed


@pytest.mark.parametrize(("layer", "arguments"), [
    ("lrn", {"size": 3, "alpha": 1.0}), ("lrn", {"size": 3}), ("batchnorm", {}), ("l2norm", {}), ("groupnorm", {"groups": 2}),
    ("adaptiveavgpool", {"size": 1}), ("maxpool", {"kernel": 2, "stride": 1}), ("layernorm", {}),
    ("conv", {"filters": 3, "kernel": (2, 3, 1), "pad": ((1, 0), (2, 1), (0, 2)), "pad_mode": "reflect"}),
])
def test_volumes_may_be_free_on_all_axes(layer: str, arguments: dict[str, Any]) -> None:
    kind = TensorType((4, 5, 6, 7), (False, True, True, True))
    graph = chain(kind, {"D": 1, "H": 2, "W": 3}, (layer, arguments))
    assert verify(graph, backends=["numpy", "onnx"]).passed


def test_an_axis_may_be_pooled_to_one_where_it_is_free_and_otherwise_where_it_is_not() -> None:
    for layer in ("adaptiveavgpool", "adaptivemaxpool"):
        graph = chain(TensorType((4, 9, 14), (False, True, False)), {"H": 1}, (layer, {"size": (1, 4)}))
        assert verify(graph, backends=["numpy", "onnx"]).passed


@pytest.mark.parametrize(
    ("shape", "free", "size", "other"),
    [
        ((4, 8, 14), (False, True, False), (1, 7), (5, 14)),  # the windows of both axes are alike at the nominal size
        ((4, 1, 14), (False, True, False), (1, 14), (5, 14)),  # the nominal size is that of the result
        ((4, 9, 1), (False, False, True), (4, 1), (9, 3)),
    ],
)
@pytest.mark.parametrize("layer", ["adaptiveavgpool", "adaptivemaxpool"])
def test_a_free_axis_is_pooled_to_one_at_every_size(layer: str, shape: tuple[int, ...], free: tuple[bool, ...],
                                                    size: tuple[int, int], other: tuple[int, int]) -> None:
    graph = chain(TensorType(shape, free), {"H" if free[1] else "W": 1 if free[1] else 2}, (layer, {"size": size}))
    pool = {"adaptiveavgpool": torch.nn.functional.adaptive_avg_pool2d,
            "adaptivemaxpool": torch.nn.functional.adaptive_max_pool2d}[layer]
    for extents in (shape[1:], other):
        x = np.random.default_rng(0).normal(size=(2, 4, *extents)).astype(np.float32)
        (got,) = OnnxRunnable(graph, {}).run({"x": x}).values()
        np.testing.assert_allclose(got, pool(torch.from_numpy(x), size).numpy(), atol=1e-6)


def test_a_large_value_leaves_no_rounding_in_the_lrn_of_the_channels_after_it() -> None:
    graph = chain(TensorType((6, 1, 1)), {}, ("lrn", {"size": 3, "alpha": 0.5}))
    x = np.array([1e4, 3e3, 1, 2, 3, 4], np.float32).reshape(1, 6, 1, 1)
    wanted = torch.nn.functional.local_response_norm(torch.from_numpy(x).double(), 3, 0.5, 0.75, 1.0).numpy()
    (got,) = OnnxRunnable(graph, {}).run({"x": x}).values()
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
