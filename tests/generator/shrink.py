"""A spec that fails, made smaller while it still fails the same way.

Works on the text of any spec, along the places of its AST: cuts statements, links, branches, arguments,
parameters and definitions, opens loops and groups, and makes numbers smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from spec_lang import syntax as ast
from spec_lang.diagnostics import SpecError
from spec_lang.formatter import format_source
from spec_lang.source import Source
from tests.generator.metamorphic import Edit, edited, file_of, nodes

Fails = Callable[[str], bool]


def shrunk(text: str, fails: Fails, most: int = 2_000) -> str:
    """The smallest text that was found in `most` tries; it fails as the first one does."""
    tries = 0
    again = True
    while again and tries < most:
        again = False
        for candidate in candidates(text):
            tries += 1
            if tries >= most:
                break
            if fails(candidate):
                text, again = candidate, True
                break
    try:
        printed = format_source(Source("random.cnn", text))
    except SpecError:
        return text
    return printed if fails(printed) else text


def candidates(text: str) -> Iterator[str]:
    """Smaller texts, the largest cuts first."""
    try:
        file = file_of(text)
    except SpecError:
        return
    seen = {text}
    for edits in sorted(_cuts(text, file), key=lambda edits: -sum(b - a - len(new) for a, b, new in edits)):
        made = edited(text, edits)
        if made not in seen:
            seen.add(made)
            yield made


def _cuts(text: str, file: ast.File) -> Iterator[list[Edit]]:
    for definition in file.definitions:
        yield [(definition.span.start, definition.span.end, "")]
    for node in nodes(file):
        yield from _cut(text, node)
        if isinstance(node, ast.Model):
            yield from _inputs(node.body.statements)


def _inputs(statements: tuple[Any, ...]) -> Iterator[list[Edit]]:
    """An input with a stretch of statements: what only it feeds."""
    if len(statements) > 24:
        return
    for one in statements:
        if not isinstance(one, ast.Input):
            continue
        for i in range(len(statements)):
            for j in range(i, len(statements)):
                kept = (statements[i].span.start, statements[j].span.end, "")
                if not any(isinstance(s, ast.Input) for s in statements[i : j + 1]):
                    yield [(one.span.start, one.span.end, ""), kept]


def _cut(text: str, node: Any) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Body):
        statements = node.statements
        half = len(statements) // 2
        if half > 1:
            yield [(statements[0].span.start, statements[half - 1].span.end, "")]
            yield [(statements[half].span.start, statements[-1].span.end, "")]
        for one in statements:
            yield [(one.span.start, one.span.end, "")]
            body = _opened(one)
            for inner in body:
                yield [(one.span.start, one.span.end, _inside(text, inner))]
    elif isinstance(node, ast.Chain):
        yield from _links(text, node)
    elif isinstance(node, ast.Link):
        if node.targets:
            yield [(node.base.span.end, node.span.end, "")]
        base = node.base
        if isinstance(base, ast.Merge):
            for branch in (b for b in base.branches if isinstance(b, ast.Branch)):
                body = _inside(text, branch.body)
                if "\n" not in body.strip() and body.strip():
                    yield [(base.span.start, base.span.end, body.strip())]
        if isinstance(base, (ast.Apply, ast.Merge, ast.Group)) and base.label is not None:
            start = base.name_span.start if not isinstance(base, ast.Group) else None
            if start is not None:
                yield [(base.span.start, start, "")]
            elif isinstance(base, ast.Group) and base.seq:
                yield [(base.label.span.start, text.index("seq", base.label.span.start), "")]
    elif isinstance(node, (ast.Merge, ast.ForBranches)):
        for item in node.branches:
            yield [(item.span.start, item.span.end, "")]
    elif isinstance(node, ast.IfBranches):
        yield [
            (node.span.start, node.span.end, "\n".join(text[b.span.start : b.span.end] for b in node.then))
        ]
        yield [
            (
                node.span.start,
                node.span.end,
                "\n".join(text[b.span.start : b.span.end] for b in node.otherwise),
            )
        ]
    elif isinstance(node, (ast.Apply, ast.Call)) and node.arguments is not None:
        yield from _listed(text, node.arguments)
        if len(node.arguments) == 1:
            yield [(node.name_span.end, node.span.end, "")]
    elif isinstance(node, (ast.Block, ast.Model)):
        yield from _listed(text, node.parameters)
        if len(node.parameters) == 1:
            yield [(node.name_span.end, node.body.span.start, " ")]
    elif isinstance(node, (ast.List, ast.Tuple)) and len(node.items) > 1:
        yield from _listed(text, node.items)
    elif isinstance(node, ast.Int) and node.value > 0:
        for value in sorted({0, 1, 2, node.value // 2, node.value - 1}):
            if value < node.value:
                yield [(node.span.start, node.span.end, str(value))]
    elif isinstance(node, ast.Size):
        for axis, extent in enumerate(node.extents):
            if extent > 1:
                smaller = [1 if i == axis else n for i, n in enumerate(node.extents)]
                yield [(node.span.start, node.span.end, "x".join(map(str, smaller)))]
    elif isinstance(node, (ast.Binary, ast.Unary, ast.Conditional)):
        for inner in (
            getattr(node, name) for name in node.__match_args__ if name not in ("span", "operator")
        ):
            yield [(node.span.start, node.span.end, text[inner.span.start : inner.span.end])]
    elif isinstance(node, ast.Input):
        for dim in node.dims:
            if dim.name is not None:
                yield [(dim.span.start, dim.value.span.start, "")]
        yield from _listed(text, node.dims)


def _opened(statement: Any) -> list[ast.Body]:
    """The bodies within a statement that can stand in its place."""
    if isinstance(statement, (ast.For, ast.Repeat, ast.Aside, ast.Training)):
        return [statement.body]
    if isinstance(statement, ast.If):
        return [statement.then, *([statement.otherwise] if statement.otherwise else [])]
    if isinstance(statement, ast.Chain) and len(statement.links) == 1:
        base = statement.links[0].base
        if isinstance(base, ast.Group):
            return [base.body]
        if isinstance(base, ast.Merge):
            return [b.body for b in base.branches if isinstance(b, ast.Branch)]
    return []


def _inside(text: str, body: ast.Body) -> str:
    return text[body.span.start + 1 : body.span.end - 1].strip("\n")


def _links(text: str, chain: ast.Chain) -> Iterator[list[Edit]]:
    links = chain.links
    if len(links) < 2:
        return
    for i, link in enumerate(links):
        if i:
            yield [(links[i - 1].span.end, link.span.end, "")]
        else:
            yield [(link.span.start, links[1].span.start, "")]
        if isinstance(link.base, (ast.Group, ast.Merge)) and i == len(links) - 1:
            yield [(links[i - 1].span.end, link.span.start, "\n")]  # as a statement it can be opened


def _listed(text: str, items: tuple[Any, ...]) -> Iterator[list[Edit]]:
    """Each item of a list with commas left out."""
    for i, item in enumerate(items):
        if i:
            yield [(items[i - 1].span.end, item.span.end, "")]
        elif len(items) > 1:
            yield [(item.span.start, items[1].span.start, "")]
