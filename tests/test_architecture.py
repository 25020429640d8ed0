"""The rooms of the house: who may import whom, what stays light, and how a backend comes from outside."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Folder -> what of ours it may import, besides itself.
MAY_IMPORT = {
    "spec_lang": set(),
    "compiler": {"spec_lang"},
    "backends": {"spec_lang", "compiler"},
    "cnnc": {"spec_lang", "compiler", "backends"},
}
OURS = set(MAY_IMPORT)
FRAMEWORKS = {"numpy", "torch", "onnx", "onnxruntime"}

#: What a folder may import when it is imported, besides the standard library and ours.
AT_THE_TOP = {
    "spec_lang": {"lark"},
    "compiler": set(),
    "backends/numpy": {"numpy"},
    "backends/torch": {"numpy", "torch"},
    "backends/onnx": {"numpy", "onnx", "onnxruntime"},
}

#: What a folder may import at all.
ANYWHERE = {
    "spec_lang": {"lark"},
    "compiler": {"numpy"},
    "backends/numpy": {"numpy"},
    "backends/torch": {"numpy", "torch"},
    "backends/onnx": {"numpy", "onnx", "onnxruntime"},
}


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no files in {folder}"
    return found


def imports(path: Path, *, top: bool) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; with `top` only of those that run when the module is imported."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if top and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, node.module or ""
        pending.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_arrows_never_run_upwards(folder: str) -> None:
    for path in files(folder):
        for line, module in imports(path, top=False):
            room = module.split(".")[0]
            if room in OURS and room != folder:
                assert room in MAY_IMPORT[folder], f"{path.relative_to(ROOT)}:{line} imports {module}"


@pytest.mark.parametrize("backend", ["numpy", "torch", "onnx"])
def test_backends_do_not_import_each_other(backend: str) -> None:
    for path in files(f"backends/{backend}"):
        for line, module in imports(path, top=False):
            parts = module.split(".")
            if parts[0] == "backends" and len(parts) > 1 and parts[1] in ("numpy", "torch", "onnx"):
                assert parts[1] == backend, f"{path.relative_to(ROOT)}:{line} imports {module}"


@pytest.mark.parametrize(
    "table, top", [(AT_THE_TOP, True), (ANYWHERE, False)], ids=["at the top", "anywhere"]
)
def test_frameworks_stay_in_their_rooms(table: dict[str, set[str]], top: bool) -> None:
    for folder, allowed in table.items():
        for path in files(folder):
            for line, module in imports(path, top=top):
                room = module.split(".")[0]
                if room not in OURS | allowed and room not in sys.stdlib_module_names:
                    raise AssertionError(f"{path.relative_to(ROOT)}:{line} imports {module}")


def python(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, **more},
    )


def test_check_and_fmt_and_summary_load_no_framework() -> None:
    specs = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "specs").rglob("*.cnn"))]
    code = f"""
import sys
from cnnc.cli import main
assert main(["check", *{specs!r}]) == 0
assert main(["fmt", "--check", *{specs!r}]) == 0
loaded = {{"numpy", "torch", "onnx", "onnxruntime", "rich"}} & set(sys.modules)
assert not loaded, loaded
assert main(["summary", "vgg16"]) == 0
loaded = {{"numpy", "torch", "onnx", "onnxruntime"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_importing_cnnc_is_cheap() -> None:
    heavy = {"numpy", "torch", "lark", "click", "onnx"}
    code = f"import cnnc, sys; cnnc.load; print(sorted({heavy!r} & set(sys.modules)))"
    done = python("-c", code)
    assert done.stdout.strip() in ("[]", "['lark']"), done.stdout + done.stderr


BACKEND_FROM_OUTSIDE = """
from backends.base import Backend, Runnable
from compiler.ops import OPS


class Doubler(Runnable):
    def __init__(self, graph):
        self.graph = graph

    def run(self, inputs, *, training=False):
        (array,) = inputs.values()
        for node in self.graph.nodes:
            array = array + array if node.op.name == "add" else array
        return {name: array for name in self.graph.outputs}


class TinyBackend(Backend):
    name = "tiny"

    def covers(self):
        return frozenset({OPS["add"], OPS["identity"]})

    def generate(self, graph, weights=None):
        return {f"{graph.name}.txt": "\\n".join(node.op.name for node in graph.nodes) + "\\n"}

    def load(self, graph, weights, dtype="float32"):
        return Doubler(graph)
"""

SPEC = """
model twice {
    input x: [3]
    add(it, it)
    output y
}
model more {
    input x: [3]
    add(it, it) -> relu
    output y
}
"""


def test_a_fourth_backend_comes_from_outside_by_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "tiny_backend.py").write_text(BACKEND_FROM_OUTSIDE)
    metadata = tmp_path / "tiny_backend-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-backend\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cnnc.backends]\ntiny = tiny_backend:TinyBackend\n")
    spec = tmp_path / "twice.cnn"
    spec.write_text(SPEC)

    code = f"""
import numpy as np
import cnnc
graph = cnnc.load({f"{spec}:twice"!r})
assert cnnc.generate(graph, "tiny") == {{"twice.txt": "add\\n"}}
out = cnnc.runnable(graph, "tiny", {{}}).run({{"x": np.ones((2, 3), np.float32)}})
assert (out["y"] == 2).all()
"""
    done = python("-c", code, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr

    done = python("-m", "cnnc", "compile", f"{spec}:twice", "--backend", "tiny", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "add\n"), done.stderr

    done = python("-m", "cnnc", "compile", f"{spec}:more", "--backend", "tiny", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1 and "error[E600]" in done.stderr and f"{spec}:9:20" in done.stderr, (
        done.stderr
    )


def test_what_the_package_asks_for_is_imported_and_its_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"] and "version" not in project
    found = {
        name.partition(".")[0]
        for folder in ("spec_lang", "compiler", "backends", "cnnc")
        for path in files(folder)
        for _, name in imports(path, top=False)
    }
    assert {re.split(r"[<>=]", one)[0] for one in project["dependencies"]} <= found
