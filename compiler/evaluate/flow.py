"""Statements and chains: how a body is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from compiler.evaluate import sections
from compiler.evaluate.apply import (
    apply_layer,
    apply_value,
    join_tensors,
    place_of,
    weighted_members,
)
from compiler.evaluate.context import Context, Flow, Frame, Namer, branch_names, poison
from compiler.evaluate.expressions import (
    bound_loop,
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
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.values import (
    UNKNOWN,
    BlockValue,
    Env,
    FunctionValue,
    LayerValue,
    SharedValue,
    TensorArray,
    Unknown,
    describe,
)
from compiler.graph import Scope, Value
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label, nearest
from spec_lang.source import Span

_STEP = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def run_body(body: ast.Body, context: Context) -> None:
    """Run the statements; one that fails is reported, and what it left is unknown."""
    for statement in body.statements:
        context.run.spend(statement.span)
        try:
            _STATEMENTS[type(statement)](statement, context)
        except Exhausted:
            raise
        except Problem as problem:
            context.run.fail(problem)
            _give_up(statement, context)
        except Poisoned:
            context.run.failed = True
            _give_up(statement, context)


def _give_up(statement: ast.Statement, context: Context) -> None:
    """Leave the unknown behind a statement that could not be run."""
    if isinstance(statement, (ast.Let, ast.Function)):
        if context.env.lookup(statement.name) is None:
            context.env.bind(statement.name, UNKNOWN, statement.span)
    elif isinstance(statement, (ast.Shared, ast.Weight)):
        label = statement.label.parts
        if len(label) == 1 and isinstance(label[0], str) and context.env.lookup(label[0]) is None:
            context.env.bind(label[0], UNKNOWN, statement.span)
    elif isinstance(statement, ast.Input):
        if context.env.lookup(statement.name) is None:
            context.env.bind(statement.name, UNKNOWN, statement.span)
        context.flow.it = UNKNOWN
    elif isinstance(statement, (ast.Chain, ast.For, ast.Repeat, ast.If)):
        context.flow.it = UNKNOWN


# ---- names and labels ------------------------------------------------------------------


def label_steps(label: ast.Template | None, context: Context) -> tuple[str, ...]:
    """The steps of a label: its text, split at the dots."""
    if label is None:
        return ()
    text = template(label, context)
    steps = tuple(text.split("."))
    for step in steps:
        if not _STEP.fullmatch(step):
            raise Problem("E208", f"`{text}` cannot name weights", label.span,
                          notes=("a label is steps of letters, digits, `_` and `-`, joined by dots",))
        if len(step) > context.run.limits.identifier_length:
            raise Problem("E208", f"a step of the label has {len(step)} characters; "
                          f"at most {context.run.limits.identifier_length}", label.span)
    return steps


def bind_results(link: ast.Link, results: Sequence[Value | Unknown], context: Context) -> None:
    """`as name`, `as x[i]`, `as (p, q)`."""
    targets = link.targets
    if not targets:
        return
    if link.unpack:
        if len(results) != len(targets) and UNKNOWN not in results:
            raise Problem("E225", f"{len(targets)} names for {len(results)} result{'s' * (len(results) != 1)}",
                          targets[0].span.to(targets[-1].span))
        values = list(results) if len(results) == len(targets) else [UNKNOWN] * len(targets)
    else:
        values = [results[0]]
    for target, value in zip(targets, values, strict=True):
        if target.name == "_" and not target.indices:
            if isinstance(value, Value):
                context.run.discarded.add(value)
        elif target.indices:
            _fill(target, value, context)
        else:
            context.bind(target.name, value, target.span)
            if isinstance(value, Value):
                context.run.builder.rename(value, target.name)


def _fill(target: ast.Target, value: Value | Unknown, context: Context) -> None:
    arrays = context.frame.arrays
    key = tuple([whole(index, context, "an index") for index in target.indices])
    array = arrays.get(target.name)
    if array is None:
        array = TensorArray(target.name, target.span, len(key))
        root = context.env  # the array belongs to the whole block or model
        while root.parent is not None and root.parent is not context.module.env:
            root = root.parent
        if context.env.lookup(target.name) is not None and context.env.where(target.name) is not None:
            first = context.env.where(target.name)
            raise Problem("E203", f"`{target.name}` is bound already; a name is bound once", target.span,
                          labels=(Label(first, "first bound here"),) if first else ())
        context.shadow(target.name, target.span)
        root.bind(target.name, array, target.span)
        arrays[target.name] = array
    if len(key) != array.rank:
        raise Problem("E212", f"`{target.name}` has {array.rank} ind{'ices' if array.rank > 1 else 'ex'} elsewhere, "
                      f"{len(key)} here", target.span, labels=(Label(array.span, "first element"),))
    if key in array.elements:
        raise Problem("E203", f"`{target.name}{list(key)}` is filled already; each element once", target.span)
    array.elements[key] = value
    if isinstance(value, Value):
        context.run.builder.rename(value, "_".join([target.name, *map(str, key)]))


# ---- chains ----------------------------------------------------------------------------


def _chain(chain: ast.Chain, context: Context) -> None:
    for position, link in enumerate(chain.links):
        context.run.spend(link.span)
        try:
            results = _link(link, position == 0, context)
        except Exhausted:
            raise
        except Problem as problem:
            context.run.fail(problem)
            results = (UNKNOWN,)
        except Poisoned:
            context.run.failed = True
            results = (UNKNOWN,)
        context.flow.it = results[0]
        try:
            bind_results(link, results, context)
        except Exhausted:
            raise
        except Problem as problem:
            context.run.fail(problem)
        except Poisoned:
            context.run.failed = True


def _link(link: ast.Link, first: bool, context: Context) -> tuple[Value | Unknown, ...]:
    base = link.base
    if isinstance(base, ast.Apply):
        return _apply(base, first, link, context)
    if isinstance(base, ast.Merge):
        return _merge(base, context)
    if isinstance(base, ast.Group):
        _group(base, context)
        return (flowing(context, base.span),)
    return (_output(base, context),)


def _apply(apply: ast.Apply, first: bool, link: ast.Link, context: Context) -> tuple[Value | Unknown, ...]:
    value = lookup(apply.name, apply.name_span, context, applied=True)
    if apply.indices and value is not UNKNOWN:
        value = indexed(value, apply.indices, context, Span(apply.name_span.source, apply.name_span.start, apply.span.end))
    if value is UNKNOWN:
        return (UNKNOWN,)
    if isinstance(value, Value):
        return (_begin(value, apply, first, context),)
    if not isinstance(value, (LayerValue, BlockValue, SharedValue)):
        raise _not_a_layer(apply, value, context)
    given = given_arguments(apply.arguments or (), context)
    label = label_steps(apply.label, context)
    names = [t.name for t in link.targets if t.name != "_" and not t.indices]
    span = place_of(apply)
    if isinstance(value, LayerValue) and value.op.arity is None:
        tensors, rest = join_tensors(value.op, (*value.given, *given), context.flow.it, first, span)
        return apply_layer(value.op, rest, tensors, label, span, context, names)
    return apply_value(value, given, context.flow.it, label, span, context, names)


def _begin(value: Value, apply: ast.Apply, first: bool, context: Context) -> Value:
    """A tensor at the beginning of a chain."""
    if apply.label is not None:
        raise Problem("E208", f"`{apply.name}` is a tensor; a label names a layer", apply.span,
                      help=("`as name` gives a tensor another name",))
    if apply.arguments is not None:
        raise Problem("E210", f"`{apply.name}` is a tensor, not a layer", apply.span)
    if not first and value is not context.flow.it:
        raise Problem("E205", f"`{apply.name}` is a tensor: what flows into it would be lost", apply.span,
                      help=("begin a chain of its own with it, or join: `add(" + apply.name + ", it)`",))
    return value


def _not_a_layer(apply: ast.Apply, value: Any, context: Context) -> Problem:
    from compiler.ops import OPS

    span = apply.name_span
    if isinstance(value, TensorArray):
        return Problem("E212", f"`{apply.name}` is an array; name one of its elements", span)
    if isinstance(value, FunctionValue):
        return Problem("E210", f"`{apply.name}` is a function of numbers, not a layer", span)
    if context.env.lookup(apply.name) is None and context.module.resolve(apply.name, context.run) is None:
        # A choice of some layer, such as `same`: to the reader it is an unknown layer.
        near = nearest(apply.name, [*OPS, *context.module.names()])
        return Problem("E202", f"there is no layer `{apply.name}`", span,
                       help=(f"did you mean `{near[0]}`?",) if near else ())
    return Problem("E210", f"`{apply.name}` is {describe(value)}, not a layer or a tensor", span)


def _output(output: ast.Output, context: Context) -> Value | Unknown:
    name = template(output.name, context)
    value = flowing(context, output.span)
    frame = context.frame
    if name in frame.outputs:
        raise Problem("E203", f"there are two outputs `{name}`", output.span,
                      labels=(Label(frame.output_spans[name], "the first one"),))
    if not name or not name.isprintable() or not name.isascii() or len(name) > context.run.limits.identifier_length:
        raise Problem("E208", f"an output cannot be named like this: {name!r}", output.span,
                      notes=(f"at most {context.run.limits.identifier_length} printable ASCII characters",))
    frame.outputs[name] = value
    frame.output_spans[name] = output.span
    if isinstance(value, Value):
        context.run.builder.rename(value, name)
        if frame.is_model and context.training:
            context.run.builder.training_outputs.add(name)
    return value


# ---- joins with branches ---------------------------------------------------------------


def _merge(merge: ast.Merge, context: Context) -> tuple[Value | Unknown, ...]:
    value = lookup(merge.name, merge.name_span, context, applied=True)
    span = Span(merge.name_span.source, merge.name_span.start, merge.name_span.end)
    if value is UNKNOWN:
        return (UNKNOWN,)
    if not isinstance(value, LayerValue) or value.op.arity is not None:
        joins = "add, multiply, maximum, average, concat"
        raise Problem("E224", f"`{merge.name}` is not a join, so it has no branches", span, notes=(f"joins: {joins}",))
    label = label_steps(merge.label, context)
    op = value.op
    start = flowing(context, span)
    namer, parent = context.namer, context.scope
    if label or namer.seq:
        steps = namer.enter(label)
        path = (*namer.prefix, *steps)
        if label and not context.repeated:
            context.run.claim(path, span)
            context.run.pass_through(path, len(label), span)
        scope = Scope("join", steps, op.name, parent, span=span, label=".".join(label))
        parent.members.append(scope)
        inner = replace(context, scope=scope, namer=Namer(path, seq=False))
    else:
        path = (*namer.prefix, *namer.step(op.name, ()))
        scope = Scope("join", (), op.name, parent, span=span)
        parent.members.append(scope)
        inner = replace(context, scope=scope)
    tensors: list[Value | Unknown] = []
    _branches(merge.branches, start, inner, tensors)
    fewest = 1 if branch_names(merge.branches) else 2
    if len(tensors) < fewest and UNKNOWN not in tensors:
        raise Problem("E224", f"{op.name} joins at least {fewest} branch{'es' * (fewest > 1)}, not {len(tensors)}", span)
    return apply_layer(op, value.given, tensors, (), span, inner, path=path)


def _branches(
    branches: Sequence[ast.BranchItem], start: Value | Unknown, context: Context, tensors: list[Value | Unknown],
) -> None:
    for item in branches:
        context.run.spend(item.span)
        if isinstance(item, ast.Branch):
            flow = Flow(start)
            run_body(item.body, context.inner(flow=flow))
            assert flow.it is not None
            tensors.append(flow.it)
        elif isinstance(item, ast.ForBranches):
            refuse_rebinding(item.loop, context)
            for one in items(item.loop.iterable, context):
                context.run.spend(item.span)
                _branches(item.branches, start, context.inner(env=bound_loop(item.loop, one, context)), tensors)
        else:
            _branches(item.then if truth(item.condition, context) else item.otherwise, start, context, tensors)


# ---- groups ----------------------------------------------------------------------------


def _group(group: ast.Group, context: Context) -> None:
    label = label_steps(group.label, context)
    steps = context.namer.enter(label)
    path = (*context.namer.prefix, *steps)
    if label and not context.repeated:
        context.run.claim(path, group.span)
        context.run.pass_through(path, len(label), group.span)
    scope = Scope("seq" if group.seq else "group", steps, parent=context.scope, span=group.span, label=".".join(label))
    context.scope.members.append(scope)
    run_body(group.body, replace(context, scope=scope, namer=Namer(path, group.seq)))
    if not group.seq and not context.run.failed:
        members = weighted_members(scope)
        if members and not any(labelled for labelled, _ in members):
            text = ".".join(label)
            assert group.label is not None
            context.run.warn("W202", f"nothing in the group `{text}` has a label, so its weights are named after "
                             "their layers", group.label.span,
                             help=(f"for positions (`{text}.0`, `{text}.1`) write `{text}: seq {{ ... }}`",))


# ---- control ---------------------------------------------------------------------------


def _for(statement: ast.For, context: Context) -> None:
    try:
        over = items(statement.loop.iterable, context)
    except (Problem, Poisoned):
        poison(context, statement.body)
        raise
    refuse_rebinding(statement.loop, context)
    for item in over:
        context.run.spend(statement.span)
        run_body(statement.body, context.inner(env=bound_loop(statement.loop, item, context)))


def refuse_rebinding(loop: ast.Loop, context: Context) -> None:
    """A loop's names are new, like every name within a block or model."""
    for name in loop.targets:
        if name != "_":
            context.refuse_bound(name, loop.span)


