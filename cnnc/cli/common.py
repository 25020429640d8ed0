"""What the verbs share: how a spec is named, `--set`, and small helpers for output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cnnc.cli.failures import Usage
from cnnc.cli.output import note as note
from cnnc.cli.output import out as out
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from compiler.graph import Graph

spec_argument = click.argument("spec", metavar="SPEC")

set_option = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Give a parameter of the model a value, written as in a spec; may be repeated.",
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="What every random choice starts from.",
)


training_option = click.option(
    "--training",
    is_flag=True,
    help="Keep what stands in `training { ... }`: auxiliary heads and their outputs.",
)


def parsed_settings(settings: Sequence[str], option: str = "--set") -> dict[str, str]:
    """Name -> value as it was written, of `--set name=value`.

    Raises `Usage` (E951) for what is not of that form; whether the value is one, and whether
    the model takes it, is found out when the model is loaded.
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name, text = name.strip(), text.strip()
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not text:
            raise Usage(
                Diagnostic(
                    "E951",
                    f"`{option} {setting}` is not of the form name=value",
                    help=(f"{option} classes=10",),
                )
            )
        if name in values:
            raise Usage(Diagnostic("E951", f"`{option}` gives `{name}` twice"))
        values[name] = text
    return values


def load(spec: str, settings: Sequence[str] = (), *, training: bool = False) -> Graph:
    """The graph of a spec that is named on the command line."""
    from compiler.load import load as load_graph

    return load_graph(spec, settings=parsed_settings(settings), training=training)
