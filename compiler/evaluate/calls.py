"""Calls in expressions: functions of the user's, built-in ones, and layers that get more arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from compiler.declare import Given, Word
from compiler.evaluate.arithmetic import checked, counted, number
from compiler.evaluate.context import Context
from compiler.evaluate.expressions import (
    BUILTINS,
    RULES,
    check_measure,
    collected,
    evaluate,
    given_arguments,
    lookup,
)
from compiler.evaluate.problems import Poisoned, Problem
from compiler.evaluate.values import (
    UNKNOWN,
    BlockValue,
    Env,
    FunctionValue,
    LayerValue,
    ListValue,
    SharedValue,
    TupleValue,
    describe,
    measure_of,
)
from spec_lang import syntax as ast
from spec_lang.diagnostics import nearest
from spec_lang.frozen import replace

#: Steps that a call costs beyond its expressions: of a function or a layer, and of a built-in function.
CALL_STEPS = 80
BUILTIN_STEPS = 10


def _call(expr: ast.Call, context: Context) -> Any:
    name = expr.name
    if (
        name in BUILTINS
        and context.env.lookup(name) is None
        and context.module.resolve(name, context.run, expr.name_span) is None
    ):
        return _builtin(expr, context)
    callee = lookup(name, expr.name_span, context)
    if callee is UNKNOWN:
        raise Poisoned
    if isinstance(callee, FunctionValue):
        return _function(callee, expr, context)
    if isinstance(callee, (LayerValue, BlockValue)):
        return with_arguments(callee, given_arguments(expr.arguments, context), expr, context)
    if isinstance(callee, Word):
        from compiler.vocabulary import unknown_call

        raise unknown_call(name, expr.name_span)
    raise Problem(
        "E210",
        f"`{name}` is {describe(callee)}; only a function or a layer is called",
        expr.name_span,
        help=("a shared layer takes no arguments: it is applied in a chain",)
        if isinstance(callee, SharedValue)
        else (),
    )


def with_arguments(
    callee: LayerValue | BlockValue,
    given: tuple[Given, ...],
    expr: ast.Call,
    context: Context,
) -> LayerValue | BlockValue:
    """A layer value with more arguments."""
    merged = (*callee.given, *given)
    context.run.spend(expr.span, CALL_STEPS + len(merged))
    depth, total = measure_of([one.value for one in merged])
    check_measure(depth, total, expr.span, context)
    return replace(callee, given=merged, measure=(depth, total))


def _function(function: FunctionValue, expr: ast.Call, context: Context) -> Any:
    parameters = function.function.parameters
    shown = f"its parameters are {', '.join(parameters)}"
    values: dict[str, Any] = {}
    for position, argument in enumerate(expr.arguments):
        name = argument.name
        if name is None:
            if position >= len(parameters):
                raise Problem(
                    "E213",
                    f"`{expr.name}` takes {_arguments(len(parameters))}, not {len(expr.arguments)}",
                    argument.span,
                    notes=(shown,),
                )
            name = parameters[position]
        elif name not in parameters:
            near = nearest(name, parameters)
            raise Problem(
                "E213",
                f"`{expr.name}` has no parameter `{name}`",
                argument.span,
                notes=(shown,),
                help=(f"did you mean `{near[0]}`?",) if near else (),
            )
        if name in values:
            raise Problem("E213", f"`{name}` is given twice", argument.span)
        values[name] = evaluate(argument.value, context)
    missing = [p for p in parameters if p not in values]
    if missing:
        raise Problem("E213", f"`{expr.name}` needs `{missing[0]}`", expr.span, notes=(shown,))
    env = Env(function.env)
    for name, value in values.items():
        env.bind(name, value, expr.span)
    context.run.enter(expr.name, expr.span)
    context.run.spend(expr.span, CALL_STEPS)
    try:
        inner = context.scoped(env)
        inner.module = function.module
        return evaluate(function.function.body, inner)
    finally:
        context.run.depth -= 1


def _arguments(count: int) -> str:
    return f"{count} argument{'s' * (count != 1)}"


# ---- built-in functions ----------------------------------------------------------------


def _builtin(expr: ast.Call, context: Context) -> Any:
    name = expr.name
    for argument in expr.arguments:
        if argument.name is not None:
            raise Problem("E213", f"`{name}` takes its arguments by position", argument.span)
    context.run.spend(expr.span, BUILTIN_STEPS)
    values = [evaluate(a.value, context) for a in expr.arguments]
    least, most = _COUNTS.get(name, (1, 1))
    if not least <= len(values) <= (most or len(values)):
        wanted = (
            _arguments(least)
            if least == most
            else "1 argument or more"
            if most is None
            else f"{least} or {most} arguments"
        )
        raise Problem("E213", f"`{name}` takes {wanted}, not {len(values)}", expr.span)

    def numbers(values: Sequence[Any]) -> list[Any]:
        return [number(v, expr.span, name) for v in values]

    def sequence(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple):
            raise Problem("E210", f"`{name}` is for a list, not {describe(value)}", expr.span)
        if name != "len":
            context.run.spend(expr.span, len(value))
        return value

    if name == "len":
        return len(sequence(values[0]))
    if name in ("min", "max"):
        pool = numbers(sequence(values[0]) if len(values) == 1 else values)
        if not pool:
            raise Problem("E210", f"`{name}` of an empty list", expr.span)
        return min(pool) if name == "min" else max(pool)
    if name == "range":
        start, stop, step = (0, values[0], 1) if len(values) == 1 else (*values, 1)[:3]
        return counted(start, stop, expr, context, step)
    if name == "zip":
        lists = [sequence(v) for v in values]
        if len({len(one) for one in lists}) > 1:
            raise Problem(
                "E210",
                f"`zip` of lists of {', '.join(str(len(one)) for one in lists)} items",
                expr.span,
                help=("the lists must be equally long",),
            )
        context.run.spend(expr.span, 2 * len(lists[0]))
        return collected(
            ListValue([collected(TupleValue(row), expr.span, context) for row in zip(*lists, strict=True)]),
            expr.span,
            context,
        )
    if name == "sum":
        return checked(expr, lambda: sum(numbers(sequence(values[0]))))
    one = number(values[0], expr.span, name)
    if name == "sqrt" and one < 0:
        raise Problem("E211", f"the square root of {one}", expr.span)
    return checked(expr, lambda: _OF_ONE[name](one))


#: Fewest and most arguments, where they are not one.
_COUNTS: dict[str, tuple[int, int | None]] = {
    "min": (1, None),
    "max": (1, None),
    "zip": (1, None),
    "range": (1, 3),
}
_OF_ONE: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sqrt": math.sqrt,
    "int": int,
}

RULES[ast.Call] = _call
