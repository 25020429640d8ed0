"""The same bytes wherever and by whomever they are made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = """import "blocks.cnn" (B)

## A small network.
model m(classes = 3) {
    input image: [1, H = 9, W = 8]
    preprocess { rescale(1 / 255) -> normalize(mean = [0.1307], std = [0.3081]) }
    init { conv = he(normal)  fc = orthogonal }
    for i in 0..2 { "stage{i}": B(4 * (i + 1)) }
    "group": { conv(3, 1x1) }   # a warning
    globalavgpool -> flatten -> dropout -> fc(classes)
    output logits
}
train m { epochs = 1 }
"""
BLOCKS = "block B(width) {\n    conv(width, 3x3, pad = half, bias = false) -> batchnorm -> relu\n}\n"

#: Name -> what differs: variables of the environment, and how the process is started.
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "plain": {},
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 4711": {"PYTHONHASHSEED": "4711", "PYTHONUTF8": "1"},
    "Kathmandu": {"TZ": "Asia/Kathmandu"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no home": {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
    "one processor": {"ONE_PROCESSOR": "1"},
    "narrow terminal": {"COLUMNS": "20", "LINES": "5", "TERM": "dumb", "NO_COLOR": "1"},
    "forced colours": {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "PY_COLORS": "1"},
    "optimised": {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"},
}
SHORT = ("plain", "hash seed 1", "ASCII", "one processor")

SCRIPT = """
import contextlib, io, os, shutil, sys
os.umask(int(sys.argv[3], 8))
if "ONE_PROCESSOR" in os.environ:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from cnnc.cli import main
spec, out = sys.argv[1:3]
shutil.copy(spec, out + "/formatted.cnn")
for name, argv in (("summary.json", ["summary", spec, "--json"]), ("summary.txt", ["summary", spec]),
                   ("check.json", ["check", spec, "--json"]), ("fmt.diff", ["fmt", "--diff", spec]),
                   ("numpy.txt", ["compile", spec, "-b", "numpy"]), ("fmt.txt", ["fmt", out + "/formatted.cnn"])):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = main(argv)
    if status:  # no assertion, which an optimised run leaves out
        sys.exit(f"{argv}: {status}")
    with open(out + "/" + name, "w", encoding="utf-8") as file:
        # These two name the file as it was named.
        said = text.getvalue()
        file.write(said.replace(spec, "SPEC") if name in ("check.json", "fmt.diff") else said)
for argv in (["compile", spec, "-b", "numpy", "-o", out + "/numpy.py"], ["compile", spec, "-b", "torch", "-o", out + "/torch.py"],
             ["compile", spec, "-b", "onnx", "-o", out + "/plain.onnx"],
             ["init", spec, "--seed", "3", "-o", out + "/m.safetensors"],
             ["export", spec, "-w", out + "/m.safetensors", "--preprocess", "-o", out + "/m.onnx"]):
    if main(argv):
        sys.exit(str(argv))
"""


def made(folder: Path, out: Path, variables: dict[str, str], path: str, cwd: Path, umask: str) -> dict[str, bytes]:
    out.mkdir()
    subprocess.run([sys.executable, "-c", SCRIPT, path, str(out), umask], cwd=cwd, check=True, capture_output=True,
                   env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables})
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("specs")
    (made / "a.cnn").write_text(SPEC)
    (made / "blocks.cnn").write_text(BLOCKS)
    return made


@pytest.fixture(scope="module")
def first(folder: Path) -> dict[str, bytes]:
    found = made(folder, folder / "first", {}, "a.cnn", folder, "022")
    assert sorted(found) == sorted([
        "check.json", "fmt.diff", "fmt.txt", "formatted.cnn", "m.onnx", "m.safetensors", "numpy.py", "numpy.txt",
        "summary.json", "summary.txt", "plain.onnx", "torch.py"])
    assert b"W2" in found["check.json"] and found["fmt.diff"] and found["numpy.txt"] == found["numpy.py"]
    return found


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in SHORT[1:] else pytest.mark.long) for name in ENVIRONMENTS if name != "plain"])
def test_source_onnx_and_weights_do_not_depend_on_the_environment(
        name: str, folder: Path, first: dict[str, bytes], tmp_path: Path) -> None:
    # Path, folder and umask differ in every row, too.
    found = made(folder, tmp_path / "o", ENVIRONMENTS[name], str(folder / "a.cnn"), tmp_path, "077")
    assert sorted(found) == sorted(first)
    assert [one for one in found if found[one] != first[one]] == []
