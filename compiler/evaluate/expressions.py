"""Expressions at compile time: numbers, sizes, lists, words, layers as values, shapes of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from compiler.declare import Given, Word
from compiler.evaluate.context import MAX_BITS, MAX_DEPTH, Context
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.values import (
    UNKNOWN,
    BlockValue,
    Env,
    FunctionValue,
    LayerValue,
    ListValue,
    SharedValue,
    TensorArray,
    describe,
)
from compiler.graph import Value
from compiler.ops import OPS
from spec_lang import syntax as ast
from spec_lang.diagnostics import nearest
from spec_lang.source import Span

BUILTINS = ("min", "max", "abs", "floor", "ceil", "round", "sqrt", "len", "sum", "range", "zip", "int")


def evaluate(expr: ast.Expr, context: Context) -> Any:
    """The value of an expression.  Raises `Problem`, or `Poisoned` where it rests on a reported mistake."""
    context.run.spend(expr.span)
    value = _RULES[type(expr)](expr, context)
    if value is UNKNOWN:
        raise Poisoned
    return value


def whole(expr: ast.Expr, context: Context, what: str, minimum: int = 0) -> int:
    """A whole number for a loop count, an index or an extent."""
    value = evaluate(expr, context)
    if type(value) is not int:
        raise Problem("E210", f"{what} is a whole number, not {describe(value)}", expr.span)
    if value < minimum:
        raise Problem("E210", f"{what} is at least {minimum}, not {value}", expr.span)
    return value


def truth(expr: ast.Expr, context: Context) -> bool:
    """A condition."""
    value = evaluate(expr, context)
    if type(value) is not bool:
        raise Problem("E210", f"a condition is true or false, not {describe(value)}", expr.span,
                      help=("compare it: `n > 0`, `n != 0`",) if type(value) in (int, float) else ())
    return value


def items(expr: ast.Expr, context: Context) -> tuple[Any, ...]:
    """What a loop runs over."""
    value = evaluate(expr, context)
    if not isinstance(value, tuple):
        help = ()
        if type(value) is int:
            help = (f"`0..{value}` counts from 0 to {value - 1}",)
        raise Problem("E210", f"a loop runs over a list, not {describe(value)}", expr.span, help=help)
    return value


def given_arguments(arguments: Sequence[ast.Argument], context: Context) -> tuple[Given, ...]:
    """Arguments of a call, evaluated; the place of each is its AST."""
    return tuple([Given(a.name, evaluate(a.value, context), a) for a in arguments])


def template(text: ast.Template, context: Context) -> str:
    """A label, an output's name or a message, filled in."""
    parts = []
    for part in text.parts:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, ast.Formatted):
            value = evaluate(part.value, context)
            if type(value) is not int:
                raise Problem("E210", f"`:{part.format}` is for a whole number, not {describe(value)}", part.span)
            parts.append(format(value, part.format))
        else:
            value = evaluate(part, context)
            if isinstance(value, str):
                parts.append(str(value))
            elif isinstance(value, (LayerValue, BlockValue)):
                parts.append(value.described)
            else:
                parts.append(describe(value))
    return "".join(parts)


# ---- names -----------------------------------------------------------------------------


def lookup(name: str, span: Span, context: Context, applied: bool = False) -> Any:
    """What a name means where it stands: the flow, what is in scope, a definition, a layer, or a word.

    `applied` tells that it stands where a layer or a tensor is wanted.
    """
    if name == "it":
        return flowing(context, span)
    if name == "in":
        if context.frame.inside is None:
            raise Problem("E204", "there is no single input here, so `in` means nothing", span,
                          help=("name the input that you mean",))
        return context.frame.inside
    value = context.env.lookup(name)
    if value is not None:
        return value
    value = context.module.resolve(name, context.run)
    if value is not None:
        return value
    if name in OPS:
        return LayerValue(OPS[name])
    from compiler.vocabulary import WORDS

    if name in WORDS:
        return Word(name)
    if name in BUILTINS:
        raise Problem("E201", f"`{name}` is a function", span, help=(f"call it: `{name}(...)`",))
    unknown(name, span, context, WORDS, applied)


