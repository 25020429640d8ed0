"""A class that blocks share is told what differs between them, for every layer and argument."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.torch import TorchBackend
from backends.torch.emit import source_of
from compiler.load import load
from spec_lang.source import Source
from tests.backends.torch.specs import SPECS
from tests.instances import GROUPS, agree, classes, graph_of


@pytest.mark.parametrize("name", GROUPS)
def test_every_instance_computes_what_its_own_arguments_say(name: str) -> None:
    agree(name, TorchBackend())


@pytest.mark.parametrize("name", GROUPS)
def test_a_layer_in_a_sequence_is_a_module_that_computes_the_same(name: str) -> None:
    agree(name, TorchBackend(), sequences=True)


def test_files_are_laid_out_as_ruff_does(tmp_path: Path) -> None:
    graphs = [load(Source(f"{name}.cnn", text)) for name, text in SPECS.items()]
    graphs += [graph_of(name, sequences) for name in GROUPS for sequences in (False, True)]
    for i, graph in enumerate(graphs):
        (tmp_path / f"file{i}.py").write_text(source_of(graph), encoding="utf-8")
    for length in ("88", "110"):
        command = ["ruff", "format", "--isolated", "--diff", "--line-length", length, str(tmp_path)]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[:3000]


def test_classes_are_written_as_they_were_read_and_liked(golden: Callable[[str, str], None]) -> None:
    shown = [f"==== {name}\n{classes(source_of(graph_of(name)))}\n" for name in GROUPS]
    golden("torch/instances.txt", "\n".join(shown))


def test_sequences_are_written_as_they_were_read_and_liked(golden: Callable[[str, str], None]) -> None:
    shown = []
    for name in GROUPS:
        source = source_of(graph_of(name, sequences=True))
        made = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Assign)]
        texts = [ast.unparse(one) for one in made if ast.unparse(one.targets[0]).startswith("self.cell")]
        shown.append("\n".join([f"==== {name}", *texts, ""]))
    golden("torch/sequences.txt", "\n".join(shown))
