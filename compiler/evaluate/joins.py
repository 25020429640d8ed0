"""Joins: several tensors into one, by arguments or by branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compiler.declare import Given
from compiler.evaluate.context import Context, Flow
from compiler.evaluate.expressions import bind_item, check_targets, flowing, items, lookup, truth
from compiler.evaluate.layers import Results, apply_layer
from compiler.evaluate.least import Least, refuse_what_cannot_fit
from compiler.evaluate.naming import label_steps, refuse_rebinding
from compiler.evaluate.paths import Namer
from compiler.evaluate.problems import Poisoned, Problem
from compiler.evaluate.values import UNKNOWN, LayerValue, Unknown
from compiler.graph import Scope, Value
from compiler.ops import OPS
from compiler.ops.base import Op
from spec_lang import syntax as ast
from spec_lang.frozen import replace
from spec_lang.source import Span

#: Steps that a branch costs beyond what stands in it.
BRANCH_STEPS = 20

JOINS = tuple([name for name, op in OPS.items() if op.arity is None])


def join_arguments(
    op: type[Op],
    given: tuple[Given, ...],
    first: bool,
    label: tuple[str, ...],
    span: Span,
    context: Context,
    names: Sequence[str],
) -> Results:
    """A join as a link, `concat(skip, it)`.  `first` tells that it begins a chain, where nothing is lost."""
    flow = context.flow.it
    tensors: list[Value | Unknown] = []
    rest: list[Given] = []
    numbers = 0
    for one in given:
        if one.name is not None:
            rest.append(one)
            continue
        listed = (
            isinstance(one.value, tuple) and bool(one.value) and all(isinstance(v, Value) for v in one.value)
        )
        for value in one.value if listed or one.value == () else (one.value,):
            if isinstance(value, (Value, Unknown)):
                tensors.append(value)
            else:
                numbers += type(value) in (int, float)
                rest.append(replace(one, value=value))
    example = f"`{op.name}(skip, it)`, or `{op.name} {{ branch {{ ... }} branch {{ ... }} }}`"
    if not first and not tensors:
        raise Problem("E205", f"{op.name} takes tensors: what flows, and the others", span, help=(example,))
    if not first and isinstance(flow, Value) and not any(t is flow for t in tensors):
        raise Problem(
            "E205",
            f"{op.name} does not take what flows into it, which would be lost",
            span,
            label="no `it` among its tensors",
            help=(f"add `it`: `{_with_it(op, given)}`",),
        )
    if len(tensors) + numbers < 2:
        raise Problem(
            "E224", f"{op.name} joins at least two tensors, not {len(tensors)}", span, help=(example,)
        )
    return apply_layer(op, tuple(rest), tensors, label, span, context, names)


def _with_it(op: type[Op], given: Sequence[Given]) -> str:
    parts = [(one.name is None, one.place.span.text) for one in given if one.place is not None]
    tensors = [text for by_position, text in parts if by_position]
    named = [text for by_position, text in parts if not by_position]
    return f"{op.name}({', '.join([*tensors, 'it', *named])})"


def join_branches(merge: ast.Merge, context: Context) -> Results:
    """`add { branch { ... } branch { ... } }`: each branch starts from the same tensor."""
    value = lookup(merge.name, merge.name_span, context, applied=True)
    span = merge.name_span
    if value is UNKNOWN:
        return (UNKNOWN,)
    if not isinstance(value, LayerValue) or value.op.arity is not None:
        raise Problem(
            "E224",
            f"`{merge.name}` is not a join, so it has no branches",
            span,
            notes=(f"joins: {', '.join(JOINS)}",),
        )
    label = label_steps(merge.label, context)
    op = value.op
    start = flowing(context, span)
    namer, parent = context.namer, context.scope
    inner = context.scoped(context.env)
    if label or namer.seq:
        steps = namer.enter(label)
        path = context.take((*namer.prefix, *steps), len(steps), span)
        inner.namer = Namer(path, seq=False)
    else:
        steps = ()
        path = (*namer.prefix, *namer.step(op.name, ()))
    inner.scope = Scope("join", steps, op.name, parent, span=span, label=".".join(label))
    parent.members.append(inner.scope)
    tensors: list[Value | Unknown] = []
    try:
        _run_branches(merge.branches, start, inner, tensors)
        counted = any(not isinstance(item, ast.Branch) for item in merge.branches)
        if len(tensors) == 1 and counted:
            return (tensors[0],)  # a loop or condition made one branch: there is nothing to join
        if len(tensors) < 2:
            raise Problem(
                "E224",
                f"{op.name} joins at least two branches, not {len(tensors)}",
                span,
                help=("`branch { identity }` is the shortcut",),
            )
        return apply_layer(op, value.given, tensors, (), span, inner, path=path)
    except (Problem, Poisoned):
        context.run.spoken_for.update([one for one in tensors if isinstance(one, Value)])
        raise


def _run_branches(
    branches: Sequence[ast.BranchItem],
    start: Value | Unknown,
    context: Context,
    tensors: list[Value | Unknown],
) -> None:
    from compiler.evaluate.flow import run_body

    for item in branches:
        context.run.spend(item.span, BRANCH_STEPS)
        if isinstance(item, ast.Branch):
            inner = context.scoped()
            inner.flow = flow = Flow(start)
            run_body(item.body, inner)
            assert flow.it is not None
            tensors.append(flow.it)
        elif isinstance(item, ast.ForBranches):
            check_targets(item.loop)
            refuse_rebinding(item.loop, context)
            over = items(item.loop.iterable, context)
            count = len(over)
            context.run.spend(item.span, BRANCH_STEPS * count)

            def counted(least: Least, times: int = count, what: Any = item.branches) -> int:
                return times * least.branches(what, context.module)

            refuse_what_cannot_fit(context.run, counted, item.span)
            for one in over:
                inner = context.scoped()
                bind_item(item.loop, one, inner.env)
                _run_branches(item.branches, start, inner, tensors)
        else:
            chosen = item.then if truth(item.condition, context) else item.otherwise
            _run_branches(chosen, start, context.scoped(), tensors)
