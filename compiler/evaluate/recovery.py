"""After a mistake: what stands unknown from here on, so that one mistake stays one error.

A statement or link that is given up leaves the unknown in the flow and under every name that it
would have bound; and every tensor that it speaks of counts as used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from compiler.evaluate.context import Context
from compiler.evaluate.problems import Poisoned, Problem
from compiler.evaluate.values import UNKNOWN, BlockValue, LayerValue, SharedValue, TensorArray
from compiler.graph import Value
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic
from spec_lang.node import Node
from spec_lang.source import Span

if TYPE_CHECKING:
    from compiler.modules import Module


def failed(problem: Problem | Poisoned, node: Any, context: Context) -> None:
    """Report a problem (a `Poisoned` has been reported already) and give up the node of the AST."""
    if isinstance(problem, Problem):
        context.run.fail(problem)
        if problem.diagnostic.code == "E216":
            return  # what it speaks of is as it was
    context.run.failed = True
    _spend_tensors(node, context)
    for target in _targets(node):
        if target.indices:
            _leave_incomplete(target, context)


def give_up(statement: ast.Statement, context: Context) -> None:
    """Leave the unknown behind a statement."""
    if isinstance(statement, (ast.Let, ast.Function)):
        _bind_unknown(statement.name, statement.name_span, context)
    elif isinstance(statement, (ast.Shared, ast.Weight)):
        last = statement.label.parts[-1] if statement.label.parts else ""
        if isinstance(last, str):
            _bind_unknown(last.rpartition(".")[2], statement.label.span, context)
    elif isinstance(statement, ast.Input):
        _bind_unknown(statement.name, statement.name_span, context)
        if context.frame.single_input:
            context.frame.inside = UNKNOWN
            context.flow.it = UNKNOWN
    elif isinstance(statement, (ast.Chain, ast.For, ast.Repeat, ast.If)):
        context.flow.it = UNKNOWN


def give_up_link(link: ast.Link, context: Context) -> None:
    """Leave the unknown under the names that a group would have bound in its body, which is no scope."""
    if isinstance(link.base, ast.Group):
        for statement in link.base.body.statements:
            if isinstance(statement, ast.Chain):
                for inner in statement.links:
                    for target in inner.targets:
                        if not target.indices:
                            _bind_unknown(target.name, target.span, context)
                    give_up_link(inner, context)
            elif not isinstance(statement, (ast.For, ast.Repeat, ast.If)):
                give_up(statement, context)


def _bind_unknown(name: str, span: Span, context: Context) -> None:
    if context.env.lookup(name) is None:
        context.env.bind(name, UNKNOWN, span)


def _leave_incomplete(target: ast.Target, context: Context) -> None:
    array = context.frame.arrays.get(target.name)
    if array is None:
        if context.env.lookup(target.name) is not None:
            return
        array = TensorArray(target.name, target.span, len(target.indices))
        root = context.env
        while root.parent is not None and root.parent is not context.module.env:
            root = root.parent
        root.bind(target.name, array, target.span)
        context.frame.arrays[target.name] = array
    array.incomplete = True


def _spend_tensors(node: Any, context: Context) -> None:
    """Count every tensor that a node speaks of as used, and what flows."""
    stack: list[Any] = [context.flow.it]
    names = mentioned(node)
    if "in" in names:
        stack.append(context.frame.inside)
    stack.extend([context.env.lookup(name) for name in names])
    while stack:
        value = stack.pop()
        if isinstance(value, Value):
            context.run.spoken_for.add(value)
        elif isinstance(value, tuple):
            if id(value) not in context.run.seen_lists:  # a list may hold another many times
                context.run.seen_lists[id(value)] = value
                stack.extend([one for one in value if not isinstance(one, (int, float, str))])
        elif isinstance(value, TensorArray):
            stack.extend(value.elements.values())
        elif isinstance(value, SharedValue):
            value.spoken_for = True
        elif isinstance(value, (LayerValue, BlockValue)):
            stack.extend([one.value for one in value.given])


def mentioned(node: Any) -> set[str]:
    """Every name that a node of the AST speaks of."""
    found: set[str] = set()
    for one in nodes(node):
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, (ast.Apply, ast.Merge, ast.Call)):
            found.add(one.name)
    return found


def _targets(node: Any) -> Iterator[ast.Target]:
    return (one for one in nodes(node) if isinstance(one, ast.Target))


def nodes(node: Any) -> Iterator[Any]:
    """A node and all below it."""
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Span):
            continue
        if isinstance(one, tuple):
            stack.extend(one)
        elif isinstance(one, Node):
            yield one
            stack.extend(one._fields())


class Damage:
    """Mistakes of the text within one body: a statement that holds one, or was lost to one, is given up."""

    def __init__(self, body: ast.Body, context: Context) -> None:
        self._context = context
        self._end = body.span.end
        self._before = body.span.start

    def reaches(self, statement: ast.Statement) -> bool:
        """Whether a mistake lies in this statement itself; one before it leaves the flow unknown."""
        start, end = statement.span.start, statement.span.end
        self._lose(self._before, start)
        self._before = end
        inner = _bodies(statement)
        for at in self._context.module.damage:
            if start <= at < end and not any(low <= at < high for low, high in inner):
                failed(Poisoned(), statement, self._context)
                return True
        return False

    def reaches_end(self) -> None:
        """A mistake after the last statement leaves the flow unknown, too."""
        self._lose(self._before, self._end)

    def _lose(self, start: int, end: int) -> None:
        if any(start <= at < end for at in self._context.module.damage):
            self._context.flow.it = UNKNOWN
            self._context.run.failed = True


def _bodies(statement: ast.Statement) -> list[tuple[int, int]]:
    """The stretches of a statement that are bodies of their own."""
    return [(one.span.start, one.span.end) for one in nodes(statement) if isinstance(one, ast.Body)]


#: What may only follow from statements that were lost to a mistake of the text.
_OF_THE_WHOLE = ("E204", "E206", "E214", "E216", "E220", "E227")
_OF_NAMES = ("E201", "E202", "E221")
#: What begins a line that the parser has explained already.
_OF_OTHER_LANGUAGES = ("async", "class", "def", "elif", "from", "import", "return", "while")


def independent(diagnostics: Iterable[Diagnostic], module: Module) -> list[Diagnostic]:
    """The diagnostics of a text with mistakes that do not rest on what was lost to these.

    A name that nobody knows may have been bound in a lost statement, unless it stands in the text
    but once.
    """
    if not module.damage:
        return list(diagnostics)
    source = module.file.source
    text = source.text
    lines = {source.position(at)[0] for at in module.damage}
    return [
        one
        for one in diagnostics
        if one.code not in _OF_THE_WHOLE
        and not (
            one.code == "E202"
            and one.span is not None
            and one.span.text in _OF_OTHER_LANGUAGES
            and one.span.line in lines
        )
        and not (
            one.code in _OF_NAMES
            and one.span is not None
            and len(re.findall(rf"\b{re.escape(one.span.text)}\b", text)) > 1
        )
    ]
