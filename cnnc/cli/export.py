"""`cnnc export`: an ONNX file that has been checked and compared before it is there."""

from __future__ import annotations

import click

from cnnc.cli.common import (
    load,
    note,
    out,
    seed_option,
    set_option,
    spec_argument,
    training_option,
)
from cnnc.cli.weights import Weights, weights_options


@click.command("export")
@spec_argument
@weights_options()
@click.option("--output", "-o", metavar="FILE", help="Where to write; MODEL.onnx if not given.")
@click.option(
    "--preprocess",
    is_flag=True,
    help="Put the spec's preprocess in front: the file then takes pixels of 0 to 255.",
)
@click.option(
    "--fold/--no-fold", default=True, help="Fold batchnorm into the convolution before it (the default)."
)
@seed_option
@training_option
@set_option
def verb(
    spec: str,
    weights: Weights | None,
    output: str | None,
    preprocess: bool,
    fold: bool,
    seed: int,
    training: bool,
    settings: tuple[str, ...],
) -> int:
    """Write SPEC with its weights as an ONNX file.

    The file passes onnx.checker, and onnxruntime gives what NumPy gives at two batch sizes, or it is not
    written. Without weights the model is exported with initial ones.
    """
    from cnnc.exporting import export
    from cnnc.files import target
    from spec_lang.render import escape

    graph = load(spec, settings, training=training)
    path = f"{graph.name}.onnx" if output is None else output
    inputs = [*graph.files, *(weights.files if weights else ())]
    target(path, inputs=inputs)  # refuse a bad output before time is spent
    classes: tuple[str, ...] = ()
    if weights is not None:
        loaded = weights.read(graph, training=training, seed=seed)
        arrays, classes = loaded.weights, loaded.classes
    else:
        from compiler.initial import initial_weights

        note(f"note: no weights given, so the file holds initial ones (seed {seed})")
        arrays = initial_weights(graph, seed=seed)
    report = export(
        graph,
        arrays,
        path,
        preprocess=preprocess,
        fold=fold,
        classes=classes or None,
        seed=seed,
        inputs=inputs,
    )
    out(escape(str(report), "\n"))
    note(f"wrote {path}")
    return 0
