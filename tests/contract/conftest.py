"""The process that the rows run in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[[dict[str, Any]], dict[str, Any]]


#: Commands that need no framework: their process is smaller, and so is each fork of it.
LIGHT = ("check", "fmt", "summary", "diff", "specs", "explain")


@pytest.fixture(scope="session")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """`ask({"argv": [...], "cwd": ...})` runs a command in a fork of a process with everything imported."""
    servers: dict[str, subprocess.Popen[str]] = {}

    def server(kind: str) -> subprocess.Popen[str]:
        if kind not in servers:
            scratch = tmp_path_factory.mktemp("scratch")
            made = servers[kind] = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("server.py")), str(scratch), kind],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            assert made.stdout is not None and json.loads(made.stdout.readline()) == "ready"
        return servers[kind]

    def asked(request: dict[str, Any]) -> dict[str, Any]:
        verb = request["argv"][0] if request["argv"] else ""
        running = server("light" if verb in LIGHT else "all")
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write(json.dumps(request) + "\n")
        running.stdin.flush()
        answer: dict[str, Any] = json.loads(running.stdout.readline())
        return answer

    yield asked
    for one in servers.values():
        assert one.stdin is not None
        one.stdin.close()
        one.wait(30)
