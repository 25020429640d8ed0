"""`cnnc predict`: the likeliest classes of images."""

from __future__ import annotations

import json

import click

from cnnc.cli.common import load, out, set_option, spec_argument
from cnnc.cli.weights import Weights, weights_options


@click.command("predict")
@spec_argument
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@weights_options(required=True)
@click.option(
    "--backend",
    "-b",
    default="torch",
    show_default=True,
    metavar="NAME",
    help="Any that runs; onnx runs on onnxruntime.",
)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes.")
@click.option("--json", "as_json", is_flag=True, help="Print the classes as JSON.")
@set_option
def verb(
    spec: str,
    images: tuple[str, ...],
    weights: Weights,
    backend: str,
    top: int,
    as_json: bool,
    settings: tuple[str, ...],
) -> int:
    """Print the likeliest classes of image files, with their probabilities.

    The images are prepared by the spec's preprocess, as in training.
    """
    from cnnc.evaluation import predict
    from spec_lang.render import escape

    graph = load(spec, settings)
    loaded = weights.read(graph)
    predictions = predict(graph, loaded.weights, images, backend, top=top, classes=loaded.classes)
    if as_json:
        out(
            json.dumps(
                [
                    {
                        "image": one.source,
                        "classes": [{"class": name, "probability": share} for name, share in one.classes],
                    }
                    for one in predictions
                ],
                indent=2,
            )
        )
        return 0
    for one in predictions:
        shares = "  ".join(f"{escape(name)} {share:.4f}" for name, share in one.classes)
        out(f"{escape(one.source)}: {shares}")
    return 0
