"""From a name, a path or a text to graphs and diagnostics."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from compiler.declare import Given, Word
from compiler.evaluate.context import Context, Flow, Frame, Namer, Run
from compiler.evaluate.model import Evaluation, evaluate_model
from compiler.evaluate.problems import Poisoned, Problem
from compiler.evaluate.values import Env, ListValue
from compiler.graph import Graph, GraphBuilder
from compiler.modules import SHIPPED, Loader, Module
from compiler.vocabulary import WORDS
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic, SpecError, nearest
from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.parser import parse_expression
from spec_lang.source import Source

_DEFINITION = re.compile(r"^[ \t]*model[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Opened:
    """A spec that has been read: its module, and the model that was asked for (or None: the last)."""

    module: Module
    model: str | None
    diagnostics: tuple[Diagnostic, ...]


def open_spec(target: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Opened:
    """Read a spec by path, `path:Model` or shipped name.  Raises `SpecError`."""
    text = os.fspath(target)
    path, model = text, None
    if not os.path.lexists(text):
        head, colon, tail = text.rpartition(":")
        if colon and (os.path.lexists(head) or head.endswith(".cnn")):
            path, model = head, tail
        elif not text.endswith(".cnn") and not os.path.isabs(text):
            known = shipped().get(text)
            if known is not None:
                loader = Loader(limits)
                module = loader.open(known.path, f"specs/{known.file}")
                return Opened(module, text, tuple(loader.diagnostics))
            if not re.search(r"[/\\.]", text):
                near = nearest(text, shipped(), 3)
                raise SpecError(Diagnostic(
                    "E221", f"there is no file and no shipped spec named `{text}`", place=text,
                    notes=("`cnnc specs` lists the shipped ones",),
                    help=(f"did you mean {' or '.join(f'`{n}`' for n in near)}?",) if near else ()))
    loader = Loader(limits)
    module = loader.open(Path(path), path)
    return Opened(module, model, tuple(loader.diagnostics))


def open_text(source: Source, limits: Limits = DEFAULT_LIMITS) -> Opened:
    """Read a spec from a text; its imports are looked up among the shipped specs."""
    loader = Loader(limits)
    module = loader.module(source)
    return Opened(module, None, tuple(loader.diagnostics))


def load(
    target: str | os.PathLike[str] | Source, *, parameters: Mapping[str, Any] | None = None,
    settings: Mapping[str, str] | None = None, training: bool = False, limits: Limits = DEFAULT_LIMITS,
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
    errors = [d for d in (*opened.diagnostics, *evaluation.diagnostics) if d.is_error]
    if errors or evaluation.graph is None:
        raise SpecError(in_order(errors))
    return evaluation.graph.with_training if training else evaluation.graph


def evaluate(
    opened: Opened, parameters: Mapping[str, Any], settings: Mapping[str, str], limits: Limits = DEFAULT_LIMITS,
) -> Evaluation:
    """Evaluate the model that was asked for."""
    module = opened.module
    names = list(module.models)
    imported = [n for n in module.names() if (o := module.origin(n)) and o[1] in o[0].models]
    if opened.model is None and not names:
        raise SpecError([*opened.diagnostics, no_model(module)])
    name = opened.model if opened.model is not None else names[-1]
    try:
        if opened.model is not None and name not in imported:
            near = nearest(name, imported)
            raise Problem("E221", f"there is no model `{name}` in {module.file.source.name}", None,
                          notes=(f"models there: {', '.join(imported) or 'none'}",),
                          help=(f"did you mean `{near[0]}`?",) if near else ())
        model, home, chain = module.model_chain(name)
        given = [Given(key, _native(value)) for key, value in parameters.items()]
        given += _parsed_settings(settings, home, limits)
        _known_parameters(model, given, name)
    except Problem as problem:
        diagnostic = problem.diagnostic
        if diagnostic.span is None and not diagnostic.place:
            diagnostic = replace(diagnostic, place=module.file.source.name)
        return Evaluation(None, (diagnostic,))
    return evaluate_model(model, home, chain, settings=tuple(given), limits=limits, name=name,
                          train=train_section(name, module, chain, home, model), doc=documentation(chain, model))


def documentation(chain: Sequence[tuple[ast.Variant, Module]], model: ast.Model) -> str:
    """The `##` lines of the variant that was asked for, or else of what it is a variant of."""
    for variant, _ in chain:
        if variant.doc:
            return variant.doc
    return model.doc


def train_section(
    name: str, module: Module, chain: Sequence[tuple[ast.Variant, Module]], home: Module, model: ast.Model,
) -> tuple[ast.Train, Module] | None:
    """The `train` section of a variant, or else of what it is a variant of."""
    places = [(name, module), *((v.base, m) for v, m in chain), (model.name, home)]
    for one, where in places:
        if one in where.trains:
            return where.trains[one], where
    return None


def check(
    target: str | os.PathLike[str] | Source, *, settings: Mapping[str, str] | None = None, strict: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Diagnostic]:
    """Everything that is wrong or suspicious in a file, in order of place.

    All its models and variants are evaluated, but for models that have parameters without a
    default.  `strict` adds a warning for every remainder that a window drops.
    """
    try:
        opened = open_text(target, limits) if isinstance(target, Source) else open_spec(target, limits)
    except SpecError as error:
        return list(error.diagnostics)
    found = list(opened.diagnostics)
    module = opened.module
    names = [opened.model] if opened.model is not None else list(module.models)
    found += check_definitions(module, limits)
    if not names and not module.blocks:
        found.append(no_model(module))
    for name in names:
        assert name is not None
        definition = module.models.get(name)
        if not settings and opened.model is None and definition is not None and is_open(name, module):
            continue
        evaluation = evaluate(replace(opened, model=name), {}, _relevant(settings or {}, name, module), limits)
        found += evaluation.diagnostics
        if strict and evaluation.graph is not None:
            from compiler.strict import remainders

            found += remainders(evaluation.graph)
    return in_order(found)


def _relevant(settings: Mapping[str, str], name: str, module: Module) -> Mapping[str, str]:
    """The settings that a model of the file has; with one model all of them, so that typos are told."""
    if len(module.models) < 2:
        return settings
    try:
        model, _, _ = module.model_chain(name)
    except Problem:
        return settings
    known = {p.name for p in model.parameters}
    everywhere = set()
    for other in module.models:
        try:
            everywhere |= {p.name for p in module.model_chain(other)[0].parameters}
        except Problem:
            continue
    return {k: v for k, v in settings.items() if k in known or k not in everywhere}


def check_definitions(module: Module, limits: Limits) -> list[Diagnostic]:
    """What is wrong with constants, names of definitions and `train` sections, whoever uses them."""
    from compiler.ops import OPS

    run = Run(GraphBuilder(""), limits)
    for name in module.lets:
        try:
            module.resolve(name, run)
        except Problem as problem:
            run.fail(problem)
    for name, span in module._spans.items():
        if name in OPS:
            run.warn("W201", f"`{name}` is also a layer; in this file it means yours", span,
                     help=("another name would be clearer",))
    for name, train in module.trains.items():
        if name not in module.models:
            near = nearest(name, module.models)
            run.report(Diagnostic("E221", f"there is no model `{name}` to train", train.name_span,
                                  help=(f"did you mean `{near[0]}`?",) if near else ()))
    return run.diagnostics


def is_open(name: str, module: Module) -> bool:
    """Whether a model has parameters that neither a default nor a variant gives."""
    try:
        model, _, chain = module.model_chain(name)
    except Problem:
        return False
    given = {a.name for v, _ in chain for a in v.arguments if a.name is not None}
    by_position = sum(a.name is None for v, _ in chain for a in v.arguments)
    return any(p.default is None and p.name not in given for p in model.parameters[by_position:])


def no_model(module: Module) -> Diagnostic:
    return Diagnostic("E220", "the file has no model", place=module.file.source.name,
                      help=("`model name { input image: [3, 224, 224] ... }`",))


def in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Each diagnostic once, sorted by file and place."""
    unique: dict[Any, Diagnostic] = {}
    for one in diagnostics:
        at = (one.span.source.name, one.span.start, one.span.end) if one.span else (one.place, -1, one.message)
        unique.setdefault((one.code, at), one)
    return sorted(unique.values(), key=lambda d: (
        d.span.source.name if d.span else d.place, d.span.start if d.span else -1, d.code))


