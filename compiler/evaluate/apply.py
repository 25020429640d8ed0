"""Applying a layer, a block or something shared to the current tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from compiler.declare import Fault, Given, PerAxis, Position
from compiler.evaluate.context import Context, Flow, Frame, Namer
from compiler.evaluate.expressions import enter, given_arguments
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.values import (
    UNKNOWN,
    BlockValue,
    Env,
    LayerValue,
    ListValue,
    SharedValue,
    Unknown,
    describe,
    kind_of,
)
from compiler.graph import Node, Scope, Typing, Value
from compiler.ops.base import Op
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label, nearest
from spec_lang.source import Span

Results = tuple[Value | Unknown, ...]


def place_of(apply: ast.Apply | ast.Merge) -> Span:
    """Where a layer stands, without its label."""
    return Span(apply.name_span.source, apply.name_span.start, apply.span.end)


def apply_value(
    target: LayerValue | BlockValue | SharedValue, given: tuple[Given, ...], flow: Value | Unknown | None,
    label: tuple[str, ...], span: Span, context: Context, names: Sequence[str] = (),
) -> Results:
    """Apply a layer, block or shared thing to what flows; its results, the first of which flows on."""
    if isinstance(target, SharedValue):
        return apply_shared(target, given, flow, span, context, names, label)
    if isinstance(target, BlockValue):
        return apply_block(target, (*target.given, *given), flow, label, span, context)
    return apply_layer(target.op, (*target.given, *given), [flow], label, span, context, names)


# ---- layers ----------------------------------------------------------------------------


def apply_layer(
    op: type[Op], given: tuple[Given, ...], flowing: Sequence[Value | Unknown | None], label: tuple[str, ...],
    span: Span, context: Context, names: Sequence[str] = (), path: tuple[str, ...] | None = None,
) -> Results:
    """Apply a layer to these tensors; without a `path` the body gives it one."""
    run = context.run
    run.spend(span)
    if path is None:
        path = (*context.namer.prefix, *context.namer.step(op.name, label))
    given, tensors = _tensor_arguments(op, given)
    inputs = [*flowing, *tensors]
    if any(one is None for one in inputs):
        raise Problem("E204", f"nothing flows into {op.name} here", span,
                      help=("begin the chain with the name of a tensor or an input",))
    if any(one is UNKNOWN for one in inputs):
        refuse_products(op, given)
        check_without_inputs(op, given, span)
        return (UNKNOWN,)
    values: list[Value] = [one for one in inputs if isinstance(one, Value)]
    known = typing_of(op, given, values, context, span)
    if known.weights:
        if not context.repeated:
            run.claim(path, span)
            run.pass_through(path, max(len(label), 1), span)
        check_reuse(known, path, context, span)
    elif label and not context.repeated:
        run.claim(path, span)
        run.pass_through(path, len(label), span)
    if len(run.builder.nodes) >= run.limits.layers:
        raise Exhausted("E412", f"more than {run.limits.layers:,} layers", span)
    return run.builder.apply(known.op, values, path=".".join(path), scope=context.scope, span=span,
                             training=context.training, label=".".join(label), names=names, known=known)


def typing_of(op: type[Op], given: tuple[Given, ...], values: Sequence[Value], context: Context, span: Span) -> Typing:
    """Bind a layer to its inputs; the same layer on the same types is looked up."""
    types = tuple([value.type for value in values])
    key = (op, tuple([(one.name, _exact(one.value)) for one in given]), types)
    known = context.run.typings.get(key)
    if known is None:
        refuse_products(op, given)
        try:
            bound = op.apply_to(types, given)
            known = Typing(bound, bound.infer(types), bound.weights(types))
        except Fault as fault:
            raise explained(fault, given, values, span, positional(op)) from None
        for result in known.results:
            check_size(result.shape, context.run.limits, span, "the result")
        for weight in known.weights:
            check_size(weight.shape, context.run.limits, span, f"the {weight.name}")
        context.run.typings[key] = known
    return known


def _exact(value: Any) -> Any:
    """A key that tells 1 from 1.0 and from `true`."""
    if isinstance(value, tuple):
        return tuple([_exact(one) for one in value])
    return (type(value), value)


def _tensor_arguments(op: type[Op], given: tuple[Given, ...]) -> tuple[tuple[Given, ...], list[Value | Unknown]]:
    """Arguments with each tensor replaced by its position among the inputs; and these tensors."""
    wanted = op.tensor_args()
    if not wanted:
        return given, []
    positional = [a.name for a in op.args() if a.positional]
    named: list[Given] = []
    count = 0
    for one in given:
        name = one.name
        if name is None and count < len(positional):
            name = positional[count]
            count += 1
        named.append(replace(one, name=name))
    tensors: list[Value | Unknown] = []
    for name in wanted:
        for i, one in enumerate(named):
            if one.name == name and isinstance(one.value, Value):
                tensors.append(one.value)
                named[i] = replace(one, value=Position(len(tensors)))
    return tuple(named), tensors


def refuse_products(op: type[Op], given: Sequence[Given]) -> None:
    """`conv(64, 3*3)` is 9 to arithmetic and 3x3 to its writer."""
    positional = [a.name for a in op.args() if a.positional]
    kinds = {a.name: a.kind for a in op.args()}
    for i, one in enumerate(given):
        name = one.name or (positional[i] if i < len(positional) else None)
        expr = getattr(one.place, "value", None)
        if (name is not None and isinstance(kinds.get(name), PerAxis) and isinstance(expr, ast.Binary)
                and expr.operator == "*" and isinstance(expr.left, ast.Int) and isinstance(expr.right, ast.Int)):
            a, b = expr.left.value, expr.right.value
            raise Problem("E316", f"{op.name}: `{name} = {a}*{b}` is the number {a * b}", expr.span,
                          label="a product, not a size", help=(f"`{a}x{b}` is the size",))


def check_without_inputs(op: type[Op], given: Sequence[Given], span: Span) -> None:
    """What can be said of a layer whose input is unknown: its arguments' names and simple kinds."""
    from compiler.declare import BadValue, Choice, Context as Kinds, Flag, Int, Real

    try:
        values = op.match(given)
        for a in op.args():
            if a.required and a.name not in values:
                op.normalised(values, Kinds())
            if a.name in values and isinstance(a.kind, (Int, Real, Flag, Choice)):
                try:
                    a.kind.accept(values[a.name], Kinds())
                except BadValue as bad:
                    raise Fault("E312", f"{op.name}: `{a.name}` is {bad}", argument=a.name) from None
    except Fault as fault:
        raise explained(fault, given, [], span, positional(op)) from None


