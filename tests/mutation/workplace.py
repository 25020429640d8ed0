"""A copy of the project with a server in it, and what is asked of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.mutation.modules import ROOT, copied


class Workplace:
    """A context: the copy is made when it is entered and removed when it is left."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def __enter__(self) -> Workplace:
        self._folder = tempfile.TemporaryDirectory(prefix="mutants-")
        self.copy = Path(self._folder.name)
        copied(self.copy, self.root)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.copy),
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
        }
        environment.pop("PYTEST_ADDOPTS", None)
        for name in [n for n in environment if n.startswith(("PYTEST_XDIST", "COV_"))]:
            del environment[name]
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation.server"],
            cwd=self.copy,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)
        self._folder.cleanup()

    def ask(self, **job: Any) -> dict[str, Any]:
        """Run a job (see `server`) and give its answer."""
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError(f"the server of mutants ended with {self._server.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
