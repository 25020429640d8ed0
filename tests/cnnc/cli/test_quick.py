"""What starts fast does what the full command line does, and imports little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cnnc.cli import main
from cnnc.cli.commands import application

SPEC = "model net {\n  input image: [3, 8, 8]\n  conv(4, 3)\n  relu\n  output out\n}\n"
SPECS = {
    "right": SPEC,
    "wrong": SPEC.replace("conv(4, 3)", "conv(4, 30)"),
    "unreadable": SPEC.replace("relu", "relu ) ("),
    "empty": "",
    "suspicious": SPEC.replace("relu", "relu\n  relu"),
}
LINES = [
    *([verb, name] for verb in ("check", "summary") for name in SPECS),
    ["check", *SPECS],
    ["check", "lenet5"],
    ["summary", "lenet5"],
    ["check", "nothing-of-that-name"],
    ["check", ""],
    ["summary", "right", "wrong"],
    ["check"],
    ["chekc", "right"],
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_line_without_options_is_done_as_with_click(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in SPECS.items():
        Path(name).write_text(text, encoding="utf-8")
    fast = (main(line), *capsys.readouterr())
    with monkeypatch.context() as without:
        without.setattr("cnnc.cli.quick.run", lambda arguments: None)
        full = (main(line), *capsys.readouterr())
    assert fast == full
    assert application.name == "application"


@pytest.mark.parametrize("line", [["check", "lenet5"], ["summary", "vgg16"], ["check", "missing.cnn"]], ids=" ".join)
def test_a_line_without_options_imports_little(line: list[str]) -> None:
    code = f"""
import sys
from cnnc.cli import main
main({line!r})
print(*sorted({{"click", "dataclasses", "inspect", "lark", "rich", "hashlib", "difflib", "tempfile"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == ""
