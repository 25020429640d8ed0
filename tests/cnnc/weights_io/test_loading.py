"""Loading and saving the weights of a graph."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy
import torch

from cnnc import weights_io
from compiler.initial import initial_weights
from compiler.load import load as load_graph
from compiler.weights import WeightsError
from spec_lang.source import Source

GRAPH = load_graph(Source("test.cnn", """model net { input image: [1, 8, 8]
    conv(4, 3x3) -> batchnorm -> relu
    training { globalavgpool -> flatten -> aux: fc(3)
        output aux }
    flatten -> head: fc(3)
    output out
}
"""))
WEIGHTS = initial_weights(GRAPH, seed=3)


def codes(call, *arguments, **named):
    with pytest.raises(WeightsError) as caught:
        call(*arguments, **named)
    return [d.code for d in caught.value.diagnostics]


def same(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def test_weights_that_are_saved_are_loaded_with_what_the_file_says_of_itself(tmp_path):
    path = tmp_path / "net.safetensors"
    weights_io.save_weights(path, WEIGHTS, GRAPH, classes=("cat", "dog", "ünknown"))
    loaded = weights_io.read_weights(path, GRAPH)
    assert same(loaded.weights, WEIGHTS) and loaded.report.fits and loaded.notes == ()
    assert loaded.classes == ("cat", "dog", "ünknown")
    assert loaded.metadata["model"] == "net" and len(loaded.metadata["spec_sha256"]) == 64


def test_the_order_of_the_mapping_changes_no_byte_of_the_file(tmp_path):
    weights_io.save_weights(tmp_path / "a", WEIGHTS, GRAPH)
    weights_io.save_weights(tmp_path / "b", dict(reversed(WEIGHTS.items())), GRAPH)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_format_is_told_by_the_content_not_by_the_name(tmp_path):
    weights_io.save_weights(tmp_path / "a.pth", WEIGHTS, GRAPH)
    torch.save({name: torch.tensor(array) for name, array in WEIGHTS.items()}, tmp_path / "b.safetensors")
    assert same(weights_io.load_weights(tmp_path / "a.pth", GRAPH), WEIGHTS)
    assert same(weights_io.load_weights(tmp_path / "b.safetensors", GRAPH), WEIGHTS)


@pytest.mark.parametrize("length", [0x4B50, 0x10280], ids=["PK", "pickle"])
def test_a_header_whose_length_looks_like_another_format_is_no_matter(tmp_path, length):
    path = tmp_path / "a"
    safetensors.numpy.save_file(WEIGHTS, path)
    content = path.read_bytes()
    old = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + old].ljust(length)
    path.write_bytes(length.to_bytes(8, "little") + header + content[8 + old :])
    assert path.read_bytes()[:2] in (b"PK", b"\x80\x02")
    assert same(weights_io.load_weights(path, GRAPH), WEIGHTS)


@pytest.mark.parametrize("content", [b"", b"{}", b"GIF89a and so on", b"PK\x05\x06" + bytes(18)])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert codes(weights_io.read_weights, tmp_path / "a", GRAPH) == ["E515"]


def test_a_file_of_pytorch_with_counters_and_a_wrapper_fits(tmp_path):
    state = {"module." + name: torch.tensor(array).double() for name, array in WEIGHTS.items()}
    state["module.batchnorm1.num_batches_tracked"] = torch.tensor(5)
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    loaded = weights_io.read_weights(tmp_path / "a.pth", GRAPH)
    assert same(loaded.weights, WEIGHTS) and all(a.dtype == np.float32 for a in loaded.weights.values())
    text = "\n".join(loaded.notes)
    assert (
        "`module.`" in text and "float64" in text and "num_batches_tracked" in text and "`state_dict`" in text
    )


def test_a_mistake_in_the_file_changes_nothing_and_is_reported_whole(tmp_path):
    wrong = {name: array for name, array in WEIGHTS.items() if name != "conv1.bias"}
    wrong["conv1.bais"] = WEIGHTS["conv1.bias"]
    wrong["head.weight"] = np.ascontiguousarray(WEIGHTS["head.weight"].T)
    safetensors.numpy.save_file(wrong, tmp_path / "a")
    assert codes(weights_io.read_weights, tmp_path / "a", GRAPH) == ["E510", "E511", "E512"]


def test_what_training_alone_uses_may_be_missing_for_inference(tmp_path):
    lean = {name: array for name, array in WEIGHTS.items() if not name.startswith("aux")}
    weights_io.save_weights(tmp_path / "a", lean, GRAPH)
    assert same(weights_io.load_weights(tmp_path / "a", GRAPH), lean)
    assert codes(weights_io.read_weights, tmp_path / "a", GRAPH, training=True) == ["E510", "E510"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name_unless_asked_for(tmp_path, value):
    wrong = {name: array.copy() for name, array in WEIGHTS.items()}
    wrong["head.weight"][1, 2] = value
    weights_io.save_weights(tmp_path / "a", wrong, GRAPH)
    with pytest.raises(WeightsError) as caught:
        weights_io.read_weights(tmp_path / "a", GRAPH)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "E514" and "`head.weight`" in diagnostic.message and " 1 " in diagnostic.message
    loaded = weights_io.load_weights(tmp_path / "a", GRAPH, allow_nonfinite=True)
    assert np.array_equal(loaded["head.weight"], wrong["head.weight"], equal_nan=True)


def test_a_double_that_overflows_in_single_precision_is_refused(tmp_path):
    wrong = {name: array.astype(np.float64) for name, array in WEIGHTS.items()}
    wrong["head.bias"][0] = 1e300
    safetensors.numpy.save_file(wrong, tmp_path / "a")
    assert codes(weights_io.read_weights, tmp_path / "a", GRAPH) == ["E514"]
    assert weights_io.load_weights(tmp_path / "a", GRAPH, dtype="float64")["head.bias"][0] == 1e300


def test_weights_that_do_not_fit_the_graph_are_not_saved(tmp_path):
    lean = {name: array for name, array in WEIGHTS.items() if name != "head.bias"}
    assert codes(weights_io.save_weights, tmp_path / "a", lean, GRAPH) == ["E510"]
    assert list(tmp_path.iterdir()) == []


def test_class_names_survive_whatever_they_hold(tmp_path):
    classes = ('"quoted"', "new\nline", "\x1b[31mred", json.dumps({"a": 1}))
    weights_io.save_weights(tmp_path / "a", WEIGHTS, GRAPH, classes=classes)
    assert weights_io.read_weights(tmp_path / "a", GRAPH).classes == classes
