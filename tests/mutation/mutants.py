"""Mutants: a source with one small change, and which of them are any.

A mutant that only changes annotations, documentation, the assertion `strict` of `zip`, `__all__`, the order
of what something may be `in`, `is` to `==`, or what is remembered (`cache`), or that is no Python, is none.
"""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate


@dataclass(frozen=True)
class Edit:
    """A place in a file and what stands there instead; offsets count characters.

    `operator` names the kind of change.
    """

    file: str
    operator: str
    start: int
    end: int
    text: str

    def apply(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]

    def trimmed(self, source: str) -> Edit:
        """The same change without the words that are on both sides of it."""
        old, new = source[self.start : self.end], self.text
        most = min(len(old), len(new))
        front = next((i for i in range(most) if old[i] != new[i]), most)
        while front and (old[front - 1].isalnum() or old[front - 1] in "_."):
            front -= 1
        most -= front
        back = next((i for i in range(most) if old[-1 - i] != new[-1 - i]), most)
        while back and (old[-back].isalnum() or old[-back] in "_."):
            back -= 1
        return replace(self, start=self.start + front, end=self.end - back, text=new[front : len(new) - back])

    def line(self, source: str) -> int:
        """The number of the line in which it begins, from 1."""
        return source.count("\n", 0, self.start) + 1

    def lines(self, source: str) -> tuple[str, str]:
        """The lines that it changes, before and after, as one line each."""
        first = source.rfind("\n", 0, self.start) + 1
        last = source.find("\n", self.end)
        changed = self.apply(source)
        old, new = source[first:last], changed[first : last + len(changed) - len(source)]
        return " ".join(old.split()), " ".join(new.split())

    def shown(self, source: str) -> str:
        """`file:line: old -> new`."""
        old, new = self.lines(source)
        return f"{self.file}:{self.line(source)}: `{old}` -> `{new}`"


class Offsets:
    """From the lines and columns of `ast` (columns in bytes) or a tokenizer (in characters) to offsets."""

    def __init__(self, source: str) -> None:
        self.lines = source.splitlines(keepends=True)
        self.starts = [0, *accumulate(len(line) for line in self.lines)]

    def of(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def of_bytes(self, line: int, column: int) -> int:
        text = self.lines[line - 1].encode("utf-8")[:column].decode("utf-8")
        return self.starts[line - 1] + len(text)

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.of_bytes(node.lineno, node.col_offset),
            self.of_bytes(node.end_lineno, node.end_col_offset),
        )

    def line(self, offset: int) -> int:
        return bisect_right(self.starts, offset)


class _Meaning(ast.NodeTransformer):
    """Leaves what runs: no annotations, documentation, or assertions that `zip` makes, nothing for type checkers.

    What is compared by identity here is equal only to itself: singletons, nodes, values, classes.
    """

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        # `ClassVar` makes a difference to a dataclass; the types do not.
        kind = "ClassVar" if "ClassVar" in ast.unparse(node.annotation) else "field"
        node.annotation = ast.Constant(kind)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "zip":  # `strict` only asserts
            node.keywords = [one for one in node.keywords if one.arg != "strict"]
        if isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset"):
            for given in node.args:
                if isinstance(given, (ast.Tuple, ast.List)):
                    given.elts.sort(key=ast.dump)
        return node

    def visit_Set(self, node: ast.Set) -> ast.AST:
        self.generic_visit(node)
        node.elts.sort(key=ast.dump)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        same = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}
        node.ops = [same.get(type(op), type(op))() for op in node.ops]
        for op, given in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, (ast.In, ast.NotIn)) and isinstance(given, (ast.Tuple, ast.List)):
                given.elts.sort(key=ast.dump)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        if [ast.unparse(target) for target in node.targets] == ["__all__"]:  # for `import *` alone
            return None
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.decorator_list = [one for one in node.decorator_list if ast.unparse(one) != "cache"]
        self.generic_visit(node)
        return self._without_words(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        return self._without_words(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        return self._without_words(node)

    @staticmethod
    def _without_words(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> ast.AST:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        return node


def meaning(source: str) -> str | None:
    """A text that two sources share only if they run alike; None for what is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)  # such as `x is 1`
            tree = ast.parse(source)
            compile(source, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return ast.dump(_Meaning().visit(tree))


def is_mutant(source: str, changed: str) -> bool:
    """Whether `changed` is Python and runs otherwise than `source`, as far as its tree shows."""
    found = meaning(changed)
    return found is not None and found != meaning(source)
