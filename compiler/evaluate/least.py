"""The fewest layers that a body makes, read off its text: what cannot fit is refused before it is built.

Only what stands there without a condition counts, and a loop only where its bounds are written as numbers;
so the number is never too high, and a model that fits is never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from compiler.evaluate.problems import Exhausted
from compiler.ops import OPS
from spec_lang import syntax as ast
from spec_lang.source import Span

if TYPE_CHECKING:
    from compiler.evaluate.context import Run
    from compiler.modules import Module

#: More than any limit: numbers beyond it say nothing more.
_MANY = 10**12


class Least:
    """The counts of one evaluation, each block's once."""

    def __init__(self, names_matter: bool) -> None:
        #: Whether names that a file binds are left out, since they may hide a layer or a block.
        self._names_matter = names_matter
        self._bodies: dict[int, int] = {}  # by identity, since the files outlive an evaluation
        self._bound: dict[int, frozenset[str]] = {}

    def body(self, body: ast.Body, module: Module) -> int:
        """Of a block's, a loop's or a group's body."""
        known = self._bodies.get(id(body))
        if known is None:
            self._bodies[id(body)] = 0  # within itself: a recursion may end there
            known = min(_MANY, sum(self._statement(one, module) for one in body.statements))
            self._bodies[id(body)] = known
        return known

    def _statement(self, statement: ast.Statement, module: Module) -> int:
        if isinstance(statement, ast.Chain):
            return sum(self._link(link.base, module) for link in statement.links)
        if isinstance(statement, (ast.Aside, ast.Training)):
            return self.body(statement.body, module)
        if isinstance(statement, ast.Repeat):
            return _number(statement.count) * self.body(statement.body, module)
        if isinstance(statement, ast.For):
            return _length(statement.loop) * self.body(statement.body, module)
        if isinstance(statement, ast.If) and statement.otherwise is not None:
            return min(self.body(statement.then, module), self.body(statement.otherwise, module))
        return 0

    def _link(self, base: ast.Base, module: Module) -> int:
        if isinstance(base, ast.Group):
            return self.body(base.body, module)
        if isinstance(base, ast.Merge):
            return self.branches(base.branches, module) + (_branches(base.branches) > 1)
        if not isinstance(base, ast.Apply) or base.indices or self._hidden(base.name, module):
            return 0
        found = module.origin(base.name)
        if found is None:
            return int(base.name in OPS)
        block = found[0].blocks.get(found[1])
        return 0 if block is None else self.body(block.body, found[0])

    def branches(self, branches: Sequence[ast.BranchItem], module: Module) -> int:
        total = 0
        for item in branches:
            if isinstance(item, ast.Branch):
                total += self.body(item.body, module)
            elif isinstance(item, ast.ForBranches):
                total += _length(item.loop) * self.branches(item.branches, module)
        return min(_MANY, total)

    def _hidden(self, name: str, module: Module) -> bool:
        if not self._names_matter:
            return False
        if id(module) not in self._bound:
            self._bound[id(module)] = frozenset(_bound(module.file))
        return name in self._bound[id(module)]


def refuse_what_cannot_fit(run: Run, counted: Callable[[Least], int], span: Span) -> None:
    """E412 where what comes next makes more layers than there may be."""
    room = run.limits.layers - len(run.builder.nodes)
    # Most bodies are far from the limit; only near it are names worth a look.
    if counted(run.least) > room and counted(run.sure_least) > room:
        raise Exhausted("E412", f"more than {run.limits.layers:,} layers", span)


def _branches(branches: Sequence[ast.BranchItem]) -> int:
    """The fewest branches: of one that a loop or a condition made there is no join."""
    return sum(
        1 if isinstance(item, ast.Branch) else _length(item.loop) * _branches(item.branches)
        for item in branches
        if not isinstance(item, ast.IfBranches)
    )


def _number(expr: ast.Expr) -> int:
    return expr.value if isinstance(expr, ast.Int) else 0


def _length(loop: ast.Loop) -> int:
    over = loop.iterable
    if isinstance(over, ast.List):
        return len(over.items)
    if isinstance(over, ast.Binary) and over.operator == ".." and isinstance(over.right, ast.Int):
        return max(over.right.value - _number(over.left), 0) if isinstance(over.left, ast.Int) else 0
    return 0


def _bound(file: ast.File) -> set[str]:
    """Every name that is bound within a file's bodies, or may be."""
    from compiler.evaluate.recovery import nodes

    found: set[str] = set()
    for definition in file.definitions:
        for node in nodes(definition):
            name: Any = getattr(node, "name", None)
            if isinstance(node, (ast.Target, ast.Parameter, ast.Input, ast.Let, ast.Function)):
                found.add(name)
            elif isinstance(node, ast.Loop):
                found.update(node.targets)
            elif isinstance(node, (ast.Shared, ast.Weight)):
                # The last step of a label is a name in scope.
                found.update(str(part).rpartition(".")[2] for part in node.label.parts)
    return found
