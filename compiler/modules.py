"""Files and what they define: imports, blocks, models, variants, constants."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.evaluate.context import Context, Run
from compiler.evaluate.problems import Exhausted, Poisoned, Problem
from compiler.evaluate.values import UNKNOWN, BlockValue, Env, FunctionValue
from spec_lang import syntax as ast
from spec_lang.diagnostics import Diagnostic, Label, SpecError, nearest
from spec_lang.frozen import frozen
from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.parser import decode, parse
from spec_lang.source import Source, Span

SHIPPED = Path(__file__).resolve().parent.parent / "specs"


class Module:
    """The definitions of one file and what it imports.

    `env` is the outermost scope of everything in the file: empty, since definitions are
    looked up by `resolve` (their order does not matter), but it marks where a file begins.
    """

    def __init__(self, file: ast.File) -> None:
        self.file = file
        self.env = Env()
        self.blocks: dict[str, ast.Block] = {}
        self.lets: dict[str, ast.Let | ast.Function] = {}
        self.models: dict[str, ast.Model | ast.Variant] = {}
        self.trains: dict[str, ast.Train] = {}
        self.imported: dict[str, tuple[Module, str]] = {}
        self._spans: dict[str, Span] = {}
        self._values: dict[str, Any] = {}
        self._problems: dict[str, Problem] = {}  # of constants: each run that needs one reports it
        self._pending: set[str] = set()
        #: Where the text has mistakes, by offset, sorted: what stands there was not understood.
        self.damage: tuple[int, ...] = ()

    def define(self, definition: ast.Definition) -> Diagnostic | None:
        """Take in a definition; a diagnostic where its name is taken."""
        if isinstance(definition, ast.Import):
            return None
        if isinstance(definition, ast.Train):
            if definition.name in self.trains:
                return self._twice(
                    f"train {definition.name}", definition.name_span, self.trains[definition.name].name_span
                )
            self.trains[definition.name] = definition
            return None
        name = definition.name
        if name in self._spans:
            return self._twice(name, definition.name_span, self._spans[name])
        self._spans[name] = definition.name_span
        if isinstance(definition, ast.Block):
            self.blocks[name] = definition
        elif isinstance(definition, (ast.Let, ast.Function)):
            self.lets[name] = definition
        else:
            self.models[name] = definition
        return None

    def take_in(self, name: str, span: Span, module: Module) -> Diagnostic | None:
        """Import a name from another module."""
        if name in self._spans:
            return self._twice(name, span, self._spans[name])
        self._spans[name] = span
        self.imported[name] = (module, name)
        return None

    @staticmethod
    def _twice(name: str, span: Span, first: Span) -> Diagnostic:
        return Diagnostic(
            "E226", f"`{name}` is defined twice", span, labels=(Label(first, "first defined here"),)
        )

    def origin(self, name: str) -> tuple[Module, str] | None:
        """Where a name that this file defines or imports was defined."""
        module: Module = self
        while name in module.imported:
            module, name = module.imported[name]
        return (module, name) if name in module._spans else None

    def names(self) -> Iterator[str]:
        return iter(self._spans)

    def spans(self) -> Mapping[str, Span]:
        """Where each name is defined or imported."""
        return self._spans

    def leave_unknown(self, name: str, span: Span) -> None:
        """Take a name for known although its import failed, so that its users stay silent."""
        if name not in self._spans:
            self._spans[name] = span
            self._values[name] = UNKNOWN

    def defines(self, name: str) -> bool:
        """Whether the name is a block, constant or function here."""
        found = self.origin(name)
        return found is not None and (found[1] in found[0].blocks or found[1] in found[0].lets)

    def resolve(self, name: str, run: Run, span: Span | None = None) -> Any:
        """The value of a block or constant, used at `span`; None where this file has no such name."""
        if name not in self._spans:
            return None
        found = self.origin(name)
        if found is None:
            return None
        module, name = found
        if name in module.blocks:
            return BlockValue(module.blocks[name], module)
        if name in module.lets:
            return module._constant(name, run)
        if name in module.models:
            raise Problem(
                "E210",
                f"`{name}` is a model; a model is no layer",
                span,
                help=("make a `block` of what both use",),
            )
        return UNKNOWN

    def _constant(self, name: str, run: Run) -> Any:
        from compiler.evaluate.expressions import evaluate

        definition = self.lets[name]
        if isinstance(definition, ast.Function):
            return FunctionValue(definition, self.env, self)
        if name in self._problems:
            run.fail(self._problems[name])
        elif name in self._pending:
            raise Problem("E228", f"`{name}` is defined by itself", definition.name_span)
        elif name not in self._values:
            self._pending.add(name)
            run.constants += 1
            try:
                self._values[name] = evaluate(definition.value, Context.outside(run, self, name))
            except Exhausted:
                raise
            except Problem as problem:
                self._problems[name] = problem
                run.fail(problem)
            except Poisoned:
                self._values[name] = UNKNOWN
            finally:
                self._pending.remove(name)
        if self._values.get(name, UNKNOWN) is UNKNOWN:
            run.failed = True
            return UNKNOWN
        return self._values[name]

    def model_chain(
        self,
        name: str,
        span: Span | None = None,
    ) -> tuple[ast.Model, Module, tuple[tuple[ast.Variant, Module], ...]]:
        """The model behind a name, its module, and the variants on the way, the named one first."""
        chain: list[tuple[ast.Variant, Module]] = []
        module, at = self, span
        while True:
            found = module.origin(name)
            if found is None or found[1] not in found[0].models:
                if found is not None and found[1] in found[0]._values and found[1] not in found[0].lets:
                    raise Poisoned  # its import failed
                candidates = module.model_names()
                near = nearest(name, candidates)
                raise Problem(
                    "E221",
                    f"there is no model `{name}`",
                    at,
                    notes=(f"models here: {', '.join(candidates)}",) if candidates else (),
                    help=(f"did you mean `{near[0]}`?",) if near else (),
                )
            module, name = found
            definition = module.models[name]
            if isinstance(definition, ast.Model):
                return definition, module, tuple(chain)
            seen = [position for position, (variant, _) in enumerate(chain) if variant is definition]
            if seen:
                circle = [variant for variant, _ in chain[seen[0] :]]
                first = min(circle, key=lambda one: (one.name_span.source.name, one.name_span.start))
                raise Problem(
                    "E228",
                    f"the variant `{first.name}` is defined by itself",
                    first.name_span,
                    help=("let it be a variant of a model with a body",),
                )
            chain.append((definition, module))
            name, at = definition.base, definition.base_span

    def model_names(self) -> list[str]:
        """The models and variants that this file defines or imports."""
        return [n for n in self.names() if (o := self.origin(n)) is not None and o[1] in o[0].models]


@frozen
class Target:
    """A model or variant that was asked for, and what its name leads to.

    `module` is where it was asked for; `model` stands in `home`; `variants` are on the way, the
    one that was asked for first, each with its file.
    """

    name: str
    module: Module
    model: ast.Model
    home: Module
    variants: tuple[tuple[ast.Variant, Module], ...]

    @classmethod
    def of(cls, name: str, module: Module) -> Target:
        """Raises `Problem` (E221, E228), or `Poisoned` where an import failed."""
        return cls(name, module, *module.model_chain(name))

    @property
    def open_parameters(self) -> tuple[ast.Parameter, ...]:
        """The parameters that no variant on the way gives."""
        remaining = list(self.model.parameters)
        for variant, _ in reversed(self.variants):
            by_position = sum(a.name is None for a in variant.arguments)
            named = {a.name for a in variant.arguments}
            remaining = [p for p in remaining[by_position:] if p.name not in named]
        return tuple(remaining)

    @property
    def doc(self) -> str:
        """The `##` lines of the variant that was asked for, or else of what it is a variant of."""
        return next((v.doc for v, _ in self.variants if v.doc), self.model.doc)

    @property
    def train(self) -> tuple[ast.Train, Module] | None:
        """The `train` section of the variant that was asked for, or else of what it is a variant of."""
        places = [
            (self.name, self.module),
            *((v.base, m) for v, m in self.variants),
            (self.model.name, self.home),
        ]
        for name, module in places:
            if name in module.trains:
                return module.trains[name], module
        return None


#: The shipped files that have been parsed, by their names in messages, with their limits.
_shipped: dict[tuple[str, Limits], ast.File] = {}


def forget_parsed() -> None:
    """Have shipped files parsed anew, as in a process that has just begun: to measure what that takes."""
    _shipped.clear()


def _parsed(source: Source, path: Path | None, limits: Limits) -> ast.File:
    """The AST of a text; that of a shipped file is kept, for they are few and are loaded again and again."""
    if path is None or not path.is_relative_to(SHIPPED):
        return parse(source, limits)
    key = (source.name, limits)
    known = _shipped.get(key)
    if known is None or known.source.text != source.text:
        known = _shipped[key] = parse(source, limits)
    return known


def _readable(file: ast.File, damage: Sequence[int]) -> ast.File:
    """The file without the definitions whose heads were not understood."""

    def understood(definition: ast.Definition) -> bool:
        body = getattr(definition, "body", None)
        inner = (body.span.start, body.span.end) if isinstance(body, ast.Body) else (0, 0)
        start, end = definition.span.start, definition.span.end
        return not any(start <= at < end and not inner[0] <= at < inner[1] for at in damage)

    return ast.File(file.source, tuple(d for d in file.definitions if understood(d)), file.comments)


class Loader:
    """Reads files, each once, and ties imports together.

    Everything that is read lies under the folder of the first file or among the shipped specs.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.diagnostics: list[Diagnostic] = []
        self.root: Path | None = None
        self._folder = ""
        self._modules: dict[Path, Module | None] = {}  # None: has errors of its own
        self._stack: list[Path] = []
        self._parsed: list[ast.File] = []
        self._files = 0

    @property
    def files(self) -> tuple[ast.File, ...]:
        """Every file that was read, the first one first."""
        return tuple(self._parsed)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where every file lies that was read."""
        return tuple([str(path) for path in self._modules])

    def open(self, path: Path, shown: str | None = None) -> Module:
        """The module of the file that was asked for.  Raises `SpecError`."""
        source = read_source(path, shown or str(path), self.limits)
        resolved = path.resolve()
        self.root = resolved.parent
        self._folder = os.path.dirname(source.name)
        return self.module(source, resolved)

    def module(self, source: Source, path: Path | None = None) -> Module:
        """The module of a text; `path` tells from where its imports are relative."""
        damage: tuple[int, ...] = ()
        try:
            file = _parsed(source, path, self.limits)
        except SpecError as error:
            if error.partial is None or self._stack:
                raise
            # What could be read is evaluated all the same, so that one run tells all mistakes.
            damage = tuple(sorted(d.span.start for d in error.diagnostics if d.span is not None))
            file = _readable(error.partial, damage)
            self.diagnostics.extend(error.diagnostics)
        self._parsed.append(file)
        module = Module(file)
        module.damage = damage
        if path is not None:
            self._modules[path] = module
            self._stack.append(path)
        for definition in file.definitions:
            problem = module.define(definition)
            if problem is not None:
                self.diagnostics.append(problem)
        for definition in file.definitions:
            if isinstance(definition, ast.Import):
                try:
                    self._import(module, definition, path)
                except Problem as problem:
                    self.diagnostics.append(problem.diagnostic)
                    for name, span in definition.names:
                        module.leave_unknown(name, span)
        if path is not None:
            self._stack.pop()
        return module

    def _import(self, module: Module, statement: ast.Import, importer: Path | None) -> None:
        path = self._locate(statement, importer)
        if path in self._stack:
            cycle = " -> ".join(p.name for p in [*self._stack[self._stack.index(path) :], path])
            raise Problem(
                "E218",
                f"files import each other: {cycle}",
                statement.path_span,
                help=("move what both need into a third file",),
            )
        if path not in self._modules:
            self._files += 1
            if self._files > self.limits.imported_files:
                raise Problem(
                    "E416", f"more than {self.limits.imported_files} imported files", statement.path_span
                )
            if len(self._stack) > self.limits.import_depth:
                raise Problem(
                    "E417",
                    f"imports are nested more than {self.limits.import_depth} deep",
                    statement.path_span,
                )
            self._modules[path] = None
            try:
                source = read_source(path, self._shown(path), self.limits)
                self.module(source, path)
            except SpecError as error:
                self.diagnostics.extend([self._at_import(d, statement) for d in error.diagnostics])
        other = self._modules[path]
        for name, span in statement.names:
            if other is None:  # its errors are reported at their own places
                module.leave_unknown(name, span)
                continue
            if other.origin(name) is None:
                near = nearest(name, other.names())
                self.diagnostics.append(
                    Diagnostic(
                        "E219",
                        f'"{statement.path}" defines no `{name}`',
                        span,
                        notes=(f"it defines {', '.join(other.names()) or 'nothing'}",),
                        help=(f"did you mean `{near[0]}`?",) if near else (),
                    )
                )
                module.leave_unknown(name, span)
                continue
            problem = module.take_in(name, span, other)
            if problem is not None:
                self.diagnostics.append(problem)

    @staticmethod
    def _at_import(diagnostic: Diagnostic, statement: ast.Import) -> Diagnostic:
        """What is wrong with an imported file: at its place there, or else at the import."""
        if diagnostic.span is not None:
            return diagnostic
        code = "E217" if diagnostic.code == "E230" else diagnostic.code
        return Diagnostic(code, f'"{statement.path}": {diagnostic.message}', statement.path_span)

    def _shown(self, path: Path) -> str:
        """The name of an imported file in messages: from the folder of the first, as that was named."""
        for base, prefix in ((self.root, self._folder), (SHIPPED, "specs")):
            if base is not None and path.is_relative_to(base):
                return os.path.join(prefix, path.relative_to(base).as_posix())
        return path.name

    def _locate(self, statement: ast.Import, importer: Path | None) -> Path:
        """The file that an import means: relative to its own file, then among the shipped specs."""
        text, span = statement.path, statement.path_span
        if not text or "\0" in text or os.path.isabs(text) or len(text) > 4096:
            raise Problem("E217", 'an import is a relative path, such as "blocks.cnn"', span)
        if not text.endswith(".cnn"):
            raise Problem(
                "E217", f'"{text}" is no spec: its name does not end in .cnn', span, help=(f'"{text}.cnn"',)
            )
        candidates = [importer.parent / text] if importer is not None else []
        candidates.append(SHIPPED / text)
        outside = False
        for candidate in candidates:
            try:
                resolved = candidate.resolve()
                exists = resolved.exists()
            except (OSError, RuntimeError, ValueError):
                continue
            roots = [root for root in (self.root, SHIPPED.resolve()) if root is not None]
            if not any(resolved.is_relative_to(root) for root in roots):
                outside = True
                continue
            if exists:
                return resolved
        if outside:
            raise Problem(
                "E217",
                f'"{text}" leads outside the folder of the first file',
                span,
                notes=("an import stays within the folder of the first file, or among the shipped specs",),
            )
        raise Problem(
            "E217",
            f'there is no "{text}"',
            span,
            notes=("looked beside this file and among the shipped specs",),
        )


def read_source(path: Path, shown: str, limits: Limits) -> Source:
    """Read a spec: a regular file, its size looked at first.  Raises `SpecError` (E230, E401, E101)."""
    try:
        # Non-blocking, so that a FIFO without a writer does not hang us before we have looked at it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(Diagnostic("E230", f"the spec cannot be read: {reason}", place=shown)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SpecError(Diagnostic("E230", "the spec cannot be read: it is not a regular file", place=shown))
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limits.source_bytes + 1)
        if data is None:  # a file of the system's own that would wait for more
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    except OSError as error:
        reason = error.strerror
        raise SpecError(Diagnostic("E230", f"the spec cannot be read: {reason}", place=shown)) from None
    return decode(data, shown, limits)
