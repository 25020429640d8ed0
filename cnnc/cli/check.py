"""`cnnc check`: errors and warnings, before any framework is loaded."""

from __future__ import annotations

import click

from cnnc.cli import quick
from cnnc.cli.common import parsed_settings, set_option


@click.command("check")
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON on standard output.")
@click.option("--strict", is_flag=True, help="Warn of every row or column that a window drops.")
@set_option
def verb(specs: tuple[str, ...], as_json: bool, strict: bool, settings: tuple[str, ...]) -> int:
    """Report what is wrong or suspicious in specs.

    All models of a file are checked, but for those with parameters that have no default; file.cnn:Name
    checks one.  The exit status is 1 if there are errors; warnings leave it 0.
    """
    return quick.check(specs, parsed_settings(settings), as_json=as_json, strict=strict)
