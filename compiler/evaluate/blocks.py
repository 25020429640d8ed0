"""Applying a block or something shared: parameters, the run of the body, results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compiler.declare import Given, Word
from compiler.evaluate.context import Context, Flow, Frame, refuse_reserved
from compiler.evaluate.expressions import evaluate, nothing_flows
from compiler.evaluate.layers import Results, apply_layer
from compiler.evaluate.least import refuse_what_cannot_fit
from compiler.evaluate.paths import Namer
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.replay import Before, Recording, key_of
from compiler.evaluate.values import (
    BlockValue,
    Env,
    LayerValue,
    SharedValue,
    Unknown,
    describe,
    kind_name,
    kind_of,
)
from compiler.graph import Scope, Value
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label, nearest
from spec_lang.frozen import replace
from spec_lang.source import Span

#: Steps that one application of a block costs.
BLOCK_STEPS = 30
#: What a block's second application and each later one within another block cost more, for each block
#: around beyond so many: blocks that apply two of the next kind, which do the same, double with each level.
DOUBLING_STEPS, FREE_DEPTH = 100, 6


def apply_value(
    target: BlockValue | SharedValue,
    given: tuple[Given, ...],
    flow: Value | Unknown | None,
    label: tuple[str, ...],
    span: Span,
    context: Context,
    names: Sequence[str] = (),
) -> Results:
    """Apply a block or something shared to what flows; its results, the first of which flows on."""
    if isinstance(target, SharedValue):
        return _apply_shared(target, given, flow, span, context, names, label)
    return _apply_block(target, (*target.given, *given), flow, label, span, context)


# ---- parameters ------------------------------------------------------------------------


def match_parameters(
    parameters: Sequence[ast.Parameter],
    given: Sequence[Given],
    what: str,
    span: Span,
) -> dict[str, Given]:
    """Parameter name -> what was given for it, by position or by name: E213."""
    names = [p.name for p in parameters]
    shown = f"its parameters are {', '.join(names) or 'none'}"
    matched: dict[str, Given] = {}
    position = 0
    for one in given:
        at = getattr(one.place, "span", span)
        name = one.name
        if name is None:
            if position >= len(names):
                raise Problem(
                    "E213", f"{what} takes {len(names)} argument{'s' * (len(names) != 1)}", at, notes=(shown,)
                )
            name = names[position]
            position += 1
        if name not in names:
            near = nearest(name, names)
            raise Problem(
                "E213",
                f"{what} has no parameter `{name}`",
                at,
                notes=(shown,),
                help=(f"did you mean `{near[0]}`?",) if near else (),
            )
        if name in matched:
            raise Problem("E213", f"{what}: `{name}` is given twice", at)
        matched[name] = one
    return matched


def bind_parameters(
    parameters: Sequence[ast.Parameter],
    given: Sequence[Given],
    context: Context,
    what: str,
    span: Span,
) -> dict[str, Any]:
    """Bind the parameters of a block or model in the context's scope, given or by default; check kinds."""
    declared: set[str] = set()
    for parameter in parameters:
        refuse_reserved(parameter.name, parameter.span)
        if parameter.name in declared:
            raise Problem("E203", f"`{parameter.name}` is a parameter twice", parameter.span)
        declared.add(parameter.name)
    matched = match_parameters(parameters, given, what, span)
    values: dict[str, Any] = {}
    for parameter in parameters:
        name = parameter.name
        one = matched.get(name)
        if one is not None:
            value = one.value
            if parameter.default is not None:
                _check_kind(parameter, value, context, what, getattr(one.place, "span", span))
        elif parameter.default is not None:
            value = evaluate(parameter.default, context)
        else:
            raise Problem(
                "E213",
                f"{what} needs `{name}`",
                span,
                labels=(Label(parameter.span, "declared here without a default"),),
            )
        context.run.check_shadow(name, parameter.span)
        context.env.bind(name, value, parameter.span)
        values[name] = value
    return values


def _check_kind(parameter: ast.Parameter, value: Any, context: Context, what: str, span: Span) -> None:
    """Refuse a value of another kind than the default's; `none` stands for any."""
    assert parameter.default is not None
    try:
        default = evaluate(parameter.default, context)
    except Exhausted:
        raise
    except (Problem, Poisoned):
        return  # that it has no value is reported where it is needed
    wanted, got = kind_of(default), kind_of(value)
    if wanted == got or wanted is None or got is None:
        return
    if isinstance(default, Word) and isinstance(value, LayerValue) and value.bare_word is not None:
        return  # a choice that is also a layer's name
    help: tuple[str, ...] = ()
    if {wanted, got} == {"number", "list"}:
        help = ("a tuple is written `(1, 2)`",) if got == "list" else ("a list is written `[1, 2]`",)
    raise Problem(
        "E213",
        f"{what}: `{parameter.name}` takes {kind_name(wanted)}, such as {describe(default)}, "
        f"not {describe(value)}",
        span,
        labels=(Label(parameter.span, "its default tells its kind"),),
        help=help,
    )


# ---- blocks ----------------------------------------------------------------------------


