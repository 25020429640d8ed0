"""`--weights` and what goes with it: the same for every verb that takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import cnnc

SPEC = """model net(classes = 10) {
    input image: [1, 8, 8]
    preprocess { rescale(1 / 255) }
    conv1: conv(4, 3x3) -> relu -> flatten
    fc1: fc(classes)
    output logits
}
train net {
    optimizer = sgd(lr = 0.01)
    epochs = 1
    batch = 500
}
"""
VERBS = {
    "compile": ["--backend", "numpy", "-o", "out.py"],
    "export": ["-o", "out.onnx"],
    "verify": ["--backend", "numpy", "--backend", "torch"],
    "eval": ["--data", "digits", "--backend", "numpy"],
    "predict": ["digit.png", "--backend", "numpy"],
    "train": ["--data", "digits", "--backend", "numpy", "-o", "out.safetensors"],
}
#: Matched, missing, unexpected.
LINE = "{}: {} matched, {} missing, {} unexpected, 0 of another shape\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec, weights that fit it (with and without names of others), and an image."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    graph = cnnc.load("net.cnn")
    # No bias is zero, as initial ones are.
    weights = {name: array + 0.25 for name, array in cnnc.initial_weights(graph, seed=7).items()}
    cnnc.save_weights("fits.safetensors", weights, graph)
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    torch.save({f"backbone.{name}".replace("backbone.fc1", "head"): t for name, t in state.items()}, "names.pth")
    del state["conv1.bias"]
    torch.save(state | {"extra.weight": torch.ones(2)}, "partly.pth")
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save("digit.png")
    return tmp_path


def fitting() -> dict[str, np.ndarray]:
    graph = cnnc.load("net.cnn")
    return cnnc.load_weights("fits.safetensors", graph)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_prints_the_report_in_a_line(run: Callable, folder: Path, verb: str) -> None:
    done = run(verb, "net.cnn", *VERBS[verb], "--weights", "fits.safetensors")
    assert done.status == 0, done.err
    assert done.err.count("matched") == 1 and LINE.format("fits.safetensors", 4, 0, 0) in done.err
    assert "note:" not in done.err and "matched" not in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_does_not_fit_is_reported_exactly_and_changes_nothing(
    run: Callable, folder: Path, verb: str
) -> None:
    state = torch.load("names.pth")
    state = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
    del state["conv1.bias"]  # one missing, one renamed, one that lies the other way
    state["fc1.weight"] = state.pop("head.weight").T.contiguous()
    state["fc.bias"] = state.pop("head.bias")
    torch.save(state, "wrong.pth")
    before = snapshot(folder)
    done = run(verb, "net.cnn", *VERBS[verb], "--weights", "wrong.pth")
    assert (done.status, done.out) == (1, "")
    errors = [line for line in done.err.splitlines() if line.startswith("error")]
    assert errors == [
        "error[E510]: `conv1.bias` is missing from the file",
        "error[E510]: `fc1.bias` is missing from the file",
        "error[E511]: `fc.bias` is in the file and not in the model",
        "error[E512]: `fc1.weight` is [144, 10] in the file and [10, 144] in the model",
    ]
    assert "= 1 matched, 2 missing, 1 unexpected, 1 of another shape" in done.err
    assert "`--rename fc=fc1`" in done.err and "`--adapt" not in done.err
    assert snapshot(folder) == before


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_what_matches_and_says_what_does_not(run: Callable, folder: Path, verb: str) -> None:
    given = (verb, "net.cnn", *VERBS[verb], "--weights", "partly.pth")
    assert run(*given).status == 1
    done = run(*given, "--partial")
    assert done.status == 0, done.err
    assert LINE.format("partly.pth", 3, 1, 1) in done.err
    assert "note: partial: not in the file, initial values: conv1.bias\n" in done.err
    assert "note: partial: not in the model, left out: extra.weight\n" in done.err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_another_number_of_classes_when_it_is_asked_to(
    run: Callable, folder: Path, verb: str
) -> None:
    other = cnnc.load("net.cnn", classes=3)
    cnnc.save_weights("three.safetensors", cnnc.initial_weights(other), other, classes=("a", "b", "c"))
    given = (verb, "net.cnn", *VERBS[verb], "--weights", "three.safetensors")
    before = snapshot(folder)
    done = run(*given)
    assert done.status == 1 and "`fc1.weight` is [3, 144] in the file and [10, 144] in the model" in done.err
    assert "`--adapt head`" in done.err and snapshot(folder) == before
    done = run(*given, "--adapt", "head")
    assert done.status == 0, done.err
    assert "2 matched" in done.err and "2 of the head left out" in done.err
    assert "fc1.weight [3, 144] to [10, 144], fc1.bias [3] to [10]" in done.err


def exported(run: Callable, *more: str) -> dict[str, np.ndarray]:
    """The weights that reach an ONNX file, by name."""
    import onnx
    from onnx import numpy_helper

    done = run("export", "net.cnn", "-o", "out.onnx", *more)
    assert done.status == 0, done.err
    return {one.name: numpy_helper.to_array(one) for one in onnx.load("out.onnx").graph.initializer}


def test_rules_that_rename_come_from_the_line_and_from_a_table(run: Callable, folder: Path) -> None:
    want = exported(run, "--weights", "fits.safetensors")
    Path("table.txt").write_text("# from there\nbackbone =\nhead = fc1\n")
    for rules in (["backbone=", "--rename", "head=fc1"], ["@table.txt"]):
        got = exported(run, "--weights", "names.pth", "--rename", *rules)
        assert got.keys() == want.keys() and all(np.array_equal(got[name], want[name]) for name in want)
    Path("table.txt").write_text("backbone =\nhaed = fc1\n")
    done = run("export", "net.cnn", "-w", "names.pth", "--rename", "@table.txt")
    assert done.status == 1 and "error[E519]: the rule `haed=fc1`: it fits no name in the file" in done.err
    assert "table.txt:2:1" in done.err and "= help: the file has `head`" in done.err
    done = run("export", "net.cnn", "-w", "names.pth", "--rename", "@none.txt")
    assert done.status == 1 and "error[E519]" in done.err and "none.txt" in done.err


def test_the_seed_is_that_of_the_initial_values(run: Callable, folder: Path) -> None:
    graph = cnnc.load("net.cnn", classes=3)
    for seed in (0, 5):
        more = ("--set", "classes=3", "--adapt", "head", "--seed", str(seed))
        got = exported(run, "-w", "fits.safetensors", *more)
        want = cnnc.initial_weights(graph, seed=seed) | {
            name: array for name, array in fitting().items() if name.startswith("conv1")
        }
        shapes = {array.shape: array for array in got.values()}
        for array in want.values():
            np.testing.assert_array_equal(shapes[array.shape], array)


def test_a_table_of_renames_is_no_output(run: Callable, folder: Path) -> None:
    Path("table.onnx").write_text("backbone =\nhead = fc1\n")
    before = snapshot(folder)
    done = run("export", "net.cnn", "-w", "names.pth", "--rename", "@table.onnx", "-o", "table.onnx")
    assert done.status == 3 and "error[E902]" in done.err and snapshot(folder) == before


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["verify", "net.cnn", "--partial"], "there is no `--weights`"),
        (["export", "net.cnn", "--rename", "a=b"], "there is no `--weights`"),
        (["train", "net.cnn", "--data", "digits", "--adapt", "head"], "there is no `--weights`"),
        (["verify", "net.cnn", "-w", "fits.safetensors", "--rename", "fc1"], "not of the form OLD=NEW"),
        (["verify", "net.cnn", "-w", "fits.safetensors", "--adapt", "heads"], "'head', 'fc_to_conv', 'bgr_to_rgb'"),
    ],
)  # fmt: skip
def test_options_that_cannot_have_an_effect_are_a_wrong_command_line(
    run: Callable, folder: Path, arguments: list[str], says: str
) -> None:
    before = snapshot(folder)
    done = run(*arguments)
    assert (done.status, done.out) == (2, "") and says in done.err, done.err
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    "more, code",
    [
        (["--adapt", "head"], "E520"),
        (["--adapt", "fc_to_conv"], "E520"),
        (["--adapt", "bgr_to_rgb"], "E520"),
        (["--rename", "fc2=fc3"], "E519"),
        (["--rename", "fc1=conv1"], "E519"),
        (["--rename", "=x", "--partial"], "E521"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_an_error(run: Callable, folder: Path, more: list[str], code: str) -> None:
    before = snapshot(folder)
    done = run("export", "net.cnn", "-w", "fits.safetensors", *more)
    assert done.status == 1 and f"error[{code}]" in done.err and snapshot(folder) == before


def test_training_starts_from_what_was_taken(run: Callable, folder: Path) -> None:
    """With a learning rate that moves nothing, the weights of the file come out again, and the head is new."""
    Path("net.cnn").write_text(SPEC.replace("lr = 0.01", "lr = 1e-30"))
    done = run("train", "net.cnn", *VERBS["train"], "-w", "partly.pth", "--partial", "--seed", "3")
    assert done.status == 0, done.err
    graph = cnnc.load("net.cnn")
    got = cnnc.load_weights("out.safetensors", graph)
    file, initial = fitting(), cnnc.initial_weights(graph, seed=3)
    for name in graph.weights:
        want = initial[name] if name == "conv1.bias" else file[name]
        np.testing.assert_allclose(got[name], want, rtol=0, atol=1e-20)


def test_json_on_standard_output_stays_json(run: Callable, folder: Path) -> None:
    done = run("predict", "net.cnn", *VERBS["predict"], "-w", "partly.pth", "--partial", "--json")
    assert len(json.loads(done.out)) == 1 and "3 matched" in done.err
