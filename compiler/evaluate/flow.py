"""Statements and chains: how a body is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compiler.elsewhere import layer_meant
from compiler.evaluate import arithmetic, calls, sections
from compiler.evaluate.blocks import apply_value
from compiler.evaluate.context import Context, Flow
from compiler.evaluate.expressions import (
    bind_item,
    check_targets,
    evaluate,
    flowing,
    given_arguments,
    indexed,
    items,
    lookup,
    template,
    truth,
    whole,
)
from compiler.evaluate.joins import join_arguments, join_branches
from compiler.evaluate.layers import Results, apply_layer, place_of
from compiler.evaluate.least import refuse_what_cannot_fit
from compiler.evaluate.naming import bind_results, is_unlabelled, label_name, label_steps, refuse_rebinding
from compiler.evaluate.paths import Namer
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.recovery import Damage, failed, give_up, give_up_link
from compiler.evaluate.values import (
    UNKNOWN,
    BlockValue,
    FunctionValue,
    LayerValue,
    SharedValue,
    TensorArray,
    Unknown,
    describe,
)
from compiler.graph import Scope, Value
from compiler.ops import OPS
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label
from spec_lang.frozen import replace

#: Steps that a statement costs beyond its expressions, and that a group does.
STATEMENT_STEPS = 20
GROUP_STEPS = 100


def run_body(body: ast.Body, context: Context) -> None:
    """Run the statements; one that fails is reported, and what it left is unknown."""
    run = context.run
    damage = Damage(body, context) if context.module.damage else None
    for statement in body.statements:
        run.spend(statement.span, STATEMENT_STEPS)
        if damage is not None and damage.reaches(statement):
            give_up(statement, context)
            continue
        try:
            _STATEMENTS[type(statement)](statement, context)
        except Exhausted:
            raise
        except (Problem, Poisoned) as problem:
            failed(problem, statement, context)
            give_up(statement, context)
    if damage is not None:
        damage.reaches_end()


# ---- chains ----------------------------------------------------------------------------


def _chain(chain: ast.Chain, context: Context) -> None:
    flow = context.flow
    first = True
    for link in chain.links:
        base = link.base
        try:
            if isinstance(base, ast.Apply):
                results = _apply(base, first, link, context)
            else:
                results = _link(base, context)
        except Exhausted:
            raise
        except (Problem, Poisoned) as problem:
            failed(problem, link, context)
            give_up_link(link, context)
            results = (UNKNOWN,)
        flow.it = results[0]
        if link.targets:
            bind_results(link, results, context)
        first = False


def _link(base: ast.Merge | ast.Group | ast.Output, context: Context) -> Results:
    if isinstance(base, ast.Merge):
        return join_branches(base, context)
    if isinstance(base, ast.Group):
        _group(base, context)
        return (flowing(context, base.span),)
    return (_output(base, context),)


def _apply(apply: ast.Apply, first: bool, link: ast.Link, context: Context) -> Results:
    value = lookup(apply.name, apply.name_span, context, applied=True)
    span = place_of(apply, context.run)
    if apply.indices and value is not UNKNOWN:
        value = indexed(value, apply.indices, context, span)
    if not isinstance(value, (LayerValue, BlockValue, SharedValue)):
        if value is UNKNOWN:
            raise Poisoned
        if isinstance(value, Value):
            return (_begin(value, apply, first, context),)
        raise _not_a_layer(apply, value, context)
    given = given_arguments(apply.arguments, context) if apply.arguments else ()
    label = label_steps(apply.label, context) if apply.label is not None else ()
    names = [t.name for t in link.targets if t.name != "_" and not t.indices] if link.targets else ()
    if isinstance(value, LayerValue):
        given = (*value.given, *given)
        if value.op.arity is None:
            return join_arguments(value.op, given, first, label, span, context, names)
        return apply_layer(value.op, given, [context.flow.it], label, span, context, names)
    return apply_value(value, given, context.flow.it, label, span, context, names)


def _begin(value: Value, apply: ast.Apply, first: bool, context: Context) -> Value:
    """A tensor at the beginning of a chain."""
    if apply.label is not None:
        raise Problem(
            "E208",
            f"`{apply.name}` is a tensor; a label names a layer",
            apply.span,
            help=("`as name` gives a tensor another name",),
        )
    if apply.arguments is not None:
        raise Problem("E210", f"`{apply.name}` is a tensor, not a layer", apply.span)
    if not first and value is not context.flow.it:
        raise Problem(
            "E205",
            f"`{apply.name}` is a tensor: what flows into it would be lost",
            apply.span,
            help=(f"begin a chain of its own with it, or join: `add({apply.name}, it)`",),
        )
    return value


def _not_a_layer(apply: ast.Apply | ast.Shared, value: Any, context: Context) -> Problem:
    base = apply.base if isinstance(apply, ast.Shared) else apply
    assert isinstance(base, ast.Apply)
    name, span = base.name, base.name_span
    if isinstance(value, TensorArray):
        return Problem(
            "E212", f"`{name}` is an array; name one of its elements", span, help=(f"`{name}[0]`",)
        )
    if isinstance(value, FunctionValue):
        return Problem("E210", f"`{name}` is a function of numbers, not a layer", span)
    if context.env.lookup(name) is None and context.module.resolve(name, context.run, span) is None:
        # A choice of some layer, such as `same`: to the reader it is an unknown layer.
        meant = layer_meant(name, [*OPS, *context.module.names()])
        return Problem(
            "E202",
            f"there is no layer `{name}`",
            span,
            label="not a layer, a block or a tensor",
            help=(f"did you mean `{meant}`?",) if meant else (),
        )
    return Problem("E210", f"`{name}` is {describe(value)}, not a layer or a tensor", span)


def _output(output: ast.Output, context: Context) -> Value | Unknown:
    value: Value | Unknown = flowing(context, output.span)
    name = template(output.name, context)
    frame, run = context.frame, context.run
    if name in frame.outputs:
        raise Problem(
            "E203",
            f"there are two outputs `{name}`",
            output.span,
            labels=(Label(frame.output_spans[name], "the first one"),),
        )
    longest = run.limits.identifier_length
    if not name or not name.isprintable() or not name.isascii() or len(name) > longest:
        raise Problem(
            "E208",
            f"an output cannot be named like this: {name[:100]!r}",
            output.span,
            notes=(f"1 to {longest} printable ASCII characters",),
        )
    frame.outputs[name] = value
    frame.output_spans[name] = output.span
    if isinstance(value, Value):
        run.builder.rename(value, name)
    if frame.is_model and context.training:
        run.sections.training_outputs.add(name)
    return value


def _group(group: ast.Group, context: Context) -> None:
    context.run.spend(group.span, GROUP_STEPS)
    label = label_steps(group.label, context)
    steps = context.namer.enter(label)
    path = (*context.namer.prefix, *steps)
    if steps:
        path = context.take(path, len(steps), group.label.span if group.label is not None else group.span)
    scope = Scope(
        "seq" if group.seq else "group", steps, parent=context.scope, span=group.span, label=".".join(label)
    )
    context.scope.members.append(scope)
    inner = context.scoped(context.env)
    inner.scope, inner.namer = scope, Namer(path, group.seq)
    run_body(group.body, inner)
    if not group.seq and not context.run.failed and is_unlabelled(scope):
        assert group.label is not None
        text = ".".join(label)
        written = group.label.span.text.rstrip(" :")
        context.run.warn(
            "W202",
            f"nothing in the group `{text}` has a label, so its weights are named after their layers",
            group.label.span,
            f"for positions (`{text}.0`, `{text}.1`) write `{written}: seq {{ ... }}`",
        )


# ---- control ---------------------------------------------------------------------------


def _for(statement: ast.For, context: Context) -> None:
    over = items(statement.loop.iterable, context)
    check_targets(statement.loop)
    refuse_rebinding(statement.loop, context)
    _spend_on_loop(statement, len(over), context)
    for item in over:
        inner = context.scoped()
        bind_item(statement.loop, item, inner.env)
        run_body(statement.body, inner)


def _repeat(statement: ast.Repeat, context: Context) -> None:
    times = whole(statement.count, context, "a count")
    _spend_on_loop(statement, times, context)
    for _ in range(times):
        run_body(statement.body, context.scoped())


def _spend_on_loop(statement: ast.For | ast.Repeat, times: int, context: Context) -> None:
    """Count all rounds before the first, so that what never ends does not begin."""
    context.run.spend(statement.span, STATEMENT_STEPS * times)
    if times > 1:
        refuse_what_cannot_fit(
            context.run, lambda least: times * least.body(statement.body, context.module), statement.span
        )


def _if(statement: ast.If, context: Context) -> None:
    chosen = statement.then if truth(statement.condition, context) else statement.otherwise
    if chosen is not None:
        run_body(chosen, context.scoped())


def _aside(statement: ast.Aside, context: Context) -> None:
    inner = context.scoped()
    inner.flow = Flow(context.flow.it)
    run_body(statement.body, inner)


def _training(statement: ast.Training, context: Context) -> None:
    inner = context.scoped()
    inner.flow, inner.training = Flow(context.flow.it), True
    run_body(statement.body, inner)


# ---- declarations ----------------------------------------------------------------------


def _let(statement: ast.Let, context: Context) -> None:
    value = evaluate(statement.value, context)
    context.bind(statement.name, value, statement.name_span)


def _function(statement: ast.Function, context: Context) -> None:
    value = FunctionValue(statement, context.env, context.module)
    context.bind(statement.name, value, statement.name_span)


def _shared(statement: ast.Shared, context: Context) -> None:
    run, base = context.run, statement.base
    steps = label_steps(statement.label, context)
    name = label_name(statement.label, steps)
    target: LayerValue | BlockValue | ast.Group
    if isinstance(base, ast.Group):
        target = base
    else:
        value = lookup(base.name, base.name_span, context, applied=True)
        if base.indices:
            value = indexed(value, base.indices, context, base.span)
        if value is UNKNOWN:
            raise Poisoned
        if not isinstance(value, (LayerValue, BlockValue)):
            raise _not_a_layer(statement, value, context)
        target = replace(value, given=(*value.given, *given_arguments(base.arguments or (), context)))
        if isinstance(target, LayerValue) and target.op.arity is None:
            raise Problem("E223", f"a join such as {target.op.name} has no weights to share", base.name_span)
    path = context.take((*context.namer.prefix, *steps), len(steps), statement.label.span)
    shared = SharedValue(path, target, context, statement.span, name)
    context.bind(name, shared, statement.label.span)
    run.shared.append(shared)


_STATEMENTS: dict[type, Callable[[Any, Context], None]] = {
    ast.Chain: _chain,
    ast.For: _for,
    ast.Repeat: _repeat,
    ast.If: _if,
    ast.Aside: _aside,
    ast.Training: _training,
    ast.Let: _let,
    ast.Function: _function,
    ast.Shared: _shared,
    ast.Input: sections.run_input,
    ast.Weight: sections.run_weight,
    ast.Expect: sections.run_expect,
    ast.Preprocess: sections.run_preprocess,
    ast.Init: sections.run_init,
}

__all__ = ["arithmetic", "calls", "run_body"]