def unknown(name: str, span: Span, context: Context, words: frozenset[str], applied: bool) -> NoReturn:
    if applied:
        near = nearest(name, [*context.env.visible(), *context.module.names(), *OPS])
        raise Problem("E202", f"there is no layer `{name}`", span, label="not a layer, a block or a tensor",
                      help=(f"did you mean `{near[0]}`?",) if near else ())
    candidates = [*context.env.visible(), *context.module.names(), *OPS, *words, *BUILTINS]
    near = nearest(name, candidates)
    raise Problem("E201", f"nothing is named `{name}`", span, label="not a name in scope, a layer or a choice",
                  help=(f"did you mean `{near[0]}`?",) if near else ())


def flowing(context: Context, span: Span) -> Any:
    """The current tensor."""
    if context.flow.it is None:
        raise Problem("E204", "nothing flows here yet", span,
                      help=("begin the chain with the name of a tensor or an input",))
    return context.flow.it


def _name(expr: ast.Name, context: Context) -> Any:
    return lookup(expr.id, expr.span, context)


# ---- literals and collections ----------------------------------------------------------


def _literal(expr: ast.Int | ast.Float | ast.Bool | ast.String, context: Context) -> Any:
    return expr.value


def _size(expr: ast.Size, context: Context) -> Any:
    return expr.extents


def _tuple(expr: ast.Tuple, context: Context) -> Any:
    return tuple([evaluate(item, context) for item in expr.items])


def _list(expr: ast.List, context: Context) -> Any:
    return ListValue([evaluate(item, context) for item in expr.items])


def _comprehension(expr: ast.Comprehension, context: Context) -> Any:
    result: list[Any] = []

    def run(depth: int, inner: Context) -> None:
        if depth == len(expr.loops):
            result.append(evaluate(expr.element, inner))
            return
        loop = expr.loops[depth]
        for item in items(loop.iterable, inner):
            context.run.spend(loop.span)
            run(depth + 1, inner.inner(env=bound_loop(loop, item, inner)))

    run(0, context)
    return ListValue(result)


def bound_loop(loop: ast.Loop, item: Any, context: Context) -> Env:
    """A scope in which the loop's names are bound to one item."""
    env = Env(context.env)
    if not loop.unpack:
        names, values = loop.targets, (item,)
    else:
        if not isinstance(item, tuple) or len(item) != len(loop.targets):
            raise Problem("E210", f"{len(loop.targets)} names for {describe(item)}", loop.span)
        names, values = loop.targets, item
    for name, value in zip(names, values, strict=True):
        if name in env.names:
            raise Problem("E203", f"`{name}` is bound twice in one loop", loop.span)
        if name in ("it", "in"):
            raise Problem("E203", f"`{name}` is reserved for the flow", loop.span, help=("choose another name",))
        if name != "_":
            env.bind(name, value, loop.span)
    return env


# ---- access ----------------------------------------------------------------------------

_EXTENTS = {"height": -2, "width": -1, "depth": -3}
_ATTRIBUTES = ("channels", "height", "width", "depth", "size", "features", "rank", "shape")


def _attribute(expr: ast.Attribute, context: Context) -> Any:
    value = evaluate(expr.value, context)
    if not isinstance(value, Value):
        raise Problem("E209", f"only a tensor has `.{expr.name}`, not {describe(value)}", expr.span)
    if expr.name not in _ATTRIBUTES:
        near = nearest(expr.name, _ATTRIBUTES)
        raise Problem("E209", f"a tensor has no `.{expr.name}`", expr.span,
                      notes=(f"it has {', '.join(_ATTRIBUTES)}",),
                      help=(f"did you mean `.{near[0]}`?",) if near else ())
    shape = value.shape
    rank = len(shape)
    name = expr.name
    if name == "rank":
        return rank
    if name == "shape":
        axes = list(range(rank))
    elif name == "size":
        axes = list(range(1, rank))
    elif name == "channels":
        axes = [0]
    elif name == "features":
        axes = [0] if rank == 1 else []
    else:
        axis = rank + _EXTENTS[name]
        axes = [axis] if axis > 0 else []
    if (not axes and name not in ("shape", "size")) or (axes and axes[-1] >= rank):
        raise Problem("E209", f"a tensor {value.type} has no `.{name}`", expr.span,
                      help=("`flatten` makes features of a feature map",) if name == "features" else ())
    pinned = [axis for axis in axes if value.type.free[axis]]
    if pinned:
        raise Problem("E215", f"`.{name}` reads an extent that is left free", expr.span,
                      label=f"{shape[pinned[0]]} is only its nominal size",
                      help=("give the input a fixed extent, or use `like = tensor` where a layer takes a size",))
    if name == "shape":
        return ListValue(shape)
    if name == "size":
        return tuple(shape[1:])
    return shape[axes[0]]


