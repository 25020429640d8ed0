"""Labels, and the names that `as` binds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from compiler.evaluate.context import Context, refuse_reserved
from compiler.evaluate.expressions import template, whole
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.recovery import failed
from compiler.evaluate.values import UNKNOWN, TensorArray, Unknown
from compiler.graph import Node, Scope, Value
from spec_lang import syntax as ast
from spec_lang.diagnostics import Label
from spec_lang.source import Span

_STEP = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Steps of one label.
MAX_STEPS = 16


def label_steps(label: ast.Template | None, context: Context) -> tuple[str, ...]:
    """The steps of a label: its text, split at the dots."""
    if label is None:
        return ()
    known = context.run.labels.get(id(label))
    if known is not None:
        return known
    text = template(label, context)
    steps = tuple(text.split("."))
    if len(steps) > MAX_STEPS:
        raise Problem("E208", f"a label has {len(steps)} steps; at most {MAX_STEPS}", label.span)
    for step in steps:
        if len(step) > context.run.limits.identifier_length:
            raise Problem(
                "E208",
                f"a step of the label has {len(step)} characters; "
                f"at most {context.run.limits.identifier_length}",
                label.span,
            )
        if not _STEP.fullmatch(step):
            raise Problem(
                "E208",
                f"`{text}` cannot name weights",
                label.span,
                notes=("a label is steps of letters, digits, `_`, `-` and an inner `/`, joined by dots",),
                help=("braces are filled in where a label is written; pass what stands between them",)
                if "{" in step
                else (),
            )
    if label.parts == (text,):  # nothing is filled in
        context.run.labels[id(label)] = steps
    return steps


def label_name(label: ast.Template, steps: Sequence[str]) -> str:
    """The name by which something declared under a label is used: its last step."""
    if not _NAME.fullmatch(steps[-1]) or steps[-1] == "_":
        raise Problem(
            "E208",
            f"`{steps[-1]}` cannot be used by its name",
            label.span,
            help=("let the last step of the label be a name",),
        )
    return steps[-1]


def bind_results(link: ast.Link, results: Sequence[Value | Unknown], context: Context) -> None:
    """`as name`, `as x[i]`, `as (p, q)`."""
    targets = link.targets
    values = [results[0]]
    if link.unpack:
        values = list(results)
        if len(results) != len(targets):
            if UNKNOWN not in results:
                context.run.fail(
                    Problem(
                        "E225",
                        f"{len(targets)} names for {len(results)} result{'s' * (len(results) != 1)}",
                        targets[0].span.to(targets[-1].span),
                    )
                )
                context.run.spoken_for.update([one for one in results if isinstance(one, Value)])
            values = [UNKNOWN] * len(targets)
    for target, value in zip(targets, values, strict=True):
        try:
            _bind(target, value, context)
        except Exhausted:
            raise
        except (Problem, Poisoned) as problem:
            failed(problem, target, context)
            if isinstance(value, Value):
                context.run.spoken_for.add(value)


def _bind(target: ast.Target, value: Value | Unknown, context: Context) -> None:
    run = context.run
    if target.indices:
        _fill(target, value, context)
    elif target.name != "_":
        context.bind(target.name, value, target.span)
        if isinstance(value, Value):
            run.builder.rename(value, target.name)
    elif isinstance(value, Value):
        run.spoken_for.add(value)
        run.put_aside += 1


def _fill(target: ast.Target, value: Value | Unknown, context: Context) -> None:
    arrays = context.frame.arrays
    array = arrays.get(target.name)
    key = tuple([whole(index, context, "an index") for index in target.indices])
    if array is None:
        array = new_array(target.name, len(key), target.span, context)
    if len(key) != array.rank:
        array.incomplete = True
        raise Problem(
            "E212",
            f"`{target.name}` has {array.rank} ind{'ices' if array.rank > 1 else 'ex'} elsewhere, "
            f"{len(key)} here",
            target.span,
            labels=(Label(array.span, "first element"),),
        )
    if key in array.elements:
        raise Problem("E203", f"`{target.name}{list(key)}` is filled already; each element once", target.span)
    array.elements[key] = value
    if isinstance(value, Value):
        context.run.builder.rename(value, "_".join([target.name, *map(str, key)]))


def new_array(name: str, rank: int, span: Span, context: Context) -> TensorArray:
    """An array of tensors, which belongs to the whole block or model."""
    refuse_reserved(name, span)
    context.refuse_bound(name, span)
    context.run.check_shadow(name, span)
    array = TensorArray(name, span, rank)
    root = context.env
    while root.parent is not None and root.parent is not context.module.env:
        root = root.parent
    root.bind(name, array, span)
    context.frame.arrays[name] = array
    return array


def refuse_rebinding(loop: ast.Loop, context: Context) -> None:
    """A loop's names are new, like every name within a block or model."""
    for name in loop.targets:
        if name != "_":
            context.refuse_bound(name, loop.span)
            context.run.check_shadow(name, loop.span)


# ---- the warning of a group without labels ----------------------------------------------


def is_unlabelled(scope: Scope) -> bool:
    """Whether members of a group have weights and none of these members has a label."""
    members = _weighted_members(scope, scope.path + ".")
    return bool(members) and not any(member.label for member in members)


def _weighted_members(scope: Scope, prefix: str) -> list[Node | Scope]:
    """The members with weights of their own; what is `shared` is named elsewhere."""
    found: list[Node | Scope] = []
    for member in scope.members:
        if isinstance(member, Node):
            if member.weights and member.path.startswith(prefix):
                found.append(member)
        elif member.shared:
            continue
        elif member.kind == "join" and not member.steps:
            found.extend(_weighted_members(member, prefix))
        elif _has_weights(member):
            found.append(member)
    return found


def _has_weights(scope: Scope) -> bool:
    stack: list[Node | Scope] = [scope]
    while stack:
        member = stack.pop()
        if isinstance(member, Node):
            if member.weights:
                return True
        else:
            stack.extend(member.members)
    return False
