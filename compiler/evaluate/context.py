"""The state of an evaluation: the budget, what was found, and where in the flow we stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from compiler.declare import Given
from compiler.evaluate.least import Least
from compiler.evaluate.paths import Namer, Paths
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.values import BlockValue, Env, SharedValue, TensorArray, Unknown
from compiler.graph import GraphBuilder, Scope, Typing, Value
from compiler.ops import OPS
from compiler.ops.base import Op, TensorType
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.frozen import field, record, replace
from spec_lang.limits import Limits
from spec_lang.source import Span

if TYPE_CHECKING:
    from compiler.evaluate.replay import Recording
    from compiler.modules import Module

#: Nested calls of blocks and functions; deep enough for any fractal net.
MAX_DEPTH = 200
#: After so many errors nobody reads on.
MAX_ERRORS = 50
#: Characters in the names of all weights and layers together, which is what they cost in memory.
MAX_NAMES = 50_000_000


class Applied(NamedTuple):
    """A layer for types of inputs, with what follows; `arguments` are those of `given` as a key."""

    types: tuple[TensorType, ...]
    given: tuple[Given, ...]
    arguments: tuple[Any, ...]
    known: Typing


@record
class Frame:
    """One run of a block's or model's body: what `in` and `output` mean there."""

    name: str
    inside: Value | Unknown | None
    is_model: bool = False
    #: Whether it is a model with one input, which then flows from the start.
    single_input: bool = False
    outputs: dict[str, Value | Unknown] = field(default_factory=dict)
    output_spans: dict[str, Span] = field(default_factory=dict)
    arrays: dict[str, TensorArray] = field(default_factory=dict)


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
        #: Whether an expectation is not met: the graph is whole all the same, and the rest of it is checked.
        self.unmet = False
        self.paths = Paths()
        self.names = 0
        #: What is known of a layer with its arguments for types of inputs, by their identity; they are held.
        self.typings: dict[Any, Applied] = {}
        #: The types of results, one object for all that are equal.
        self.types: dict[TensorType, TensorType] = {}
        #: The arguments of a layer as stored for a rank, those of the last one that came of it, and that one.
        self.bound: dict[Any, tuple[dict[str, Any], dict[str, Any], Op]] = {}
        #: The steps of labels that are the same wherever they are used, by identity: files outlive a run.
        self.labels: dict[int, tuple[str, ...]] = {}
        #: Arguments that are literals, by the identity of their AST, which each of them holds.
        self.literals: dict[int, Given] = {}
        #: Where layers stand, by the identity of their AST.
        self.places: dict[int, Span] = {}
        #: Shapes that are within the limits.
        self.fitting: set[tuple[int, ...]] = set()
        self.calls: list[tuple[BlockValue, Span]] = []  # blocks that we are in, outermost first
        self.within = [0]  # how many blocks each of these (first the model) has applied so far
        self.sections = Sections()
        self.shared: list[SharedValue] = []
        self.raw_weights: list[Value] = []
        #: What each node of the builder was applied with.
        self.applied: list[Applied] = []
        #: How often the type of a tensor was asked for, a tensor was given to `_`, and something was applied
        #: that makes no block around it again.
        self.asked = self.put_aside = self.unrepeatable = 0
        #: Whether a block is evaluated that could not be made again: then nothing in it is.
        self.evaluating = False
        #: How many constants of files were evaluated, which is done once.
        self.constants = 0
        #: What blocks made, by what decides it; see `compiler.evaluate.replay`.
        self.recordings: dict[Any, Recording] = {}
        #: Results that need no user: given to `_`, or taken by something that failed.
        self.spoken_for: set[Value] = set()
        #: The fewest layers of bodies: at first glance, and with names that hide a layer left out.
        self.least, self.sure_least = Least(names_matter=False), Least(names_matter=True)
        #: Lists whose tensors are spoken for, by identity; held, so that no other object gets it.
        self.seen_lists: dict[int, tuple[Any, ...]] = {}
        #: Results that exist in training alone.
        self.in_training: set[Value] = set()
        self._seen: set[tuple[str, Any]] = set()
        self._errors = 0

    def spend(self, span: Span, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > self.limits.steps:
            raise Exhausted(
                "E410",
                f"evaluation takes more than {self.limits.steps:,} steps",
                span,
                help=("a loop or recursion here does not end, or is far too long",),
            )

    def enter(self, name: str, span: Span) -> None:
        """Count one more nested call; whoever enters leaves by `depth -= 1`."""
        if self.depth >= MAX_DEPTH:
            raise Exhausted(
                "E411",
                f"`{name}` is nested more than {MAX_DEPTH} calls deep",
                span,
                help=("does its recursion end?",),
            )
        self.depth += 1

    def named(self, path: str, span: Span) -> str:
        """Count a name towards the bound on all names."""
        self.names += len(path)
        if self.names > MAX_NAMES:
            raise Exhausted(
                "E418",
                f"the names of all layers take more than {MAX_NAMES:,} characters",
                span,
                help=("shorter labels, or less nesting",),
            )
        return path

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic; the same code at the same place (a loop, a block used twice) counts once."""
        span = diagnostic.span
        key = (diagnostic.code, (id(span.source), span.start, span.end) if span else diagnostic.message)
        if diagnostic.code == "E216":
            self.unmet = True
        elif diagnostic.is_error:
            self.failed = True
        if key in self._seen:
            return
        self._seen.add(key)
        self.diagnostics.append(diagnostic)
        if diagnostic.is_error:
            self._errors += 1
            if self._errors == MAX_ERRORS:
                raise Exhausted("E419", f"{MAX_ERRORS} errors; the rest of the model is not looked at", span)

    def fail(self, problem: Problem) -> None:
        """Report a problem, with the calls that led there."""
        diagnostic = problem.diagnostic
        notes = [
            f"in `{block.described}`, applied on line {span.line} of {span.source.name}"
            for block, span in reversed(self.calls[-4:])
        ]
        self.report(replace(diagnostic, notes=(*diagnostic.notes, *notes)))

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Report the problem that ends what is done within, and go on after it."""
        try:
            yield
        except Exhausted:
            raise
        except Problem as problem:
            self.fail(problem)
        except Poisoned:
            self.failed = True

    def stop(self, problem: Problem) -> None:
        """Report what ended the evaluation: like `fail`, but it cannot end it once more."""
        try:
            self.fail(problem)
        except Exhausted as last:
            if problem.diagnostic.code != last.diagnostic.code:
                self.diagnostics.append(last.diagnostic)

    def warn(self, code: str, message: str, span: Span, *help: str) -> None:
        self.report(Diagnostic(code, message, span, help=help))

    def check_shadow(self, name: str, span: Span) -> None:
        """Warn of a name that is a layer's too."""
        if name in OPS:
            self.warn(
                "W201",
                f"`{name}` is also a layer; from here on it means yours",
                span,
                "another name would be clearer",
            )


