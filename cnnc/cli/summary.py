"""`cnnc summary`: what each layer makes and costs."""

from __future__ import annotations

import click

from cnnc.cli import quick
from cnnc.cli.common import parsed_settings, set_option, spec_argument


@click.command("summary")
@spec_argument
@click.option("--json", "as_json", is_flag=True, help="Print the rows and totals as JSON.")
@click.option("--training", is_flag=True, help="Count what exists in training alone, too.")
@set_option
def verb(spec: str, as_json: bool, training: bool, settings: tuple[str, ...]) -> int:
    """Print what each layer of SPEC makes and costs, and the totals.

    Output volume, memory, weights, multiply-adds, receptive field and jump. Memory counts numbers; the
    weights are shown as a formula and a number, without biases.
    """
    return quick.summary(spec, parsed_settings(settings), as_json=as_json, training=training)
