"""Warnings that only `check --strict` gives."""

from __future__ import annotations

from compiler import shapes
from compiler.graph import Graph
from compiler.ops.sliding import Sliding
from spec_lang.diagnostics import Diagnostic

_AXES = ("depth", "height", "width")


def remainders(graph: Graph) -> list[Diagnostic]:
    """W301 for every window that leaves rows or columns over, whether or not that loses any."""
    found = []
    for node in graph.with_training.nodes:
        op = node.op
        if not isinstance(op, Sliding) or op.round in ("ceil", "caffe"):
            continue
        x = node.inputs[0].type
        for axis, (size, extent, stride, (begin, end)) in enumerate(
            zip(x.spatial, op.extents, op.stride, op.pad, strict=True)
        ):
            left = shapes.remainder(size, extent, stride, begin, end)
            if left:
                name = _AXES[3 - len(op.kernel) + axis]
                found.append(Diagnostic(
                    "W301", f"{op.name} leaves a remainder of {left} in the {name}: "
                    f"({size} - {extent} + {begin + end}) % {stride} = {left}", node.span))
    return found