@record
class Sections:
    """What the sections of a model say, for the end of its evaluation."""

    training_outputs: set[str] = field(default_factory=set)
    expectations: list[tuple[ast.Expect, Context]] = field(default_factory=list)
    preprocess: list[tuple[Any, Span]] = field(default_factory=list)
    preprocess_span: Span | None = None
    init_rules: list[tuple[ast.InitRule, Any]] = field(default_factory=list)


@record
class Context:
    """Where we stand: names, the flow, the path, the scope, the frame."""

    run: Run
    env: Env
    flow: Flow
    namer: Namer
    scope: Scope
    frame: Frame
    module: Module
    training: bool = False
    #: Inside the second and later applications of something `shared`: paths are taken already.
    repeated: bool = False

    @classmethod
    def outside(cls, run: Run, module: Module, name: str) -> Context:
        """Outside of every body, where only the definitions of a file are in scope and nothing flows."""
        return cls(
            run, Env(module.env), Flow(None), Namer((), False), run.builder.root, Frame(name, None), module
        )

    def scoped(self, env: Env | None = None) -> Context:
        """The same place with a scope of names of its own."""
        return Context(
            self.run,
            env if env is not None else Env(self.env),
            self.flow,
            self.namer,
            self.scope,
            self.frame,
            self.module,
            self.training,
            self.repeated,
        )

    def take(self, path: tuple[str, ...], steps: int, span: Span) -> tuple[str, ...]:
        """Take a path whose last `steps` are its own.

        A path that is taken already is reported, and one that nobody has serves on.
        """
        try:
            self.run.paths.claim(path, steps, span, self.repeated)
        except Problem as problem:
            self.run.fail(problem)
            return (*path, f"#{len(self.run.builder.nodes)}")
        return path

    def bind(self, name: str, value: Any, span: Span) -> None:
        """Bind a name in the current scope; it must be new within the block or model."""
        self.refuse_bound(name, span)
        self.run.check_shadow(name, span)
        self.env.bind(name, value, span)

    def refuse_bound(self, name: str, span: Span) -> None:
        """A problem where the name is reserved or bound already."""
        refuse_reserved(name, span)
        env: Env | None = self.env
        while env is not None and env is not self.module.env:
            if name in env.names:
                first = env.spans.get(name)
                raise Problem(
                    "E203",
                    f"`{name}` is bound already; a name is bound once",
                    span,
                    labels=(Label(first, "first bound here"),) if first else (),
                    help=("choose another name",),
                )
            env = env.parent


def refuse_reserved(name: str, span: Span) -> None:
    if name in ("it", "in"):
        raise Problem("E203", f"`{name}` is reserved for the flow", span, help=("choose another name",))
