"""The AST, built while the parser reduces: one method for each rule of `grammar.lark`.

A method gets the offsets of its rule's first and last character and the rule's children (tokens
and nodes, None for an optional part that is absent).  After a syntax error, a list may hold
None where an item could not be read; such an AST is never handed out.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from spec_lang import syntax
from spec_lang.diagnostics import Diagnostic
from spec_lang.lexer import Token
from spec_lang.limits import Limits
from spec_lang.source import Source, Span

Report = Callable[[Diagnostic], None]
ReadTemplate = Callable[[Token], syntax.Template]


RESERVED = frozenset({"and", "else", "false", "if", "not", "or", "then", "true"})
"""Words that mean something within an expression, so that nothing can have them as its name."""


def _arguments(children: tuple[Any, ...] | None) -> tuple[Any, ...]:
    return tuple(child for child in children if child is not None) if children else ()


class Builder:
    """Makes nodes for one source; `template` reads what stands in a string's braces."""

    def __init__(self, source: Source, limits: Limits, report: Report, template: ReadTemplate) -> None:
        self.source = source
        self.limits = limits
        self.report = report
        self.template = template
        self.docs: dict[int, str] = {}
        """Documentation by the offset of the definition below it."""
        self._depths: dict[int, int] = {}

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def _name(self, token: Token) -> tuple[str, Span]:
        return token.text, Span(self.source, token.start, token.end)

    def _new(self, token: Token) -> str:
        """The name that something gets here."""
        if token.text in RESERVED:
            self.report(
                Diagnostic("E109", f"`{token.text}` is a word of the language, not a name", self._span(token))
            )
        return token.text

    def _new_name(self, token: Token) -> tuple[str, Span]:
        return self._new(token), self._span(token)

    def _deeper(self, node: Any, *children: Any) -> Any:
        """Note how deep `node` nests, since later stages walk it by recursion."""
        depths = self._depths
        depth = 1 + max(depths.get(id(child), 0) for child in children)
        depths[id(node)] = depth
        if depth == self.limits.expression_depth + 1:
            self.report(
                Diagnostic(
                    "E406",
                    f"more than {self.limits.expression_depth} operations are nested here",
                    node.span,
                    help=("name parts of it with `let`",),
                )
            )
        return node

    # ---- definitions

    def file(self, start: int, end: int, *definitions: Any) -> Any:
        return tuple(d for d in definitions if d is not None)

    def import_(self, start: int, end: int, path: Token, *names: Token | None) -> Any:
        return syntax.Import(
            Span(self.source, start, end),
            path.text[1:-1],
            self._span(path),
            tuple(self._name(name) for name in names if name is not None),
        )

    def let(self, start: int, end: int, name: Token, value: Any) -> Any:
        return syntax.Let(Span(self.source, start, end), *self._new_name(name), value)

    def function(self, start: int, end: int, name: Token, *rest: Any) -> Any:
        parameters = tuple(self._new(token) for token in rest[:-1] if token is not None)
        return syntax.Function(Span(self.source, start, end), *self._new_name(name), parameters, rest[-1])

    def block(
        self, start: int, end: int, inline: Token | None, name: Token, parameters: Any, body: Any
    ) -> Any:
        doc = self.docs.get(start, "")
        span = Span(self.source, start, end)
        return syntax.Block(span, *self._new_name(name), inline is not None, parameters or (), body, doc)

    def model(self, start: int, end: int, name: Token, parameters: Any, body: Any) -> Any:
        doc = self.docs.get(start, "")
        return syntax.Model(Span(self.source, start, end), *self._new_name(name), parameters or (), body, doc)

    def variant(self, start: int, end: int, name: Token, base: Token, arguments: Any) -> Any:
        doc = self.docs.get(start, "")
        span = Span(self.source, start, end)
        return syntax.Variant(span, *self._new_name(name), *self._name(base), arguments or (), doc)

    def train(self, start: int, end: int, name: Token, *settings: Any) -> Any:
        return syntax.Train(Span(self.source, start, end), *self._name(name), _arguments(settings))

    def setting(self, start: int, end: int, name: Token, value: Any) -> Any:
        return syntax.Setting(Span(self.source, start, end), *self._name(name), value)

    def parameters(self, start: int, end: int, *parameters: Any) -> Any:
        return _arguments(parameters)

    def parameter(self, start: int, end: int, name: Token, default: Any) -> Any:
        return syntax.Parameter(Span(self.source, start, end), self._new(name), default)

    # ---- statements

    def body(self, start: int, end: int, *statements: Any) -> Any:
        return syntax.Body(Span(self.source, start, end), _arguments(statements))

    def input(self, start: int, end: int, label: Token, *rest: Any) -> Any:
        name = label.text[:-1].rstrip()
        name_span = Span(self.source, label.start, label.start + len(name))
        dims, per_image = _arguments(rest[:-1]), rest[-1] is not None
        return syntax.Input(Span(self.source, start, end), name, name_span, dims, per_image)

    def dim(self, start: int, end: int, *parts: Any) -> Any:
        name = parts[0].text if len(parts) == 2 else None
        return syntax.Dim(Span(self.source, start, end), name, parts[-1])

    def weight(self, start: int, end: int, label: Any, *rest: Any) -> Any:
        dims, arguments = _arguments(rest[:-1]), rest[-1] or ()
        return syntax.Weight(Span(self.source, start, end), label, dims, arguments)

    def for_(self, start: int, end: int, loop: Any, body: Any) -> Any:
        return syntax.For(Span(self.source, start, end), loop, body)

    def repeat(self, start: int, end: int, count: Any, body: Any) -> Any:
        return syntax.Repeat(Span(self.source, start, end), count, body)

    def if_(self, start: int, end: int, condition: Any, then: Any, otherwise: Any) -> Any:
        if isinstance(otherwise, syntax.If):
            ladder = otherwise
            otherwise = syntax.Body(ladder.span, (ladder,))
            node = syntax.If(Span(self.source, start, end), condition, then, otherwise)
            return self._deeper(node, ladder)
        return syntax.If(Span(self.source, start, end), condition, then, otherwise)

    def aside(self, start: int, end: int, body: Any) -> Any:
        return syntax.Aside(Span(self.source, start, end), body)

    def training(self, start: int, end: int, body: Any) -> Any:
        return syntax.Training(Span(self.source, start, end), body)

    def expect(self, start: int, end: int, condition: Any, message: Token | None) -> Any:
        text = None if message is None else self.template(message)
        return syntax.Expect(Span(self.source, start, end), condition, text)

    def preprocess(self, start: int, end: int, body: Any) -> Any:
        return syntax.Preprocess(Span(self.source, start, end), body)

    def init(self, start: int, end: int, *rules: Any) -> Any:
        return syntax.Init(Span(self.source, start, end), _arguments(rules))

    def init_rule(self, start: int, end: int, target: Token, value: Any) -> Any:
        path = target.kind == "STRING"
        text = target.text[1:-1] if path else target.text
        return syntax.InitRule(Span(self.source, start, end), text, self._span(target), path, value)

    def shared(self, start: int, end: int, label: Any, make: Any) -> Any:
        return syntax.Shared(Span(self.source, start, end), label, make(label))

    # ---- chains

    def chain(self, start: int, end: int, *links: Any) -> Any:
        return syntax.Chain(Span(self.source, start, end), links)

    def link(self, start: int, end: int, base: Any, targets: Any) -> Any:
        span = Span(self.source, start, end)
        if targets is None:
            return syntax.Link(span, base, (), False)
        if isinstance(targets, syntax.Target):
            return syntax.Link(span, base, (targets,), False)
        return syntax.Link(span, base, targets, True)

    def unpack(self, start: int, end: int, *targets: Any) -> Any:
        return _arguments(targets)

    def target(self, start: int, end: int, name: Token, indices: Any) -> Any:
        return syntax.Target(Span(self.source, start, end), self._new(name), indices or ())

    def apply(self, start: int, end: int, label: Any, name: Token, indices: Any, arguments: Any) -> Any:
        span = Span(self.source, start, end)
        return syntax.Apply(span, label, *self._name(name), indices or (), arguments)

    def merge(self, start: int, end: int, label: Any, name: Token, *branches: Any) -> Any:
        return syntax.Merge(Span(self.source, start, end), label, *self._name(name), _arguments(branches))

    def seq(self, start: int, end: int, label: Any, body: Any) -> Any:
        return syntax.Group(Span(self.source, start, end), label, True, body)

    def group(self, start: int, end: int, label: Any, body: Any) -> Any:
        return syntax.Group(Span(self.source, start, end), label, False, body)

    def output(self, start: int, end: int, name: Token) -> Any:
        if name.kind == "STRING":
            return syntax.Output(Span(self.source, start, end), self.template(name))
        return syntax.Output(Span(self.source, start, end), syntax.Template(self._span(name), (name.text,)))

    def apply_bare(self, start: int, end: int, name: Token, indices: Any, arguments: Any) -> Any:
        return lambda label: self.apply(label.span.start, end, label, name, indices, arguments)

    def seq_bare(self, start: int, end: int, body: Any) -> Any:
        return lambda label: self.seq(label.span.start, end, label, body)

    def group_bare(self, start: int, end: int, body: Any) -> Any:
        return lambda label: self.group(label.span.start, end, label, body)

    def label(self, start: int, end: int, token: Token) -> Any:
        if token.kind == "STRING":
            return self.template(token)
        name = token.text[:-1].rstrip()
        return syntax.Template(Span(self.source, start, start + len(name)), (name,))

    def branch(self, start: int, end: int, body: Any) -> Any:
        return syntax.Branch(Span(self.source, start, end), body)

    def for_branches(self, start: int, end: int, loop: Any, *branches: Any) -> Any:
        return syntax.ForBranches(Span(self.source, start, end), loop, _arguments(branches))

    def if_branches(self, start: int, end: int, condition: Any, then: Any, otherwise: Any) -> Any:
        span = Span(self.source, start, end)
        if isinstance(otherwise, syntax.IfBranches):
            return self._deeper(syntax.IfBranches(span, condition, then, (otherwise,)), otherwise)
        return syntax.IfBranches(span, condition, then, otherwise or ())

    def branches(self, start: int, end: int, *branches: Any) -> Any:
        return _arguments(branches)

    # ---- expressions

    def binary(self, start: int, end: int, left: Any, operator: Token, right: Any) -> Any:
        node = syntax.Binary(Span(self.source, start, end), operator.text, left, right)
        return self._deeper(node, left, right)

    def unary(self, start: int, end: int, operator: Token, operand: Any) -> Any:
        node = syntax.Unary(Span(self.source, start, end), operator.text, operand)
        return self._deeper(node, operand)

    def conditional(self, start: int, end: int, condition: Any, then: Any, otherwise: Any) -> Any:
        node = syntax.Conditional(Span(self.source, start, end), condition, then, otherwise)
        return self._deeper(node, condition, then, otherwise)

    def attribute(self, start: int, end: int, value: Any, name: Token) -> Any:
        return self._deeper(syntax.Attribute(Span(self.source, start, end), value, name.text), value)

    def index(self, start: int, end: int, value: Any, items: Any) -> Any:
        return self._deeper(syntax.Index(Span(self.source, start, end), value, items), value, *items)

    def int_(self, start: int, end: int, token: Token) -> Any:
        return syntax.Int(Span(self.source, start, end), int(token.text))

    def float_(self, start: int, end: int, token: Token) -> Any:
        return syntax.Float(Span(self.source, start, end), float(token.text))

    def size(self, start: int, end: int, token: Token) -> Any:
        return syntax.Size(Span(self.source, start, end), tuple(map(int, token.text.split("x"))))

    def string(self, start: int, end: int, token: Token) -> Any:
        return syntax.String(Span(self.source, start, end), token.text[1:-1])

    def bool_(self, start: int, end: int, token: Token) -> Any:
        return syntax.Bool(Span(self.source, start, end), token.kind == "TRUE")

    def name(self, start: int, end: int, token: Token) -> Any:
        return syntax.Name(Span(self.source, start, end), token.text)

    def call(self, start: int, end: int, name: Token, arguments: Any) -> Any:
        node = syntax.Call(Span(self.source, start, end), *self._name(name), arguments)
        return self._deeper(node, node, *(argument.value for argument in arguments))

    def parenthesis(self, start: int, end: int, value: Any) -> Any:
        return value

    def tuple_(self, start: int, end: int, *items: Any) -> Any:
        node = syntax.Tuple(Span(self.source, start, end), _arguments(items))
        return self._deeper(node, *node.items)

    def list_(self, start: int, end: int, *items: Any) -> Any:
        node = syntax.List(Span(self.source, start, end), _arguments(items))
        return self._deeper(node, node, *node.items)

    def comprehension(self, start: int, end: int, element: Any, *loops: Any) -> Any:
        node = syntax.Comprehension(Span(self.source, start, end), element, loops)
        return self._deeper(node, element, *(loop.iterable for loop in loops))

    def loop(self, start: int, end: int, targets: Any, iterable: Any) -> Any:
        names, unpack = targets
        return syntax.Loop(Span(self.source, start, end), names, unpack, iterable)

    def loop_targets(self, start: int, end: int, name: Token) -> Any:
        return (self._new(name),), False

    def loop_unpack(self, start: int, end: int, *names: Token | None) -> Any:
        return tuple(self._new(name) for name in names if name is not None), True

    def indices(self, start: int, end: int, *items: Any) -> Any:
        return _arguments(items)

    def arguments(self, start: int, end: int, *arguments: Any) -> Any:
        for named, bare in pairwise(arguments):
            if named is not None and named.name is not None and bare.name is None:
                self._decimal_comma(named.value, bare.value)
        return _arguments(arguments)

    def _decimal_comma(self, left: Any, right: Any) -> None:
        """`p = 0,5`: an integer glued to what would be a positional argument behind a named one."""
        text = self.source.text
        if isinstance(left, syntax.Int) and isinstance(right, syntax.Int):
            if text[left.span.end : right.span.start] == ",":
                span = left.span.to(right.span)
                advice = f"write `{span.text.replace(',', '.')}`"
                self.report(Diagnostic("E108", "a decimal fraction has a point", span, help=(advice,)))

    def argument(self, start: int, end: int, *parts: Any) -> Any:
        name = parts[0].text if len(parts) == 2 else None
        return syntax.Argument(Span(self.source, start, end), name, parts[-1])
