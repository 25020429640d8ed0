"""`cnnc compile`: the source code of a model for one backend."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cnnc.cli.common import (
    load,
    note,
    set_option,
    spec_argument,
    training_option,
)
from cnnc.cli.failures import Usage
from cnnc.cli.weights import Weights, weights_options
from spec_lang.diagnostics import Diagnostic


@click.command("compile")
@spec_argument
@click.option(
    "--backend", "-b", required=True, metavar="NAME", help="numpy, torch, onnx, or one from outside."
)
@click.option(
    "--output",
    "-o",
    metavar="PATH",
    default="-",
    show_default=True,
    help="A file, a folder that exists, or - for standard output.",
)
@weights_options()
@training_option
@set_option
def verb(
    spec: str, backend: str, output: str, weights: Weights | None, training: bool, settings: tuple[str, ...]
) -> int:
    """Write the source code of SPEC for a backend.

    The NumPy file needs nothing but NumPy, the PyTorch file nothing but torch; weights come in as a
    mapping from name to array.  Two runs give the same bytes.
    """
    import backends.base
    from cnnc.files import target, write_all

    made = backends.base.backend(backend)
    graph = load(spec, settings, training=training)
    inputs = [*graph.files, *(weights.files if weights else ())]
    if output != "-" and not os.path.isdir(output):
        target(output, inputs=inputs)  # refuse a bad output before time is spent
    made.check(graph)
    arrays = weights.read(graph, training=training).weights if weights is not None else None
    files = made.generate(graph, arrays)
    if output == "-":
        _print(files)
        return 0
    contents: dict[str | os.PathLike[str], str | bytes]
    if os.path.isdir(output):
        contents = {Path(output) / name: content for name, content in files.items()}
    elif len(files) == 1:
        contents = {Path(output): next(iter(files.values()))}
    else:
        raise Usage(
            Diagnostic(
                "E950",
                f"the backend `{backend}` writes {len(files)} files: {', '.join(files)}",
                help=(f"mkdir {output}, and give it as the output",),
            )
        )
    for path in write_all(contents, inputs=inputs):
        note(f"wrote {path}")
    return 0


def _print(files: dict[str, str | bytes]) -> None:
    if len(files) > 1:
        raise Usage(
            Diagnostic(
                "E950", f"there are {len(files)} files: {', '.join(files)}", help=("-o FOLDER writes them",)
            )
        )
    (content,) = files.values()
    if isinstance(content, str):
        sys.stdout.write(content)
        return
    if sys.stdout.isatty():
        raise Usage(
            Diagnostic(
                "E950",
                "this is a binary file, and standard output is a terminal",
                help=(f"-o {next(iter(files))}",),
            )
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
