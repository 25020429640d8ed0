"""The command line: a verb a file, loaded when it is used.  What is typed most often is in `quick`.

`main` keeps the contract of exit statuses: 0 fine, 1 something is wrong with an input, 2 a wrong
command line, 3 the environment failed (no space, no permission, a missing package), 70 a defect
of ours, 130 and 143 on SIGINT and SIGTERM.  Diagnostics go to standard error.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from cnnc.cli import quick
from cnnc.cli.failures import Terminated, report

#: Verb -> what it does, in a line.  The verb's file defines a command `verb`.
VERBS = {
    "check": "errors and warnings of specs",
    "summary": "shapes, memory, weights, multiply-adds and receptive field of each layer",
    "diff": "layers, costs and weights that differ between two specs",
    "compile": "source code for a backend",
    "init": "initial weights",
    "train": "train on a data set",
    "eval": "loss and accuracy on a data set",
    "predict": "the likeliest classes of images",
    "export": "a checked ONNX file",
    "verify": "compare the backends, or an ONNX file, with each other",
    "fmt": "format specs",
    "specs": "the networks that come with cnnc",
    "explain": "what a diagnostic code means, or what a layer takes",
}

#: Objects after which Python looks for cycles, and how often for older ones.  Graphs, sources and models
#: live until a command ends: with Python's own numbers a fifth of the time goes into finding nothing.
COLLECTION = (50_000, 20, 100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # `--debug` is meant anywhere on the line: people add it at the end.
    debug = "--debug" in _before_dashes(given)
    if debug:
        given.remove("--debug")
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    stdout = sys.stdout
    before = _on_sigterm(_terminate)
    collection = gc.get_threshold()
    gc.set_threshold(*COLLECTION)
    try:
        status = _run(given, debug)
        sys.stdout.flush()
    except BaseException as problem:  # the one place where everything ends
        # Where a pipe is broken, click wraps the streams and leaves with 1.
        broken = isinstance(problem, SystemExit) and sys.stdout is not stdout
        status = report(BrokenPipeError() if broken else problem, debug)
    finally:
        gc.set_threshold(*collection)
        _on_sigterm(before)
    return status if isinstance(status, int) else 0


def _run(given: list[str], debug: bool) -> Any:
    done = quick.run(given)
    if done is not None:
        return done
    import warnings

    from cnnc.cli.commands import application

    with warnings.catch_warnings():
        if not debug and not sys.warnoptions:
            # What matters of an overflow, or of an old file, is told in our own words.
            warnings.simplefilter("ignore")
        return application.main(args=given, prog_name="cnnc", standalone_mode=False)


def _open_what_is_closed() -> None:
    """Python has no stream where the shell closed one (`>&-`): then it is the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (as long as we run)


def _before_dashes(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _on_sigterm(handler: Any) -> Any:
    """Set the handler of SIGTERM, so that temporary files are cleared on the way out; the one before."""
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:  # not in the main thread: a program calls us and has signals of its own
        return signal.SIG_DFL
