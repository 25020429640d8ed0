"""One model, evaluated: run its body, check what only the whole can tell, build the graph."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from compiler.declare import Faults, Given
from compiler.evaluate.arithmetic import equal
from compiler.evaluate.blocks import bind_parameters, match_parameters
from compiler.evaluate.context import Context, Flow, Frame, Run
from compiler.evaluate.expressions import evaluate
from compiler.evaluate.faults import explained
from compiler.evaluate.flow import run_body
from compiler.evaluate.paths import Namer
from compiler.evaluate.problems import Poisoned, Problem
from compiler.evaluate.recovery import mentioned
from compiler.evaluate.sections import called, check_expect
from compiler.evaluate.values import Env, Unknown
from compiler.freezing import frozen_names
from compiler.graph import Graph, GraphBuilder, Value, Weight
from compiler.initial import Rule, resolve
from compiler.modules import Module, Target
from compiler.ops.base import BATCH
from compiler.passes.remove_dead_code import without_training
from compiler.preprocess import fault_in
from compiler.training import bind_settings
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic
from spec_lang.frozen import frozen, replace
from spec_lang.limits import DEFAULT_LIMITS, Limits


@frozen
class Evaluation:
    """What came of a model: a graph where nothing is wrong, and everything that was found."""

    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]


def evaluate_model(
    target: Target,
    settings: Sequence[Given] = (),
    limits: Limits = DEFAULT_LIMITS,
    files: tuple[str, ...] = (),
) -> Evaluation:
    """Evaluate a model or variant; `settings` are parameters from outside, by name.

    `files` are the paths of those that it was read from.
    """
    model, home = target.model, target.home
    builder = GraphBuilder(target.name)
    builder.root.doc = target.doc
    run = Run(builder, limits)
    inputs = sum(isinstance(statement, ast.Input) for statement in model.body.statements)
    frame = Frame(model.name, None, is_model=True, single_input=inputs == 1)
    context = Context(run, Env(home.env), Flow(None), Namer((), seq=False), builder.root, frame, home)
    graph = None
    try:
        with deep_recursion():
            from_variants = variant_arguments(target, run)
            arguments = bind_parameters(
                model.parameters, [*from_variants, *settings], context, f"model {model.name}", model.name_span
            )
            builder.root.arguments = arguments
            if not inputs:
                raise Problem(
                    "E214",
                    f"the model `{model.name}` has no input",
                    model.name_span,
                    help=("`input image: [3, 224, 224]` as its first line",),
                )
            body = context.scoped()
            run_body(model.body, body)
            graph = _finish(body, target, arguments, files)
            if graph is not None:
                _check_totals(context, graph, model, from_variants, settings)
    except Problem as problem:
        run.stop(problem)
    except Poisoned:
        run.failed = True
    return Evaluation(None if run.failed or run.unmet else graph, tuple(run.diagnostics))


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for the nesting that our own limits allow: blocks within blocks, each with nested statements.

    Calls between Python functions take no C stack, so that the frames are all that this costs.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 500_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def variant_arguments(target: Target, run: Run) -> list[Given]:
    """The arguments of variants by name, each evaluated in its own file.

    What a variant leaves open, the next one may give.
    """
    found: list[Given] = []
    remaining = list(target.model.parameters)
    for variant, module in reversed(target.variants):
        context = Context.outside(run, module, variant.name)
        given = []
        for argument in variant.arguments:
            with run.reporting():
                given.append(Given(argument.name, evaluate(argument.value, context), argument))
        if len(given) < len(variant.arguments):
            raise Poisoned
        matched = match_parameters(remaining, given, f"model {variant.base}", variant.base_span)
        found += [replace(one, name=name) for name, one in matched.items()]
        remaining = [p for p in remaining if p.name not in matched]
    return found


# ---- the whole -------------------------------------------------------------------------


def _finish(
    context: Context, target: Target, arguments: Mapping[str, Any], files: tuple[str, ...]
) -> Graph | None:
    run, builder = context.run, context.run.builder
    outputs = _collect_outputs(context, target.model)
    settings = _train_settings(target.train, run)
    _check_reached(context, outputs)
    _check_preprocess(run)
    if not run.failed:
        _check_freeze(target.train, settings, run)
    if run.failed:
        return None
    weights = _initialised(_marked(run), run)
    if weights is None:
        return None
    source = target.model.span.source
    built = builder.build(
        outputs,
        preprocess=tuple([step for step, _ in run.sections.preprocess]),
        settings=settings,
        arguments=arguments,
        doc=target.doc,
        source_name=source.name,
        source_text=source.text,
        files=files,
        training=True,
    )
    return without_training(replace(built, weights=weights), run.sections.training_outputs)


def _collect_outputs(context: Context, model: ast.Model) -> dict[str, Value]:
    """The outputs of the model: the named ones, or the last tensor as `output`."""
    run = context.run
    found: dict[str, Value | Unknown] = dict(context.frame.outputs)
    if run.sections.training_outputs.issuperset(found):
        flow = context.flow.it
        if flow is None and not run.failed:
            raise Problem(
                "E214",
                f"the model `{model.name}` has no output",
                model.name_span,
                help=("`output name` after its last layer",),
            )
        if flow is not None:
            found["output"] = flow
    for name, value in found.items():
        if value in run.in_training and name not in run.sections.training_outputs:
            span = context.frame.output_spans.get(name, model.name_span)
            run.fail(
                Problem(
                    "E231",
                    f"the output `{name}` exists in training alone",
                    span,
                    help=("move `output` into `training { ... }`",),
                )
            )
    return {name: value for name, value in found.items() if isinstance(value, Value)}


def _check_reached(context: Context, outputs: Mapping[str, Value]) -> None:
    """Report results, inputs, raw weights and shared layers that reach no output.

    After a mistake only what nobody speaks of is known to be lost.
    """
    run, builder = context.run, context.run.builder
    used = {value for node in builder.nodes for value in node.inputs}
    used |= run.spoken_for
    reached = set(outputs.values())
    for node in reversed(builder.nodes):
        if not reached.isdisjoint(node.outputs):
            reached.update(node.inputs)
        elif used.isdisjoint(node.outputs):
            name = (node.output.name or node.path).replace(".", "_")
            run.fail(
                Problem(
                    "E206",
                    f"the result of {node.op.name} reaches no output",
                    node.span,
                    label=f"{node.output.type} is made here and lost",
                    help=(f"use it, end the flow with it, or `output {name}`",),
                )
            )
    if run.failed:
        reached |= used
    for name, value in builder.inputs.items():
        if value not in reached:
            run.fail(
                Problem(
                    "E227",
                    f"the input `{name}` reaches no output",
                    value.span,
                    help=("use it, or leave it out",),
                )
            )
    for value in run.raw_weights:
        if value not in reached:
            run.fail(
                Problem(
                    "E227",
                    f"the weight `{value.name}` reaches no output",
                    value.span,
                    help=("multiply or add it, or leave it out",),
                )
            )
    for shared in run.shared:
        if not shared.uses and not (run.failed and shared.spoken_for):
            run.fail(
                Problem(
                    "E227",
                    f"the shared layer `{shared.label}` is never applied",
                    shared.span,
                    help=(f"apply it in a chain: `-> {shared.label}`",),
                )
            )


def _marked(run: Run) -> dict[str, Weight]:
    """The weights, marked where only training-time layers use them."""
    builder = run.builder
    if not run.raw_weights and not any(node.training for node in builder.nodes):
        return builder.weights
    inference = {name for node in builder.nodes if not node.training for name in node.weights.values()}
    inference |= {v.weight for node in builder.nodes if not node.training for v in node.inputs if v.weight}
    return {
        name: weight
        if weight.training == (name not in inference)
        else replace(weight, training=name not in inference)
        for name, weight in builder.weights.items()
    }


def _initialised(weights: Mapping[str, Weight], run: Run) -> dict[str, Weight] | None:
    """The weights with the initialisers of the `init` section; None after any mistake."""
    rules = [Rule(rule.target, rule.path, bound, rule.span) for rule, bound in run.sections.init_rules]
    try:
        return dict(resolve(weights, rules))
    except Faults as found:
        for span, fault in found.faults:
            run.fail(explained(fault, (), (), span))
    return None


def _check_preprocess(run: Run) -> None:
    """The steps must end at the first input that is an image."""
    steps, inputs = run.sections.preprocess, list(run.builder.inputs.values())
    if not steps or not inputs:
        return
    value = next((v for v in inputs if v.type.rank == 3 and v.type.rows == BATCH), inputs[0])
    fault = fault_in([step for step, _ in steps], value.shape, value.type.free)
    if fault is not None:
        position, problem = fault
        run.fail(explained(problem, (), (), steps[position][1]))


def _check_totals(
    outer: Context,
    graph: Graph,
    model: ast.Model,
    from_variants: Sequence[Given],
    settings: Sequence[Given],
) -> None:
    """`expect` on the whole model, which counts inference.

    It speaks of the model as its parameters have it by default; so it is not checked where one that
    has a default was set to something else.  A variant's own numbers are checked all the same
    where the condition speaks of what the variant gives.
    """
    run = outer.run
    if any(_differs(model, one, outer) for one in settings):
        return
    changed = any(_differs(model, one, outer) for one in from_variants)
    given = {one.name for one in from_variants}
    for statement, context in run.sections.expectations:
        if changed and given.isdisjoint(mentioned(statement.condition)):
            continue
        inner = context.scoped()
        for name, total in (("params", graph.params), ("macs", graph.macs), ("memory", graph.memory)):
            inner.env.bind(name, total, None)
        with run.reporting():
            check_expect(statement, inner)


def _differs(model: ast.Model, given: Given, context: Context) -> bool:
    """Whether a parameter that has a default was given something else."""
    parameter = next(p for p in model.parameters if p.name == given.name)
    return parameter.default is not None and not equal(evaluate(parameter.default, context), given.value)


def _train_settings(train: tuple[ast.Train, Module] | None, run: Run) -> Any:
    """The `train` section, bound; None without one."""
    if train is None:
        return None
    section, module = train
    context = Context.outside(run, module, section.name)
    items = []
    for setting in section.settings:
        with run.reporting():
            if isinstance(setting.value, ast.Body):
                items.append((setting.name, None, setting))
            else:
                items.append((setting.name, called(setting.value, context), setting))
    try:
        return bind_settings(items)
    except Faults as found:
        for place, fault in found.faults:
            value = getattr(place, "value", None)
            span = place.span if place is not None else section.name_span
            given = (
                tuple([Given(a.name, None, a) for a in value.arguments])
                if isinstance(value, ast.Call)
                else ()
            )
            run.fail(explained(fault, given, (), span))
    return None


def _check_freeze(train: tuple[ast.Train, Module] | None, settings: Any, run: Run) -> None:
    """The patterns of `freeze` must match weights, and leave some to be trained."""
    if train is None or settings is None or not settings.freeze:
        return
    try:
        frozen_names(run.builder.weights, settings.freeze)
    except Faults as found:
        value = next(setting.value for setting in train[0].settings if setting.name == "freeze")
        items = value.items if isinstance(value, ast.List) else ()
        for position, fault in found.faults:
            # A comprehension is no list of items, and has no place for each.
            at = value if position is None or len(items) != len(settings.freeze) else items[position]
            run.fail(explained(fault, (), (), at.span))
