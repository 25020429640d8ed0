"""Faults of declarations, tied to places: the argument or the layer, and where its inputs came from."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.declare import Declared, Fault, Given
from compiler.evaluate.problems import Problem
from compiler.graph import Value
from spec_lang.diagnostics import Label
from spec_lang.source import Span

#: Codes that speak of the arguments alone, so that the input is of no interest.
_ARGUMENTS_ALONE = ("E310", "E311", "E314", "E315")


def positional(declared: type[Declared]) -> tuple[str, ...]:
    """The names of the arguments that go by position."""
    return tuple([a.name for a in declared.args() if a.positional])


def explained(
    fault: Fault,
    given: Sequence[Given],
    inputs: Sequence[Value],
    span: Span,
    order: Sequence[str] = (),
) -> Problem:
    """The problem of a fault.  `order` names the arguments that may have been given by position."""
    at = span
    if fault.argument is not None:
        position = -1
        for one in given:
            position += one.name is None
            name = one.name or (order[position] if position < len(order) else None)
            if name == fault.argument or (one.name is None and fault.argument == f"#{position}"):
                at = getattr(one.place, "span", at)
    labels, notes = [], list(fault.notes)
    shown = fault.inputs or ((0,) if inputs and fault.code not in _ARGUMENTS_ALONE else ())
    for i in shown:
        value = inputs[i] if i < len(inputs) else None
        if value is None or value.span is None:
            continue
        if len(shown) > 1:
            labels.append(
                Label(value.span, f"`{value.name}`: {value.type}" if value.name else f"{value.type}")
            )
        else:
            notes.insert(0, f"input here: {value.type}, from {origin(value, span)}")
    return Problem(
        fault.code, fault.message, at, label=fault.label, labels=labels, notes=notes, help=fault.help
    )


def origin(value: Value, here: Span) -> str:
    """Where a tensor came from, for a note: "`input image` on line 3"."""
    assert value.span is not None
    text = value.span.text
    if text.startswith("input"):
        text = text.split(":")[0]
    text = " ".join(text.split())
    file = "" if value.span.source is here.source else f" of {value.span.source.name}"
    return f"`{text if len(text) <= 60 else text[:57] + '...'}` on line {value.span.line}{file}"
