"""What the docstrings of generated files say of a model: source, inputs, outputs, what it costs."""

from __future__ import annotations

from backends.writer import comment
from compiler.graph import Graph, Value


def doc_text(text: str) -> str:
    """Foreign text in a docstring: printable, on one line, with nothing that could end it."""
    return comment(text.strip()).replace('"', "'")


def described(graph: Graph) -> list[str]:
    """`Source: ...`, a line for each input and output, parameters and multiply-accumulates."""
    lines = []
    if graph.source_name:
        # The file's own name: the same text gives the same source wherever it lies.
        file = graph.source_name.replace("\\", "/").rpartition("/")[2]
        lines.append(f"Source: {doc_text(file)}, model {doc_text(graph.name)}.")
    for what, values in (("Input", graph.inputs), ("Output", graph.outputs)):
        lines += [f"{what}: {doc_text(name)} {shape(value)}" for name, value in values.items()]
    lines.append(f"Parameters: {graph.params:,}.  Multiply-accumulates for one image: {graph.macs:,}.")
    return lines


def flow(graph: Graph) -> str:
    """`image (N, 3, 32, 32) -> logits (N, 10)`, at the nominal sizes."""
    sides = (graph.inputs, graph.outputs)
    return " -> ".join(
        ", ".join(f"{doc_text(name)} {_tuple(list(map(str, value.shape)))}" for name, value in values.items())
        for values in sides
    )


def shape(value: Value) -> str:
    """`(N, 3, 224 (free), 224 (free))`, with the batch in front."""
    return _tuple(
        [f"{n} (free)" if free else str(n) for n, free in zip(value.shape, value.type.free, strict=True)]
    )


def _tuple(extents: list[str]) -> str:
    return f"(N, {', '.join(extents)})" if extents else "(N,)"
