"""Each verb does what it says, end to end, on a small network."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnnc

SPEC = """## Digits in 8x8 pixels.
model small(classes = 10) {
    input image: [1, 8, 8]
    preprocess { rescale(1 / 255) }
    conv(8, 3x3, pad = half) -> batchnorm -> relu -> maxpool(2x2)
    flatten -> fc(classes)
    output logits
}

train small {
    optimizer = adam(lr = 1e-2)
    epochs = 2
    batch = 64
}
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.cnn"
    path.write_text(SPEC)
    return path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---- summary -----------------------------------------------------------------------------


def test_a_summary_that_is_not_for_a_terminal_is_plain_and_whole(run: Callable) -> None:
    done = run("summary", "alexnet_2012")
    assert done.status == 0 and "\x1b" not in done.out
    row = next(line for line in done.out.splitlines() if line.startswith("conv1 "))
    assert "55x55x96" in row and "(11*11*3)*96 = 34,848" in row and "34,944" in row


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_summary_in_a_terminal_keeps_names_and_weights_in_one_line(width: int) -> None:
    from rich.console import Console

    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(cnnc.summary(cnnc.load("vgg16")))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    row = next(line for line in lines if "features.2 " in line)
    assert "224x224x64" in row and "(3*3*64)*64 = 36,864" in row and "36,928" in row
    assert any("138,357,544" in line for line in lines)
    if width >= 200:
        assert "1,849,688,064" in row and "224*224*64 = 3.2M" in row


def test_a_summary_as_json_has_the_numbers(run: Callable) -> None:
    data = json.loads(run("summary", "vgg16", "--json").out)
    assert (data["params"], data["macs"], data["memory"]) == (138_357_544, 15_470_264_320, 15_237_608)


def test_parameters_are_set_from_the_command_line(run: Callable) -> None:
    data = json.loads(run("summary", "lenet5", "--set", "classes=26", "--json").out)
    assert data["params"] == 61_706 + 16 * 85


# ---- fmt ---------------------------------------------------------------------------------

UGLY = "model a{input x:[3]\nfc( 4 )->relu # why\noutput y}\n"


def test_fmt_writes_the_file_once_and_then_leaves_it(run: Callable, small: Path) -> None:
    small.write_text(UGLY)
    assert run("fmt", "--check", small).status == 1 and small.read_text() == UGLY
    done = run("fmt", "--diff", small)
    assert done.status == 0 and "+    fc(4) -> relu  # why" in done.out and small.read_text() == UGLY
    done = run("fmt", small)
    assert done.status == 0 and "formatted" in done.err and done.out == ""
    text = small.read_text()
    assert "    fc(4) -> relu  # why\n" in text
    assert run("fmt", "--check", small).status == 0
    assert run("fmt", small).err == "" and small.read_text() == text


