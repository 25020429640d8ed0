"""`cnnc init`: initial weights, the same for every backend."""

from __future__ import annotations

import click

from cnnc.cli.common import load, note, seed_option, set_option, spec_argument


@click.command("init")
@spec_argument
@click.option("--output", "-o", metavar="FILE", help="Where to write; MODEL.safetensors if not given.")
@seed_option
@set_option
def verb(spec: str, output: str | None, seed: int, settings: tuple[str, ...]) -> int:
    """Write initial weights for SPEC as safetensors, by its `init` rules."""
    from cnnc.files import target
    from cnnc.weights_io import save_weights
    from compiler.initial import initial_weights

    graph = load(spec, settings)
    path = f"{graph.name}.safetensors" if output is None else output
    target(path, inputs=graph.files)
    save_weights(path, initial_weights(graph, seed=seed), graph)
    note(f"wrote {path}: {len(graph.weights)} tensors, {graph.params:,} parameters")
    return 0
