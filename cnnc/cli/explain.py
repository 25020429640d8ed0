"""`cnnc explain`: the page of a diagnostic code."""

from __future__ import annotations

import click

from cnnc.cli.common import out
from cnnc.cli.failures import Usage
from spec_lang.codes import CODES
from spec_lang.codes.base import Code
from spec_lang.diagnostics import Diagnostic, nearest


@click.command("explain")
@click.argument("code", required=False)
def verb(code: str | None) -> int:
    """Print what a diagnostic CODE means, with an example; without one, list all codes."""
    if code is None:
        out("\n".join(f"{one.name}  {one.title}" for one in CODES.values()))
        return 0
    found = CODES.get(code.upper())
    if found is None:
        near = nearest(code.upper(), CODES)
        raise Usage(
            Diagnostic(
                "E950",
                f"there is no diagnostic code `{code}`",
                help=(f"did you mean `{near[0]}`?" if near else "`cnnc explain` lists them",),
            )
        )
    out(page(found))
    return 0


def page(code: Code) -> str:
    """The page as plain text."""
    parts = [f"{code.name}: {code.title}", code.text.strip()]
    for title, example in (("Wrong:", code.wrong), ("Right:", code.right)):
        if example:
            body = "\n".join(f"    {line}".rstrip() for line in example.strip("\n").splitlines())
            parts.append(f"{title}\n\n{body}")
    return "\n\n".join(parts)
