"""`cnnc eval`: how good trained weights are on labelled images."""

from __future__ import annotations

import json

import click

from cnnc.cli.common import load, out, seed_option, set_option, spec_argument
from cnnc.cli.weights import Weights, weights_options


@click.command("eval")
@spec_argument
@weights_options(required=True)
@click.option(
    "--data",
    "-d",
    required=True,
    metavar="DATA",
    help="digits, a folder of IDX files (MNIST), or one with a folder of images for each class.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "train"]),
    default="test",
    show_default=True,
    help="The images that were held out, or those that were trained on.",
)
@click.option("--backend", "-b", default="torch", show_default=True, metavar="NAME", help="Any that runs.")
@click.option("--confusion", is_flag=True, help="Print which class was taken for which.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@seed_option
@set_option
def verb(
    spec: str,
    weights: Weights,
    data: str,
    split: str,
    backend: str,
    confusion: bool,
    as_json: bool,
    seed: int,
    settings: tuple[str, ...],
) -> int:
    """Print the loss and the accuracy of SPEC with trained weights on a data set.

    Where a data set does not come in two parts, the seed says what is held out: give the one of the training.
    """
    from cnnc.data import open_data
    from cnnc.evaluation import evaluate
    from cnnc.render.table import table
    from spec_lang.render import escape

    graph = load(spec, settings)
    found = open_data(data, graph, seed)
    loaded = weights.read(graph, seed=seed)
    result = evaluate(graph, loaded.weights, found, backend, split=split, classes=loaded.classes)
    if as_json:
        out(
            json.dumps(
                {
                    "images": result.count,
                    "loss": result.loss,
                    "accuracy": result.accuracy,
                    "top5": result.top5,
                    "classes": list(result.classes),
                    "confusion": result.confusion.tolist(),
                },
                indent=2,
            )
        )
        return 0
    metrics = f"loss {result.loss:.4f}  accuracy {result.accuracy:.4f}  top5 {result.top5:.4f}"
    out(f"{result.count:,} images  {metrics}")
    if confusion:
        names = [escape(name) for name in result.classes]
        rows = [
            (name, *(str(count) if count else "." for count in row))
            for name, row in zip(names, result.confusion.tolist(), strict=True)
        ]
        out("\n" + table(("is \\ taken for", *names), rows, right=range(1, len(names) + 1)))
    return 0