def positional(op: type[Op]) -> tuple[str, ...]:
    """The names of the arguments that go by position."""
    return tuple(a.name for a in op.args() if a.positional)


def explained(fault: Fault, given: Sequence[Given], inputs: Sequence[Value], span: Span,
              order: Sequence[str] = ()) -> Problem:
    """A fault with its places: the argument or layer, and where the inputs came from.

    `order` are the names of arguments that may have been given by position.
    """
    at = span
    if fault.argument is not None:
        position = -1
        for one in given:
            position += one.name is None
            name = one.name or (order[position] if position < len(order) else None)
            if name == fault.argument or (one.name is None and fault.argument == f"#{position}"):
                at = getattr(one.place, "span", at)
    labels, notes = [], list(fault.notes)
    shown = fault.inputs or ((0,) if inputs and fault.code not in ("E310", "E311", "E314", "E315") else ())
    for i in shown:
        if i >= len(inputs):
            continue
        value = inputs[i]
        if value.span is None:
            continue
        if len(shown) > 1:
            labels.append(Label(value.span, f"{value.type}" if not value.name else f"`{value.name}`: {value.type}"))
        else:
            notes.insert(0, f"input here: {value.type}, from {origin(value, span)}")
    return Problem(fault.code, fault.message, at, label=fault.label, labels=labels, notes=notes, help=fault.help)


def origin(value: Value, here: Span) -> str:
    """Where a tensor came from, for a note: "`input image` on line 3"."""
    assert value.span is not None
    text = value.span.text
    if text.startswith("input"):
        text = text.split(":")[0]
    text = " ".join(text.split())
    file = "" if value.span.source is here.source else f" of {value.span.source.name}"
    return f"`{text if len(text) <= 60 else text[:57] + '...'}` on line {value.span.line}{file}"


def check_size(shape: Sequence[int], limits: Any, span: Span, what: str) -> None:
    """No extent and no tensor beyond the limits, before anybody allocates it."""
    for extent in shape:
        if extent > limits.dimension:
            raise Problem("E414", f"{what} has an extent of {extent:,}; at most {limits.dimension:,}", span)
    count = 1
    for extent in shape:
        count *= extent
    if count > limits.elements:
        raise Problem("E415", f"{what} has {count:,} elements; at most {limits.elements:,}", span)


def check_reuse(typing: Typing, path: tuple[str, ...], context: Context, span: Span) -> None:
    """A shared layer must find the weights that it had when it was first applied."""
    for spec in typing.weights:
        known = context.run.builder.weights.get(".".join((*path, spec.name)))
        if known is not None and known.shape != spec.shape:
            raise Problem("E223", f"`{known.name}` is {list(known.shape)} where it was first applied, "
                          f"{list(spec.shape)} here", span,
                          labels=(Label(known.span, "first applied here"),) if known.span else ())


