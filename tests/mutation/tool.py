"""The operators of Cosmic Ray, a mutation tool for Python, applied to a text.

Its runner writes files and starts a process for each mutant; only its operators are used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.mutation.mutants import Edit, Offsets


class ToolMissing(Exception):
    """Cosmic Ray is not installed."""


@cache
def operators() -> tuple[Any, ...]:
    """Its operators that need no arguments, in the order of their names."""
    try:
        from cosmic_ray.operators.provider import OperatorProvider
    except ImportError as error:
        raise ToolMissing("the long form needs Cosmic Ray: pip install -e '.[mutation]'") from error
    provider = OperatorProvider()
    found = [provider[name] for name in sorted(provider)]
    return tuple(one() for one in found if not one.arguments())


def edits(file: str, source: str) -> Iterator[Edit]:
    """Every change that the tool makes to a file, as an edit of the text."""
    import parso

    def nodes(node: Any) -> Iterator[Any]:
        yield node
        for child in getattr(node, "children", ()):
            yield from nodes(child)

    places = Offsets(source)
    for node in nodes(parso.parse(source)):
        if node.type in _KINDS:
            for operator in operators():
                for index, _ in enumerate(list(operator.mutation_positions(node))):
                    yield _edit(file, source, places, node, operator, index)


#: Kinds of nodes that some operator changes; the others are not asked.
_KINDS = {
    "operator", "keyword", "number", "comparison", "factor", "not_test", "test", "if_stmt", "while_stmt",
    "assert_stmt", "for_stmt", "decorator", "decorated", "decorators", "try_stmt", "except_clause", "name",
}  # fmt: skip


def _edit(file: str, source: str, places: Offsets, node: Any, operator: Any, index: int) -> Edit:
    """The mutation of a node.  It changes the tree, so the statement around it is parsed anew for each."""
    import parso

    start, end = places.of(*node.start_pos), places.of(*node.end_pos)
    whole = node
    while whole.parent is not None and whole.parent.type not in ("file_input", "suite"):
        whole = whole.parent
    first, last = places.of(*whole.start_pos), places.of(*whole.end_pos)
    path = []
    step = node
    while step is not whole:
        path.append(step.parent.children.index(step))
        step = step.parent
    indented = whole.start_pos[1]
    # An indented statement keeps its indentation, beneath a head of its own.
    target = parso.parse(("if 1:\n" if indented else "") + source[first - indented : last]).children[0]
    if indented:
        target = target.children[3].children[1]
    for at in reversed(path):
        target = target.children[at]
    assert target.type == node.type and target.get_code(include_prefix=False) == source[start:end]
    made = operator.mutate(target, index)
    new = "" if made is None else made.get_code(include_prefix=False)
    return Edit(file, f"cosmic-ray {type(operator).__name__}", start, end, new)
