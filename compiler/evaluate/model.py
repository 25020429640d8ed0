"""One model, evaluated: run its body, check what only the whole can tell, build the graph."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from compiler.declare import Faults, Given
from compiler.evaluate.apply import bind_parameters, explained
from compiler.evaluate.context import Context, Flow, Frame, Namer, Run
from compiler.evaluate.flow import run_body
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.sections import check_expect
from compiler.evaluate.values import UNKNOWN, Env, Unknown
from compiler.graph import Graph, GraphBuilder, Node, Value
from compiler.initial import Rule, resolve
from compiler.modules import Module
from compiler.passes.remove_dead_code import without_training
from compiler.preprocess import fault_in
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import Limits
from spec_lang.source import Span


class ModelBuilder(GraphBuilder):
    """A graph builder that also keeps what the sections of a model say."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.training_outputs: set[str] = set()
        self.expectations: list[tuple[ast.Expect, Context]] = []
        self.preprocess: list[tuple[Any, Span]] = []
        self.preprocess_span: Span | None = None
        self.init_rules: list[tuple[ast.InitRule, Any]] = []


@dataclass(frozen=True)
class Evaluation:
    """What came of a model: a graph where nothing is wrong, and everything that was found."""

    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]


def evaluate_model(
    model: ast.Model, module: Module, chain: tuple[tuple[ast.Variant, Module], ...] = (),
    parameters: Mapping[str, Any] | None = None, settings: tuple[Given, ...] = (), limits: Limits = Limits(),
    name: str | None = None, train: tuple[ast.Train, Module] | None = None, doc: str = "",
) -> Evaluation:
    """Evaluate a model.

    `chain` are the variants that lead to it, the outermost (the one that was asked for) first.
    `settings` are parameters from outside; they win over the variants' arguments.
    """
    builder = ModelBuilder(name or model.name)
    run = Run(builder, limits)
    frame = Frame(model.name, None, is_model=True)
    outer = Env(module.env)
    context = Context(run, Env(outer), Flow(None), Namer((), seq=False), builder.root, frame,
                      module.for_model(model))
    builder.root.name = name or model.name
    builder.root.doc = doc or model.doc
    graph = None
    try:
        with deep_recursion():
            given = variant_arguments(chain, settings, run)
            arguments = bind_parameters(model.parameters, given, outer, replace(context, env=outer),
                                        f"model {model.name}", model.name_span)
            builder.root.arguments = arguments
            if not any(isinstance(statement, ast.Input) for statement in model.body.statements):
                raise Problem("E214", f"the model `{model.name}` has no input", model.name_span,
                              help=("`input image: [3, 224, 224]` as its first line",))
            run_body(model.body, context)
            graph = finish(context, model, arguments, bool(settings), train, doc or model.doc)
    except Problem as problem:
        run.fail(problem)
    except Poisoned:
        run.failed = True
    return Evaluation(None if run.failed else graph, tuple(run.diagnostics))


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for the nesting that our own limits allow: blocks within blocks, each with nested statements.

    Calls between Python functions take no C stack, so that the frames are all that this costs.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 200_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def variant_arguments(chain: tuple[tuple[ast.Variant, Module], ...], settings: tuple[Given, ...], run: Run) -> list[Given]:
    """The arguments of variants, each evaluated in its own file; what stands further out wins."""
    from compiler.evaluate.expressions import given_arguments

    named: dict[str, Given] = {}
    positional: list[Given] = []
    for variant, module in reversed(chain):
        context = Context(run, Env(module.env), Flow(None), Namer((), False), run.builder.root,
                          Frame(variant.name, None), module)
        for one in given_arguments(variant.arguments, context):
            if one.name is None:
                positional.append(one)
            else:
                named[one.name] = one
    for one in settings:
        assert one.name is not None
        named[one.name] = one
    return [*positional, *named.values()]


def finish(
    context: Context, model: ast.Model, arguments: Mapping[str, Any], overridden: bool,
    train: tuple[ast.Train, Module] | None, doc: str,
) -> Graph | None:
    run, builder = context.run, context.run.builder
    assert isinstance(builder, ModelBuilder)
    outputs = collect_outputs(context, model)
    settings = train_settings(train, run)
    if run.failed or outputs is None:
        return None
    check_reached(context, outputs)
    if run.failed:
        return None
    source = model.span.source
    check_preprocess(builder, run)
    weights = resolved_weights(builder, trained_weights(builder), run)
    if weights is None:
        return None
    built = builder.build(
        outputs, preprocess=tuple(step for step, _ in builder.preprocess), settings=settings, arguments=arguments,
        doc=doc, source_name=source.name, source_text=source.text, training=True)
    built = replace(built, weights=weights)
    graph = without_training(built, builder.training_outputs)
    if not overridden:
        check_totals(builder, graph, run)
    return graph


