"""The state of an evaluation: the budget, what was found, and where in the flow we stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from compiler.evaluate.problems import Exhausted, Problem
from compiler.evaluate.values import UNKNOWN, Env, TensorArray, Unknown
from compiler.graph import GraphBuilder, Scope, Typing, Value
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.limits import Limits
from spec_lang.source import Span

#: Nested calls of blocks and functions; deep enough for any fractal net, shallow enough for CPython.
MAX_DEPTH = 200
#: Bits of an integer that an expression may reach.
MAX_BITS = 512
#: After so many errors nobody reads on.
MAX_ERRORS = 50


@dataclass(eq=False)
class Frame:
    """One run of a block's or model's body: what `in` and `output` mean there."""

    name: str
    inside: Value | Unknown | None
    outputs: dict[str, Value | Unknown] = field(default_factory=dict)
    output_spans: dict[str, Span] = field(default_factory=dict)
    arrays: dict[str, TensorArray] = field(default_factory=dict)
    is_model: bool = False


class Namer:
    """Gives members of one body their step of the path: labels, positions in a `seq`, counts elsewhere."""

    __slots__ = ("counts", "position", "prefix", "seq")

    def __init__(self, prefix: tuple[str, ...], seq: bool) -> None:
        self.prefix = prefix
        self.seq = seq
        self.counts: dict[str, int] = {}
        self.position = 0

    def step(self, kind: str, label: tuple[str, ...]) -> tuple[str, ...]:
        """The steps that a member of this kind (`conv`) adds; every member is counted, labelled or not."""
        self.counts[kind] = count = self.counts.get(kind, 0) + 1
        position = self.position
        self.position += 1
        if label:
            return label
        return (str(position),) if self.seq else (f"{kind}{count}",)

    def enter(self, label: tuple[str, ...]) -> tuple[str, ...]:
        """The steps that a `seq`, group or join adds: none without a label, but its position in a `seq`."""
        position = self.position
        self.position += 1
        if label:
            return label
        return (str(position),) if self.seq else ()


class Flow:
    """The current tensor of a body: None where nothing flows."""

    __slots__ = ("it",)

    def __init__(self, it: Value | Unknown | None) -> None:
        self.it = it


class Run:
    """What is the same for the whole evaluation of one model."""

    def __init__(self, builder: GraphBuilder, limits: Limits) -> None:
        self.builder = builder
        self.limits = limits
        self.steps = 0
        self.depth = 0
        self.diagnostics: list[Diagnostic] = []
        self.failed = False
        self._seen: set[tuple[str, Any]] = set()
        self.used_paths: dict[str, Span] = {}  # explicit places: layers with weights, labels
        self.prefixes: dict[str, Span] = {}  # what some path goes through
        self.shared: list[Any] = []
        self.arrays: list[TensorArray] = []
        self.discarded: set[Value] = set()
        self.raw_weights: list[Value] = []
        self.typings: dict[Any, Typing] = {}
        self.calls: list[tuple[str, Span]] = []  # blocks that we are in, outermost first

    def spend(self, span: Span, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > self.limits.steps:
            raise Exhausted("E410", f"evaluation takes more than {self.limits.steps:,} steps", span,
                            help=("a loop or recursion here does not end, or is far too long",))

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic; the same code at the same place (a loop, a block used twice) counts once."""
        span = diagnostic.span
        key = (diagnostic.code, (id(span.source), span.start, span.end) if span else diagnostic.message)
        if diagnostic.is_error:
            self.failed = True
        if key in self._seen:
            return
        self._seen.add(key)
        self.diagnostics.append(diagnostic)
        if sum(d.is_error for d in self.diagnostics) > MAX_ERRORS:
            raise Exhausted("E419", f"more than {MAX_ERRORS} errors; the rest is not looked at", diagnostic.span)

    def fail(self, problem: Problem) -> None:
        """Report a problem, with the calls that led there."""
        diagnostic = problem.diagnostic
        notes = [
            f"in {described}, applied on line {span.line} of {span.source.name}"
            for described, span in reversed(self.calls[-4:])
        ]
        self.report(replace(diagnostic, notes=(*diagnostic.notes, *notes)))

    def warn(self, code: str, message: str, span: Span, **more: Any) -> None:
        self.report(Diagnostic(code, message, span, **more))

    def claim(self, path: tuple[str, ...], span: Span) -> None:
        """Take a path for a layer with weights or a label; refuse a second use and a path inside another."""
        dotted = ".".join(path)
        if dotted in self.used_paths:
            raise Problem("E207", f"two things are named `{dotted}`", span,
                          labels=(Label(self.used_paths[dotted], "first named here"),))
        if dotted in self.prefixes:
            raise Problem("E207", f"`{dotted}` is a name of its own and the beginning of another", span,
                          labels=(Label(self.prefixes[dotted], "the other name"),))
        self.used_paths[dotted] = span

    def pass_through(self, path: tuple[str, ...], inner: int, span: Span) -> None:
        """Note the steps that a label only goes through: all but the last of its `inner` last steps."""
        for end in range(len(path) - inner + 1, len(path)):
            dotted = ".".join(path[:end])
            if dotted in self.used_paths:
                raise Problem("E207", f"`{'.'.join(path)}` goes through `{dotted}`, which is a name of its own",
                              span, labels=(Label(self.used_paths[dotted], "named here"),))
            self.prefixes.setdefault(dotted, span)


