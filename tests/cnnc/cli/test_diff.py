"""`cnnc diff` and the views of `cnnc summary`, as a person meets them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import cnnc

ONE = "model one(width = 3) {\n    input x: [3, 8, 8]\n    a: conv(width, 3x3) -> relu\n    output y\n}\n"
TWO = "model two(size = 3) {\n    input x: [3, 8, 8]\n    b: conv(3, size) -> relu -> c: conv(2, 1x1)\n    output y\n}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.cnn").write_text(ONE)
    (tmp_path / "two.cnn").write_text(TWO)
    return tmp_path


def test_the_whole_text(run: Callable, here: Path) -> None:
    done = run("diff", "one.cnn", "two.cnn")
    # Parameters: 3 * 3 * 3 * 3 + 3 = 84, and 3 * 2 + 2 = 8 more.  MACs: 36 * 81 = 2,916, and 36 * 6 = 216 more.
    # Inference: 4 * 84 + 4 * (192 + 108) = 1,536; 32 for the weights of c.  Training: 3 * 336 + 4 * (192 + 108)
    # = 2,208; for c 3 * 32, its input being the ReLU's result, which is there already.
    assert done.out == """\
one -> two

2 alike, 1 added, 1 renamed

> a -> b    conv(3, 3x3); 6x6x3
+ c         conv(2, 1x1); 6x6x2; 8 params; 216 MACs
~ output y  relu1 -> c

                     one     two  difference
-----------------------------------------------------
layers                 2       3          +1  +50.0 %
parameters            84      92          +8   +9.5 %
MACs               2,916   3,132        +216   +7.4 %
inference memory  1.5 kB  1.6 kB   +32 bytes   +2.1 %
training memory   2.2 kB  2.3 kB   +96 bytes   +4.3 %

weights of one that fit two, by name and shape: 0 of 4, 0 of 92 values
  under the new names of their layers fit 2 of one, 84 values
  missing (4): b.weight [3, 3, 3, 3], b.bias [3], c.weight [2, 3, 1, 1], c.bias [2]
  left over (2): a.weight [3, 3, 3, 3], a.bias [3]
""", done.out  # fmt: skip
    assert done.status == 0 and done.err == ""


def test_the_same_twice_says_so(run: Callable, here: Path) -> None:
    done = run("diff", "one.cnn", "one.cnn", "--exit-code")
    assert done.status == 0 and "the same: layers, wiring, weights" in done.out and "2 of 2, 84 of 84 values" in done.out
    assert run("diff", "one.cnn", "two.cnn", "--exit-code").status == 1
    assert json.loads(run("diff", "one.cnn", "one.cnn", "--json").out)["same"] is True


def test_settings_for_both_or_for_one(run: Callable, here: Path) -> None:
    def params(*more: str, b: str = "one.cnn") -> tuple[int, int]:
        data = json.loads(run("diff", "one.cnn", b, "--json", *more).out)["totals"]["parameters"]
        return data["old"], data["new"]

    assert params("--set", "width=5") == (140, 140)
    assert params("--set", "width=5", b="two.cnn") == (140, 92)  # `two` has no such parameter
    assert params("--set", "size=1", "--set", "width=5", b="two.cnn") == (140, 12 + 8)
    assert params("--set-b", "width=5") == (84, 140)
    assert params("--set", "width=4", "--set-a", "width=5") == (140, 112)
    done = run("diff", "one.cnn", "two.cnn", "--set", "widht=5")
    assert done.status == 1 and "E229" in done.err and done.out == ""
    assert "one(width = 3) -> one(width = 5)" in run("diff", "one.cnn", "one.cnn", "--set-b", "width=5").out


def test_json_holds_everything(run: Callable, here: Path) -> None:
    data = json.loads(run("diff", "one.cnn", "two.cnn", "--json").out)
    assert list(data) == ["old", "new", "same", "alike", "changes", "model", "totals", "weights"]
    assert [(c["kind"], c["old"] and c["old"]["name"], c["new"]["name"]) for c in data["changes"]] == [
        ("renamed", "a", "b"), ("added", None, "c")]  # fmt: skip
    assert data["model"] == [{"what": "output y", "old": "relu1", "new": "c"}]
    assert data["totals"]["macs"] == {"old": 2916, "new": 3132, "difference": 216}
    assert data["weights"]["missing"][0] == {"name": "b.weight", "shape": [3, 3, 3, 3]}
    assert data["weights"]["renames"] == {"a.weight": "b.weight", "a.bias": "b.bias"}
    assert data["weights"]["tensors"] == 4 and data["weights"]["carried"] == 0


@pytest.mark.parametrize("width", [1, 7, 20, 40, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    found = cnnc.diff(cnnc.load("resnet50"), cnnc.load("resnext50_32x4d"))
    assert max(map(len, found.text(width).splitlines())) <= width
    assert "".join(found.text(width).split()).startswith("resnet50->resnext50_32x4d64alike,112changed~layer1.0.conv1")


def test_a_folded_and_sorted_summary(run: Callable) -> None:
    data = json.loads(run("summary", "resnet18", "--depth", "1", "--sort", "macs", "--json").out)
    assert (data["depth"], data["sort"]) == (1, "macs")
    # He et al. 2015: each stage of ResNet-18 takes as much, but for the shortcuts and the first.
    assert [row["name"] for row in data["rows"][:5]] == ["layer1", "layer2", "layer3", "layer4", "conv1"]
    assert data["rows"][0]["macs"] == 4 * 115_605_504 and data["rows"][0]["layers"] == 14
    plain = json.loads(run("summary", "resnet18", "--json").out)
    assert {k: v for k, v in plain.items() if k not in ("rows", "depth", "sort")} == {
        k: v for k, v in data.items() if k not in ("rows", "depth", "sort")}  # fmt: skip
    assert set(plain["rows"][0]) == set(data["rows"][0])


def test_memory_in_json_adds_up_and_follows_the_batch(run: Callable) -> None:
    one, many = (json.loads(run("summary", "lenet5", "--json", "--batch", n).out) for n in (1, 64))
    for data in (one, many):
        parts = data["training"]
        assert parts["total"] == parts["weights"] + parts["gradients"] + parts["state"] + parts["activations"]
        assert data["inference"]["total"] == data["inference"]["weights"] + data["inference"]["activations"]
    assert one["batch"] == 1 and many["training"]["activations"] == 64 * one["training"]["activations"]
    # 28 * 28 * 6 and 14 * 14 * 6 live while the first maxpool runs.
    assert one["inference"]["activations"] == 4 * (4704 + 1176) and one["inference"]["peak"] == "maxpool1"
    assert (one["training"]["optimizer"], one["training"]["state"]) == ("adam", 8 * 61_706)


@pytest.mark.parametrize("by", ["macs", "params", "memory"])
@pytest.mark.parametrize("width", [30, 80, 120])
def test_a_sorted_summary_in_a_terminal_keeps_what_it_is_sorted_by(by: str, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(cnnc.summary(cnnc.load("resnet18"), sort=by, depth=1))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    heading = {"macs": "MACs", "params": "params", "memory": "memory"}[by]
    assert max(map(len, text.splitlines())) <= width
    if width >= 80:
        assert heading in text and "share" in text and "%" in text


@pytest.mark.parametrize("wrong", [{"sort": "mac"}, {"depth": -1}, {"batch": 0}], ids=str)
def test_the_api_refuses_what_the_command_line_refuses(wrong: dict) -> None:
    with pytest.raises(ValueError, match="sort is one of order, macs, params, memory"):
        cnnc.summary(cnnc.load("lenet5"), **wrong)