# ---- blocks ----------------------------------------------------------------------------


def bind_parameters(
    parameters: Sequence[ast.Parameter], given: Sequence[Given], env: Env, context: Context, what: str, span: Span,
    open_ones: Any = None,
) -> dict[str, Any]:
    """Parameters of a block or model, by position or name, defaults filled in, kinds checked."""
    from compiler.evaluate.expressions import evaluate

    names = [p.name for p in parameters]
    values: dict[str, Any] = {}
    places: dict[str, Span] = {}
    position = 0
    for one in given:
        at = getattr(one.place, "span", span)
        name = one.name
        if name is None:
            if position >= len(names):
                raise Problem("E213", f"{what} takes {len(names)} argument{'s' * (len(names) != 1)}", at,
                              notes=(f"its parameters are {', '.join(names) or 'none'}",))
            name = names[position]
            position += 1
        if name not in names:
            near = nearest(name, names)
            raise Problem("E213", f"{what} has no parameter `{name}`", at,
                          notes=(f"its parameters are {', '.join(names) or 'none'}",),
                          help=(f"did you mean `{near[0]}`?",) if near else ())
        if name in values:
            raise Problem("E213", f"{what}: `{name}` is given twice", at)
        values[name], places[name] = one.value, at
    inner = replace(context, env=env)
    for parameter in parameters:
        default = None
        if parameter.default is not None and (parameter.name not in values or True):
            default = evaluate(parameter.default, inner)
        if parameter.name not in values:
            if parameter.default is None:
                raise Problem("E213", f"{what} needs `{parameter.name}`", span,
                              labels=(Label(parameter.span, "declared here without a default"),))
            values[parameter.name] = default
        elif default is not None:
            check_kind(parameter, values[parameter.name], default, what, places.get(parameter.name, span))
        context.shadow(parameter.name, parameter.span)
        if parameter.name in ("it", "in"):
            raise Problem("E203", f"`{parameter.name}` is reserved for the flow", parameter.span)
        if parameter.name in env.names:
            raise Problem("E203", f"`{parameter.name}` is a parameter twice", parameter.span)
        env.bind(parameter.name, values[parameter.name], parameter.span)
    return {name: values[name] for name in names}


def check_kind(parameter: ast.Parameter, value: Any, default: Any, what: str, span: Span) -> None:
    wanted, got = kind_of(default), kind_of(value)
    if wanted == got or "unknown" in (wanted, got):
        return
    if {wanted, got} == {"number", "list"} and (wanted == "number" or isinstance(value, tuple)):
        return  # a list of pads where one number stood, a tuple where a list stood
    if wanted in ("number", "layer") and isinstance(value, LayerValue) and value.bare_word is not None:
        return  # a word that is also a layer's name
    raise Problem("E213", f"{what}: `{parameter.name}` takes a {wanted} such as {describe(default)}, "
                  f"not {describe(value)}", span, labels=(Label(parameter.span, "its default tells its kind"),))


def apply_block(
    target: BlockValue, given: tuple[Given, ...], flow: Value | Unknown | None, label: tuple[str, ...], span: Span,
    context: Context, path: tuple[str, ...] | None = None,
) -> Results:
    """Run a block's body on what flows."""
    from compiler.evaluate.flow import run_body

    block, run = target.block, context.run
    if flow is None:
        raise Problem("E204", f"nothing flows into {block.name} here", span,
                      help=("begin the chain with the name of a tensor or an input",))
    enter(context, block.name, span)
    run.calls.append((f"`{target.described}`", span))
    try:
        env = Env(target.module.env)
        arguments = bind_parameters(block.parameters, given, env, replace(context, module=target.module),
                                    f"block {block.name}", span)
        frame = Frame(block.name, flow)
        inner = replace(context, env=Env(env), flow=Flow(flow), frame=frame, module=target.module)
        if block.inline and path is None:
            if label:
                raise Problem("E208", f"`{block.name}` is inline: it adds no name, so it takes no label", span)
        else:
            if path is None:
                steps = context.namer.step(block.name.lower(), label)
                path = (*context.namer.prefix, *steps)
                if not context.repeated:
                    run.claim(path, span)
                    run.pass_through(path, max(len(label), 1), span)
                absolute = None
            else:
                steps, absolute = (), path
            scope = Scope("block", steps, block.name, context.scope, arguments, span=span, doc=block.doc,
                          shared=absolute is not None, label=".".join(label), absolute=absolute)
            context.scope.members.append(scope)
            inner.scope, inner.namer = scope, Namer(path, seq=False)
        run_body(block.body, inner)
        if frame.outputs:
            return tuple(frame.outputs.values())
        assert inner.flow.it is not None
        return (inner.flow.it,)
    finally:
        run.depth -= 1
        run.calls.pop()


