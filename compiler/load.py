"""From a name, a path or a text to graphs and diagnostics."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from compiler.declare import Given, Word
from compiler.evaluate.context import Context, Run
from compiler.evaluate.expressions import MAX_NESTING
from compiler.evaluate.expressions import evaluate as evaluate_expression
from compiler.evaluate.model import Evaluation, deep_recursion, evaluate_model, variant_arguments
from compiler.evaluate.problems import Poisoned, Problem
from compiler.evaluate.recovery import independent
from compiler.evaluate.room import with_room
from compiler.evaluate.values import LayerValue, ListValue, TupleValue, measure_of
from compiler.graph import Graph, GraphBuilder
from compiler.modules import SHIPPED, Loader, Module, Target
from compiler.ops import OPS
from compiler.strict import remainders
from compiler.unreached import unreached
from compiler.vocabulary import WORDS
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic, SpecError, nearest
from spec_lang.frozen import frozen, replace
from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.parser import parse_expression
from spec_lang.silence import audible
from spec_lang.source import Source

_DEFINITION = re.compile(r"^[ \t]*model[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


@frozen
class Shipped:
    """A model of the zoo: its name, its file, and the path of the file under `specs/`."""

    name: str
    path: Path
    file: str


@cache
def shipped() -> Mapping[str, Shipped]:
    """Every model of the shipped specs, by name, sorted."""
    found: dict[str, Shipped] = {}
    for path in sorted(SHIPPED.rglob("*.cnn")):
        for name in _DEFINITION.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, Shipped(name, path, path.relative_to(SHIPPED).as_posix()))
    return dict(sorted(found.items()))


@frozen
class Opened:
    """A spec that has been read: its module, and the model that was asked for (or None: the last)."""

    module: Module
    model: str | None
    diagnostics: tuple[Diagnostic, ...]
    #: Every file that was read, the one that was asked for first; and where they lie.
    files: tuple[ast.File, ...]
    paths: tuple[str, ...] = ()


def open_spec(target: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Opened:
    """Read a spec by path, `path:Model` or shipped name.  Raises `SpecError`."""
    text = os.fsdecode(target)
    path, model = text, None
    known = shipped().get(text) if text.isidentifier() else None
    if known is not None and not os.path.isfile(text):  # a folder of that name is in nobody's way
        loader = Loader(limits)
        module = loader.open(known.path, f"specs/{known.file}")
        return Opened(module, text, tuple(loader.diagnostics), loader.files, loader.paths)
    if not os.path.lexists(text):
        head, colon, tail = text.rpartition(":")
        if colon and (os.path.lexists(head) or head.endswith(".cnn")):
            path, model = head, tail
        elif not text.endswith(".cnn") and not os.path.isabs(text):
            if not re.search(r"[/\\.]", text):
                near = nearest(text, shipped(), 3)
                raise SpecError(
                    Diagnostic(
                        "E221",
                        f"there is no file and no shipped spec named `{text}`",
                        place=text,
                        notes=("`cnnc specs` lists the shipped ones",),
                        help=(f"did you mean {' or '.join(f'`{n}`' for n in near)}?",) if near else (),
                    )
                )
    loader = Loader(limits)
    module = loader.open(Path(path), path)
    return Opened(module, model, tuple(loader.diagnostics), loader.files, loader.paths)


def open_text(source: Source, limits: Limits = DEFAULT_LIMITS) -> Opened:
    """Read a spec from a text; its imports are looked up among the shipped specs."""
    loader = Loader(limits)
    module = loader.module(source)
    return Opened(module, None, tuple(loader.diagnostics), loader.files, loader.paths)


@with_room
def load(
    target: str | os.PathLike[str] | Source,
    *,
    parameters: Mapping[str, Any] | None = None,
    settings: Mapping[str, str] | None = None,
    training: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Graph:
    """The graph of a model.

    Args:
        target: a path, `path:Model`, the name of a shipped model, or a text.
        parameters: values of the model's parameters.
        settings: the same as texts of the language (`{"classes": "10", "kernel": "3x5"}`).
        training: keep what stands in `training { ... }`.

    Raises:
        SpecError: with everything that is wrong.
    """
    opened = open_text(target, limits) if isinstance(target, Source) else open_spec(target, limits)
    evaluation = evaluate(opened, parameters or {}, settings or {}, limits)
    found = (*opened.diagnostics, *independent(evaluation.diagnostics, opened.module))
    errors = [d for d in found if d.is_error]
    if errors or evaluation.graph is None:
        raise SpecError(in_order(errors, opened))
    return evaluation.graph.with_training if training else evaluation.graph


def evaluate(
    opened: Opened,
    parameters: Mapping[str, Any],
    settings: Mapping[str, str],
    limits: Limits = DEFAULT_LIMITS,
) -> Evaluation:
    """Evaluate the model that was asked for."""
    module = opened.module
    if opened.model is None and not module.models:
        return Evaluation(None, (no_model(module),))
    run = Run(GraphBuilder(""), limits)
    try:
        target = _target(opened)
        with deep_recursion():
            given = [Given(key, _native(value)) for key, value in parameters.items()]
            given += _parsed_settings(settings, target.home, run)
        _refuse_unknown(given, target)
    except Problem as problem:
        diagnostic = problem.diagnostic
        if diagnostic.span is None and not diagnostic.place:
            problem.diagnostic = replace(diagnostic, place=module.file.source.name)
        run.stop(problem)
    except Poisoned:
        run.failed = True
    if run.failed:
        return Evaluation(None, tuple(run.diagnostics))
    return evaluate_model(target, given, limits, opened.paths)


def parameters_of(target: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of the parameters that a model takes from outside.  Raises `SpecError`."""
    opened = open_spec(target)
    if opened.model is None and not opened.module.models:
        return ()
    try:
        return tuple(parameter.name for parameter in _target(opened).open_parameters)
    except (Problem, Poisoned):
        return ()  # told where the model is loaded


