"""Checkpoints: what is saved comes back, and only into the same training."""

from __future__ import annotations

import numpy as np
import pytest

from cnnc import checkpoint, weights_io
from cnnc.checkpoint import Checkpoint, Progress
from compiler.initial import initial_weights
from compiler.load import load
from compiler.training import TrainingError
from compiler.weights import WeightsError
from spec_lang.source import Source

GRAPH = load(
    Source(
        "test.cnn", "model m { input image: [1, 8, 8]\n    conv(4, 3x3) -> batchnorm -> flatten -> fc(3)\n}"
    )
)
IDENTITY = {"settings": "train(epochs = 3)", "seed": "0", "backend": "numpy", "data": "0123"}
SAVED = Checkpoint(
    initial_weights(GRAPH, 1),
    {"step": np.array(17), "velocity/conv1.weight": np.full((4, 1, 3, 3), 0.1, np.float32),
     "random": np.arange(9, dtype=np.uint8), "mean": np.array([1 / 3])},
    Progress(17, [{"train_loss": 1e-300, "train_accuracy": 0.5, "accuracy": 0.1 + 0.2}], 0.1 + 0.2, 0, 1 / 3, 5, 9),
    IDENTITY,
)


@pytest.fixture
def path(tmp_path):
    checkpoint.save(tmp_path / "last.safetensors", GRAPH, SAVED, ("a", "b", "c"))
    return tmp_path / "last.safetensors"


def test_everything_comes_back_bit_for_bit(path):
    found = checkpoint.restore(path, GRAPH, IDENTITY)
    assert found.progress == SAVED.progress and found.identity == IDENTITY
    for ours, theirs in ((found.weights, SAVED.weights), (found.state, SAVED.state)):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert ours[name].dtype == theirs[name].dtype and ours[name].shape == theirs[name].shape
            assert ours[name].tobytes() == theirs[name].tobytes()


def test_a_checkpoint_serves_as_a_file_of_weights(path):
    loaded = weights_io.read_weights(path, GRAPH)
    assert loaded.classes == ("a", "b", "c") and loaded.report.unexpected == ()
    assert all(np.array_equal(loaded.weights[name], SAVED.weights[name]) for name in GRAPH.weights)


def test_the_same_content_gives_the_same_bytes(path, tmp_path):
    shuffled = Checkpoint(SAVED.weights, dict(reversed(SAVED.state.items())), SAVED.progress,
                          dict(reversed(IDENTITY.items())))
    checkpoint.save(tmp_path / "again", GRAPH, shuffled, ("a", "b", "c"))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("key", list(IDENTITY))
def test_a_checkpoint_of_another_training_is_refused_with_what_differs(path, key):
    with pytest.raises(TrainingError) as caught:
        checkpoint.restore(path, GRAPH, {**IDENTITY, key: "other"})
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "E806" and f"`{key}` is {IDENTITY[key]} there, not other" in diagnostic.message


def test_a_file_of_weights_is_no_checkpoint(tmp_path):
    weights_io.save_weights(tmp_path / "w", SAVED.weights, GRAPH)
    with pytest.raises(TrainingError) as caught:
        checkpoint.restore(tmp_path / "w", GRAPH, IDENTITY)
    assert caught.value.diagnostics[0].code == "E806"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_damaged_checkpoint_is_refused(path, share):
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 4
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        checkpoint.restore(path, GRAPH, IDENTITY)
    assert caught.value.diagnostics[0].code in ("E516", "E517")


@pytest.mark.parametrize("metadata", [
    {"kind": "checkpoint"}, {"kind": "checkpoint", "progress": "{}", "identity": "x"},
    {"kind": "checkpoint", "progress": '{"more": 1}', "identity": "{}"}])
def test_a_checkpoint_that_does_not_say_where_it_stands_is_refused(tmp_path, metadata):
    weights_io.safetensors.write(tmp_path / "x", SAVED.weights, metadata)
    with pytest.raises(WeightsError) as caught:
        checkpoint.restore(tmp_path / "x", GRAPH, {})
    assert caught.value.diagnostics[0].code == "E516"
