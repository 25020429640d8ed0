"""`cnnc fmt`: one way to write a spec, comments kept, meaning unchanged."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

import click

from cnnc.cli.common import note, out
from cnnc.cli.failures import FINE, WRONG, show
from spec_lang.diagnostics import Diagnostic, SpecError
from spec_lang.source import Source


@click.command("fmt")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Write nothing; the exit status is 1 if a file is not formatted.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def verb(files: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format specs in place, all or none; `-` formats standard input to standard output."""
    from spec_lang.formatter import format_source
    from spec_lang.render import escape

    wrong: list[Diagnostic] = []
    changed: dict[str | os.PathLike[str], str | bytes] = {}
    for name in files:
        try:
            source = _read(name)
            formatted = format_source(source)
        except SpecError as error:
            wrong += error.diagnostics
            continue
        if formatted != source.text:
            changed[name] = formatted
        if diff:
            lines = difflib.unified_diff(source.text.splitlines(True), formatted.splitlines(True), name, name)
            sys.stdout.write(escape("".join(lines), "\n\t"))
        elif check:
            if name in changed:
                note(f"{name} is not formatted")
        elif name == "-":
            out(formatted)
            changed.pop(name, None)
    if not (diff or check or wrong):  # where one cannot be formatted, all are left as they are
        from cnnc.files import write_all

        write_all(changed)
        for path in changed:
            note(f"formatted {os.fspath(path)}")
    show(wrong)
    return WRONG if wrong or (check and changed) else FINE


def _read(name: str) -> Source:
    from compiler.modules import read_source
    from spec_lang.limits import DEFAULT_LIMITS
    from spec_lang.parser import decode

    if name == "-":
        return decode(sys.stdin.buffer.read(DEFAULT_LIMITS.source_bytes + 1), "<stdin>")
    return read_source(Path(name), name, DEFAULT_LIMITS)
