"""RESULTS.md: the table of what was measured last, a command's lines replaced by its new ones."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.interleave import Line

RESULTS = Path(__file__).parent / "RESULTS.md"
PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "lark", "torchinfo")
HEAD = """# Results

Written by `python -m bench`: the newest run of each command. A ratio below 1 is faster than the peer; a goal
is missed only if both exceed it.

| command | what | over | best/best | paired median | goal | | run |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def note(command: str, lines: Sequence[Line], rounds: int, threads: int) -> None:
    """Put the lines of a command in the place of its old ones."""
    old = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    kept = [row for row in old if row.startswith("| ") and row.split("|")[1].strip() not in
            (command, "command", "---")]
    run = (
        f"{datetime.now(UTC):%Y-%m-%d}, at most {rounds} rounds, threads: {threads},"
        f" {_machine()}; {_versions()}"
    )
    made = [
        f"| {command} | {line.what} | {line.peer} | {line.ratio.best:.3g} | {line.ratio.paired:.3g} |"
        f" {'' if line.goal is None else f'{line.goal:g}'} | {line.verdict} | {run} |"
        for line in lines
    ]
    RESULTS.write_text(HEAD + "\n".join(sorted(kept + made)) + "\n", encoding="utf-8")


def _machine() -> str:
    # The load of the last minute, ours included: far above `threads`, others had the cores too.
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} {platform.machine()} cores, {platform.system()}{load}"


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