def _target(opened: Opened) -> Target:
    module, name = opened.module, opened.model
    if name is None:
        return Target.of(list(module.models)[-1], module)
    known = module.model_names()
    if name not in known and name not in module.spans():
        near = nearest(name, known)
        raise Problem(
            "E221",
            f"there is no model `{name}` in {module.file.source.name}",
            None,
            notes=(f"models there: {', '.join(known) or 'none'}",),
            help=(f"did you mean `{near[0]}`?",) if near else (),
        )
    return Target.of(name, module)


@with_room
def check(
    target: str | os.PathLike[str] | Source,
    *,
    settings: Mapping[str, str] | None = None,
    strict: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Diagnostic]:
    """Everything that is wrong or suspicious in a file, in order of place.

    All its models and variants are evaluated, but for models that have parameters without a
    default; what evaluation does not reach is looked at for names and arguments that nobody knows.
    `strict` adds a warning for every remainder that a window drops.
    """
    try:
        opened = open_text(target, limits) if isinstance(target, Source) else open_spec(target, limits)
    except SpecError as error:
        return list(error.diagnostics)
    found: list[Diagnostic] = []
    module = opened.module
    names = [opened.model] if opened.model is not None else list(module.models)
    if not names and not module.blocks:
        found.append(no_model(module))
    for name in names:
        relevant = _relevant(settings or {}, name, module)
        if opened.model is None and is_open(name, module, relevant):
            continue
        evaluation = evaluate(replace(opened, model=name), {}, relevant, limits)
        found += evaluation.diagnostics
        if strict and evaluation.graph is not None:
            found += remainders(evaluation.graph)
    with deep_recursion():
        found += check_definitions(module, limits)
        if not module.damage:
            found += unreached(module)
    found = [*opened.diagnostics, *independent(found, module)]
    return audible(opened.files, in_order(found, opened))


def _relevant(settings: Mapping[str, str], name: str, module: Module) -> Mapping[str, str]:
    """The settings that a model of the file has; what none of them has is left in, so that it is told."""
    open_ones: dict[str, set[str]] = {}
    for other in module.models:
        try:
            open_ones[other] = {p.name for p in Target.of(other, module).open_parameters}
        except (Problem, Poisoned):
            continue
    if len(open_ones) < 2 or name not in open_ones:
        return settings
    everywhere = set().union(*open_ones.values())
    return {k: v for k, v in settings.items() if k in open_ones[name] or k not in everywhere}


