"""All the words that some layer or setting takes as a choice."""

from __future__ import annotations

from compiler.declare import Declared, words_of
from compiler.elsewhere import layer_meant
from compiler.evaluate.problems import Problem
from compiler.initial import INITIALISERS
from compiler.ops import OPS
from compiler.preprocess import PREPROCESS
from compiler.training import LOSSES, METRICS, OPTIMIZERS, SCHEDULES
from spec_lang.source import Span

_DECLARED: dict[str, type[Declared]] = {
    **INITIALISERS, **PREPROCESS, **LOSSES, **OPTIMIZERS, **SCHEDULES,
}

#: Bare words that mean themselves wherever no name of the user's is in the way.
WORDS: frozenset[str] = words_of([*OPS.values(), *_DECLARED.values()]) | {"none", *METRICS, *_DECLARED}


def unknown_call(name: str, span: Span) -> Problem:
    """A word that is called where only a function or a layer can be."""
    meant = layer_meant(name, OPS)
    return Problem("E201", f"`{name}` is neither a function nor a layer", span,
                   help=(f"did you mean `{meant}`?",) if meant else ())
