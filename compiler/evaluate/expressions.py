"""Expressions at compile time: names, literals, collections, elements, attributes of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from compiler import elsewhere
from compiler.declare import Given, Word
from compiler.elsewhere import layer_meant
from compiler.evaluate.context import Context, refuse_reserved
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.values import (
    UNKNOWN,
    Collection,
    Env,
    LayerValue,
    ListValue,
    TensorArray,
    TupleValue,
    describe,
    measure_of,
)
from compiler.graph import Value
from compiler.ops import OPS
from spec_lang import syntax as ast
from spec_lang.diagnostics import nearest
from spec_lang.habits import size_of_name
from spec_lang.source import Span

BUILTINS = ("min", "max", "abs", "floor", "ceil", "round", "sqrt", "len", "sum", "range", "zip", "int")

#: How deep lists, tuples and layers with arguments may be nested in each other.
MAX_NESTING = 64

_LAYERS = {name: LayerValue(op) for name, op in OPS.items()}


#: Steps that each operator, call, name and literal costs: a step is some 0.2 microseconds.
EXPRESSION_STEPS = 4
#: What a new list or tuple costs beyond its elements, and what an attribute of a tensor does.
COLLECTION_STEPS = 10
ATTRIBUTE_STEPS = 10
#: What an item of a comprehension costs.
ITEM_STEPS = 8


def evaluate(expr: ast.Expr, context: Context) -> Any:
    """The value of an expression.  Raises `Problem`, or `Poisoned` where it rests on a reported mistake."""
    context.run.spend(expr.span, EXPRESSION_STEPS)
    value = RULES[type(expr)](expr, context)
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
        raise Problem(
            "E210",
            f"a condition is true or false, not {describe(value)}",
            expr.span,
            help=("compare it: `n > 0`, `n != 0`",) if type(value) in (int, float) else (),
        )
    return value


def items(expr: ast.Expr, context: Context) -> tuple[Any, ...]:
    """What a loop runs over."""
    value = evaluate(expr, context)
    if not isinstance(value, tuple):
        help: tuple[str, ...] = ()
        if type(value) is int:
            help = (f"`0..{value}` counts from 0 to {value - 1}",)
        raise Problem("E210", f"a loop runs over a list, not {describe(value)}", expr.span, help=help)
    return value


def given_arguments(arguments: Sequence[ast.Argument], context: Context) -> tuple[Given, ...]:
    """Arguments of a call, evaluated; the place of each is its AST.

    All of them are looked at, so that each mistake among them is told.
    """
    given = []
    run = context.run
    problem: Problem | Poisoned | None = None
    for argument in arguments:
        known = run.literals.get(id(argument))
        if known is not None:
            run.spend(argument.value.span, EXPRESSION_STEPS)
            given.append(known)
            continue
        expr = argument.value
        try:
            one = Given(argument.name, evaluate(expr, context), argument)
            given.append(one)
            if type(expr) in _LITERALS:
                run.literals[id(argument)] = one
        except Exhausted:
            raise
        except (Problem, Poisoned) as other:
            if isinstance(problem, Problem):
                run.fail(problem)
            problem = other if isinstance(other, Problem) or problem is None else problem
    if problem is not None:
        raise problem
    return tuple(given)


def template(text: ast.Template, context: Context) -> str:
    """A label, an output's name or a message, filled in."""
    parts = []
    for part in text.parts:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, ast.Formatted):
            value = evaluate(part.value, context)
            if type(value) is not int:
                raise Problem(
                    "E210", f"`:{part.format}` is for a whole number, not {describe(value)}", part.span
                )
            parts.append(format(value, part.format))
        else:
            value = evaluate(part, context)
            if type(value) is not int:
                context.run.asked += 1  # of a tensor it is the type that is told
            parts.append(str(value) if isinstance(value, str) else describe(value))
    return "".join(parts)


# ---- names -----------------------------------------------------------------------------


def lookup(name: str, span: Span, context: Context, applied: bool = False) -> Any:
    """What a name means where it stands: the flow, what is in scope, a definition, a layer, or a word.

    `applied` tells that it stands where a layer or a tensor is wanted.
    """
    layer = _LAYERS.get(name)
    if layer is not None and name not in context.env.hidden and name not in context.module.spans():
        return layer
    if name == "it":
        return flowing(context, span)
    if name == "in":
        if context.frame.inside is None:
            raise Problem(
                "E204",
                "there is no single input here, so `in` means nothing",
                span,
                help=("name the input that you mean",),
            )
        return context.frame.inside
    value = context.env.lookup(name)
    if value is not None:
        return value
    value = context.module.resolve(name, context.run, span)
    if value is not None:
        return value
    if layer is not None:
        return layer
    from compiler.vocabulary import WORDS

    if name in WORDS:
        return Word(name)
    unknown(name, span, [*context.env.visible(), *context.module.names()], applied)