@dataclass(slots=True)
class Context:
    """Where we stand: names, the flow, the path, the scope, the frame."""

    run: Run
    env: Env
    flow: Flow
    namer: Namer
    scope: Scope
    frame: Frame
    module: Any
    training: bool = False
    #: Inside the second and later applications of something `shared`: paths are taken already.
    repeated: bool = False

    def inner(self, **changes: Any) -> Context:
        """The same place with a scope of names of its own, or whatever is changed."""
        if "env" not in changes:
            changes["env"] = Env(self.env)
        return replace(self, **changes)

    def bind(self, name: str, value: Any, span: Span) -> None:
        """Bind a name in the current scope; it must be new within the block or model."""
        self.refuse_bound(name, span)
        self.shadow(name, span)
        self.env.bind(name, value, span)

    def refuse_bound(self, name: str, span: Span) -> None:
        """A problem where the name is reserved or bound already."""
        if name in ("it", "in"):
            raise Problem("E203", f"`{name}` is reserved for the flow", span, help=("choose another name",))
        env: Env | None = self.env
        while env is not None and env is not self.module.env:
            if name in env.names:
                first = env.spans.get(name)
                raise Problem("E203", f"`{name}` is bound already; a name is bound once", span,
                              labels=(Label(first, "first bound here"),) if first else ())
            env = env.parent

    def shadow(self, name: str, span: Span) -> None:
        from compiler.ops import OPS

        if name in OPS:
            self.run.warn("W201", f"`{name}` is also a layer; from here on it means yours", span,
                          help=("another name would be clearer",))


def bound_names(body: ast.Body) -> Iterable[ast.Target | ast.Let | ast.Function]:
    """The names that a body that cannot be run would have bound."""
    for statement in body.statements:
        if isinstance(statement, (ast.Let, ast.Function)):
            yield statement
        elif isinstance(statement, ast.Chain):
            for link in statement.links:
                yield from link.targets
                if isinstance(link.base, ast.Group):
                    yield from bound_names(link.base.body)


def poison(context: Context, body: ast.Body) -> None:
    """Bind what a body would have bound to the unknown, so that its users stay silent."""
    for bound in bound_names(body):
        if context.env.lookup(bound.name) is None:
            context.env.bind(bound.name, UNKNOWN, bound.span)


def branch_names(items: Iterable[ast.BranchItem]) -> bool:
    """Whether a loop or condition stands among branches (so that their number may be one)."""
    return any(not isinstance(item, ast.Branch) for item in items)