def _known_parameters(model: ast.Model, given: Sequence[Given], name: str) -> None:
    known = [p.name for p in model.parameters]
    for one in given:
        if one.name not in known:
            near = nearest(one.name or "", known)
            raise Problem("E229", f"the model `{name}` has no parameter `{one.name}`", None,
                          notes=(f"its parameters are {', '.join(known) or 'none'}",),
                          help=(f"did you mean `{near[0]}`?",) if near else ())


def _native(value: Any) -> Any:
    """A value of Python's as the language has it: lists and arrays become lists, words become words."""
    if isinstance(value, str):
        return Word(value) if value in WORDS else value
    if isinstance(value, tuple):
        return tuple([_native(v) for v in value])
    if isinstance(value, list):
        return ListValue([_native(v) for v in value])
    index = getattr(value, "__index__", None)
    if index is not None and not isinstance(value, (bool, int)):
        return int(index())
    return value


def _parsed_settings(settings: Mapping[str, str], module: Module, limits: Limits) -> list[Given]:
    """Values of `--set name=value`, each an expression of the language."""
    from compiler.evaluate.expressions import evaluate as evaluate_expression

    found = []
    for name, text in settings.items():
        source = Source(f"--set {name}", text)
        run = Run(GraphBuilder(""), limits)
        context = Context(run, Env(module.env), Flow(None), Namer((), False), run.builder.root,
                          Frame(name, None), module)
        try:
            expr = parse_expression(source, limits)
            found.append(Given(name, evaluate_expression(expr, context), ast.Argument(expr.span, name, expr)))
        except SpecError as error:
            first = error.diagnostics[0]
            raise Problem(first.code, first.message, first.span, label=first.label, notes=first.notes,
                          help=first.help) from None
        except Poisoned:
            raise Problem("E210", "the value is unknown", None) from None
    return found
