"""`cnnc verify`: do the backends, or an ONNX file, compute the same?"""

from __future__ import annotations

import click

from cnnc.cli.common import (
    load,
    out,
    seed_option,
    set_option,
    spec_argument,
    training_option,
)
from cnnc.cli.failures import FINE, WRONG
from cnnc.cli.weights import Weights, weights_options


@click.command("verify")
@spec_argument
@weights_options()
@click.option("--onnx", "onnx_file", metavar="FILE", help="Compare this ONNX file with NumPy.")
@click.option(
    "--backend",
    "-b",
    "backends",
    metavar="NAME",
    multiple=True,
    help="A backend to compare; may be repeated. All that are installed if not given.",
)
@seed_option
@training_option
@set_option
def verb(
    spec: str,
    weights: Weights | None,
    onnx_file: str | None,
    backends: tuple[str, ...],
    seed: int,
    training: bool,
    settings: tuple[str, ...],
) -> int:
    """Compare the backends on SPEC with each other, and print the largest error of each output.

    Without weights, seeded ones are used in which nothing is zero or one. The exit status is 1 if
    something differs.
    """
    from cnnc.verification import verify
    from spec_lang.render import escape

    graph = load(spec, settings, training=training)
    arrays = weights.read(graph, training=training, seed=seed).weights if weights is not None else None
    report = verify(graph, arrays, seed=seed, onnx=onnx_file, backends=backends or None)
    out(escape(str(report), "\n"))
    return FINE if report.passed else WRONG
