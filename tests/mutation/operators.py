"""Operators of our own, for what emitters are made of: calls and their arguments.

Cosmic Ray has those for arithmetic, comparisons, conditions, numbers and loops (see `tool`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.mutants import Edit, Offsets

#: A function -> what is called instead.
OTHERS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sum": "max",
    "sorted": "list",
    "reversed": "list",
    "zeros": "ones",
    "ones": "zeros",
    "minimum": "maximum",
    "maximum": "minimum",
    "argmax": "argmin",
    "mean": "sum",
    "floor_size": "ceil_size",
    "ceil_size": "floor_size",
}


#: Functions whose arguments have no order, or are no values.
_UNORDERED = ("isinstance", "emits", "min", "max", "gcd", "minimum", "maximum")

#: What may be swapped with its neighbour: values, not the names of classes or texts.
_MEANT = (ast.Name, ast.Attribute, ast.Call, ast.BinOp, ast.Subscript)


def edits(file: str, source: str) -> Iterator[Edit]:
    """Every change that these operators make to a file, in the order of the text."""
    places = Offsets(source)
    parents = {child: node for node in ast.walk(ast.parse(source)) for child in ast.iter_child_nodes(node)}
    found = [edit for node in parents for edit in _of(file, source, node, parents, places)]
    yield from sorted(found, key=lambda e: (e.start, e.end, e.operator, e.text))


def _of(
    file: str, source: str, node: ast.AST, parents: dict[ast.AST, ast.AST], places: Offsets
) -> Iterator[Edit]:
    def text(part: ast.expr | ast.keyword) -> str:
        start, end = places.span(part)
        return source[start:end]

    def instead(part: ast.expr | ast.stmt | ast.keyword, operator: str, new: str) -> Edit:
        return Edit(file, operator, *places.span(part), new)

    if isinstance(node, ast.Call):
        arguments: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        for keyword in node.keywords:
            if keyword.arg is not None:
                yield _without(file, "keyword argument dropped", keyword, arguments, places)
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        for left, right in [] if name in _UNORDERED else zip(node.args, node.args[1:], strict=False):
            if isinstance(left, _MEANT) and isinstance(right, _MEANT):
                (start, middle), (after, end) = places.span(left), places.span(right)
                swapped = text(right) + source[middle:after] + text(left)
                yield Edit(file, "arguments swapped", start, end, swapped)
        if name in OTHERS:
            start, end = places.span(called)
            yield Edit(file, "another function", end - len(name), end, OTHERS[name])
    elif isinstance(node, ast.IfExp):
        yield instead(
            node, "branches swapped", f"({text(node.orelse)} if {text(node.test)} else {text(node.body)})"
        )
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) == 2:
        above = parents.get(node)
        of_classes = isinstance(above, ast.Call) and ast.unparse(above.func) == "isinstance"
        starred = any(isinstance(e, ast.Starred) for e in node.elts)
        if not starred and not of_classes and not _in_annotation(node, parents):
            (start, middle), (after, end) = map(places.span, node.elts)
            swapped = text(node.elts[1]) + source[middle:after] + text(node.elts[0])
            yield Edit(file, "pair swapped", start, end, swapped)
    elif isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                yield instead(bound, "bound of a slice dropped", "")
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield instead(node.value, "nothing returned", "None")
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) or isinstance(node, ast.AugAssign):
        yield instead(node, "statement dropped", "pass")
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        place = parents.get(node)
        if not isinstance(place, (ast.JoinedStr, ast.Expr)) and not _in_annotation(node, parents):
            yield instead(node, "another word", repr(node.value + "_"))


def _without(
    file: str,
    operator: str,
    part: ast.expr | ast.keyword,
    arguments: list[ast.expr | ast.keyword],
    places: Offsets,
) -> Edit:
    """An argument with the comma beside it taken out."""
    ordered = sorted(arguments, key=lambda a: places.span(a))
    i = ordered.index(part)
    start, end = places.span(part)
    if i:
        start = places.span(ordered[i - 1])[1]
    elif len(ordered) > 1:
        end = places.span(ordered[1])[0]
    return Edit(file, operator, start, end, "")


def _in_annotation(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    while node in parents:
        above = parents[node]
        if isinstance(above, ast.arg) or (isinstance(above, ast.AnnAssign) and above.annotation is node):
            return True
        if isinstance(above, ast.FunctionDef) and above.returns is node:
            return True
        node = above
    return False