def test_fmt_reads_standard_input(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(UGLY.encode())

    monkeypatch.setattr("sys.stdin", Input())
    assert run("fmt", "-").out == cnnc.format(UGLY)


def test_fmt_leaves_a_file_that_does_not_parse(run: Callable, small: Path) -> None:
    small.write_text("model a {\n")
    done = run("fmt", small)
    assert done.status == 1 and "error[E1" in done.err and small.read_text() == "model a {\n"


# ---- compile and init --------------------------------------------------------------------

#: Runs a generated file where only some packages can be imported.
ALONE = """
import importlib.abc, sys
allowed = set(sys.argv[3].split(","))
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"cnnc", "backends", "compiler", "spec_lang", "onnx", "onnxruntime", "torch",
                                  "lark", "click", "safetensors"} - allowed:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Guard())
import numpy as np
space = {"__name__": "generated"}
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), space)
weights = dict(np.load(sys.argv[2]))
image = weights.pop("__image__")
if "torch" in allowed:
    import torch
    model = space["build_model"](weights).eval()
    assert set(weights) <= set(model.state_dict())
    with torch.no_grad():
        result = model(torch.as_tensor(image)).numpy()
else:
    result = space["Lenet5"](weights).forward(image)
np.save("result.npy", result)
"""


@pytest.mark.parametrize("backend, allowed", [("numpy", "numpy"), ("torch", "numpy,torch")])
def test_generated_source_runs_without_cnnc(run: Callable, small: Path, backend: str, allowed: str) -> None:
    folder = small.parent
    assert run("compile", "lenet5", "--backend", backend, "-o", "net.py").status == 0
    graph = cnnc.load("lenet5")
    weights = cnnc.initial_weights(graph, seed=3)
    image = np.random.default_rng(0).standard_normal((2, 1, 32, 32)).astype(np.float32)
    np.savez(folder / "weights.npz", __image__=image, **weights)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, "net.py", "weights.npz", allowed],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    want = cnnc.runnable(graph, "numpy", weights, "float64").run({"image": image.astype(np.float64)})["out"]
    np.testing.assert_allclose(np.load(folder / "result.npy"), want, rtol=0, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize("backend", ["numpy", "torch", "onnx"])
def test_two_runs_of_compile_give_the_same_bytes(run: Callable, small: Path, backend: str) -> None:
    (small.parent / "a").mkdir()
    (small.parent / "b").mkdir()
    for folder in ("a", "b"):
        assert run("compile", small, "--backend", backend, "-o", folder).status == 0
    made = {folder: {p.name: p.read_bytes() for p in (small.parent / folder).iterdir()} for folder in "ab"}
    assert made["a"] == made["b"] and made["a"]


def test_compile_prints_on_standard_output(run: Callable) -> None:
    done = run("compile", "lenet5", "--backend", "numpy")
    assert done.status == 0 and done.err == ""
    assert done.out == cnnc.generate(cnnc.load("lenet5"), "numpy")["lenet5.py"]


def test_init_is_the_same_for_a_seed_and_another_for_another(run: Callable, small: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("init", small, "-o", f"{name}.safetensors", "--seed", seed).status == 0
    read = {name: (small.parent / f"{name}.safetensors").read_bytes() for name in "abc"}
    assert read["a"] == read["b"] != read["c"]
    graph = cnnc.load(small)
    want = cnnc.initial_weights(graph, seed=1)
    got = cnnc.load_weights(small.parent / "a.safetensors", graph)
    assert all((got[name] == want[name]).all() for name in want)


# ---- train, eval, predict, export, verify ------------------------------------------------


@pytest.fixture
def trained(run: Callable, small: Path) -> Path:
    done = run("train", small, "--data", "digits", "--backend", "numpy", "-o", "net.safetensors")
    assert done.status == 0, done.err
    assert done.out.startswith("test accuracy 0.") and "epoch 2/2" in done.err
    return small


def test_a_network_is_trained_measured_used_and_exported(run: Callable, trained: Path) -> None:
    from PIL import Image

    from cnnc.data import open_data

    assert files(trained.parent) == {"small.cnn", "net.safetensors", "net.last.safetensors"}
    weights = ("--weights", "net.safetensors")

    done = run("eval", trained, *weights, "--data", "digits", "--backend", "numpy", "--json")
    figures = json.loads(done.out)
    assert figures["images"] == 359 and figures["accuracy"] > 0.8
    assert figures["accuracy"] == np.trace(figures["confusion"]) / 359
    done = run("eval", trained, *weights, "--data", "digits", "--backend", "numpy", "--confusion")
    assert f"accuracy {figures['accuracy']:.4f}" in done.out and len(done.out.splitlines()) == 14

    split = open_data("digits", cnnc.load(trained), 0).test
    for i in range(3):
        Image.fromarray(split.images.take([i])[0][0]).save(trained.parent / f"{i}.png")
    said = {}
    for backend in ("numpy", "torch", "onnx"):
        done = run("predict", trained, "0.png", "1.png", "2.png", *weights, "--backend", backend, "--json")
        said[backend] = json.loads(done.out)
        assert [len(one["classes"]) for one in said[backend]] == [3, 3, 3]
    for one, two, three in zip(*said.values(), strict=True):
        assert [c["class"] for c in one["classes"]] == [c["class"] for c in two["classes"]]
        assert [c["class"] for c in one["classes"]] == [c["class"] for c in three["classes"]]
        assert one["classes"][0]["probability"] == pytest.approx(three["classes"][0]["probability"], abs=1e-5)
    right = sum(p["classes"][0]["class"] == str(split.labels[i]) for i, p in enumerate(said["numpy"]))
    assert right >= 2

    done = run("export", trained, *weights)
    assert done.status == 0 and "all agree" in done.out and (trained.parent / "small.onnx").exists()
    assert run("verify", trained, *weights, "--onnx", "small.onnx").status == 0
    done = run("verify", trained, "--onnx", "small.onnx")  # other weights than those in the file
    assert done.status == 1 and "small.onnx" in done.err + done.out


def test_verify_compares_all_backends(run: Callable, small: Path) -> None:
    done = run("verify", small)
    assert done.status == 0, done.err
    assert all(f"{what}, batch 2" in done.out for what in ("torch float64", "torch float32", "onnx float32"))


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(run: Callable, small: Path) -> None:
    line = ("train", small, "--data", "digits", "--backend", "numpy", "--set", "classes=10")
    spec = SPEC.replace("epochs = 2", "epochs = 2\n    schedule = constant")
    small.write_text(spec)
    assert run(*line, "-o", "whole.safetensors").status == 0
    assert run(*line, "-o", "half.safetensors", "--epochs", 1).status == 0
    assert run(*line, "-o", "half.safetensors", "--resume", "half.last.safetensors").status == 0
    graph = cnnc.load(small)
    whole, half = (cnnc.load_weights(f"{name}.last.safetensors", graph) for name in ("whole", "half"))
    assert all((whole[name] == half[name]).all() for name in whole)


@pytest.mark.parametrize(
    "arguments, status, code",
    [
        (["train", "small.cnn", "--data", "nowhere"], 1, "E700"),
        (["train", "small.cnn", "--data", "digits", "--epochs", "0"], 1, "E801"),
        (["train", "small.cnn", "--data", "digits", "--backend", "onnx"], 1, "E603"),
        (["predict", "small.cnn", "none.png", "--weights", "small.cnn"], 1, "E51"),
        (["eval", "small.cnn", "--data", "digits", "--weights", "none.safetensors"], 1, "E5"),
        (["verify", "small.cnn", "--onnx", "small.cnn"], 1, "E61"),
        (["export", "small.cnn", "-o", "small.cnn"], 3, "E902"),
        (["export", "small.cnn", "-o", "none/small.onnx"], 3, "E903"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    run: Callable,
    small: Path,
    arguments: list[str],
    status: int,
    code: str,
) -> None:
    done = run(*arguments)
    assert done.status == status, done.err
    assert f"error[{code}" in done.err and "Traceback" not in done.err
    assert files(small.parent) == {"small.cnn"} and small.read_text() == SPEC


# ---- auxiliary heads ---------------------------------------------------------------------

AUX = """## A network with a head for training.
model helped {
    input image: [1, 8, 9]
    conv(4, 3x3) -> relu
    training {
        aux: seq { globalavgpool -> flatten -> fc(3) }
        output aux_logits
    }
    conv(5, 3x3) -> relu -> globalavgpool -> flatten -> dropout -> fc(3)
    output logits
}
"""


def test_with_training_a_head_is_exported_compared_and_counted(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("helped.cnn").write_text(AUX)
    assert run("init", "helped.cnn", "-o", "w.safetensors").status == 0
    import onnx

    macs = {}
    for more, outputs in (((), ["logits"]), (("--training",), ["aux_logits", "logits"])):
        assert run("export", "helped.cnn", "-w", "w.safetensors", "-o", "m.onnx", *more).status == 0
        assert [o.name for o in onnx.load("m.onnx").graph.output] == outputs
        done = run("verify", "helped.cnn", "-w", "w.safetensors", "--onnx", "m.onnx", *more)
        assert done.status == 0 and ("aux_logits" in done.out) == bool(more)
        assert ("aux_logits" in run("compile", "helped.cnn", "-b", "onnx", "-o", "c.onnx", *more).out) is False
        assert [o.name for o in onnx.load("c.onnx").graph.output] == outputs
        macs[more] = json.loads(run("summary", "helped.cnn", "--json", *more).out)["macs"]
    assert macs[("--training",)] == macs[()] + 4 * 3