def _index(expr: ast.Index, context: Context) -> Any:
    return indexed(evaluate(expr.value, context), expr.items, context, expr.span)


def indexed(value: Any, indices: Sequence[ast.Expr], context: Context, span: Span) -> Any:
    """`list[i]`, `list[a..b]`, `x[i, j]`, `x[i, 0..j]` (a list of tensors)."""
    if isinstance(value, TensorArray):
        return _array_element(value, indices, context, span)
    for index in indices:
        if not isinstance(value, tuple):
            raise Problem("E210", f"only a list, a tuple, a size or an array has elements, not {describe(value)}", span)
        at = evaluate(index, context)
        if isinstance(at, tuple):
            context.run.spend(span, len(at))
            value = ListValue([_element(value, i, index.span) for i in at])
        else:
            value = _element(value, at, index.span)
    return value


def _element(value: tuple[Any, ...], at: Any, span: Span) -> Any:
    if type(at) is not int:
        raise Problem("E210", f"an index is a whole number, not {describe(at)}", span)
    if not -len(value) <= at < len(value):
        raise Problem("E212", f"there is no element {at}: the list has {len(value)}", span,
                      notes=(f"indices run from 0 to {len(value) - 1}",) if value else ())
    return value[at]


def _array_element(array: TensorArray, indices: Sequence[ast.Expr], context: Context, span: Span) -> Any:
    if len(indices) != array.rank:
        raise Problem("E212", f"`{array.name}` has {array.rank} indices, not {len(indices)}", span)
    keys: list[tuple[int, ...]] = [()]
    several = False
    for index in indices:
        at = evaluate(index, context)
        several = several or isinstance(at, tuple)
        choices = at if isinstance(at, tuple) else (at,)
        for one in choices:
            if type(one) is not int:
                raise Problem("E210", f"an index is a whole number, not {describe(one)}", index.span)
        context.run.spend(span, len(keys) * max(len(choices), 1))
        keys = [(*key, one) for key in keys for one in choices]
    elements = []
    for key in keys:
        if key not in array.elements:
            if context.run.failed:
                raise Poisoned
            filled = ", ".join(str(list(k)) for k in list(array.elements)[:8])
            raise Problem("E212", f"`{array.name}{list(key)}` is not filled here", span,
                          notes=(f"filled so far: {filled or 'nothing'}",))
        element = array.elements[key]
        if element is UNKNOWN:
            raise Poisoned
        elements.append(element)
    return ListValue(elements) if several else elements[0]


# ---- arithmetic ------------------------------------------------------------------------


def _number(value: Any, span: Span, operator: str) -> int | float:
    if type(value) is int or type(value) is float:
        return value  # type: ignore[no-any-return]
    raise Problem("E210", f"`{operator}` is for numbers, not {describe(value)}", span)


def _unary(expr: ast.Unary, context: Context) -> Any:
    if expr.operator == "not":
        return not truth(expr.operand, context)
    return -_number(evaluate(expr.operand, context), expr.operand.span, "-")


def _binary(expr: ast.Binary, context: Context) -> Any:
    operator = expr.operator
    if operator == "and":
        return truth(expr.left, context) and truth(expr.right, context)
    if operator == "or":
        return truth(expr.left, context) or truth(expr.right, context)
    left = evaluate(expr.left, context)
    right = evaluate(expr.right, context)
    if operator in ("==", "!="):
        return equal(left, right) == (operator == "==")
    if operator == "..":
        return _range(left, right, expr, context)
    if operator == "+" and isinstance(left, ListValue) and isinstance(right, tuple):
        context.run.spend(expr.span, len(left) + len(right))
        return ListValue([*left, *right])
    a = _number(left, expr.left.span, operator)
    b = _number(right, expr.right.span, operator)
    if operator in _COMPARE:
        return _COMPARE[operator](a, b)
    return _checked(expr, lambda: _arithmetic(operator, a, b, expr))