def check_definitions(module: Module, limits: Limits) -> list[Diagnostic]:
    """What is wrong with constants, names of definitions and `train` sections, whoever uses them."""
    run = Run(GraphBuilder(""), limits)
    try:
        for name, span in module.spans().items():
            if name in OPS:
                run.warn(
                    "W201",
                    f"`{name}` is also a layer; in this file it means yours",
                    span,
                    "another name would be clearer",
                )
        for name, train in module.trains.items():
            if name not in module.models:
                near = nearest(name, module.models)
                run.report(
                    Diagnostic(
                        "E221",
                        f"there is no model `{name}` to train",
                        train.name_span,
                        help=(f"did you mean `{near[0]}`?",) if near else (),
                    )
                )
        for name in module.lets:
            with run.reporting():
                module.resolve(name, run)
        for name in module.models:
            with run.reporting():
                variant_arguments(Target.of(name, module), run)
    except Problem as problem:
        run.stop(problem)
    return run.diagnostics


def is_open(name: str, module: Module, given: Collection[str] = ()) -> bool:
    """Whether a model has parameters that neither a default nor a variant gives, nor are among `given`."""
    try:
        parameters = Target.of(name, module).open_parameters
        return any(p.default is None and p.name not in given for p in parameters)
    except (Problem, Poisoned):
        return False


def no_model(module: Module) -> Diagnostic:
    return Diagnostic(
        "E220",
        "the file has no model",
        place=module.file.source.name,
        help=("`model name { input image: [3, 224, 224] ... }`",),
    )


def in_order(diagnostics: Sequence[Diagnostic], opened: Opened) -> list[Diagnostic]:
    """One diagnostic for each code at each place, by place, the file that was asked for first."""
    files = {id(file.source): number for number, file in enumerate(opened.files)}
    unique: dict[Any, Diagnostic] = {}
    for one in diagnostics:
        span = one.span
        key: Any = (one.place, one.message)
        if span is not None:
            key = (files.get(id(span.source), len(files)), span.source.name, span.start, span.end)
        unique.setdefault((one.code, key), one)

    def order(one: Diagnostic) -> tuple[int, str, int, int, str]:
        if one.span is None:
            return (-1, one.place, 0, 0, one.code)
        source = one.span.source
        return (files.get(id(source), len(files)), source.name, one.span.start, one.span.end, one.code)

    return sorted(unique.values(), key=order)


def _refuse_unknown(given: Sequence[Given], target: Target) -> None:
    known = [p.name for p in target.open_parameters]
    for one in given:
        if one.name in known:
            continue
        what, near = (
            f"the model `{target.name}` has no parameter `{one.name}`",
            nearest(one.name or "", known),
        )
        if one.name in [p.name for p in target.model.parameters]:
            what, near = f"the model `{target.name}` gives `{one.name}` itself", ()
        raise Problem(
            "E229",
            what,
            None,
            notes=(f"its parameters are {', '.join(known) or 'none'}",),
            help=(f"did you mean `{near[0]}`?",) if near else (),
        )


def _native(value: Any, depth: int = 0) -> Any:
    """A value of Python's as the language has it: lists become lists, words become words, None `none`."""
    if depth > MAX_NESTING:
        raise Problem("E420", f"a value is nested more than {MAX_NESTING} deep", None)
    if value is None:
        return Word("none")
    if isinstance(value, (bool, int, float)) and type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        if value in OPS and value not in WORDS:
            return LayerValue(OPS[value])
        return Word(value) if value in WORDS else str(value)
    if isinstance(value, (tuple, list)):
        made = TupleValue if isinstance(value, tuple) else ListValue
        items = made([_native(v, depth + 1) for v in value])
        items.measure = measure_of(items)
        return items
    plain = getattr(value, "tolist", None)  # NumPy's arrays and numbers: lists and numbers of Python
    if plain is not None:
        return _native(plain(), depth + 1)
    try:
        return operator.index(value)
    except TypeError:
        pass
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise Problem(
            "E210",
            f"a {type(value).__name__} is no value of a parameter",
            None,
            help=("numbers, strings, lists and tuples are",),
        ) from None


def _parsed_settings(settings: Mapping[str, str], module: Module, run: Run) -> list[Given]:
    """Values of `--set name=value`, each an expression of the language."""
    found = []
    for name, text in settings.items():
        source = Source(f"--set {name}", text)
        try:
            expr = parse_expression(source, run.limits)
            value = evaluate_expression(expr, Context.outside(run, module, name))
            found.append(Given(name, value, ast.Argument(expr.span, name, expr)))
        except SpecError as error:
            for diagnostic in error.diagnostics:
                run.report(diagnostic)
    return found
