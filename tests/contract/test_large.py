"""Networks that are large and right: they are compiled and run everywhere, in time that grows with their size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import cnnc
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.contract.conftest import Ask

ROOT = Path(__file__).resolve().parents[2]


def model(*lines: str) -> str:
    return "model m {\n    input x: [4, 6, 6]\n" + "".join(f"    {line}\n" for line in lines) + "    output y\n}\n"


def networks(layers: int, branches: int) -> dict[str, str]:
    """What it shows -> a spec."""
    return {
        "a chain in a loop": model(f"repeat {layers // 2} {{ conv(4, 3x3, pad = half) -> relu }}"),
        "a chain of one kind": model(f"repeat {layers} {{ relu }}"),
        "a chain that is written out": model(*["relu", "tanh"] * (layers // 2)),
        "a chain on one line": model(" -> ".join(["relu", "sigmoid"] * (layers // 2))),
        "a chain of blocks": "block B { conv(4, 1x1) -> batchnorm -> relu }\n" + model(f"repeat {layers // 3} {{ B }}"),
        "a seq": model(f"body: seq {{ repeat {layers // 2} {{ conv(4, 1x1) -> relu }} }}"),
        "branches in a loop": model(f"add {{ for i in 0..{branches} {{ branch {{ conv(4, 1x1) }} }} }}"),
        "branches that are written out": model("add {", *["branch { relu }"] * branches, "}"),
        "branches side by side": model(f"concat {{ for i in 0..{branches} {{ branch {{ conv(1, 1x1) }} }} }}"),
    }


SMALL, LARGE = networks(600, 150), networks(20_000, 5_000)


@pytest.mark.parametrize("name", SMALL)
def test_hundreds_of_layers_agree_everywhere(name: str) -> None:
    assert cnnc.verify(load(Source("a.cnn", SMALL[name]))).passed


@pytest.mark.long
@pytest.mark.parametrize("name", LARGE)
def test_twenty_thousand_layers_and_five_thousand_branches_take_less_than_a_minute_each(
        name: str, tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(LARGE[name])
    for argv in (["check", "a.cnn"], ["summary", "a.cnn"], ["init", "a.cnn", "-o", "w.safetensors"],
                 ["compile", "a.cnn", "-b", "numpy", "-o", "n.py"], ["compile", "a.cnn", "-b", "torch", "-o", "t.py"],
                 ["export", "a.cnn", "-w", "w.safetensors", "-o", "m.onnx"], ["verify", "a.cnn", "-w", "w.safetensors"]):
        assert seconds(argv, tmp_path) < 60, argv


def seconds(argv: list[str], folder: Path) -> float:
    """The processor's time that a command takes: others may be at work here."""
    process = subprocess.Popen([sys.executable, "-m", "cnnc", *argv], cwd=folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (argv, said)
    return usage.ru_utime + usage.ru_stime


def test_a_generated_file_of_many_layers_takes_exactly_its_weights() -> None:
    graph = load(Source("a.cnn", model("repeat 700 { conv(4, 1x1) -> batchnorm -> relu }")))
    weights = {name: array + np.float32(0.25) for name, array in cnnc.initial_weights(graph).items()}
    build = generated(graph).build_model
    state = build(weights).state_dict()
    assert all(np.array_equal(state[name].numpy(), array) for name, array in weights.items())
    counters = {name: array for name, array in state.items() if name.endswith("num_batches_tracked")}
    assert len(counters) == 700 and build({**weights, **counters})
    first = next(iter(weights))
    for wrong in ({**weights, "other": np.zeros(3)}, {name: array for name, array in weights.items() if name != first},
                  {**weights, first: np.zeros((1, 1))}):
        with pytest.raises(RuntimeError, match="weights that are missing or left over|is \\[1, 1\\], not"):
            build(wrong)


def generated(graph: Graph) -> types.ModuleType:
    """The PyTorch file as a module."""
    source = cnnc.generate(graph, "torch")["m.py"]
    assert isinstance(source, str)
    made = types.ModuleType("generated_of_many_layers")
    sys.modules[made.__name__] = made
    exec(compile(source, "m.py", "exec"), made.__dict__)
    return made


#: Weights -> specs that have so many; the counts are theirs without being added up anywhere.
COUNTED = {
    10**14: "model m {\n    input x: [10_000_000]\n    fc(10_000_000, bias = false)\n}\n",
    10**14 + 10**7: "model m {\n    input x: [10_000_000]\n    fc(10_000_000)\n}\n",
    10_000 * (10**10 + 10**5): "model m {\n    input x: [100_000]\n    repeat 10_000 { fc(100_000) }\n}\n",
    2**30 * (2**12 * 9 + 1): "model m {\n    input x: [4096, 3, 3]\n    conv(2 ** 30, 3x3)\n}\n",
}


@pytest.mark.parametrize("count", COUNTED)
def test_weights_beyond_all_memory_are_counted_exactly_and_not_made(count: int, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(COUNTED[count])
    done = ask({"argv": ["check", "a.cnn"], "cwd": str(tmp_path)})
    assert (done["status"], done["err"]) == (0, "")
    (tmp_path / "b.cnn").write_text(COUNTED[count].replace("\n}", f"\n    expect params == {count}\n}}"))
    assert ask({"argv": ["check", "b.cnn"], "cwd": str(tmp_path)})["status"] == 0
    done = ask({"argv": ["summary", "a.cnn", "--json"], "cwd": str(tmp_path)})
    assert json.loads(done["out"])["params"] == count
    for argv in (["init", "a.cnn", "-o", "o"], ["export", "a.cnn", "-o", "o"], ["verify", "a.cnn"],
                 ["compile", "a.cnn", "-b", "onnx", "-o", "o"]):
        done = ask({"argv": argv, "cwd": str(tmp_path)})
        assert done["status"] == 1 and "error[E450]" in done["err"], done["err"]
        assert f"{4 * count:,} bytes" in done["err"] or argv[0] == "verify", done["err"]
        assert done["cpu"] <= 2 and done["memory"] <= 512 * 1024**2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.cnn", "b.cnn"]


def test_weights_beyond_all_memory_are_not_trained(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(
        "model m {\n    input x: [1, 8, 8]\n    flatten -> fc(2 ** 27) -> fc(2 ** 20) -> fc(10)\n}\n")
    done = ask({"argv": ["train", "a.cnn", "--data", "digits", "-o", "o"], "cwd": str(tmp_path)})
    assert done["status"] == 1 and "error[E450]" in done["err"] and "bytes" in done["err"], done["err"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.cnn"]