def equal(left: Any, right: Any) -> bool:
    """Equality that tells `true` from 1 and a list of booleans from numbers."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Word) and not isinstance(other, Word) and isinstance(other, LayerValue):
            return other.bare_word == one
    if isinstance(left, str) and isinstance(right, str):
        return str(left) == str(right)
    return bool(left == right)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}


def _arithmetic(operator: str, a: Any, b: Any, expr: ast.Binary) -> Any:
    if operator in ("/", "//", "%") and b == 0:
        raise Problem("E211", f"division by zero: {a} {operator} {b}", expr.right.span)
    if operator == "**":
        if a == 0 and b < 0:
            raise Problem("E211", f"division by zero: {a} ** {b}", expr.span)
        if type(a) is int and type(b) is int and b > 0 and abs(a) > 1 and b * math.log2(abs(a)) > MAX_BITS + 1:
            raise _too_big(expr.span)
        power = a**b
        if isinstance(power, complex):
            raise Problem("E211", f"{a} ** {b} is not a real number", expr.span)
        return power
    return {
        "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b,
        "/": lambda: a / b, "//": lambda: a // b, "%": lambda: a % b,
    }[operator]()


def _too_big(span: Span) -> Problem:
    return Problem("E413", f"the number has more than {MAX_BITS} bits", span)


def _checked(expr: ast.Expr, compute: Callable[[], Any]) -> Any:
    """A number that is finite and not absurd."""
    try:
        value = compute()
    except OverflowError:
        raise Problem("E211", "the number is too large for a float", expr.span) from None
    except ValueError as error:
        raise Problem("E211", f"this has no value: {error}", expr.span) from None
    if type(value) is int and value.bit_length() > MAX_BITS:
        raise _too_big(expr.span)
    if type(value) is float and not math.isfinite(value):
        raise Problem("E211", "the number is not finite", expr.span)
    return value


def _range(start: Any, stop: Any, expr: ast.Expr, context: Context) -> ListValue:
    for bound in (start, stop):
        if type(bound) is not int:
            raise Problem("E210", f"a range runs between whole numbers, not {describe(bound)}", expr.span)
    context.run.spend(expr.span, max(stop - start, 0))
    return ListValue(range(start, stop))


def _conditional(expr: ast.Conditional, context: Context) -> Any:
    return evaluate(expr.then if truth(expr.condition, context) else expr.otherwise, context)


# ---- calls -----------------------------------------------------------------------------


def _call(expr: ast.Call, context: Context) -> Any:
    name = expr.name
    if context.env.lookup(name) is None and name in BUILTINS:
        user = context.module.resolve(name, context.run)
        if user is None:
            return _builtin(expr, context)
    callee = lookup(name, expr.name_span, context)
    if callee is UNKNOWN:
        raise Poisoned
    if isinstance(callee, FunctionValue):
        return _function(callee, expr, context)
    if isinstance(callee, (LayerValue, BlockValue)):
        return with_arguments(callee, given_arguments(expr.arguments, context))
    if isinstance(callee, Word):
        from compiler.vocabulary import unknown_call

        raise unknown_call(name, expr.name_span)
    what = describe(callee)
    raise Problem("E210", f"`{name}` is {what}; only a function or a layer is called", expr.name_span,
                  help=("a shared layer takes no arguments: it is applied in a chain",)
                  if isinstance(callee, SharedValue) else ())


def with_arguments(callee: Any, given: tuple[Given, ...]) -> Any:
    """A layer value with more arguments."""
    if isinstance(callee, LayerValue):
        return LayerValue(callee.op, (*callee.given, *given))
    return BlockValue(callee.block, callee.module, (*callee.given, *given))


def _function(function: FunctionValue, expr: ast.Call, context: Context) -> Any:
    parameters = function.function.parameters
    values: dict[str, Any] = {}
    for position, argument in enumerate(expr.arguments):
        name = argument.name
        if name is None:
            if position >= len(parameters):
                raise Problem("E213", f"`{expr.name}` takes {len(parameters)} arguments, not {len(expr.arguments)}",
                              argument.span)
            name = parameters[position]
        elif name not in parameters:
            raise Problem("E213", f"`{expr.name}` has no parameter `{name}`", argument.span,
                          notes=(f"it has {', '.join(parameters)}",))
        if name in values:
            raise Problem("E213", f"`{name}` is given twice", argument.span)
        values[name] = evaluate(argument.value, context)
    missing = [p for p in parameters if p not in values]
    if missing:
        raise Problem("E213", f"`{expr.name}` needs `{missing[0]}`", expr.span,
                      notes=(f"its parameters are {', '.join(parameters)}",))
    env = Env(function.env)
    for name, value in values.items():
        env.bind(name, value, expr.span)
    enter(context, expr.name, expr.span)
    try:
        return evaluate(function.function.body, context.inner(env=env, module=function.module))
    finally:
        context.run.depth -= 1


def enter(context: Context, name: str, span: Span) -> None:
    """Count one more nested call; whoever enters leaves by `depth -= 1`."""
    context.run.depth += 1
    if context.run.depth > MAX_DEPTH:
        context.run.depth -= 1
        raise Exhausted("E411", f"`{name}` is nested more than {MAX_DEPTH} calls deep", span,
                        help=("does its recursion end?",))


def _builtin(expr: ast.Call, context: Context) -> Any:
    name = expr.name
    for argument in expr.arguments:
        if argument.name is not None:
            raise Problem("E213", f"`{name}` takes its arguments by position", argument.span)
    values = [evaluate(a.value, context) for a in expr.arguments]

    def count(least: int, most: int | None) -> None:
        if len(values) < least or (most is not None and len(values) > most):
            wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            raise Problem("E213", f"`{name}` takes {wanted} argument{'s' if wanted != '1' else ''}, not {len(values)}",
                          expr.span)

    def numbers(values: Sequence[Any]) -> list[Any]:
        return [_number(v, expr.span, name) for v in values]

    def sequence(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple):
            raise Problem("E210", f"`{name}` is for a list, not {describe(value)}", expr.span)
        context.run.spend(expr.span, len(value))
        return value

    if name in ("min", "max"):
        count(1, None)
        pool = numbers(sequence(values[0]) if len(values) == 1 else values)
        if not pool:
            raise Problem("E210", f"`{name}` of an empty list", expr.span)
        return min(pool) if name == "min" else max(pool)
    if name == "range":
        count(1, 2)
        start, stop = (0, values[0]) if len(values) == 1 else values
        return _range(start, stop, expr, context)
    if name == "zip":
        count(1, None)
        lists = [sequence(v) for v in values]
        if len({len(one) for one in lists}) > 1:
            raise Problem("E210", f"`zip` of lists of {', '.join(str(len(one)) for one in lists)} items", expr.span,
                          help=("the lists must be equally long",))
        return ListValue(zip(*lists, strict=True))
    count(1, 1)
    if name == "len":
        return len(sequence(values[0]))
    if name == "sum":
        return _checked(expr, lambda: sum(numbers(sequence(values[0]))))
    [number] = numbers(values)
    compute: dict[str, Callable[[], Any]] = {
        "abs": lambda: abs(number), "floor": lambda: math.floor(number), "ceil": lambda: math.ceil(number),
        "round": lambda: round(number), "sqrt": lambda: math.sqrt(number), "int": lambda: int(number),
    }
    if name == "sqrt" and number < 0:
        raise Problem("E211", f"the square root of {number}", expr.span)
    return _checked(expr, compute[name])


_RULES: dict[type, Callable[[Any, Context], Any]] = {
    ast.Int: _literal, ast.Float: _literal, ast.Bool: _literal, ast.String: _literal, ast.Size: _size,
    ast.Name: _name, ast.Attribute: _attribute, ast.Index: _index, ast.Call: _call, ast.Unary: _unary,
    ast.Binary: _binary, ast.Conditional: _conditional, ast.Tuple: _tuple, ast.List: _list,
    ast.Comprehension: _comprehension,
}