def _apply_block(
    target: BlockValue,
    given: tuple[Given, ...],
    flow: Value | Unknown | None,
    label: tuple[str, ...],
    span: Span,
    context: Context,
    path: tuple[str, ...] | None = None,
) -> Results:
    """Run a block's body on what flows; with a `path` it is shared and has its name already."""
    block, run = target.block, context.run
    if flow is None:
        raise nothing_flows(f"into {block.name} here", span)
    run.enter(block.name, span)
    run.calls.append((replace(target, given=given), span))
    run.within.append(0)
    try:
        run.spend(span, BLOCK_STEPS)
        run.within[-2] += 1
        if run.within[-2] > 1 and run.depth > FREE_DEPTH:
            run.spend(span, DOUBLING_STEPS * (run.depth - FREE_DEPTH))
        refuse_what_cannot_fit(run, lambda least: least.body(block.body, target.module), span)
        frame = Frame(block.name, flow)
        inner = context.scoped(Env(target.module.env))
        inner.flow, inner.frame, inner.module = Flow(flow), frame, target.module
        arguments = bind_parameters(block.parameters, given, inner, f"block {block.name}", span)
        inner.env = Env(inner.env)
        if block.inline and path is None:
            if label:
                raise Problem(
                    "E208",
                    f"`{block.name}` is inline: it adds no name, so it takes no label",
                    span,
                    help=("leave out the label, or the `inline` of the block",),
                )
        else:
            steps: tuple[str, ...] = ()
            absolute = path
            if path is None:
                steps = context.namer.step(block.name.lower(), label)
                path = context.take((*context.namer.prefix, *steps), len(steps), span)
            scope = Scope(
                "block",
                steps,
                block.name,
                context.scope,
                arguments,
                span=span,
                doc=block.doc,
                shared=absolute is not None,
                label=".".join(label),
                absolute=absolute,
            )
            context.scope.members.append(scope)
            inner.scope, inner.namer = scope, Namer(path, seq=False)
            if absolute is None:
                return _made(target, arguments, scope, ".".join(path), inner)
        return _ran(block.body, inner)
    finally:
        run.depth -= 1
        run.calls.pop()
        run.within.pop()


def _ran(body: ast.Body, inner: Context) -> Results:
    """What comes out of a body."""
    from compiler.evaluate.flow import run_body

    run_body(body, inner)
    if inner.frame.outputs:
        return tuple(inner.frame.outputs.values())
    assert inner.flow.it is not None
    return (inner.flow.it,)


def _made(target: BlockValue, arguments: dict[str, Any], scope: Scope, path: str, inner: Context) -> Results:
    """What a block makes under a path of its own: run, or as it was made of the same before."""
    run, flow = inner.run, inner.flow.it
    key = key_of(target, arguments, flow, inner)
    if key is None or not isinstance(flow, Value):
        return _ran(target.block.body, inner)
    typed = (id(flow.type), key)  # types are told apart by identity
    known = run.recordings.get(key) or run.recordings.get(typed)
    if known is not None:
        again = known.again(scope, path, flow, run)
        if again is not None:
            return again
        # Nor would what is in it, which each block would find out anew.
        run.evaluating = True
        try:
            return _ran(target.block.body, inner)
        finally:
            run.evaluating = False
    before = Before.of(run, flow)
    results = _ran(target.block.body, inner)
    recording = Recording.of(before, run, scope, path, flow, results)
    if recording is not None:
        run.recordings[key if recording.any_type else typed] = recording
    return results


# ---- shared ----------------------------------------------------------------------------


def _apply_shared(
    target: SharedValue,
    given: tuple[Given, ...],
    flow: Value | Unknown | None,
    span: Span,
    context: Context,
    names: Sequence[str],
    label: tuple[str, ...],
) -> Results:
    """Apply what is shared once more, with the weights that it has."""
    from compiler.evaluate.flow import run_body

    declared = (Label(target.span, "declared here"),)
    if given:
        raise Problem(
            "E223", f"`{target.label}` is shared and has its arguments already", span, labels=declared
        )
    if label:
        raise Problem(
            "E208",
            f"`{target.label}` is shared and has its name already, so it takes no label",
            span,
            labels=declared,
        )
    if flow is None:
        raise nothing_flows(f"into {target.label} here", span)
    if context.namer.seq:
        context.namer.enter(())  # it is a member, and counts
    repeated = target.context.repeated or target.uses > 0
    target.uses += 1
    inner = replace(context, repeated=repeated)
    what = target.target
    if isinstance(what, LayerValue):
        return apply_layer(what.op, what.given, [flow], (), span, inner, names, target.path)
    if isinstance(what, BlockValue):
        return _apply_block(what, what.given, flow, (), span, inner, target.path)
    context.run.enter(target.label, span)
    try:
        scope = Scope(
            "seq" if what.seq else "group",
            (),
            parent=context.scope,
            span=span,
            shared=True,
            label=target.label,
            absolute=target.path,
        )
        context.scope.members.append(scope)
        inner = replace(
            target.context,
            flow=Flow(flow),
            env=Env(target.context.env),
            namer=Namer(target.path, what.seq),
            scope=scope,
            repeated=repeated,
            training=context.training,
        )
        run_body(what.body, inner)
        assert inner.flow.it is not None
        return (inner.flow.it,)
    finally:
        context.run.depth -= 1
