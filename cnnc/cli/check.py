"""`cnnc check`: errors and warnings, before any framework is loaded."""

from __future__ import annotations

import click

from cnnc.cli.common import out, parsed_settings, set_option
from cnnc.cli.failures import FINE, WRONG, show


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
    from compiler.load import check
    from spec_lang.render import escape, render_json

    values = parsed_settings(settings)
    found = []
    for spec in specs:
        diagnostics = check(spec, settings=values, strict=strict)
        found += diagnostics
        if not as_json and not any(d.is_error for d in diagnostics):
            warnings = len(diagnostics)
            counted = "" if not warnings else f", {warnings} warning{'s' if warnings > 1 else ''}"
            out(f"{escape(spec)}: no errors{counted}")
    if as_json:
        out(render_json(found))
    else:
        show(found)
    return WRONG if any(d.is_error for d in found) else FINE
