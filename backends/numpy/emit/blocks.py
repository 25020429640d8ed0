"""The class of a block, and how the class around it makes its instances."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence

from backends.layout import Bracket, Comprehension, lines_of
from backends.numpy.emit.body import Body
from backends.numpy.emit.classes import Classes, Plan
from backends.numpy.emit.lines import WIDTH, put, reads, write_signature, write_statements
from backends.numpy.emit.network import Statement
from backends.numpy.emit.scopes import Run, Unit, counted_paths
from backends.writer import Hole, Writer, comment, formatted, literal
from compiler.ops.checks import listed


def write_block(writer: Writer, plan: Plan, classes: Classes) -> None:
    """A class with its constructor, `forward` and `backward`."""
    writer.blank(2)
    writer.line(f"class {plan.name}:")
    with writer.indent():
        _write_docstring(writer, plan)
        writer.blank()
        taken = [
            f"{p.name}: {_type_of(p.texts)}" + (f" = {p.default}" if p.default is not None else "")
            for p in plan.parameters
        ]
        write_signature(writer, "__init__", ["path: str", *taken], "None")
        with writer.indent():
            writer.line("self.path = path")
            for parameter, attribute in plan.stored.items():
                writer.line(f"self.{attribute} = {parameter}")
            write_inner(writer, plan.body, classes, plan.inner)
        writer.blank()
        _write_forward(writer, plan)
        writer.blank()
        _write_backward(writer, plan)


def _write_docstring(writer: Writer, plan: Plan) -> None:
    scope = plan.body.unit.scope
    doc = comment(" ".join(scope.doc.split())) or f"The block `{comment(scope.name)}`."
    lines = textwrap.wrap(doc, WIDTH - 12)
    letters = sorted(
        {
            letter
            for one in (*plan.forward, *plan.backward)
            for letter in re.findall(r"[A-Z]\d*", one.remark)
            if letter != "N"
        }
    )
    notes = ["The names of its weights begin with `path`."]
    if letters:
        verb = "stands" if len(letters) == 1 else "stand"
        notes.append(f"{listed(letters)} {verb} for extents that are not the same everywhere.")
    writer.line(f'"""{lines[0]}')
    for line in lines[1:]:
        writer.line(line)
    writer.blank()
    for line in textwrap.wrap("  ".join(notes), WIDTH - 12):
        writer.line(line)
    writer.line('"""')


def _type_of(texts: Sequence[str]) -> str:
    """The annotation of a parameter with these values."""

    def one(value: object) -> str:
        if isinstance(value, tuple):
            return f"tuple[{', '.join(map(one, value))}]"
        return type(value).__name__ if value is not None else "None"

    return " | ".join(sorted({one(ast.literal_eval(text)) for text in texts}))


def _write_forward(writer: Writer, plan: Plan) -> None:
    body = plan.body
    taken = [f"{name}: Array" for name in body.parameters]
    taken += ["weights: Arrays", "saved: Saved"]
    taken += ["generator: np.random.Generator"] if body.unit.drops else []
    results = [body.local(value) for value in body.unit.outputs]
    write_signature(writer, "forward", taken, _arrays(len(results)))
    with writer.indent():
        _write_parts(writer, plan.forward, ("w", "s"))
        write_statements(writer, plan.forward, "saved.training")
        writer.line(f"return {', '.join(results)}")


def _write_backward(writer: Writer, plan: Plan) -> None:
    body = plan.body
    taken = [f"{name}: Array" for name in body.backward.arguments]
    taken += ["weights: Arrays", "saved: Saved", "gradients: Arrays"]
    rest = plan.rest
    if rest is not None:
        taken += ["inputs: bool = True"]
    gives = [body.backward.of(value) for value in body.backward.gives]
    write_signature(writer, "backward", taken, _arrays(len(gives)))
    with writer.indent():
        _write_parts(writer, plan.backward, ("w", "s", "g"))
        if rest is None or rest >= len(plan.backward):
            write_statements(writer, plan.backward, "saved.training")
        else:
            write_statements(writer, plan.backward[:rest], "saved.training")
            writer.line("if not inputs:")
            writer.line("    return " + ", ".join(["None"] * len(gives)))
            write_statements(writer, plan.backward[rest:], "saved.training")
        if gives:
            writer.line(f"return {', '.join(gives)}")
        elif not plan.backward:
            writer.line("return None")


def uses_parts(plan: Plan) -> bool:
    """Whether the class reads or keeps anything under its path."""
    return any(reads((*plan.forward, *plan.backward), name) for name in "wsg")


def _arrays(count: int) -> str:
    if count <= 1:
        return "Array" if count else "None"
    return f"tuple[{', '.join(['Array'] * count)}]"


def _write_parts(writer: Writer, statements: Sequence[Statement], names: Sequence[str]) -> None:
    """What belongs to the block among all weights, of what was kept, and of the gradients."""
    whole = {"w": "weights", "s": "saved", "g": "gradients"}
    used = [name for name in names if reads(statements, name)]
    if used:
        parts = [f"Part({whole[name]}, self.path)" for name in used]
        writer.line(f"{', '.join(used)} = {', '.join(parts)}")


def write_inner(
    writer: Writer, body: Body, classes: Classes, arguments: Sequence[Sequence[tuple[str, str]]] | None = None
) -> None:
    """The instances that a class holds.  `arguments` are those of each block inside, in their order."""
    given = iter(arguments or ())
    for item in body.items:
        if not isinstance(item, (Unit, Run)):
            continue
        units = item.units if isinstance(item, Run) else [item]
        rows = [classes.arguments(unit) if arguments is None else list(next(given)) for unit in units]
        name = classes.places[units[0]].plan.name
        paths = [body.unit.relative(unit.path) for unit in units]
        start = f"self.{body.attribute(item)} = "
        if isinstance(item, Unit):
            put(writer, lines_of(start, _made(name, _path(body, paths[0]), rows[0]), "", 2, width=WIDTH))
            continue
        counted = counted_paths(paths)
        if counted is not None and all(row == rows[0] for row in rows):
            before, first, after = counted
            parts = [before, Hole("i"), after]
            path = formatted(*([Hole("path"), "."] if body.in_block else []), *parts)
            clause = f"for i in range({f'{first}, ' if first else ''}{first + len(units)})"
            tree = Bracket("[", (Comprehension(_made(name, path, rows[0]), clause),), "]")
        else:
            made = [_made(name, _path(body, p), row) for p, row in zip(paths, rows, strict=True)]
            tree = Bracket("[", tuple(made), "]")
        put(writer, lines_of(start, tree, "", 2, width=WIDTH))


def _made(name: str, path: str, arguments: Sequence[tuple[str, str]]) -> Bracket:
    return Bracket(f"{name}(", (path, *(f"{own}={text}" for own, text in arguments)), ")")


def _path(body: Body, relative: str) -> str:
    return formatted(Hole("path"), f".{relative}") if body.in_block else literal(relative)
