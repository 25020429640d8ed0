"""Applying one layer to tensors: its arguments, its types, its path, its node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from compiler.declare import BadValue, Choice, Fault, Flag, Given, Int, PerAxis, Position, Real, Tensor, Word
from compiler.declare import Context as Kinds
from compiler.evaluate.context import Applied, Context, Run
from compiler.evaluate.expressions import nothing_flows
from compiler.evaluate.faults import explained, positional
from compiler.evaluate.problems import Exhausted, Problem
from compiler.evaluate.values import UNKNOWN, BlockValue, SharedValue, TensorArray, Unknown, exact, measure
from compiler.graph import Typing, Value
from compiler.ops.base import Op, TensorType
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label
from spec_lang.frozen import replace
from spec_lang.limits import Limits
from spec_lang.source import Span

Results = tuple[Value | Unknown, ...]

#: Steps for each number in a list that a layer is given.
ELEMENT_STEPS = 10


def place_of(apply: ast.Apply, run: Run) -> Span:
    """Where a layer stands, without its label."""
    place = run.places.get(id(apply))
    if place is None:
        run.places[id(apply)] = place = Span(apply.name_span.source, apply.name_span.start, apply.span.end)
    return place


def apply_layer(
    op: type[Op],
    given: tuple[Given, ...],
    flowing: Sequence[Value | Unknown | None],
    label: tuple[str, ...],
    span: Span,
    context: Context,
    names: Sequence[str] = (),
    path: tuple[str, ...] | None = None,
) -> Results:
    """Apply a layer to these tensors; without a `path` the body gives it one."""
    run = context.run
    run.spend(span)
    namer = context.namer
    own = path is None
    if path is None:
        path = (*namer.prefix, *namer.step(op.name, label))
    inputs = flowing
    if given:
        given, tensors = _tensor_arguments(op, given)
        inputs = [*flowing, *tensors]
    values = [one for one in inputs if isinstance(one, Value)]
    if len(values) != len(inputs):
        if None in inputs:
            raise nothing_flows(f"into {op.name} here", span)
        run.spoken_for.update(values)
        refuse_products(op, given)
        _check_without_inputs(op, given, span)
        return (UNKNOWN,)
    if run.in_training and not context.training:
        _refuse_training(op, values, context, span)
    applied = typing_of(op, given, values, context, span)
    known = applied.known
    if own and (known.weights or label or namer.seq):
        path = context.take(path, max(len(label), 1), span)
    if known.weights and (context.repeated or not own):
        _check_reuse(known, path, context, span)
    if len(run.builder.nodes) >= run.limits.layers:
        raise Exhausted("E412", f"more than {run.limits.layers:,} layers", span)
    results = run.builder.apply(
        known.op,
        values,
        path=run.named(".".join(path), span),
        scope=context.scope,
        span=span,
        training=context.training,
        label=".".join(label),
        names=names,
        known=known,
    )
    run.applied.append(applied)
    if context.training:
        run.in_training.update(results)
    return results


def _refuse_training(op: type[Op], values: Sequence[Value], context: Context, span: Span) -> None:
    for value in values:
        if value in context.run.in_training:
            raise Problem(
                "E231",
                f"{op.name} takes a tensor that exists in training alone",
                span,
                labels=(Label(value.span, "made within `training`"),) if value.span else (),
                help=("move it into `training { ... }`, or what it takes out of it",),
            )


# ---- typing ----------------------------------------------------------------------------


def typing_of(
    op: type[Op], given: tuple[Given, ...], values: Sequence[Value], context: Context, span: Span
) -> Applied:
    """Bind a layer to its inputs; the same layer on the same types is looked up."""
    run = context.run
    found: list[Any] = []
    for one in given:
        value = one.value
        if isinstance(value, tuple):
            run.spend(span, ELEMENT_STEPS * measure(value)[1])
        found += (one.name, *exact(value))
    arguments = tuple(found)
    types = tuple([value.type for value in values])
    if given:
        refuse_products(op, given)  # the same size as a product is no excuse for it
    applied = run.typings.get((op, arguments, *map(id, types)))
    if applied is None:
        try:
            applied = typed(op, given, arguments, types, run, span)
        except Fault as fault:
            raise explained(fault, given, values, span, positional(op)) from None
    return applied


def typed(
    op: type[Op],
    given: tuple[Given, ...],
    arguments: tuple[Any, ...],
    types: tuple[TensorType, ...],
    run: Run,
    span: Span,
) -> Applied:
    """A layer for types that are new to it.  Raises `Fault`, and `Problem` beyond a limit."""
    bound = _bound(op, arguments, given, types, run)
    results = tuple([run.types.setdefault(result, result) for result in bound.infer(types)])
    known = Typing.bound(bound, types, results)
    for result in known.results:
        if result.shape not in run.fitting:
            check_size(result.shape, run.limits, span, "the result")
            run.fitting.add(result.shape)
    for weight in known.weights:
        if weight.shape not in run.fitting:
            check_size(weight.shape, run.limits, span, f"the {weight.name}")
            run.fitting.add(weight.shape)
    applied = Applied(types, given, arguments, known)
    run.typings[(op, arguments, *map(id, types))] = applied
    return applied


def _bound(
    op: type[Op], arguments: Any, given: Sequence[Given], types: tuple[TensorType, ...], run: Run
) -> Op:
    """As `Op.apply_to`; what rests on the arguments and the rank alone is worked out once."""
    op.check_raw(types)
    op.check_inputs(types)
    rank = types[0].rank if types else 0
    key = (op, arguments, rank)
    known = run.bound.get(key)
    stored = known[0] if known is not None else op.stored(given, rank)
    prepared = op.prepare(dict(stored), types)
    if known is not None and known[1] == prepared:
        return known[2]
    bound = op(**prepared)
    run.bound[key] = (stored, prepared, bound)
    return bound


def check_size(shape: Sequence[int], limits: Limits, span: Span, what: str) -> None:
    """No extent and no tensor beyond the limits, before anybody allocates it."""
    if max(shape, default=0) > limits.dimension:
        extent = next(extent for extent in shape if extent > limits.dimension)
        raise Problem("E414", f"{what} has an extent of {extent:,}; at most {limits.dimension:,}", span)
    count = math.prod(shape)
    if count > limits.elements:
        raise Problem("E415", f"{what} has {count:,} elements; at most {limits.elements:,}", span)


def _check_reuse(typing: Typing, path: tuple[str, ...], context: Context, span: Span) -> None:
    """A shared layer must find the weights that it had when it was first applied."""
    for spec in typing.weights:
        known = context.run.builder.weights.get(".".join((*path, spec.name)))
        if known is not None and known.shape != spec.shape:
            raise Problem(
                "E223",
                f"`{known.name}` is {list(known.shape)} where it was first applied, {list(spec.shape)} here",
                span,
                labels=(Label(known.span, "first applied here"),) if known.span else (),
                help=("a shared layer needs inputs that give its weights one shape",),
            )


# ---- arguments -------------------------------------------------------------------------


@cache
def _roles(op: type[Op]) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, frozenset[str]]]:
    """The arguments that go by position, those that are tensors, and the choices of those that are not."""
    words = {
        a.name: frozenset(getattr(a.kind, "all_words", lambda a=a: a.kind.words)())
        for a in op.args()
        if not isinstance(a.kind, Tensor)
    }
    return positional(op), op.tensor_args(), words


def _tensor_arguments(
    op: type[Op], given: tuple[Given, ...]
) -> tuple[tuple[Given, ...], list[Value | Unknown]]:
    """Arguments with each tensor replaced by its position among the inputs; and these tensors.

    A word that is a choice stays one where the name means no number: only parameters and
    `let` win over choices, not tensors, blocks or what is shared.
    """
    if not [one for one in given if isinstance(one.value, _NO_NUMBERS)]:
        return given, []
    order, wanted, words = _roles(op)  # type: ignore[arg-type]  # a class is hashable
    named: list[Given] = []
    count = 0
    for one in given:
        name = one.name
        if name is None and count < len(order):
            name = order[count]
            count += 1
        expr = getattr(one.place, "value", None)
        if (
            isinstance(one.value, _NO_NUMBERS)
            and isinstance(expr, ast.Name)
            and expr.id in words.get(name or "", ())
        ):
            one = replace(one, value=Word(expr.id))
        named.append(replace(one, name=name))
    tensors: list[Value | Unknown] = []
    for name in wanted:
        for i, one in enumerate(named):
            if one.name == name and isinstance(one.value, Value):
                tensors.append(one.value)
                named[i] = replace(one, value=Position(len(tensors)))
    for one in named:
        if one.name is None and isinstance(one.value, Value) and isinstance(one.place, ast.Argument):
            raise Problem(
                "E314",
                f"{op.name} takes what flows into it, and no tensor among its arguments",
                one.place.span,
                help=(f"`{one.place.value.span.text} -> {op.name}(...)`",),
            )
    return tuple(named), tensors


_NO_NUMBERS = (Value, TensorArray, BlockValue, SharedValue)


def refuse_products(op: type[Op], given: Sequence[Given]) -> None:
    """`conv(64, 3*3)` is 9 to arithmetic and 3x3 to its writer."""
    for i, one in enumerate(given):
        expr = getattr(one.place, "value", None)
        if (
            not isinstance(expr, ast.Binary)
            or expr.operator != "*"
            or not isinstance(expr.left, ast.Int)
            or not isinstance(expr.right, ast.Int)
        ):
            continue
        order = positional(op)
        name = one.name or (order[i] if i < len(order) else None)
        if any(a.name == name and isinstance(a.kind, PerAxis) for a in op.args()):
            a, b = expr.left.value, expr.right.value
            raise Problem(
                "E316",
                f"{op.name}: `{name} = {a}*{b}` is the number {a * b}",
                expr.span,
                label="a product, not a size",
                help=(f"`{a}x{b}` is the size",),
            )


def _check_without_inputs(op: type[Op], given: Sequence[Given], span: Span) -> None:
    """What can be said of a layer whose input is unknown: its arguments' names and simple kinds."""
    try:
        values = op.match(given)
        for a in op.args():
            if a.required and a.name not in values:
                raise op.missing(a)
            if a.name in values and isinstance(a.kind, (Int, Real, Flag, Choice)):
                try:
                    a.kind.accept(values[a.name], Kinds())
                except BadValue as bad:
                    raise Fault("E312", f"{op.name}: `{a.name}` is {bad}", argument=a.name) from None
    except Fault as fault:
        raise explained(fault, given, [], span, positional(op)) from None
