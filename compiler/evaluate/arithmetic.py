"""Operators: arithmetic on numbers, comparisons, logic, ranges."""

from __future__ import annotations

import math
import operator as operators
from collections.abc import Callable
from typing import Any

from compiler.declare import Word
from compiler.evaluate.context import Context
from compiler.evaluate.expressions import RULES, collected, evaluate, truth
from compiler.evaluate.problems import Problem
from compiler.evaluate.values import LayerValue, ListValue, describe, measure
from spec_lang import syntax as ast
from spec_lang.source import Span

#: Bits of an integer that an expression may reach.
MAX_BITS = 512


def number(value: Any, span: Span, operator: str) -> int | float:
    if type(value) is int or type(value) is float:
        return value
    raise Problem("E210", f"`{operator}` is for numbers, not {describe(value)}", span)


def _unary(expr: ast.Unary, context: Context) -> Any:
    if expr.operator == "not":
        return not truth(expr.operand, context)
    return -number(evaluate(expr.operand, context), expr.operand.span, "-")


def _binary(expr: ast.Binary, context: Context) -> Any:
    operator = expr.operator
    if operator == "and":
        return truth(expr.left, context) and truth(expr.right, context)
    if operator == "or":
        return truth(expr.left, context) or truth(expr.right, context)
    left = evaluate(expr.left, context)
    right = evaluate(expr.right, context)
    if operator in ("==", "!="):
        if isinstance(left, tuple):
            context.run.spend(expr.span, measure(left)[1])
        return equal(left, right) == (operator == "==")
    if operator == "..":
        return counted(left, right, expr, context)
    if operator == "+" and isinstance(left, ListValue) and isinstance(right, tuple):
        context.run.spend(expr.span, len(left) + len(right))
        return collected(ListValue([*left, *right]), expr.span, context)
    a = number(left, expr.left.span, operator)
    b = number(right, expr.right.span, operator)
    if operator in _COMPARE:
        return _COMPARE[operator](a, b)
    total = _TOTAL.get(operator)
    if total is not None and type(a) is int and type(b) is int:
        value = total(a, b)
        if value.bit_length() > MAX_BITS:
            raise _too_big(expr.span)
        return value
    return checked(expr, lambda: _arithmetic(operator, a, b, expr))


def equal(left: Any, right: Any) -> bool:
    """Equality that tells `true` from 1 and a list of booleans from numbers."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            return False
        return all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Word) and isinstance(other, LayerValue):
            return other.bare_word == one
    return bool(left == right)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
#: What no numbers are refused for.
_TOTAL: dict[str, Callable[[Any, Any], Any]] = {"+": operators.add, "-": operators.sub, "*": operators.mul}


def _arithmetic(operator: str, a: Any, b: Any, expr: ast.Binary) -> Any:
    if operator in ("/", "//", "%") and b == 0:
        raise Problem("E211", f"division by zero: {a} {operator} {b}", expr.right.span)
    if operator == "**":
        if a == 0 and b < 0:
            raise Problem("E211", f"division by zero: {a} ** {b}", expr.span)
        if (
            type(a) is int
            and type(b) is int
            and b > 0
            and abs(a) > 1
            and b * math.log2(abs(a)) > MAX_BITS + 1
        ):
            raise _too_big(expr.span)
        power = a**b
        if isinstance(power, complex):
            raise Problem("E211", f"{a} ** {b} is not a real number", expr.span)
        return power
    if operator in _TOTAL:
        return _TOTAL[operator](a, b)
    if operator == "/":
        return a / b
    return a // b if operator == "//" else a % b


def _too_big(span: Span) -> Problem:
    return Problem("E413", f"the number has more than {MAX_BITS} bits", span)


def checked(expr: ast.Expr, compute: Callable[[], Any]) -> Any:
    """A number that is finite and not absurd."""
    try:
        value = compute()
    except OverflowError:
        raise Problem("E211", "the number is too large for a float", expr.span) from None
    if type(value) is int and value.bit_length() > MAX_BITS:
        raise _too_big(expr.span)
    if type(value) is float and not math.isfinite(value):
        raise Problem("E211", "the number is not finite", expr.span)
    return value


def counted(start: Any, stop: Any, expr: ast.Expr, context: Context, step: Any = 1) -> ListValue:
    """The numbers from `start` up to, but without, `stop`, each by `step` from the one before."""
    for bound in (start, stop, step):
        if type(bound) is not int:
            raise Problem("E210", f"a range runs between whole numbers, not {describe(bound)}", expr.span)
    if step == 0:
        raise Problem("E210", "a range by steps of 0 has no end", expr.span)
    context.run.spend(expr.span, 2 * max((stop - start) // step, 0))  # before it takes room
    return ListValue(range(start, stop, step))


RULES[ast.Unary] = _unary
RULES[ast.Binary] = _binary
