"""Statements that describe the model around its flow: inputs, raw weights, `expect`, `preprocess`, `init`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compiler.declare import (
    BadValue,
    Called,
    Declared,
    Fault,
    Flag,
    Given,
    Kind,
    Real,
    Word,
    arg,
    show,
)
from compiler.declare import (
    Context as Kinds,
)
from compiler.evaluate.context import Context, Flow
from compiler.evaluate.expressions import BUILTINS, evaluate, given_arguments, template, truth, whole
from compiler.evaluate.faults import explained
from compiler.evaluate.layers import check_size
from compiler.evaluate.naming import label_name, label_steps
from compiler.evaluate.problems import Problem
from compiler.evaluate.recovery import mentioned
from compiler.evaluate.values import ListValue, describe
from compiler.graph import Weight
from compiler.initial import Initialiser, bind_rule, default_initialiser
from compiler.ops.base import BATCH, TensorType
from compiler.preprocess import bind_step
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label
from spec_lang.frozen import frozen
from spec_lang.source import Span

#: What an `expect` on the whole model may read.
TOTALS = ("params", "macs", "memory")


# ---- inputs ----------------------------------------------------------------------------


def run_input(statement: ast.Input, context: Context) -> None:
    run, frame = context.run, context.frame
    at_top = (
        frame.is_model
        and context.scope.kind == "model"
        and context.env.parent is not None
        and context.env.parent.parent is context.module.env
    )
    if not at_top:
        raise Problem("E214", "an `input` belongs at the top of a model's body", statement.span)
    extents: list[int] = []
    free: dict[str, int] = {}
    for axis, dim in enumerate(statement.dims):
        extents.append(whole(dim.value, context, "an extent", minimum=1))
        if dim.name is None:
            continue
        if dim.name in free:
            raise Problem("E203", f"two extents of one input are named `{dim.name}`", dim.span)
        known = run.builder.free.get(dim.name)
        if known is not None:
            first, place = known[0]
            other = run.builder.inputs[first].shape[place]
            if other != extents[-1]:
                raise Problem(
                    "E203",
                    f"`{dim.name}` is {other} at input `{first}` and {extents[-1]} here; "
                    "one name is one extent",
                    dim.span,
                )
        free[dim.name] = axis
    check_size(extents, run.limits, statement.span, "the input")
    flags = tuple([axis in free.values() for axis in range(len(extents))])
    kind = TensorType(tuple(extents), flags, rows=statement.name if statement.per_image else BATCH)
    context.refuse_bound(statement.name, statement.name_span)
    value = run.builder.input(statement.name, kind, statement.span, free)
    context.bind(statement.name, value, statement.name_span)
    if frame.single_input:
        context.flow.it = value
        frame.inside = value


# ---- raw weights -----------------------------------------------------------------------


@frozen
class Numbers(Kind):
    """A number or nested lists of numbers, all of one length at each depth."""

    def describe(self) -> str:
        return "a number, or lists of numbers nested as the shape says"

    def accept(self, value: Any, context: Kinds) -> Any:
        if isinstance(value, tuple):
            return tuple([self.accept(v, context) for v in value])
        try:
            return Real().accept(value, context)
        except BadValue:
            raise BadValue(f"{self.describe()}, not {show(value)}") from None


@frozen
class RuleKind(Kind):
    """A rule of `init`."""

    def describe(self) -> str:
        return "a rule of `init`, such as `normal(0.01)`"

    def accept(self, value: Any, context: Kinds) -> Initialiser:
        if not isinstance(value, Initialiser):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        return value


@frozen
class RawWeight(Declared):
    """The arguments of `weight name: [shape](...)`."""

    name = "weight"
    trainable: bool = arg(Flag(), "false for a constant", default=True)
    value: Any = arg(Numbers(), "its numbers, nested as the shape says", default=None)
    init: Initialiser | None = arg(RuleKind(), "how it starts", default=None)


def run_weight(statement: ast.Weight, context: Context) -> None:
    steps = label_steps(statement.label, context)
    label_name(statement.label, steps)
    shape = tuple([whole(dim, context, "an extent", minimum=1) for dim in statement.dims])
    check_size(shape, context.run.limits, statement.span, "the weight")
    given = []
    for argument in statement.arguments:
        if argument.name == "init":
            given.append(Given("init", _rule(argument.value, context), argument))
        else:
            given.append(Given(argument.name, evaluate(argument.value, context), argument))
    try:
        bound = RawWeight.bind(given)
        initialiser = _raw_initialiser(bound, shape)
    except Fault as fault:
        raise explained(fault, given, [], statement.span) from None
    run = context.run
    context.refuse_bound(steps[-1], statement.label.span)
    path = context.take((*context.namer.prefix, *steps), len(steps), statement.label.span)
    name = run.named(".".join(path), statement.span)
    fan_in = 1
    for extent in shape[1:]:
        fan_in *= extent
    weight = Weight(
        name,
        shape,
        "weight" if bound.trainable else "constant",
        "weight",
        bound.trainable,
        initialiser,
        fan_in,
        shape[0] if shape else 1,
        context.training,
        statement.span,
    )
    value = run.builder.parameter(weight)
    run.raw_weights.append(value)
    context.bind(steps[-1], value, statement.label.span)


def _raw_initialiser(bound: RawWeight, shape: tuple[int, ...]) -> Initialiser:
    if bound.value is not None and bound.init is not None:
        raise Fault("E315", "weight: `value` and `init` both say its numbers", argument="init")
    if bound.init is not None:
        return bound.init
    if bound.value is None:
        return default_initialiser("weight")
    if isinstance(bound.value, tuple):
        found = _shape_of(bound.value)
        if found != shape:
            raise Fault(
                "E312",
                f"weight: `value` has the shape {list(found) if found is not None else 'of a ragged list'}"
                f", the weight is {list(shape)}",
                argument="value",
            )
    return Initialiser("value", (("values", bound.value),))


def _shape_of(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, tuple):
        return ()
    shapes = {_shape_of(v) for v in value}
    if len(shapes) != 1 or None in shapes:
        return (0,) if not value else None
    [inner] = shapes
    assert inner is not None
    return (len(value), *inner)


# ---- names with arguments that are declared elsewhere ----------------------------------


def called(expr: ast.Expr, context: Context) -> Any:
    """A setting's value: a declared name with its arguments, or any other value.

    Names that the user has bound win; other bare names and calls are declarations
    (`zeros`, `sgd(lr = 0.02)`), which whoever binds the setting knows.
    """
    if isinstance(expr, ast.Call) and not _is_bound(expr.name, context):
        if expr.name not in BUILTINS:
            return Called(expr.name, given_arguments(expr.arguments, context), expr)
    if isinstance(expr, ast.Name) and not _is_bound(expr.id, context):
        return Called(expr.id, (), expr)
    if isinstance(expr, ast.List):
        values = [called(item, context) for item in expr.items]
        return ListValue([Word(v.name) if isinstance(v, Called) and not v.given else v for v in values])
    return evaluate(expr, context)


def _is_bound(name: str, context: Context) -> bool:
    return context.env.lookup(name) is not None or context.module.defines(name)


# ---- expect ----------------------------------------------------------------------------


def run_expect(statement: ast.Expect, context: Context) -> None:
    """Check now, or after the model is built where the condition is about the whole of it."""
    if context.frame.is_model and any(
        name in TOTALS and context.env.lookup(name) is None for name in mentioned(statement.condition)
    ):
        there = context.scoped(context.env)
        there.flow = Flow(context.flow.it)  # `it` means what flows here
        context.run.sections.expectations.append((statement, there))
        return
    check_expect(statement, context)


def check_expect(statement: ast.Expect, context: Context) -> None:
    if truth(statement.condition, context):
        return
    notes = [f"{_text(part)} is {describe(value)}" for part, value in _measured(statement.condition, context)]
    message = "the expectation is not met"
    if statement.message is not None:
        message += f": {template(statement.message, context)}"
    told = list(dict.fromkeys(notes))  # a condition may speak of one thing twice
    raise Problem("E216", message, statement.condition.span, label="this is false", notes=told)


def _measured(expr: ast.Expr, context: Context) -> list[tuple[ast.Expr, Any]]:
    """What the sides of a false condition came to, where they are not plain numbers."""
    if isinstance(expr, ast.Binary) and expr.operator in ("and", "or"):
        sides = [expr.left, expr.right]
        failing = [side for side in sides if not truth(side, context)] if expr.operator == "and" else sides
        return [found for side in failing for found in _measured(side, context)]
    if isinstance(expr, ast.Binary) and expr.operator in ("==", "!=", "<", "<=", ">", ">="):
        return [
            (side, evaluate(side, context))
            for side in (expr.left, expr.right)
            if not isinstance(side, (ast.Int, ast.Float, ast.Bool, ast.String, ast.Size))
            and not (isinstance(side, (ast.List, ast.Tuple)) and not mentioned(side))
        ]
    return []


def _text(expr: ast.Expr) -> str:
    return f"`{' '.join(expr.span.text.split())}`"


# ---- preprocess and init ---------------------------------------------------------------


def run_preprocess(statement: ast.Preprocess, context: Context) -> None:
    sections = context.run.sections
    if not context.frame.is_model:
        raise Problem("E214", "`preprocess` belongs to a model, not to a block", statement.span)
    if sections.preprocess_span is not None:
        raise Problem(
            "E214",
            "there are two `preprocess` sections",
            statement.span,
            labels=(Label(sections.preprocess_span, "the first one"),),
        )
    sections.preprocess_span = statement.span
    for step, span, given in steps_of(statement.body, context):
        try:
            sections.preprocess.append((bind_step(step, given), span))
        except Fault as fault:
            context.run.fail(explained(fault, given, [], span))


def steps_of(body: ast.Body, context: Context) -> list[tuple[str, Span, Sequence[Given]]]:
    """The steps of a section that is a chain of declared names."""
    found: list[tuple[str, Span, Sequence[Given]]] = []
    for inner in body.statements:
        links = inner.links if isinstance(inner, ast.Chain) else ()
        if not links:
            raise Problem("E214", "a section like this holds a chain of steps", inner.span)
        for link in links:
            base = link.base
            if not isinstance(base, ast.Apply) or base.label is not None or base.indices or link.targets:
                raise Problem("E214", "a step here is a name with arguments, no more", link.span)
            found.append((base.name, base.span, given_arguments(base.arguments or (), context)))
    return found


def run_init(statement: ast.Init, context: Context) -> None:
    if not context.frame.is_model:
        raise Problem("E214", "`init` belongs to a model, not to a block", statement.span)
    for rule in statement.rules:
        with context.run.reporting():
            context.run.sections.init_rules.append((rule, _rule(rule.value, context)))


def _rule(expr: ast.Expr, context: Context) -> Initialiser:
    """A rule of `init`, bound."""
    value = called(expr, context)
    if not isinstance(value, Called):
        message = f"a rule of `init` is a name such as `he(normal)`, not {describe(value)}"
        raise Problem("E312", message, expr.span)
    try:
        return bind_rule(value.name, value.given)
    except Fault as fault:
        raise explained(fault, value.given, [], expr.span) from None
