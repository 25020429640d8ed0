"""A process that has imported the frameworks and none of ours, and runs tests in children of itself.

It works in a copy of the project.  For each job it writes the mutated file there, forks a child that
imports our packages and runs the tests that were asked for, and puts the file back.  So a mutant costs the
import of our packages alone, every module sees it (whoever imported a name from it, and whoever
reads it as text), and nothing is left of it.

Jobs come as lines of JSON on standard input; each is answered by a line.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

#: So many tests are called without pytest first, where it is known how.
EARLY = 60

#: Memory that a child may have beyond what the server has.
MEMORY = 6 * 2**30


def preload() -> None:
    """Import what our tests use and what takes long, but nothing of ours."""
    import hypothesis  # noqa: F401
    import lark  # noqa: F401
    import onnx.backend.test
    import onnx.checker
    import onnx.helper
    import onnx.numpy_helper
    import onnx.reference
    import onnx.shape_inference  # noqa: F401
    import onnxruntime  # noqa: F401
    import pytest  # noqa: F401
    import safetensors  # noqa: F401
    import torch
    import torch._dynamo
    import torch.export
    import torch.fx.experimental.symbolic_shapes  # what the first backward pass imports, in a second
    import torch.nn.functional
    import torch.utils.flop_counter

    torch.set_num_threads(1)
    ours = sorted({"spec_lang", "compiler", "backends", "cnnc", "specs"} & sys.modules.keys())
    if ours:
        raise RuntimeError(f"imported before any mutant: {ours}")


class Chosen:
    """A pytest plugin: runs the chosen tests alone, in their order, and notes the first that fails.

    A test is chosen by its id, or where `words` are given, if one of them is in its id.
    """

    def __init__(self, ids: list[str], words: list[str]) -> None:
        self.rank = {id: i for i, id in enumerate(ids)}
        self.words = words
        self.failed = ""
        self.ran = 0

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.rank:
            items[:] = sorted(
                (item for item in items if item.nodeid in self.rank), key=lambda i: self.rank[i.nodeid]
            )
        elif self.words:
            items[:] = [item for item in items if any(word in item.nodeid for word in self.words)]

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = f"{report.nodeid} cannot be imported"

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.ran += report.when == "call"
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run_tests(job: dict[str, Any], answer: int) -> None:
    """In the child: run the tests of a job, write what came of it to a pipe, and end."""
    import pytest

    if "places" in job:
        from tests.mutation.direct import first_failure

        failed = first_failure(job["ids"][:EARLY], job["places"])
        if failed:
            os.write(answer, json.dumps({"code": 1, "failed": failed, "ran": 1}).encode())
            return
    plugins: list[Any] = [Chosen(job.get("ids", []), job.get("words", []))]
    if job.get("collect"):
        from tests.mutation.direct import Places

        plugins.append(Places(job["collect"]))
    if job.get("trace"):
        from tests.mutation.trace import Tracer

        plugins.append(Tracer(job["trace"], job["files"], job["included"]))
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--hypothesis-seed=0"]
    options += ["--basetemp", str(Path(".mutation", "tmp").resolve())]
    options += ["--collect-only"] if job.get("collect") else [] if job.get("trace") else ["-x"]
    code = int(pytest.main([*options, *job["paths"]], plugins=plugins))
    chosen = plugins[0]
    os.write(answer, json.dumps({"code": code, "failed": chosen.failed, "ran": chosen.ran}).encode())


def limit(seconds: float) -> None:
    """So much time of the processor, and memory, for this process."""
    hard = int(seconds) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, hard))
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def child(job: dict[str, Any], answer: int) -> None:
    """What the child does; it does not return."""
    os.setpgid(0, 0)
    log = os.open(Path(".mutation", "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    code = 1
    try:
        if not job.get("trace"):
            limit(job["seconds"])
        run_tests(job, answer)
        code = 0
    except BaseException as error:
        os.write(answer, json.dumps({"code": 3, "failed": repr(error)[:200], "ran": 0}).encode())
    finally:
        sys.stdout.flush()
        os._exit(code)


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """Fork, wait, and say what came of it.  A child that hangs or dies answers by that."""
    start = time.monotonic()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(job, writing)
    os.close(writing)
    patience, status = time.monotonic() + job["seconds"] * 10 + 600, 0
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > patience:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            status = signal.SIGKILL
            break
        time.sleep(0.01)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    answer: dict[str, Any] = {"code": None, "failed": "", "ran": 0}
    if said:
        answer = json.loads(said.splitlines()[0])
    elif os.WIFSIGNALED(status):
        answer["failed"] = f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    else:
        answer["failed"] = f"ended with {status}"
    answer["seconds"] = round(time.monotonic() - start, 2)
    return answer


def mutated(job: dict[str, Any]) -> dict[str, Any]:
    """Perform a job with a file of the copy replaced."""
    path = Path(job["file"])
    original, stat = path.read_bytes(), path.stat()
    try:
        path.write_text(job["source"], encoding="utf-8")
        # Compiled files are known by size and time: no mutant may be taken for the original.
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 3_600_000_000_000))
        return perform(job)
    finally:
        path.write_bytes(original)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    Path(".mutation").mkdir(exist_ok=True)
    sys.path.insert(0, str(Path.cwd()))
    preload()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        answer = mutated(job) if job.get("source") is not None else perform(job)
        print(json.dumps(answer), file=answers, flush=True)
    shutil.rmtree(".mutation", ignore_errors=True)


if __name__ == "__main__":
    main()
