"""`cnnc summary`: what each layer makes and costs."""

from __future__ import annotations

import click

from cnnc.cli import quick
from cnnc.cli.common import parsed_settings, set_option, spec_argument
from compiler.summary import SORTS


@click.command("summary")
@spec_argument
@click.option("--json", "as_json", is_flag=True, help="Print the rows and totals as JSON.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    metavar="N",
    help="Fold what has more than N steps in its name: 1 gives `layer1`, 0 the model alone.",
)
@click.option(
    "--sort",
    type=click.Choice(tuple(SORTS)),
    default="order",
    show_default=True,
    help="Largest rows first, with their share of the total.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Images at a time, for the memory of inference and training.",
)
@click.option("--training", is_flag=True, help="Count what exists in training alone, too.")
@set_option
def verb(
    spec: str,
    as_json: bool,
    depth: int | None,
    sort: str,
    batch: int,
    training: bool,
    settings: tuple[str, ...],
) -> int:
    """Print what each layer of SPEC makes and costs, and the totals.

    Output volume, memory, weights, multiply-adds, receptive field and jump. Memory counts numbers; the
    weights are shown as a formula and a number, without biases. Below them stands the memory in bytes that
    inference and training need.
    """
    return quick.summary(
        spec,
        parsed_settings(settings),
        as_json=as_json,
        training=training,
        depth=depth,
        sort=sort,
        batch=batch,
    )
