"""Specs made wrong on purpose: one argument, size or layer of a valid one changed.

What `check` accepts all the same must run on all three backends, and on PyTorch's own layers: so that
whatever PyTorch refuses is refused by `check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from compiler.load import check
from compiler.ops import OPS
from spec_lang import syntax as ast
from spec_lang.source import Source
from tests.generator.metamorphic import Edit, edited, file_of, nodes
from tests.generator.torch_says import asks

WORDS = (
    ("zeros", "reflect", "replicate", "circular"), ("exact", "floor", "ceil", "caffe"), ("half", "same", "same_lower", "valid"),
    ("padded", "valid", "window"), ("channels", "last", "height", "width", "depth"), ("max", "mean", "sum"),
    ("inverted", "classic", "path"),
)  # fmt: skip
JOINS = ("add", "multiply", "maximum", "average", "concat")
#: Beyond these a mutant is only slow, and not more wrong.
MOST_ELEMENTS, MOST_MACS, MOST_PARAMS = 200_000, 50_000_000, 2_000_000


def mutants(text: str, seed: int) -> Iterator[tuple[str, str]]:
    """What was changed, and the changed text; without end."""
    rng = Random(f"{seed} wrong")
    found = [edit for node in nodes(file_of(text)) for edit in _changes(text, node, rng)]
    while found:
        start, stop, new = rng.choice(found)
        yield f"{text[start:stop]!r} -> {new!r}", edited(text, [(start, stop, new)])


def _changes(text: str, node: Any, rng: Random) -> Iterator[Edit]:
    if isinstance(node, ast.Int):
        values = [0, 1, node.value + 1, node.value - 1, node.value * 2, node.value + 7, 97]
        for value in {v for v in values if v != node.value}:
            yield node.span.start, node.span.end, f"({value})" if value < 0 else str(value)
    elif isinstance(node, ast.Float):
        for new in ("0.0", "(-1.5)", "2", "1e6"):
            yield node.span.start, node.span.end, new
    elif isinstance(node, ast.Size):
        axis = rng.randrange(len(node.extents))
        extents = [n + rng.choice([1, 2, 5, 30]) if i == axis else n for i, n in enumerate(node.extents)]
        for values in (extents, node.extents[1:], (*node.extents, 1), node.extents[::-1]):
            if len(values) > 1:
                yield node.span.start, node.span.end, "x".join(map(str, values))
    elif isinstance(node, ast.Name):
        for words in WORDS:
            if node.id in words:
                yield node.span.start, node.span.end, rng.choice(words)
    elif isinstance(node, ast.Bool):
        yield node.span.start, node.span.end, str(not node.value).lower()
    elif isinstance(node, ast.Apply) and node.name in OPS:
        pool = JOINS if node.name in JOINS else [n for n in OPS if n not in JOINS]
        yield node.name_span.start, node.name_span.end, rng.choice(pool)
        for i, argument in enumerate(node.arguments or ()):
            if i:
                yield node.arguments[i - 1].span.end, argument.span.end, ""  # type: ignore[index]
    elif isinstance(node, ast.Merge):
        yield node.name_span.start, node.name_span.end, rng.choice(JOINS)
    elif isinstance(node, ast.Chain) and len(node.links) > 1:
        i = rng.randrange(1, len(node.links))
        yield node.links[i - 1].span.end, node.links[i].span.end, ""


def examine_wrong(text: str, seed: int, count: int) -> list[tuple[Any, str]]:
    """The findings of `count` mutants, each with its text."""
    from tests.generator.differential import Finding, examine

    made: list[tuple[Any, str]] = []
    for (what, changed), _ in zip(mutants(text, seed), range(count), strict=False):
        try:
            refused = any(d.is_error for d in check(Source("wrong.cnn", changed)))
            if refused or too_large(changed):
                continue
        except Exception as error:
            made.append((Finding(f"wrong: check: {type(error).__name__}", f"{what}: {error}"), changed))
            continue
        for finding in examine(changed, seed, ("forward", "onnx")).findings:
            made.append((Finding(f"wrong: {finding.kind}", f"{what}: {finding.detail}"), changed))
    return made


def accepted_against_pytorch(text: str, seed: int, count: int) -> tuple[int, list[tuple[Any, str]]]:
    """How many of `count` layers made wrong PyTorch refuses, and those that `check` accepts all the same."""
    from compiler.load import load
    from tests.generator.differential import Finding

    asked = asks(seed, load(Source("random.cnn", text)).nodes, count)
    found = [
        (Finding("wrong: PyTorch refuses", why), alone)
        for alone, why in asked
        if not any(d.is_error for d in check(Source("alone.cnn", alone)))
    ]
    return len(asked), found


def too_large(text: str) -> bool:
    from compiler.load import load

    graph = load(Source("wrong.cnn", text))
    largest = max(v.type.elements for n in graph.nodes for v in n.outputs) if graph.nodes else 0
    return largest > MOST_ELEMENTS or graph.macs > MOST_MACS or graph.params > MOST_PARAMS
