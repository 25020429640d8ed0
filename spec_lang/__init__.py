"""Text to AST and back: grammar, parser, places, diagnostics, formatter.

Importing the package costs nothing; a name is loaded with its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spec_lang.diagnostics import Diagnostic, Error, Label, SpecError, nearest
    from spec_lang.formatter import format_source
    from spec_lang.limits import DEFAULT_LIMITS, Limits
    from spec_lang.parser import decode, parse, parse_expression
    from spec_lang.render import render_json, render_text
    from spec_lang.silence import audible, silenced
    from spec_lang.source import Source, Span

_MODULES = {
    # texts
    "Source": "source",
    "Span": "source",
    "decode": "parser",
    "parse": "parser",
    "parse_expression": "parser",
    "format_source": "formatter",
    # what can be wrong with them
    "Diagnostic": "diagnostics",
    "Error": "diagnostics",
    "Label": "diagnostics",
    "SpecError": "diagnostics",
    "nearest": "diagnostics",
    "render_json": "render",
    "render_text": "render",
    "audible": "silence",
    "silenced": "silence",
    # how much of them is read
    "DEFAULT_LIMITS": "limits",
    "Limits": "limits",
}

__all__ = [
    "DEFAULT_LIMITS",
    "Diagnostic",
    "Error",
    "Label",
    "Limits",
    "Source",
    "Span",
    "SpecError",
    "audible",
    "decode",
    "format_source",
    "nearest",
    "parse",
    "parse_expression",
    "render_json",
    "render_text",
    "silenced",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
