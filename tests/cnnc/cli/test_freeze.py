"""`cnnc train --freeze`: fine-tuning from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnnc

SPEC = """model small(classes = 10) {
    input image: [1, 8, 8]
    preprocess { rescale(1 / 255) }
    conv1: conv(4, 3x3, bias = false) -> bn1: batchnorm -> relu -> maxpool(2x2)
    flatten -> fc: fc(classes)
    output logits
}

train small {
    optimizer = sgd(lr = 0.05, momentum = 0.9, decay = 0.01)
    epochs = 1
    batch = 256
    FREEZE
}
"""
LINE = ("train", "small.cnn", "--data", "digits", "--backend", "numpy", "-o", "small.safetensors")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.cnn"
    path.write_text(SPEC.replace("FREEZE", ""))
    return path


def changed(small: Path, after: str = "small.safetensors") -> set[str]:
    """The weights that are not those of `start.safetensors` any more, bit by bit."""
    graph = cnnc.load(small)
    one, other = (cnnc.load_weights(name, graph) for name in ("start.safetensors", after))
    return {name for name in graph.weights if not np.array_equal(one[name], other[name])}


def test_what_is_frozen_is_the_same_afterwards(run: Callable, small: Path) -> None:
    assert run(*LINE[:-1], "start.safetensors").status == 0
    start = ("--weights", "start.safetensors")
    for backend in ("numpy", "torch"):
        done = run(*LINE, "--backend", backend, *start, "--freeze", "all but fc")
        assert done.status == 0, done.err
        assert "small: 414 parameters, 370 of them trained; digits" in done.err
        assert changed(small) == {"fc.weight", "fc.bias"}
    assert run(*LINE, *start, "--freeze", "conv1", "--freeze", "fc.weight").status == 0
    assert changed(small) == {"bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "fc.bias"}
    # The train section's, and the command line's instead of it.
    small.write_text(SPEC.replace("FREEZE", 'freeze = "conv1, bn1"'))
    assert run(*LINE, *start).status == 0
    assert changed(small) == {"fc.weight", "fc.bias"}
    done = run(*LINE, *start, "--freeze", "none")
    assert done.status == 0 and "small: 414 parameters; digits" in done.err
    assert changed(small) == set(cnnc.load(small).weights)


@pytest.mark.parametrize(("patterns", "code", "says"), [
    (("all but fcc",), "E807", 'did you mean "fc"?'),
    (("conv1", "bn2"), "E807", 'did you mean "bn1"?'),
    (("all",), "E808", '"all but fc"'),
    (("conv1, bn1, fc",), "E808", "nothing is left"),
    (("",), "E801", "all but fc"),
    (("all except fc",), "E801", "all but fc"),
])
def test_a_freeze_that_cannot_be_is_refused_before_anything_runs(
    run: Callable, small: Path, patterns: tuple[str, ...], code: str, says: str
) -> None:
    done = run(*LINE, *(word for text in patterns for word in ("--freeze", text)))
    assert done.status == 1 and f"error[{code}]" in done.err and says in done.err
    assert {path.name for path in small.parent.iterdir()} == {"small.cnn"}


def test_other_frozen_weights_are_another_training(run: Callable, small: Path) -> None:
    assert run(*LINE, "--freeze", "conv1").status == 0
    resume = ("--resume", "small.last.safetensors")
    done = run(*LINE, *resume)
    assert done.status == 1 and "E806" in done.err and '`freeze` is ["conv1"] there, not []' in done.err
    assert run(*LINE, *resume, "--freeze", "conv1").status == 0


def test_check_tells_of_a_freeze_at_its_place(run: Callable, small: Path) -> None:
    small.write_text(SPEC.replace("FREEZE", 'freeze = ["conv1", "layer9"]'))
    done = run("check", small)
    assert done.status == 1 and "error[E807]" in done.err + done.out
    assert "small.cnn:13:24" in done.err + done.out