def unknown(name: str, span: Span, visible: Iterable[str], applied: bool) -> NoReturn:
    """Refuse a name: E202 where a layer or a tensor is wanted, else E201."""

    if applied:
        meant = layer_meant(name, [*visible, *OPS])
        raise Problem(
            "E202",
            f"there is no layer `{name}`",
            span,
            label="not a layer, a block or a tensor",
            help=(f"did you mean `{meant}`?",) if meant else (f"`block {name} {{ ... }}` defines one",),
        )
    if name in BUILTINS:
        raise Problem("E201", f"`{name}` is a function", span, help=(f"call it: `{name}(...)`",))
    raise Problem(
        "E201",
        f"nothing is named `{name}`",
        span,
        label="not a name in scope, a layer or a choice",
        help=_advice(name, list(visible)),
    )


def _advice(name: str, visible: list[str]) -> tuple[str, ...]:
    """What to say to a name that nobody knows."""
    from compiler.vocabulary import WORDS

    size = size_of_name(name, visible)
    if size:
        return (f"a size with names in it is a tuple: `{size}`",)
    word = elsewhere.WORDS.get(name.lower())
    own = ("true", "false", "params", "macs", "memory", "it", "in")
    near = (word,) if word else nearest(name, [*visible, *OPS, *WORDS, *BUILTINS, *own])
    return (f"did you mean `{near[0]}`?",) if near else (f"`let {name} = ...`, or a parameter, gives it",)


def flowing(context: Context, span: Span) -> Any:
    """The current tensor."""
    if context.flow.it is None:
        raise nothing_flows("here yet", span)
    return context.flow.it


def nothing_flows(where: str, span: Span) -> Problem:
    return Problem(
        "E204",
        f"nothing flows {where}",
        span,
        help=("begin the chain with the name of a tensor or an input",),
    )


def _name(expr: ast.Name, context: Context) -> Any:
    return lookup(expr.id, expr.span, context)


# ---- literals and collections ----------------------------------------------------------


_LITERALS = (ast.Int, ast.Float, ast.Bool, ast.String, ast.Size)


def _literal(expr: ast.Int | ast.Float | ast.Bool | ast.String, context: Context) -> Any:
    return expr.value


def _size(expr: ast.Size, context: Context) -> Any:
    return expr.extents


def _tuple(expr: ast.Tuple, context: Context) -> Any:
    return collected(TupleValue([evaluate(item, context) for item in expr.items]), expr.span, context)


def _list(expr: ast.List, context: Context) -> Any:
    return collected(ListValue([evaluate(item, context) for item in expr.items]), expr.span, context)


def collected(value: Collection, span: Span, context: Context) -> Collection:
    """A new collection, within the bounds on its nesting and size."""
    context.run.spend(span, COLLECTION_STEPS)
    depth, total = measure_of(value)
    check_measure(depth, total, span, context)
    if depth > 1:
        value.measure = (depth, total)
    return value


def check_measure(depth: int, total: int, span: Span, context: Context) -> None:
    if depth > MAX_NESTING:
        raise Problem("E420", f"a value is nested {depth} deep; at most {MAX_NESTING}", span)
    if total > context.run.limits.steps:
        raise Problem("E420", f"a value has {total:,} elements; at most {context.run.limits.steps:,}", span)


def _comprehension(expr: ast.Comprehension, context: Context) -> Any:
    result: list[Any] = []

    def run(depth: int, outer: Context) -> None:
        if depth == len(expr.loops):
            result.append(evaluate(expr.element, outer))
            return
        loop = expr.loops[depth]
        check_targets(loop)
        inner = outer.scoped()  # one scope for all items: nothing in an expression outlives its item
        for item in items(loop.iterable, outer):
            context.run.spend(loop.span, ITEM_STEPS)
            bind_item(loop, item, inner.env)
            run(depth + 1, inner)

    run(0, context)
    return collected(ListValue(result), expr.span, context)


