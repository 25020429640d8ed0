"""`check` and `summary`, which start fast: click, whose import takes as long as a check, is left out.

`run` does a command line that holds specs and no options.  With options click reads it, and the verbs call
what is here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cnnc.cli.failures import FINE, WRONG, show
from cnnc.cli.output import out


def run(arguments: Sequence[str]) -> int | None:
    """Do `check SPEC...` or `summary SPEC`; the exit status, or None for everything else."""
    verb, *specs = arguments or ("",)
    if not specs or any(spec.startswith("-") for spec in specs):
        return None
    if verb == "check":
        return check(specs)
    if verb == "summary" and len(specs) == 1:
        return summary(specs[0])
    return None


def check(
    specs: Sequence[str],
    settings: Mapping[str, str] | None = None,
    *,
    as_json: bool = False,
    strict: bool = False,
) -> int:
    """Print what is wrong or suspicious in specs; the exit status."""
    from compiler.load import check as check_spec
    from spec_lang.render import escape, render_json

    found = []
    for spec in specs:
        diagnostics = check_spec(spec, settings=settings, strict=strict)
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


def summary(
    spec: str,
    settings: Mapping[str, str] | None = None,
    *,
    as_json: bool = False,
    training: bool = False,
    depth: int | None = None,
    sort: str = "order",
    batch: int = 1,
) -> int:
    """Print the table of a spec's layers; the exit status."""
    from cnnc.render.summary import summary_of
    from compiler.load import load

    graph = load(spec, settings=settings, training=training)
    made = summary_of(graph, depth=depth, sort=sort, batch=batch)
    if as_json:
        from compiler.summary import to_json

        out(to_json(made))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(made)
    else:
        out(str(made))
    return FINE
