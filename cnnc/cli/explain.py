"""`cnnc explain`: the page of a diagnostic code, or of a layer."""

from __future__ import annotations

import inspect
import shutil
import textwrap

import click

from cnnc.cli.common import out
from cnnc.cli.failures import Usage
from compiler.declare import show
from compiler.ops import OPS
from compiler.ops.base import Op
from spec_lang.codes import CODES
from spec_lang.codes.base import Code
from spec_lang.diagnostics import Diagnostic, nearest

#: Lines are no longer than this, however wide the terminal is.
LONGEST = 100


@click.command("explain")
@click.argument("what", required=False, metavar="[CODE|LAYER]")
def verb(what: str | None) -> int:
    """Print what a diagnostic CODE means, with an example, or what a LAYER does and takes.

    Without either, list all codes.
    """
    if what is None:
        out("\n".join(f"{one.name}  {one.title}" for one in CODES.values()))
        return 0
    code, layer = CODES.get(what.upper()), OPS.get(what)
    if code is not None:
        out(page(code))
    elif layer is not None:
        out(layer_page(layer))
    else:
        near = nearest(what.upper(), CODES) or nearest(what, OPS)
        raise Usage(
            Diagnostic(
                "E950",
                f"there is no diagnostic code and no layer `{what}`",
                help=(f"did you mean `{near[0]}`?" if near else "`cnnc explain` lists the codes",),
            )
        )
    return 0


def page(code: Code) -> str:
    """The page of a code as plain text."""
    paragraphs = code.text.strip("\n").split("\n\n")
    # What is indented is shown as it is.
    texts = [one if one.startswith("    ") else _wrapped(one) for one in paragraphs]
    parts = [f"{code.name}: {code.title}", *texts]
    for title, example in (("Wrong:", code.wrong), ("Right:", code.right)):
        if example:
            body = "\n".join(f"    {line}".rstrip() for line in example.strip("\n").splitlines())
            parts.append(f"{title}\n\n{body}")
    return "\n\n".join(parts)


def layer_page(layer: type[Op]) -> str:
    """The page of a layer as plain text, from its declaration."""
    parts = [_wrapped(layer.signature())]
    parts += [_wrapped(paragraph) for paragraph in inspect.cleandoc(layer.__doc__ or "").split("\n\n")]
    arguments = []
    for a in layer.args():
        default = "" if a.required else f"; default {'none' if a.default is None else show(a.default)}"
        text = f"{a.name}: {a.doc}; {a.kind.describe()}{default}"
        arguments.append(_wrapped(text, "    ", "        "))
    if arguments:
        parts.append("\n".join(["Arguments:", *arguments]))
    return "\n\n".join(parts)


def _wrapped(text: str, first: str = "", rest: str = "") -> str:
    width = min(shutil.get_terminal_size().columns, LONGEST)
    return "\n".join(
        textwrap.wrap(
            " ".join(text.split()),
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