def check_targets(loop: ast.Loop) -> None:
    """Refuse names of a loop that cannot be bound."""
    for number, name in enumerate(loop.targets):
        refuse_reserved(name, loop.span)
        if name in loop.targets[:number] and name != "_":
            raise Problem("E203", f"`{name}` is bound twice in one loop", loop.span)


def bind_item(loop: ast.Loop, item: Any, env: Env) -> None:
    """Bind the names of a loop to one item."""
    if not loop.unpack:
        if loop.targets[0] != "_":
            env.bind(loop.targets[0], item, loop.span)
        return
    if not isinstance(item, tuple) or len(item) != len(loop.targets):
        raise Problem("E210", f"{len(loop.targets)} names for {describe(item)}", loop.span)
    for name, value in zip(loop.targets, item, strict=True):
        if name != "_":
            env.bind(name, value, loop.span)


# ---- access ----------------------------------------------------------------------------

_EXTENTS = {"height": -2, "width": -1, "depth": -3}
_ATTRIBUTES = ("channels", "height", "width", "depth", "size", "features", "rank", "shape")


def _attribute(expr: ast.Attribute, context: Context) -> Any:
    context.run.spend(expr.span, ATTRIBUTE_STEPS)
    context.run.asked += 1
    value = evaluate(expr.value, context)
    if not isinstance(value, Value):
        raise Problem("E209", f"only a tensor has `.{expr.name}`, not {describe(value)}", expr.span)
    if expr.name not in _ATTRIBUTES:
        near = nearest(expr.name, _ATTRIBUTES)
        raise Problem(
            "E209",
            f"a tensor has no `.{expr.name}`",
            expr.span,
            notes=(f"it has {', '.join(_ATTRIBUTES)}",),
            help=(f"did you mean `.{near[0]}`?",) if near else (),
        )
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
        raise Problem(
            "E209",
            f"a tensor {value.type} has no `.{name}`",
            expr.span,
            help=("`flatten` makes features of a feature map",) if name == "features" else (),
        )
    pinned = [axis for axis in axes if value.type.free[axis]]
    if pinned:
        raise Problem(
            "E215",
            f"`.{name}` reads an extent that is left free",
            expr.span,
            label=f"{shape[pinned[0]]} is only its nominal size",
            help=("give the input a fixed extent, or use `like = tensor` where a layer takes a size",),
        )
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
            raise Problem(
                "E210", f"only a list, a tuple, a size or an array has elements, not {describe(value)}", span
            )
        at = evaluate(index, context)
        if isinstance(at, tuple):
            context.run.spend(span, len(at))
            value = collected(ListValue([_element(value, i, index.span) for i in at]), span, context)
        else:
            value = _element(value, at, index.span)
    return value


def _element(value: tuple[Any, ...], at: Any, span: Span) -> Any:
    if type(at) is not int:
        raise Problem("E210", f"an index is a whole number, not {describe(at)}", span)
    if not -len(value) <= at < len(value):
        raise Problem(
            "E212",
            f"there is no element {at}: the list has {len(value)}",
            span,
            notes=(f"indices run from 0 to {len(value) - 1}",) if value else (),
        )
    return value[at]


def _array_element(array: TensorArray, indices: Sequence[ast.Expr], context: Context, span: Span) -> Any:
    if len(indices) != array.rank:
        if array.incomplete:
            raise Poisoned  # that elements of this kind cannot be filled was told there
        raise Problem(
            "E212",
            f"`{array.name}` has {array.rank} ind{'ices' if array.rank > 1 else 'ex'}, not {len(indices)}",
            span,
        )
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
        element = array.elements.get(key)
        if element is None and not array.incomplete:
            filled = ", ".join(str(list(k)) for k in list(array.elements)[:8])
            raise Problem(
                "E212",
                f"`{array.name}{list(key)}` is not filled here",
                span,
                notes=(f"filled so far: {filled or 'nothing'}",),
            )
        if not isinstance(element, Value):
            raise Poisoned
        elements.append(element)
    return ListValue(elements) if several else elements[0]


def _conditional(expr: ast.Conditional, context: Context) -> Any:
    return evaluate(expr.then if truth(expr.condition, context) else expr.otherwise, context)


#: Expression class -> its rule; `arithmetic` and `calls` add theirs.
RULES: dict[type, Callable[[Any, Context], Any]] = {
    ast.Int: _literal,
    ast.Float: _literal,
    ast.Bool: _literal,
    ast.String: _literal,
    ast.Size: _size,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Index: _index,
    ast.Conditional: _conditional,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Comprehension: _comprehension,
}
