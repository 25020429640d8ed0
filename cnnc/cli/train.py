"""`cnnc train`: train a classifier, with progress on standard error."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

import click

from cnnc.cli.common import (
    load,
    note,
    out,
    seed_option,
    set_option,
    spec_argument,
)
from cnnc.cli.weights import Weights, weights_options
from cnnc.training import Epoch, Step, adjusted_settings, frozen, last_path, train


@click.command("train")
@spec_argument
@click.option(
    "--data",
    "-d",
    required=True,
    metavar="DATA",
    help="digits, a folder of IDX files (MNIST), or one with a folder of images for each class.",
)
@click.option("--output", "-o", metavar="FILE", help="The best checkpoint; MODEL.safetensors if not given.")
@click.option("--backend", "-b", default="torch", show_default=True, metavar="NAME", help="torch or numpy.")
@click.option("--epochs", type=int, metavar="N", help="Instead of the train section's.")
@click.option("--batch", type=int, metavar="N", help="Instead of the train section's.")
@click.option(
    "--freeze",
    multiple=True,
    metavar="PATTERN",
    help='Instead of the train section\'s: "all but fc", "conv1, layer1"; may be repeated.',
)
@weights_options("Start from these instead of initial ones: .safetensors or .pth.")
@click.option("--resume", metavar="FILE", help="Go on from the last checkpoint of the same training.")
@seed_option
@set_option
def verb(
    spec: str,
    data: str,
    output: str | None,
    backend: str,
    epochs: int | None,
    batch: int | None,
    freeze: tuple[str, ...],
    weights: Weights | None,
    resume: str | None,
    seed: int,
    settings: tuple[str, ...],
) -> int:
    """Train SPEC by its train section.

    After each epoch it is measured on the images that are held out. The best weights go to the output,
    the last state, with which --resume goes on, beside it (NAME.last.safetensors). An interrupt stops
    after the step, and the last state is written.
    """
    from cnnc.data import open_data
    from cnnc.files import target

    graph = load(spec, settings, training=True)
    path = f"{graph.name}.safetensors" if output is None else output
    inputs = [*graph.files, *(weights.files if weights else ())]
    for written in (path, last_path(path)):
        target(written, inputs=inputs)  # refuse a bad output before time is spent
    trained = frozen(graph, adjusted_settings(graph, freeze=freeze or None)).params
    found = open_data(data, graph, seed)
    start = weights.read(graph, seed=seed).weights if weights is not None else None
    note(
        f"{graph.name}: {graph.params:,} parameters"
        + (f", {trained:,} of them trained" if trained != graph.params else "")
        + f"; {found.name}: {len(found.train):,} images, {len(found.test):,} held out"
    )
    with _progress() as progress:
        result = train(
            graph,
            found,
            backend=backend,
            seed=seed,
            epochs=epochs,
            batch=batch,
            freeze=freeze or None,
            weights=start,
            out=path,
            resume=resume,
            inputs=inputs,
            progress=progress,
        )
    out(f"test accuracy {result.accuracy:.4f} after epoch {result.best + 1} of {len(result.epochs)}")
    note(f"wrote {path} and {result.last_path}")
    return 0


class _Lines:
    """A line for each epoch."""

    def __call__(self, event: Step | Epoch) -> None:
        if isinstance(event, Epoch):
            note(epoch_line(event))


class _Bar(AbstractContextManager["_Bar"]):
    """A bar for the epoch that runs, above it a line for each that is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bars.add_task("", numbers="", total=None)

    def __enter__(self) -> _Bar:
        self.bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bars.stop()

    def __call__(self, event: Step | Epoch) -> None:
        if isinstance(event, Epoch):
            self.bars.console.print(epoch_line(event), highlight=False, markup=False)
            return
        self.bars.update(
            self.task,
            total=event.steps * event.epochs,
            completed=event.epoch * event.steps + event.step + 1,
            description=f"epoch {event.epoch + 1}/{event.epochs}",
            numbers=f"loss {event.loss:.4f}  accuracy {event.accuracy:.4f}",
        )


def epoch_line(epoch: Epoch) -> str:
    """`epoch 3/10  loss 0.6012  accuracy 0.9814  test loss 0.1033  accuracy 0.9750  best`."""
    test = "  ".join(f"{name} {value:.4f}" for name, value in epoch.test.items())
    return (
        f"epoch {epoch.epoch + 1:>{len(str(epoch.epochs))}}/{epoch.epochs}  loss {epoch.loss:.4f}  "
        f"accuracy {epoch.accuracy:.4f}  test {test}" + ("  best" if epoch.best else "")
    )


def _progress() -> AbstractContextManager[_Lines | _Bar]:
    return _Bar() if sys.stderr.isatty() else nullcontext(_Lines())