def _repeat(statement: ast.Repeat, context: Context) -> None:
    count = whole(statement.count, context, "a count")
    for _ in range(count):
        context.run.spend(statement.span)
        run_body(statement.body, context.inner())


def _if(statement: ast.If, context: Context) -> None:
    chosen = statement.then if truth(statement.condition, context) else statement.otherwise
    if chosen is not None:
        run_body(chosen, context.inner())


def _aside(statement: ast.Aside, context: Context) -> None:
    run_body(statement.body, context.inner(flow=Flow(context.flow.it)))


def _training(statement: ast.Training, context: Context) -> None:
    run_body(statement.body, context.inner(flow=Flow(context.flow.it), training=True))


def _let(statement: ast.Let, context: Context) -> None:
    value = evaluate(statement.value, context)
    context.bind(statement.name, value, statement.name_span)


def _function(statement: ast.Function, context: Context) -> None:
    context.bind(statement.name, FunctionValue(statement, context.env, context.module), statement.name_span)


def _shared(statement: ast.Shared, context: Context) -> None:
    steps = label_steps(statement.label, context)
    name = steps[-1]
    if not _NAME.fullmatch(name):
        raise Problem("E208", f"`{name}` cannot be applied by its name", statement.label.span,
                      help=("let the last step of a shared label be a name",))
    base = statement.base
    path = (*context.namer.prefix, *steps)
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
            raise _not_a_layer(base, value, context)
        given = given_arguments(base.arguments or (), context)
        target = replace(value, given=(*value.given, *given))
        if isinstance(target, LayerValue) and target.op.arity is None:
            raise Problem("E223", f"a join such as {target.op.name} has no weights to share", base.span)
    if not context.repeated and not isinstance(target, LayerValue):
        context.run.claim(path, statement.label.span)
        context.run.pass_through(path, len(steps), statement.label.span)
    shared = SharedValue(path, target, context, statement.span, name)
    context.bind(name, shared, statement.label.span)
    context.run.shared.append(shared)


def frame_for_model(name: str) -> Frame:
    return Frame(name, None, is_model=True)


_STATEMENTS: dict[type, Callable[[Any, Context], None]] = {
    ast.Chain: _chain, ast.For: _for, ast.Repeat: _repeat, ast.If: _if, ast.Aside: _aside,
    ast.Training: _training, ast.Let: _let, ast.Function: _function, ast.Shared: _shared,
    ast.Input: sections.run_input, ast.Weight: sections.run_weight, ast.Expect: sections.run_expect,
    ast.Preprocess: sections.run_preprocess, ast.Init: sections.run_init,
}

__all__ = ["Env", "frame_for_model", "label_steps", "run_body"]
