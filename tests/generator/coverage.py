"""What the generator has to draw: every layer, and of each argument every choice and more than one value."""

from __future__ import annotations

from typing import Any

from compiler.declare import AnyOf, Axis, Choice, Flag, Pads, Tensor
from compiler.graph import Graph
from compiler.ops import OPS

Drawn = tuple[str, str, str]
#: Words that leave no trace in the graph, which has explicit pads and positions of axes.
TRACELESS = (Pads, Axis)


def expected() -> set[Drawn]:
    """Layer, argument, value: each word, both flags, and a value beside the default of everything else."""
    found: set[Drawn] = set()
    for name, op in OPS.items():
        found.add((name, "", ""))
        for one in op.args():
            kinds = one.kind.kinds if isinstance(one.kind, AnyOf) else (one.kind,)
            for kind in kinds:
                if isinstance(kind, Choice):
                    found |= {(name, one.name, word) for word in kind.words}
                elif isinstance(kind, Flag):
                    found |= {(name, one.name, "True"), (name, one.name, "False")}
                elif not isinstance(kind, Tensor):
                    found.add((name, one.name, "another"))
    return found


def seen(graph: Graph) -> set[Drawn]:
    """The same of a graph."""
    found: set[Drawn] = set()
    for node in graph.nodes:
        found.add((node.op.name, "", ""))
        for one in node.op.args():
            value: Any = getattr(node.op, one.name)
            if isinstance(value, (str, bool)):
                found.add((node.op.name, one.name, str(value)))
            if value != one.default and not isinstance(value, str):
                found.add((node.op.name, one.name, "another"))
    return found
