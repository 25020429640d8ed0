"""`cnnc diff`: what differs between two specs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any

import click

from cnnc.cli.common import out, parsed_settings, set_option, training_option
from cnnc.cli.failures import FINE, WRONG


def _set_one(side: str) -> Callable[[Any], Any]:
    return click.option(
        f"--set-{side}",
        f"settings_{side}",
        metavar="NAME=VALUE",
        multiple=True,
        help=f"As `--set`, for {side.upper()} alone, and before it; may be repeated.",
    )


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print what differs as JSON.")
@click.option("--exit-code", is_flag=True, help="Leave with 1 if something differs.")
@training_option
@set_option
@_set_one("a")
@_set_one("b")
def verb(
    a: str,
    b: str,
    as_json: bool,
    exit_code: bool,
    training: bool,
    settings: tuple[str, ...],
    settings_a: tuple[str, ...],
    settings_b: tuple[str, ...],
) -> int:
    """Print what differs between the specs A and B.

    Layers that are added (+), removed (-), changed (~) or only renamed (>), the totals, and which weights
    of A fit B by name and shape. `--set` holds for both, or for the one that has such a parameter. The exit
    status is 0 if something differs, too, unless `--exit-code` is given.
    """
    from cnnc.render.diff import diff_of
    from compiler.load import load, parameters_of

    common = parsed_settings(settings)
    graphs = []
    known = [set(parameters_of(spec)) if common else set() for spec in (a, b)]
    own_a, own_b = parsed_settings(settings_a, "--set-a"), parsed_settings(settings_b, "--set-b")
    for spec, own, has, other in ((a, own_a, known[0], known[1]), (b, own_b, known[1], known[0])):
        # What neither has is handed on, so that it is told as for every other verb.
        given = {name: text for name, text in common.items() if name in has or name not in other}
        graphs.append(load(spec, settings=given | own, training=training))
    made = diff_of(*graphs)
    if as_json:
        out(made.to_json())
    else:
        out(made.text(shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    return WRONG if exit_code and not made.same else FINE