def collect_outputs(context: Context, model: ast.Model) -> dict[str, Value] | None:
    """The outputs of the model: the named ones, or the last tensor as `output`."""
    frame, flow = context.frame, context.flow.it
    found: dict[str, Value | Unknown] = dict(frame.outputs)
    builder = context.run.builder
    if all(name in getattr(builder, "training_outputs", ()) for name in found):
        if flow is None:
            raise Problem("E214", f"the model `{model.name}` has no output", model.name_span,
                          help=("`output name` after its last layer",))
        found["output"] = flow
    if any(value is UNKNOWN for value in found.values()):
        return None
    return {name: value for name, value in found.items() if isinstance(value, Value)}


def check_reached(context: Context, outputs: Mapping[str, Value]) -> None:
    """Report tensors, inputs, raw weights and shared layers that reach no output."""
    run, builder = context.run, context.run.builder
    reached = set(outputs.values())
    live: set[Node] = set()
    for node in reversed(builder.nodes):
        if any(value in reached for value in node.outputs):
            live.add(node)
            reached.update(node.inputs)
    used = {value for node in builder.nodes for value in node.inputs}
    for node in builder.nodes:
        if node in live or any(value in used or value in run.discarded for value in node.outputs):
            continue
        shown = node.output.name or node.path
        run.fail(Problem("E206", f"the result of {node.op.name} reaches no output", node.span,
                         label=f"{node.output.type} is made here and lost",
                         help=(f"use it, end the flow with it, or `output {shown.replace('.', '_')}`",)))
    for name, value in builder.inputs.items():
        if value not in reached:
            run.fail(Problem("E227", f"the input `{name}` reaches no output", value.span))
    for value in run.raw_weights:
        if value not in reached:
            run.fail(Problem("E227", f"the weight `{value.name}` reaches no output", value.span))
    for shared in run.shared:
        if not shared.uses:
            run.fail(Problem("E227", f"the shared layer `{shared.label}` is never applied", shared.span))


def trained_weights(builder: GraphBuilder) -> dict[str, Any]:
    """The weights, marked where only training-time layers use them."""
    inference = {name for node in builder.nodes if not node.training for name in node.weights.values()}
    inference |= {v.weight for node in builder.nodes if not node.training for v in node.inputs if v.weight}
    return {name: replace(w, training=True) if name not in inference else replace(w, training=False) if w.training else w
            for name, w in builder.weights.items()}


def check_preprocess(builder: ModelBuilder, run: Run) -> None:
    if not builder.preprocess:
        return
    value = next(iter(builder.inputs.values()))
    fault = fault_in([step for step, _ in builder.preprocess], value.shape, value.type.free)
    if fault is not None:
        position, problem = fault
        run.fail(explained(problem, (), (), builder.preprocess[position][1]))


def resolved_weights(builder: ModelBuilder, weights: Mapping[str, Any], run: Run) -> dict[str, Any] | None:
    """The weights with the initialisers of the `init` section; None after any mistake, all of them reported."""
    rules = [Rule(rule.target, rule.path, bound, rule.span) for rule, bound in builder.init_rules]
    try:
        resolved = resolve(weights, rules)
    except Faults as found:
        for span, fault in found.faults:
            run.fail(explained(fault, (), (), span))
        return None
    return None if run.failed else resolved


def check_totals(builder: ModelBuilder, graph: Graph, run: Run) -> None:
    """`expect` on the whole model, which counts inference unless training was asked for."""
    for statement, context in builder.expectations:
        env = Env(context.env)
        env.bind("params", graph.params, None)
        env.bind("macs", graph.macs, None)
        env.bind("memory", getattr(graph, "memory", 0), None)
        try:
            check_expect(statement, replace(context, env=env))
        except Exhausted:
            raise
        except Problem as problem:
            run.fail(problem)
        except Poisoned:
            run.failed = True


def train_settings(train: tuple[ast.Train, Module] | None, run: Run) -> Any:
    """The `train` section, bound; None without one."""
    if train is None:
        return None
    from compiler.evaluate.sections import called
    from compiler.training import bind_settings

    section, module = train
    context = Context(run, Env(module.env), Flow(None), Namer((), False), run.builder.root,
                      Frame(section.name, None), module)
    items = []
    for setting in section.settings:
        try:
            if isinstance(setting.value, ast.Body):
                items.append((setting.name, None, setting))
            else:
                items.append((setting.name, called(setting.value, context), setting))
        except Problem as problem:
            run.fail(problem)
        except Poisoned:
            run.failed = True
    try:
        return bind_settings(items)
    except Faults as found:
        for place, fault in found.faults:
            value = getattr(place, "value", None)
            span = place.span if place is not None else section.name_span
            given = tuple([Given(a.name, None, a) for a in value.arguments]) if isinstance(value, ast.Call) else ()
            run.fail(explained(fault, given, (), span))
    return None
