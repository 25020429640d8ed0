"""The command line: a verb a file, loaded when it is used.

`main` keeps the contract of exit statuses: 0 fine, 1 something is wrong with an input, 2 a wrong
command line, 3 the environment failed (no space, no permission, a missing package), 70 a defect
of ours, 130 and 143 on SIGINT and SIGTERM.  Diagnostics go to standard error.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from cnnc.cli.failures import Terminated, report
from spec_lang.diagnostics import nearest

#: Verb -> what it does, in a line.  The verb's file defines a command `verb`.
VERBS = {
    "check": "errors and warnings of specs",
    "summary": "shapes, memory, weights, multiply-adds and receptive field of each layer",
    "compile": "source code for a backend",
    "init": "initial weights",
    "train": "train on a data set",
    "eval": "loss and accuracy on a data set",
    "predict": "the likeliest classes of images",
    "export": "a checked ONNX file",
    "verify": "compare the backends, or an ONNX file, with each other",
    "fmt": "format specs",
    "specs": "the networks that come with cnnc",
    "explain": "what a diagnostic code means",
}


class Verbs(click.Group):
    """Imports a verb when it is asked for, so that `check` stays as light as it is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        verb = importlib.import_module(f"cnnc.cli.{name}").verb
        assert isinstance(verb, click.Command)
        return verb

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS:
            near = nearest(args[0], VERBS)
            hint = f"did you mean `cnnc {near[0]}`?" if near else "`cnnc --help` lists the verbs"
            raise click.UsageError(f"there is no verb `{args[0]}`; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from cnnc import __version__

        click.echo(f"cnnc {__version__}")
        ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@click.option(
    "--debug", is_flag=True, expose_value=False, help="Show a traceback where something goes wrong."
)
def application() -> None:
    """Convolutional networks as text: check, count, compile, train, export.

    A spec is named by its path, by path:Model, or, where it comes with cnnc, by its name (vgg16).
    """


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
    try:
        status = application.main(args=given, prog_name="cnnc", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as problem:  # the one place where everything ends
        # Where a pipe is broken, click wraps the streams and leaves with 1.
        broken = isinstance(problem, SystemExit) and sys.stdout is not stdout
        status = report(BrokenPipeError() if broken else problem, debug)
    finally:
        _on_sigterm(before)
    return status if isinstance(status, int) else 0


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