# ---- shared ----------------------------------------------------------------------------


def apply_shared(
    target: SharedValue, given: tuple[Given, ...], flow: Value | Unknown | None, span: Span, context: Context,
    names: Sequence[str], label: tuple[str, ...],
) -> Results:
    """Apply what is shared once more, with the weights that it has."""
    from compiler.evaluate.flow import run_body

    if given:
        raise Problem("E223", f"`{target.label}` is shared and has its arguments already", span,
                      labels=(Label(target.span, "declared here"),))
    if label:
        raise Problem("E208", f"`{target.label}` is shared and has its name already, so it takes no label", span,
                      labels=(Label(target.span, "declared here"),))
    if flow is None:
        raise Problem("E204", f"nothing flows into {target.label} here", span,
                      help=("begin the chain with the name of a tensor or an input",))
    if context.namer.seq:
        context.namer.enter(())
    repeated = context.repeated or target.uses > 0
    target.uses += 1
    inner = replace(context, repeated=repeated)
    if isinstance(target.target, LayerValue):
        return apply_layer(target.target.op, target.target.given, [flow], (), span, inner, names, target.path)
    if isinstance(target.target, BlockValue):
        return apply_block(target.target, target.target.given, flow, (), span, inner, target.path)
    group = target.target
    scope = Scope("seq" if group.seq else "group", (), parent=context.scope, span=span, shared=True,
                  label=target.label, absolute=target.path)
    context.scope.members.append(scope)
    inner = replace(target.context, flow=Flow(flow), env=Env(target.context.env), namer=Namer(target.path, group.seq),
                    scope=scope, repeated=repeated, training=context.training)
    run_body(group.body, inner)
    assert inner.flow.it is not None
    return (inner.flow.it,)


# ---- joins -----------------------------------------------------------------------------


def join_tensors(
    op: type[Op], given: tuple[Given, ...], flow: Value | Unknown | None, first: bool, span: Span,
) -> tuple[list[Value | Unknown], tuple[Given, ...]]:
    """The tensors among a join's arguments (lists opened), and what else was given."""
    tensors: list[Value | Unknown] = []
    rest: list[Given] = []
    numbers = 0
    for one in given:
        if one.name is not None:
            rest.append(one)
            continue
        values = one.value if isinstance(one.value, ListValue) else (one.value,)
        for value in values:
            if isinstance(value, (Value, Unknown)):
                tensors.append(value)
            else:
                numbers += type(value) in (int, float)
                rest.append(replace(one, value=value))
    if not tensors and not first:
        raise Problem("E205", f"{op.name} takes tensors: what flows, and the others", span,
                      help=(f"`{op.name}(skip, it)`, or `{op.name} {{ branch {{ ... }} branch {{ ... }} }}`",))
    if not first and flow is not None and flow is not UNKNOWN and not any(t is flow for t in tensors):
        raise Problem("E205", f"{op.name} does not take what flows into it, which would be lost", span,
                      label="no `it` among its tensors",
                      help=(f"add `it`: `{_with_it(op, given)}`",))
    if len(tensors) + numbers < 2:
        raise Problem("E224", f"{op.name} joins at least two tensors, not {len(tensors)}", span,
                      help=(f"`{op.name}(skip, it)`, or `{op.name} {{ branch {{ ... }} branch {{ ... }} }}`",))
    return tensors, tuple(rest)


def _with_it(op: type[Op], given: Sequence[Given]) -> str:
    parts = [one.place.span.text for one in given if one.place is not None]
    named = [p for one, p in zip(given, parts, strict=False) if one.name is not None]
    return f"{op.name}({', '.join([*(p for p in parts if p not in named), 'it', *named])})"


def weighted_members(scope: Scope) -> list[tuple[bool, Node | Scope]]:
    """Members of a scope that have weights, each with whether it is labelled."""
    found: list[tuple[bool, Node | Scope]] = []
    for member in scope.members:
        if isinstance(member, Node):
            if member.weights:
                found.append((bool(member.label), member))
        elif member.kind == "join" and not member.steps:
            found.extend(weighted_members(member))
        elif has_weights(member):
            found.append((bool(member.label), member))
    return found


def has_weights(scope: Scope) -> bool:
    stack: list[Node | Scope] = [scope]
    while stack:
        member = stack.pop()
        if isinstance(member, Node):
            if member.weights:
                return True
        else:
            stack.extend(member.members)
    return False


__all__ = ["Poisoned", "apply_block", "apply_layer", "apply_value", "bind_parameters", "given_arguments",
           "join_tensors", "place_of", "weighted_members"]
