"""From an exception to lines on standard error and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spec_lang.diagnostics import Diagnostic, Error, nearest

if TYPE_CHECKING:
    import click

FINE, WRONG, USAGE, ENVIRONMENT, DEFECT = 0, 1, 2, 3, 70
INTERRUPTED, TERMINATED = 130, 143

#: Codes of what is not the input's fault: a package that is not installed, an output that cannot be written.
_ENVIRONMENT_CODES = ("E605", "E709", "E9")
_USAGE_CODES = ("E950", "E951")
#: An exported file that is refused, or computes something else: whatever was handed in, that is our fault.
_DEFECT_CODES = ("E611", "E612", "E999")


class Terminated(BaseException):
    """SIGTERM came; nothing but `report` may catch it."""


class Usage(Error):
    """A command line that makes no sense (E950, E951)."""


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics as text on standard error."""
    from spec_lang.render import render_text

    text = render_text(tuple(diagnostics))
    if text:
        print(text.rstrip("\n"), file=sys.stderr)


def report(problem: BaseException, debug: bool = False) -> int:
    """Say what went wrong, and give the exit status.  A traceback only with `debug`."""
    click = _click()
    if click is not None and isinstance(problem, click.Exit):
        code: int = problem.exit_code
        return code
    if isinstance(problem, BrokenPipeError):
        _silence_stdout()
        return FINE
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) else FINE
    if click is not None and isinstance(problem, click.NoArgsIsHelpError):
        print(problem.ctx.get_help(), file=sys.stderr)
        return USAGE
    if debug:
        import traceback

        traceback.print_exception(problem)
    status, diagnostics = _judge(problem)
    try:
        if diagnostics:
            show(diagnostics)
        else:
            print("interrupted" if status == INTERRUPTED else "terminated", file=sys.stderr)
    except BrokenPipeError:
        _silence_stdout()
    return status


def _judge(problem: BaseException) -> tuple[int, tuple[Diagnostic, ...]]:
    if isinstance(problem, Error):
        return _status_of(problem.diagnostics), problem.diagnostics
    click = _click()
    if click is not None and isinstance(problem, click.ClickException):
        return USAGE, (_usage(problem),)
    if isinstance(problem, KeyboardInterrupt) or (click is not None and isinstance(problem, click.Abort)):
        return INTERRUPTED, ()
    if isinstance(problem, Terminated):
        return TERMINATED, ()
    # PyTorch's allocator raises a RuntimeError.
    if isinstance(problem, MemoryError) or "can't allocate memory" in str(problem):
        return ENVIRONMENT, (Diagnostic("E911", "there is not enough memory for this"),)
    if isinstance(problem, OSError):
        reason = (problem.strerror or str(problem)).lower()
        place = problem.filename if isinstance(problem.filename, str) else ""
        return ENVIRONMENT, (Diagnostic("E910", f"the system refused: {reason}", place=place),)
    return DEFECT, (
        Diagnostic(
            "E999",
            f"a defect of cnnc: {type(problem).__name__}: {problem}",
            help=("please report it, with what `--debug` prints",),
        ),
    )


def _status_of(diagnostics: tuple[Diagnostic, ...]) -> int:
    codes = [d.code for d in diagnostics if d.is_error]
    if any(code in _USAGE_CODES for code in codes):
        return USAGE
    if any(code in _DEFECT_CODES for code in codes):
        return DEFECT
    if codes and all(code.startswith(_ENVIRONMENT_CODES) for code in codes):
        return ENVIRONMENT
    return WRONG


def _click() -> Any:
    """Click's exceptions, if they have been imported; else nothing of it can have been raised."""
    found = sys.modules.get("click.exceptions")
    return found if hasattr(found, "Exit") else None  # the last one: an import may have been interrupted


def _usage(problem: click.ClickException) -> Diagnostic:
    """Click's complaint in our form, with the nearest option."""
    context = getattr(problem, "ctx", None)
    command = context.command_path if context is not None else "cnnc"
    help = f"`{command} --help` says what there is"
    import click

    if isinstance(problem, click.NoSuchOption) and context is not None:
        known = [
            o
            for p in context.command.get_params(context)
            for o in (*p.opts, *p.secondary_opts)
            if o.startswith("-")
        ]
        near = nearest(problem.option_name, known)
        if near:
            help = f"did you mean `{near[0]}`?"
        return Diagnostic("E950", f"`{command}` has no option `{problem.option_name}`", help=(help,))
    message = problem.format_message().rstrip(".")
    return Diagnostic("E950", message[:1].lower() + message[1:], help=(help,))


def _silence_stdout() -> None:
    """Whoever read our output is gone: let what is still buffered go nowhere, without a complaint."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
