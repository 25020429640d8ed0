"""What evaluation may not reach: branches not taken, blocks that nothing uses, models with open parameters.

Names and arguments can be looked at without running anything.  Reported are unknown names
(E201), unknown layers (E202), names bound twice (E203), unknown parameters of blocks (E213) and
unknown arguments of layers (E310), with the code and the place that evaluation gives them, so that
what both find is one error.  Whatever only a run can tell is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from compiler.declare import Fault, Given
from compiler.evaluate.blocks import match_parameters
from compiler.evaluate.expressions import BUILTINS, unknown
from compiler.evaluate.problems import Problem
from compiler.evaluate.recovery import nodes
from compiler.evaluate.sections import TOTALS
from compiler.modules import Module
from compiler.ops import OPS
from compiler.vocabulary import WORDS, unknown_call
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.source import Span


def unreached(module: Module) -> list[Diagnostic]:
    """What is wrong in the definitions of a file, whether anything uses them or not."""
    look = _Look(module)
    for definition in module.file.definitions:
        look.definition(definition)
    return look.found


class _Names:
    """The names of one scope: where each is bound, and whether that is certain to be all of them."""

    def __init__(self, parent: _Names | None = None) -> None:
        self.parent = parent
        self.spans: dict[str, Span] = {}
        #: Names that are bound somewhere in the scope, in whatever order.
        self.known: set[str] = set()
        #: Some label names a thing by an expression: any name may be meant.
        self.open: bool = parent is not None and parent.open

    def has(self, name: str) -> bool:
        names: _Names | None = self
        while names is not None:
            if names.open or name in names.known:
                return True
            names = names.parent
        return False

    def bound(self, name: str) -> Span | None:
        """Where the name was bound before, in this scope or around it."""
        names: _Names | None = self
        while names is not None:
            if name in names.spans:
                return names.spans[name]
            names = names.parent
        return None

    def visible(self) -> Iterator[str]:
        names: _Names | None = self
        while names is not None:
            yield from sorted(names.known)
            names = names.parent


class _Look:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.found: list[Diagnostic] = []

    def report(self, problem: Problem) -> None:
        self.found.append(problem.diagnostic)

    # ---- definitions -------------------------------------------------------------------

    def definition(self, definition: ast.Definition) -> None:
        if isinstance(definition, ast.Let):
            self.expression(definition.value, _Names())
        elif isinstance(definition, ast.Function):
            self.function(definition, _Names())
        elif isinstance(definition, (ast.Block, ast.Model)):
            names = _Names()
            for parameter in definition.parameters:
                if parameter.default is not None:
                    self.expression(parameter.default, names)
                self.bind(parameter.name, parameter.span, names, f"`{parameter.name}` is a parameter twice")
                names.known.add(parameter.name)
            inner = _Names(names)
            inner.known |= {t.name for t in _targets(definition.body) if t.indices}
            self.body(definition.body, inner, totals=isinstance(definition, ast.Model))
        elif isinstance(definition, ast.Variant):
            for argument in definition.arguments:
                self.expression(argument.value, _Names())
        elif isinstance(definition, ast.Train):
            for setting in definition.settings:
                if not isinstance(setting.value, ast.Body):
                    self.declared(setting.value, _Names())

    def function(self, function: ast.Function, names: _Names) -> None:
        inner = _Names(names)
        for name in function.parameters:
            if name in inner.known:
                self.report(Problem("E203", f"`{name}` is a parameter twice", function.name_span))
            inner.known.add(name)
        self.expression(function.body, inner)

    # ---- statements --------------------------------------------------------------------

    def body(self, body: ast.Body, names: _Names, totals: bool) -> None:
        """The statements of a scope; its names are gathered first, their order is for evaluation to judge."""
        self.gather(body, names)
        self.statements(body.statements, names, totals)

    def gather(self, body: ast.Body, names: _Names) -> None:
        for statement in body.statements:
            if isinstance(statement, (ast.Let, ast.Function, ast.Input)):
                names.known.add(statement.name)
            elif isinstance(statement, (ast.Shared, ast.Weight)):
                name = _fixed_name(statement.label)
                if name is None:
                    names.open = True
                else:
                    names.known.add(name)
            elif isinstance(statement, ast.Chain):
                for link in statement.links:
                    names.known |= {t.name for t in link.targets}
                    if isinstance(link.base, ast.Group):
                        self.gather(link.base.body, names)

    def statements(self, statements: Sequence[ast.Statement], names: _Names, totals: bool) -> None:
        for statement in statements:
            self.statement(statement, names, totals)

    def statement(self, statement: ast.Statement, names: _Names, totals: bool) -> None:
        if isinstance(statement, ast.Chain):
            for link in statement.links:
                self.link(link, names, totals)
        elif isinstance(statement, ast.For):
            self.expression(statement.loop.iterable, names)
            self.body(statement.body, self.loop(statement.loop, names), totals)
        elif isinstance(statement, ast.Repeat):
            self.expression(statement.count, names)
            self.body(statement.body, _Names(names), totals)
        elif isinstance(statement, ast.If):
            self.expression(statement.condition, names)
            self.body(statement.then, _Names(names), totals)
            if statement.otherwise is not None:
                self.body(statement.otherwise, _Names(names), totals)
        elif isinstance(statement, (ast.Aside, ast.Training)):
            self.body(statement.body, _Names(names), totals)
        elif isinstance(statement, ast.Let):
            self.expression(statement.value, names)
            self.bind(statement.name, statement.name_span, names)
        elif isinstance(statement, ast.Function):
            self.bind(statement.name, statement.name_span, names)
            self.function(statement, names)
        elif isinstance(statement, ast.Input):
            for dim in statement.dims:
                self.expression(dim.value, names)
            self.bind(statement.name, statement.name_span, names)
        elif isinstance(statement, (ast.Weight, ast.Shared)):
            self.declaration(statement, names, totals)
        elif isinstance(statement, ast.Expect):
            inner = names
            if totals:
                inner = _Names(names)
                inner.known |= set(TOTALS)
            self.expression(statement.condition, inner)
            self.template(statement.message, inner)
        elif isinstance(statement, ast.Preprocess):
            for step in _steps(statement.body):
                self.arguments(step.arguments or (), names)
        else:
            for rule in statement.rules:
                self.declared(rule.value, names)

    def declaration(self, statement: ast.Weight | ast.Shared, names: _Names, totals: bool) -> None:
        self.template(statement.label, names)
        if isinstance(statement, ast.Weight):
            for dim in statement.dims:
                self.expression(dim, names)
            for argument in statement.arguments:
                if argument.name == "init":
                    self.declared(argument.value, names)
                else:
                    self.expression(argument.value, names)
        elif isinstance(statement.base, ast.Apply):
            self.apply(statement.base, names)
        else:
            self.body(statement.base.body, _Names(names), totals)
        name = _fixed_name(statement.label)
        if name is not None:
            self.bind(name, statement.label.span, names)

    def link(self, link: ast.Link, names: _Names, totals: bool) -> None:
        base = link.base
        if isinstance(base, ast.Apply):
            self.template(base.label, names)
            self.apply(base, names)
        elif isinstance(base, ast.Merge):
            self.template(base.label, names)
            self.applied(base.name, base.name_span, names)
            self.branches(base.branches, names, totals)
        elif isinstance(base, ast.Group):
            self.template(base.label, names)
            self.statements(base.body.statements, names, totals)
        else:
            self.template(base.name, names)
        for target in link.targets:
            for index in target.indices:
                self.expression(index, names)
            if not target.indices:
                self.bind(target.name, target.span, names)

    def branches(self, branches: Iterable[ast.BranchItem], names: _Names, totals: bool) -> None:
        for item in branches:
            if isinstance(item, ast.Branch):
                self.body(item.body, _Names(names), totals)
            elif isinstance(item, ast.ForBranches):
                self.expression(item.loop.iterable, names)
                self.branches(item.branches, self.loop(item.loop, names), totals)
            else:
                self.expression(item.condition, names)
                self.branches(item.then, names, totals)
                self.branches(item.otherwise, names, totals)

    def loop(self, loop: ast.Loop, names: _Names) -> _Names:
        inner = _Names(names)
        for name in loop.targets:
            self.bind(name, loop.span, inner)
            inner.known.add(name)
        return inner

    def bind(self, name: str, span: Span, names: _Names, message: str = "") -> None:
        if name == "_":
            return
        first = names.bound(name)
        if first is not None:
            self.report(
                Problem(
                    "E203",
                    message or f"`{name}` is bound already; a name is bound once",
                    span,
                    labels=() if message else (Label(first, "first bound here"),),
                    help=() if message else ("choose another name",),
                )
            )
        else:
            names.spans[name] = span

    # ---- layers ------------------------------------------------------------------------

    def applied(self, name: str, span: Span, names: _Names) -> None:
        if name in ("it", "in") or names.has(name) or name in self.module.spans() or name in OPS:
            return
        try:
            unknown(name, span, self.visible(names), applied=True)
        except Problem as problem:
            self.report(problem)

    def apply(self, apply: ast.Apply, names: _Names) -> None:
        self.applied(apply.name, apply.name_span, names)
        for index in apply.indices:
            self.expression(index, names)
        if not apply.indices:
            self.known_arguments(apply.name, apply.arguments or (), names)
        self.arguments(apply.arguments or (), names)

    def known_arguments(self, name: str, arguments: Sequence[ast.Argument], names: _Names) -> None:
        """Arguments by names that the layer or block does not have."""
        if names.has(name):
            return
        named = [Given(a.name, None, a) for a in arguments if a.name is not None]
        found = self.module.origin(name)
        if found is not None:
            block = found[0].blocks.get(found[1])
            for one in named if block is not None else ():
                assert block is not None
                try:
                    match_parameters(block.parameters, [one], f"block {block.name}", one.place.span)
                except Problem as problem:
                    self.report(problem)
        elif name in OPS:
            for one in named:
                try:
                    OPS[name].match([one])
                except Fault as fault:
                    self.report(
                        Problem(
                            fault.code,
                            fault.message,
                            one.place.span,
                            label=fault.label,
                            notes=fault.notes,
                            help=fault.help,
                        )
                    )

    def arguments(self, arguments: Iterable[ast.Argument], names: _Names) -> None:
        for argument in arguments:
            self.expression(argument.value, names)

    # ---- expressions -------------------------------------------------------------------

    def template(self, text: ast.Template | None, names: _Names) -> None:
        for part in text.parts if text is not None else ():
            if isinstance(part, ast.Formatted):
                self.expression(part.value, names)
            elif not isinstance(part, str):
                self.expression(part, names)

    def declared(self, expr: ast.Expr, names: _Names) -> None:
        """A value whose head is declared elsewhere: `he(normal)`, `sgd(lr = rate)`, `[accuracy]`."""
        if isinstance(expr, ast.Call) and expr.name not in BUILTINS and not self.is_bound(expr.name, names):
            self.arguments(expr.arguments, names)
        elif isinstance(expr, ast.List):
            for item in expr.items:
                self.declared(item, names)
        elif not isinstance(expr, ast.Name):
            self.expression(expr, names)

    def is_bound(self, name: str, names: _Names) -> bool:
        return names.has(name) or name in self.module.spans()

    def expression(self, expr: ast.Expr, names: _Names) -> None:
        if isinstance(expr, ast.Name):
            if (
                not self.is_bound(expr.id, names)
                and expr.id not in OPS
                and expr.id not in WORDS
                and expr.id not in ("it", "in")
            ):
                try:
                    unknown(expr.id, expr.span, self.visible(names), applied=False)
                except Problem as problem:
                    self.report(problem)
        elif isinstance(expr, ast.Call):
            self.call(expr, names)
        elif isinstance(expr, ast.Comprehension):
            inner = names
            for loop in expr.loops:
                self.expression(loop.iterable, inner)
                inner = _Names(inner)
                inner.known |= set(loop.targets)
            self.expression(expr.element, inner)
        elif isinstance(expr, ast.Index):
            self.expression(expr.value, names)
            for item in expr.items:
                self.expression(item, names)
        elif isinstance(expr, ast.Attribute):
            self.expression(expr.value, names)
        elif isinstance(expr, ast.Unary):
            self.expression(expr.operand, names)
        elif isinstance(expr, ast.Binary):
            self.expression(expr.left, names)
            self.expression(expr.right, names)
        elif isinstance(expr, ast.Conditional):
            for part in (expr.condition, expr.then, expr.otherwise):
                self.expression(part, names)
        elif isinstance(expr, (ast.Tuple, ast.List)):
            for item in expr.items:
                self.expression(item, names)

    def call(self, expr: ast.Call, names: _Names) -> None:
        name = expr.name
        known = name in OPS or name in BUILTINS or name in ("it", "in")
        if not known and not self.is_bound(name, names):
            try:
                if name in WORDS:
                    raise unknown_call(name, expr.name_span)
                unknown(name, expr.name_span, self.visible(names), applied=False)
            except Problem as problem:
                self.report(problem)
        self.known_arguments(name, expr.arguments, names)
        self.arguments(expr.arguments, names)

    def visible(self, names: _Names) -> list[str]:
        return [*names.visible(), *self.module.names()]


def _fixed_name(label: ast.Template) -> str | None:
    """The name that a label ends in; None where an expression makes it."""
    last = label.parts[-1] if label.parts else ""
    if not isinstance(last, str) or (len(label.parts) > 1 and "." not in last):
        return None
    return last.rpartition(".")[2]


def _targets(body: ast.Body) -> Iterator[ast.Target]:
    return (one for one in nodes(body) if isinstance(one, ast.Target))


def _steps(body: ast.Body) -> Iterator[ast.Apply]:
    return (one for one in nodes(body) if isinstance(one, ast.Apply))
