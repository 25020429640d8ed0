"""Members of a sequence that repeat are written as one comprehension, and make what the list made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from backends.torch.emit import members, source_of
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source

BLOCKS = """
block Wide(width) { conv(width, 1x1) -> relu }
block Odd(i) { s: seq { conv(i, 1x1)
 repeat 3 { conv(i, 1x1) } } }
block Wider(i) { s: seq { conv(i, 1x1)
 for j in 0..4 { Inner(i, 4 + 2 * j) } } }
block Inner(i, width) { conv(width, 1x1)
 conv(i, 1x1) }
block Sized { add { branch { maxpool(1x3, pad = (0, 1), stride = 1) }
 branch { conv(it.channels, 1x1) } } }
"""

#: Body -> what has to stand in the source.
REPEATED = {
    "alone": ("s: seq { repeat 3 { conv(4, 1x1) } }", "nn.Sequential(*(nn.Conv2d(4, 4, 1) for _ in range(3)))"),
    "between": (
        "s: seq { conv(3, 1x1)\n repeat 5 { conv(3, 3x3, pad = half) }\n relu }",
        "*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(5)),\n            nn.ReLU(),",
    ),
    "two runs": (
        "s: seq { repeat 3 { conv(4, 1x1) }\n repeat 4 { batchnorm } }",
        "*(nn.BatchNorm2d(4) for _ in range(4)),",
    ),
    "runs of runs": (
        "s: seq { repeat 3 { seq { relu\n repeat 5 { conv(4, 3x3, pad = half) } } } }",
        "*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(5)),",
    ),
    "kernels that grow": (
        "s: seq { for k in 2..6 { maxpool(k, stride = 1) } }",
        "*(nn.MaxPool2d(i, stride=1) for i in range(2, 6))",
    ),
    "growing": (
        "s: seq { for i in 1..6 { Wide(4 + 3 * i) } }",
        "# (N, 7 + 3 * i, 12, 14)\n        self.s = nn.Sequential(*(Wide(4 + 3 * i, 7 + 3 * i) for i in range(5)))",
    ),
    "multiples": (
        "s: seq { conv(5, 1x1)\n for i in 1..6 { Inner(5, 3 * i) } }",
        "*(Inner(3 * i) for i in range(1, 6)),",
    ),
    "falling": (
        "s: seq { for i in 0..5 { conv(9 - i, 1x1)\n } }",
        "*(nn.Conv2d(9 - i, 8 - i, 1) for i in range(4)),  # (N, 8 - i, 12, 14)",
    ),
    "labelled": (
        's: { for i in 1..7 { "layer{i}": conv(4 + 2 * i, 1x1) } }',
        '(f"layer{i}", nn.Conv2d(2 + 2 * i, 4 + 2 * i, 1))',
    ),
    "labels among others": (
        's: { x: relu\n for i in 1..4 { "c{i}": conv(4, 1x1) } }',
        '**{f"c{i}": nn.Conv2d(4, 4, 1) for i in range(1, 4)},',
    ),
    "labels that are no names": (
        's: { for i in 1..4 { "c-{i}/a": conv(4, 1x1) }\n x: relu }',
        '**{f"c-{i}/a": nn.Conv2d(4, 4, 1) for i in range(1, 4)},',
    ),
    "labels that are numbers": (
        's: { x: relu\n for i in 4..8 { "{i}": batchnorm } }',
        "**{str(i): nn.BatchNorm2d(4) for i in range(4, 8)},",
    ),
    "two numbers in a label": (
        's: { for i in 1..5 { "c2_{i}_{9 - i}": conv(4, 1x1) } }',
        '(f"c2_{i}_{9 - i}", nn.Conv2d(4, 4, 1))  # (N, 4, 12, 14)',
    ),
    "a parameter of the same name": ("Odd(2)\n Odd(3)", "*(nn.Conv2d(i, i, 1) for _ in range(3)),"),
    "a variable of another name": (
        "Wider(2)\n Wider(3)",
        "*(Inner(i, 4 + 2 * j) for j in range(4)),",
    ),
    "sequences": (
        "s: seq { repeat 3 { seq { conv(4, 1x1) -> batchnorm } } }",
        "            *(\n                nn.Sequential(\n                    nn.Conv2d(4, 4, 1),  # (N, 4, 12, 14)\n",
    ),
    "a list": ('for i in 0..5 { "l.{i}": conv(4, 1x1) }', "self.l = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(5))"),
    "a part of a list": (
        '"l.0": conv(3, 1x1)\n for i in 1..5 { "l.{i}": conv(3, 1x1) }',
        "*(nn.Conv2d(3, 3, 1) for _ in range(4)),",
    ),
    "a dict": (
        'for i in 0..5 { "l.x{i}": conv(4, 1x1) }',
        'nn.ModuleDict({f"x{i}": nn.Conv2d(4, 4, 1) for i in range(5)})',
    ),
    "a long one": (
        'for i in 0..9 { "stage.a_label_that_is_rather_long_{i}": conv(4, 3x5, pad = (1, 2), groups = 2) }',
        '                f"a_label_that_is_rather_long_{i}": nn.Conv2d(\n',
    ),
    "a long one with a shape": (
        's: { for i in 0..9 { "a_label_that_is_rather_long_{i}": conv(4, 3x5, pad = (1, 2), groups = 2) } }',
        "                )  # (N, 4, 12, 14)\n                for i in range(9)\n",
    ),
    "a part of a dict": (
        '"l.a": conv(3, 1x1)\n for i in 1..5 { "l.x{i}": conv(3, 1x1) }',
        '**{f"x{i}": nn.Conv2d(3, 3, 1) for i in range(1, 5)},',
    ),
}

#: Bodies whose members stand one by one.
LISTED = {
    "two": "s: seq { repeat 2 { conv(4, 1x1) } }",
    "three that grow": "s: seq { for i in 1..4 { Wide(4 + 3 * i) } }",
    "no even growth": "s: seq { for i in 0..5 { Wide(2 ** i) } }",
    "fractions": "s: seq { for i in 1..6 { dropout(0.1 * i) } }",
    "zeros in front": 's: { "c007": relu\n "c008": relu\n "c009": relu\n "c010": relu }',
    "others between": "s: seq { repeat 3 { conv(4, 1x1) -> relu } }",
}


def graph(body: str, extents: str = "12, 14") -> Graph:
    spec = f"{BLOCKS}model m {{\n input x: [4, {extents}]\n {body}\n output y\n}}\n"
    return load(Source("m.cnn", spec))


def listed(monkeypatch: pytest.MonkeyPatch, made: Graph) -> str:
    """The source with every member on a line of its own."""
    with monkeypatch.context() as patch:
        patch.setattr(members, "runs", lambda given, depth: list(given))
        return source_of(made)


def built(source: str) -> torch.nn.Module:
    space: dict[str, object] = {"__name__": "generated"}
    exec(compile(source, "<generated>", "exec"), space)
    torch.manual_seed(5)
    model = space["build_model"]()  # type: ignore[operator]
    assert isinstance(model, torch.nn.Module)
    return model.eval()


@pytest.mark.parametrize("name", REPEATED)
def test_what_repeats_is_written_once(name: str) -> None:
    body, wanted = REPEATED[name]
    assert wanted in source_of(graph(body))


@pytest.mark.parametrize("name", LISTED)
def test_what_would_not_be_plainer_is_listed(name: str) -> None:
    assert " for " not in source_of(graph(LISTED[name])).partition("class M(")[2].partition("def build_model")[0]


@pytest.mark.parametrize("name", REPEATED)
def test_a_comprehension_makes_what_the_list_made(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = graph(REPEATED[name][0])
    short, long = source_of(made), listed(monkeypatch, made)
    assert len(short.splitlines()) < len(long.splitlines())
    ours, theirs = built(short), built(long)
    # The same modules under the same names in the same order, with the same random numbers in them.
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert list(map(repr, ours.modules())) == list(map(repr, theirs.modules()))
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    assert all(torch.equal(value, state[key]) for key, value in ours.state_dict().items())
    x = torch.randn(2, 4, 12, 14)
    assert torch.equal(ours(x), theirs(x))


def test_the_name_of_the_layer_in_an_error_is_counted_too() -> None:
    made = graph("s: seq { relu\n repeat 4 { Sized } }", "H = 12, W = 14")
    source = source_of(made)
    assert 'Sized(f"s.{i}") for i in range(1, 5)' in source


def test_files_with_comprehensions_are_formatted_and_typed(tmp_path: Path) -> None:
    for number, (body, _) in enumerate(REPEATED.values()):
        (tmp_path / f"case_{number}.py").write_text(source_of(graph(body)), encoding="utf-8")
    ruff = ["ruff", "check", "--isolated", "--line-length", "110", "--select", "E,W,F,I,B,UP,C4,SIM,RUF100"]
    lengths = [["ruff", "format", "--check", "--isolated", "--line-length", n] for n in ("88", "100", "110")]
    for command in (*lengths, ruff, ["mypy", "--strict"]):
        command = [*command, str(tmp_path)]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
