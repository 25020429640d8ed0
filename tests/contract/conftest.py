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


@pytest.fixture(scope="session")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """`ask({"argv": [...], "cwd": ...})` runs a command in a fork of a process with everything imported."""
    scratch = tmp_path_factory.mktemp("scratch")
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("server.py")), str(scratch)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert server.stdin is not None and server.stdout is not None
    stdin, stdout = server.stdin, server.stdout
    assert json.loads(stdout.readline()) == "ready"

    def asked(request: dict[str, Any]) -> dict[str, Any]:
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer

    yield asked
    stdin.close()
    server.wait(30)
