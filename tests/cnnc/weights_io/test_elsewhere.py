"""Weights from elsewhere, compared with what PyTorch computes from the same file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnc
from compiler.weights import WeightsError

SPEC = """model net(classes = 5) {
    input image: [3, 9, 19]
    conv1: conv(4, 3x5, stride = (1, 2)) -> relu -> maxpool(2x2, round = floor)
    fc6: conv(6, 3x4) -> relu
    score: conv(classes, 1x1)
    flatten
    output logits
}
"""
IMAGES = np.random.default_rng(7).standard_normal((2, 3, 9, 19)).astype(np.float32)
State = dict[str, torch.Tensor]


def theirs(classes: int = 5) -> torch.nn.Module:
    """The network with fully connected layers, as somebody else wrote it."""
    torch.manual_seed(3)
    modules = {
        "conv1": torch.nn.Conv2d(3, 4, (3, 5), stride=(1, 2)),
        "relu": torch.nn.ReLU(),
        "pool": torch.nn.MaxPool2d(2),
        "flat": torch.nn.Flatten(),
        "fc6": torch.nn.Linear(4 * 3 * 4, 6),
        "relu6": torch.nn.ReLU(),
        "score": torch.nn.Linear(6, classes),
    }
    net = torch.nn.Sequential()
    for name, module in modules.items():
        net.add_module(name, module)
    return net


@pytest.fixture
def graph(tmp_path: Path) -> cnnc.Graph:
    path = tmp_path / "net.cnn"
    path.write_text(SPEC)
    return cnnc.load(path)


def saved(folder: Path, content: Any) -> Path:
    path = folder / "theirs.pth"
    torch.save(content, path)
    return path


def logits(graph: cnnc.Graph, weights: Any, images: Any = IMAGES) -> Any:
    return cnnc.runnable(graph, "numpy", weights).run({"image": images})["logits"]


def codes(*arguments: Any, **named: Any) -> list[str]:
    with pytest.raises(WeightsError) as caught:
        cnnc.load_weights(*arguments, **named)
    return [d.code for d in caught.value.diagnostics]


def test_fully_connected_layers_become_convolutions_that_compute_the_same(
    tmp_path: Path, graph: cnnc.Graph
) -> None:
    net = theirs()
    path = saved(tmp_path, net.state_dict())
    weights = cnnc.load_weights(path, graph, adapt=["fc_to_conv"])
    assert [(name, array.shape) for name, array in weights.items()] == [
        (name, weight.shape) for name, weight in graph.weights.items()
    ]
    want = net(torch.from_numpy(IMAGES)).detach().numpy()
    assert want.shape == (2, 5) and np.abs(want).max() > 0.1
    np.testing.assert_allclose(logits(graph, weights), want, atol=1e-5)


def test_a_network_for_bgr_sees_the_same_in_rgb(tmp_path: Path, graph: cnnc.Graph) -> None:
    net = theirs()
    path = saved(tmp_path, net.state_dict())
    weights = cnnc.load_weights(path, graph, adapt=("bgr_to_rgb", "fc_to_conv"))
    bgr = np.ascontiguousarray(IMAGES[:, ::-1])
    want = net(torch.from_numpy(bgr)).detach().numpy()
    np.testing.assert_allclose(logits(graph, weights), want, atol=1e-5)
    assert np.abs(logits(graph, weights, bgr) - want).max() > 0.01
    plain = cnnc.load_weights(path, graph, adapt=["fc_to_conv"])
    assert [name for name in weights if not np.array_equal(weights[name], plain[name])] == ["conv1.weight"]


def test_a_first_layer_that_was_fully_connected_is_turned_as_the_convolution_that_it_becomes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "flat.cnn"
    path.write_text("model m {\n input image: [3, 4, 5]\n only: conv(2, 4x5) -> flatten\n output logits\n}\n")
    graph, dense = cnnc.load(path), torch.nn.Linear(60, 2)
    state = {f"only.{name}": tensor for name, tensor in dense.state_dict().items()}
    weights = cnnc.load_weights(saved(tmp_path, state), graph, adapt=["bgr_to_rgb", "fc_to_conv"])
    images = np.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype(np.float32)
    want = dense(torch.from_numpy(images[:, ::-1].copy()).flatten(1)).detach().numpy()
    np.testing.assert_allclose(logits(graph, weights, images), want, atol=1e-5)


def test_another_number_of_classes_keeps_all_but_the_head(tmp_path: Path, graph: cnnc.Graph) -> None:
    state = theirs(classes=11).state_dict()
    path = saved(tmp_path, state)
    assert codes(path, graph, adapt=["fc_to_conv"]) == ["E512", "E512"]
    loaded = cnnc.read_weights(path, graph, adapt=["fc_to_conv", "head"], seed=4)
    initial = cnnc.initial_weights(graph, seed=4)
    assert loaded.report.initial == {"score.weight", "score.bias"}
    assert list(loaded.weights) == list(graph.weights)
    for name, array in loaded.weights.items():
        want = initial[name] if name.startswith("score") else state[name].numpy().reshape(array.shape)
        np.testing.assert_array_equal(array, want)
    other = cnnc.load_weights(path, graph, adapt=["fc_to_conv", "head"], seed=5)
    assert not np.array_equal(other["score.weight"], loaded.weights["score.weight"])


@pytest.mark.parametrize("form", ["mapping", "pairs", "table"])
def test_names_are_brought_together_by_a_mapping_by_pairs_or_by_a_table(
    tmp_path: Path, graph: cnnc.Graph, form: str
) -> None:
    state = {
        f"backbone.{name}".replace("backbone.score", "fc8"): tensor
        for name, tensor in theirs().state_dict().items()
    }
    path = saved(tmp_path, state)
    rename: Any = {"backbone": "", "fc8": "score"}
    if form == "pairs":
        rename = list(rename.items())
    elif form == "table":
        rename = tmp_path / "names.txt"
        rename.write_text("# from Caffe\n\nbackbone =   # nothing in front\n  fc8 = score\n")
    loaded = cnnc.read_weights(path, graph, rename=rename, adapt=["fc_to_conv"])
    np.testing.assert_array_equal(loaded.weights["score.bias"], state["fc8.bias"].numpy())
    assert loaded.report.renamed["conv1.weight"] == "backbone.conv1.weight"
    assert len(loaded.report.renamed) == 6
    assert any("backbone.conv1.weight to conv1.weight" in note for note in loaded.notes)
    assert "  renamed     fc8.bias to score.bias" in loaded.report.render().splitlines()


def test_partial_takes_what_matches_and_lists_the_rest(tmp_path: Path, graph: cnnc.Graph) -> None:
    state = {name: t for name, t in theirs().state_dict().items() if not name.startswith("fc6")}
    path = saved(tmp_path, state | {"ema.weight": torch.ones(3)})
    assert codes(path, graph) == ["E510", "E510", "E511", "E512"]
    loaded = cnnc.read_weights(path, graph, partial=True, adapt=["fc_to_conv"], seed=2)
    initial = cnnc.initial_weights(graph, seed=2)
    for name, array in loaded.weights.items():
        want = initial[name] if name.startswith("fc6") else state[name].numpy().reshape(array.shape)
        np.testing.assert_array_equal(array, want)
    assert loaded.report.missing == ("fc6.weight", "fc6.bias")
    assert loaded.report.unexpected == ("ema.weight",)
    text = "\n".join(loaded.notes)
    assert "initial values: fc6.weight, fc6.bias" in text and "left out: ema.weight" in text
    lines = loaded.report.render().splitlines()
    assert {"  missing     fc6.bias", "  unexpected  ema.weight"} <= set(lines)


def test_partial_excuses_no_other_shape_no_other_type_and_no_other_model(
    tmp_path: Path, graph: cnnc.Graph
) -> None:
    state = dict(theirs().state_dict())
    assert codes(saved(tmp_path, state), graph, partial=True) == ["E512", "E512"]
    del state["fc6.weight"], state["score.weight"]
    typed = state | {"score.bias": torch.ones(5, dtype=torch.int64)}
    assert codes(saved(tmp_path, typed), graph, partial=True) == ["E513"]
    nothing: State = {}
    for none in (nothing, {f"x.{name}": tensor for name, tensor in state.items()}):
        assert codes(saved(tmp_path, none), graph, partial=True) == ["E521"]
    assert set(cnnc.load_weights(saved(tmp_path, state), graph, partial=True)) == set(graph.weights)


def test_a_rule_without_effect_is_told_at_its_place_and_alone(tmp_path: Path, graph: cnnc.Graph) -> None:
    path = saved(tmp_path, theirs().state_dict())
    table = tmp_path / "names.txt"
    table.write_text("conv1 = conv1\nfc6 = fc6x\nfc77 = score\n")
    with pytest.raises(WeightsError) as caught:
        cnnc.load_weights(path, graph, rename=table)
    assert [(d.code, str(d.span)) for d in caught.value.diagnostics] == [("E519", f"{table}:1:1")]
    table.write_text("fc6 = fc6x\nfc7 = score\n")
    with pytest.raises(WeightsError) as caught:
        cnnc.load_weights(path, graph, rename=table)
    assert [(d.code, str(d.span)) for d in caught.value.diagnostics] == [("E519", f"{table}:2:1")]
    assert codes(path, graph, rename={"fc6.weight": "fc6.bias"}) == ["E519"]


def test_numbers_that_are_not_finite_are_refused_only_where_they_are_taken(
    tmp_path: Path, graph: cnnc.Graph
) -> None:
    state = theirs(classes=11).state_dict()
    state["score.bias"][3] = torch.nan
    both = ["head", "fc_to_conv"]
    weights = cnnc.load_weights(saved(tmp_path, state), graph, adapt=both)
    assert all(np.isfinite(array).all() for array in weights.values())
    state["conv1.bias"][3] = torch.nan
    assert codes(saved(tmp_path, state), graph, adapt=both) == ["E514"]


def test_class_names_go_with_the_last_layer(tmp_path: Path, graph: cnnc.Graph) -> None:
    names = ("a", "b", "c", "d", "e", "f", "g")
    seven = cnnc.load(tmp_path / "net.cnn", classes=7)
    path = tmp_path / "ours.safetensors"
    cnnc.save_weights(path, cnnc.initial_weights(seven, seed=1), seven, classes=names)
    assert cnnc.read_weights(path, seven, rename={"conv1": "old"}, partial=True).classes == names
    assert cnnc.read_weights(path, seven, rename={"score": "old"}, partial=True).classes == ()
    loaded = cnnc.read_weights(path, graph, adapt="head")
    assert loaded.classes == () and any("class names" in note for note in loaded.notes)


def test_a_model_for_bgr_is_asked_about_when_weights_are_turned_for_it(tmp_path: Path) -> None:
    path = tmp_path / "bgr.cnn"
    path.write_text(SPEC.replace("    conv1", "    preprocess { resize(9x19) -> bgr }\n    conv1"))
    file = saved(tmp_path, theirs().state_dict())
    turned = cnnc.read_weights(file, cnnc.load(path), adapt=["bgr_to_rgb", "fc_to_conv"])
    assert any("`bgr`" in note for note in turned.notes)
    plain = cnnc.read_weights(file, cnnc.load(path), adapt=["fc_to_conv"])
    assert not any("bgr" in note for note in plain.notes)


# ---- files that training scripts write --------------------------------------------------------

OPTIONS = argparse.Namespace(model="net", lr=0.1, mean=(0.5,), opt=None)


@pytest.mark.parametrize(
    "content, taken, value",
    [
        # timm's CheckpointSaver
        ({"epoch": 3, "arch": "net", "state_dict": 1, "optimizer": {}, "version": 2, "args": OPTIONS,
          "state_dict_ema": 2, "metric": 0.5}, "state_dict_ema", 2),
        ({"state_dict": 1, "args": OPTIONS}, "state_dict", 1),
        # torchvision's references
        ({"model": 1, "optimizer": {}, "lr_scheduler": {}, "epoch": 9, "args": OPTIONS}, "model", 1),
        ({"model": 1, "model_ema": 2}, "model_ema", 2),
        ({"model": 1, "state_dict": 3}, "state_dict", 3),
        ({"model_state": 1}, "model_state", 1),
    ],
)  # fmt: skip
def test_the_weights_in_a_training_script_s_file_are_found_and_the_choice_is_told(
    tmp_path: Path, graph: cnnc.Graph, content: dict[str, Any], taken: str, value: int
) -> None:
    keys = [key for key in content if key.startswith(("state_dict", "model"))]
    states = {
        key: {name: torch.full_like(t, content[key]) for name, t in theirs().state_dict().items()}
        for key in keys
    }
    loaded = cnnc.read_weights(saved(tmp_path, content | states), graph, adapt=["fc_to_conv"])
    assert all((array == value).all() for array in loaded.weights.values())
    [told] = [note for note in loaded.notes if "are those under" in note]
    assert f"those under `{taken}`" in told
    assert all(f"not those under `{key}`" in told for key in keys if key != taken)


def test_an_averaged_model_of_pytorch_loads_with_its_counter(tmp_path: Path, graph: cnnc.Graph) -> None:
    net = theirs()
    averaged = torch.optim.swa_utils.AveragedModel(net)
    path = saved(tmp_path, {"model_ema": averaged.state_dict()})
    loaded = cnnc.read_weights(path, graph, adapt=["fc_to_conv"])
    assert loaded.report.ignored == ("n_averaged",) and loaded.report.stripped == "module."
    np.testing.assert_array_equal(loaded.weights["conv1.bias"], net.state_dict()["conv1.bias"].numpy())
