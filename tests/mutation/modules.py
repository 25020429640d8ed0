"""What is mutated, and which tests have to notice."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What a copy of the project needs to run these tests.
COPIED = ("spec_lang", "compiler", "backends", "cnnc", "specs", "tests", "docs", "bench", "pyproject.toml")


@dataclass(frozen=True)
class Module:
    """A part of the project: its files (globs), and the folder of its own tests.

    `included` are files whose functions are not only called but copied as text into what is generated.
    """

    name: str
    files: tuple[str, ...]
    tests: str
    included: tuple[str, ...] = ()


MODULES = (
    Module(
        "compiler",
        ("compiler/ops/*.py", "compiler/shapes.py", "compiler/cost.py"),
        "tests/compiler",
    ),
    Module(
        "numpy",
        ("backends/numpy/emit/*.py", "backends/numpy/kernels/*.py"),
        "tests/backends/numpy",
        ("backends/numpy/kernels/*.py",),
    ),
    Module(
        "torch",
        ("backends/torch/emit/*.py", "backends/torch/modules/*.py"),
        "tests/backends/torch",
        ("backends/torch/modules/*.py",),
    ),
    Module("onnx", ("backends/onnx/emit/*.py",), "tests/backends/onnx"),
)

#: Tests of speed and of limits: what they say depends on the machine's load, so no mutant is theirs to catch.
LEFT_OUT = ("tests/compiler/evaluate/test_limits.py",)


def _found(globs: tuple[str, ...], root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for one in globs for path in root.glob(one))


def files(module: Module, root: Path = ROOT) -> list[str]:
    """Its files, relative to the root, sorted."""
    return _found(module.files, root)


def included(module: Module, root: Path = ROOT) -> list[str]:
    return _found(module.included, root)


def own_tests(module: Module, root: Path = ROOT) -> list[str]:
    """The files of its tests."""
    found = sorted(p.relative_to(root).as_posix() for p in (root / module.tests).rglob("test_*.py"))
    return [path for path in found if path not in LEFT_OUT]


def module_of(file: str, root: Path = ROOT) -> Module:
    """The module that a file belongs to."""
    return next(m for m in MODULES if file in files(m, root))


def copied(to: Path, root: Path = ROOT) -> None:
    """Copy what the tests need, times of files included, so that compiled files stay good."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name, symlinks=True)
        else:
            shutil.copy2(root / name, to / name)
