"""A process with everything imported, which forks for each command: one that starts in milliseconds.

It reads requests as lines of JSON and answers each with a line: exit status (negative: a signal), seconds,
memory beyond what the imports take, what was printed, and every act that a bad input must not cause.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

#: Events of `sys.audit` that no bad input may cause.
FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
             "os.posix_spawn", "os.fork", "pty.spawn", "webbrowser.open", "ctypes.dlopen")
#: Events that change files, with the positions of the paths among their arguments.
CHANGES = {"os.mkdir": (0,), "os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.link": (1,),
           "os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,), "os.chown": (0,), "shutil.rmtree": (0,)}


def light_imports() -> None:
    """What `check`, `summary` and `fmt` import, which need no framework."""
    import cnnc.api
    import cnnc.cli
    import compiler.load
    from cnnc.cli import check, diff, explain, fmt, specs, summary
    from cnnc.render.diff import diff_of
    from cnnc.render.summary import summary_of
    from tests.contract.api import call

    assert all((check, diff, diff_of, explain, fmt, specs, summary, summary_of, call, cnnc.api))
    compiler.load.shipped()


def imports() -> None:
    """All that any command imports, so that time and memory of a row are its own."""
    import numpy  # noqa: F401
    import onnx  # noqa: F401
    import onnxruntime
    import PIL.Image
    import sklearn.datasets  # noqa: F401
    import torch

    import cnnc.cli
    import cnnc.evaluation
    import cnnc.exporting
    import cnnc.onnx_file
    import cnnc.training
    import compiler.load  # noqa: F401
    from backends.base import backend

    torch.set_num_threads(1)
    # PyTorch imports a compiler, which makes a folder for its cache, when an optimiser steps first.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).step()
    onnxruntime.set_default_logger_severity(4)
    PIL.Image.init()
    for verb in cnnc.cli.VERBS:
        __import__(f"cnnc.cli.{verb}")
    for name in ("numpy", "torch", "onnx"):
        backend(name)


def watch(folder: str, acts: list[str]) -> None:
    """Note in `acts` what leaves the folder: writing elsewhere, the network, other programs."""
    inside = os.path.realpath(folder) + os.sep

    def strays(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return False
        real = os.path.realpath(os.fsdecode(path))
        return not (real + os.sep).startswith(inside) and real not in ("/dev/null", "/dev/tty")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) and strays(path):
                acts.append(f"writes {path!r}")
        elif event in CHANGES:
            acts.extend(f"{event} {arguments[i]!r}" for i in CHANGES[event] if strays(arguments[i]))
        elif event == "ctypes.dlopen" and arguments[0] in loaded:
            pass  # a library of NumPy's or PyTorch's that is in this process already
        elif event in FORBIDDEN:
            acts.append(f"{event} {arguments[:2]!r}")

    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    sys.addaudithook(hook)


def child(request: dict[str, Any], scratch: Path) -> None:
    """Run one command or one call of the API; never returns."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.update(request.get("env", {}))
    for number, name in ((0, request.get("stdin") or os.devnull), (1, scratch / "out"), (2, scratch / "err")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name, flags, 0o600), number)
    acts: list[str] = []
    watch(request["cwd"], acts)
    status, said = 0, None
    try:
        if request.get("api"):
            from tests.contract.api import call

            said = call(request["argv"])
        else:
            from cnnc.cli import main as command

            sys.argv = ["cnnc", *request["argv"]]
            sys.exit(command())
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1 if leaving.code else 0
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 99
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    found = list(acts)  # what follows is not the command's
    (scratch / "said").write_text(json.dumps({"acts": found, "said": said}))
    os._exit(status)


def slowdown() -> float:
    """How much slower this machine is now than the one that the limits are meant for; 1 if it is not."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        total = 0
        for number in range(200_000):
            total += number
        taken.append(time.process_time() - began)
    return max(1.0, min(taken) / 0.010)


def serve(request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    for name in ("out", "err", "said"):
        (scratch / name).unlink(missing_ok=True)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    baseline = pages * resource.getpagesize()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(request, scratch)
    hung = False
    # Counted in looks, not seconds: whoever stops this process and its child for a while ends neither.
    looks = int(request.get("patience", 30) / 0.002)
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            break
        looks -= 1
        if looks < 0:
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            hung = True
            break
        time.sleep(0.002)
    seconds = time.monotonic() - began

    def text(name: str) -> str:
        path = scratch / name
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""

    cpu = usage.ru_utime + usage.ru_stime
    said = json.loads(text("said") or '{"acts": [], "said": null}')
    return {
        "status": os.waitstatus_to_exitcode(status), "hung": hung, "seconds": seconds,
        "cpu": cpu / slowdown() if cpu > 1 else cpu, "memory": max(0, usage.ru_maxrss * 1024 - baseline),
        "out": text("out"), "err": text("err"), **said,
    }


def main() -> None:
    scratch = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    light_imports() if sys.argv[2:] == ["light"] else imports()
    gc.collect()
    gc.freeze()  # what is there need not be looked at, and so copied, in every fork
    answers.write('"ready"\n')
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(serve(json.loads(line), scratch)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
