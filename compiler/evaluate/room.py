"""Room on the interpreter's stack, in one piece.

CPython keeps the frames of Python functions in pieces of 16 KiB, some thirty calls, and returns a piece
to the system as soon as it is empty.  A recursion that goes to and fro over such a border asks for the
same piece again with every call, which takes half of its time.  A function that claims to need a large
stack gets one large piece, and what it calls lives in the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Just over a power of two words, so that a piece of twice as much is taken: half of it (1 MiB) is free.
_WORDS = (1 << 17) + 1000


def with_room(function: Callable[P, R]) -> Callable[P, R]:
    """The function, called where the stack has room.  The memory is only touched as it is used."""

    @wraps(function)
    def spacious(*arguments: P.args, **named: P.kwargs) -> R:
        return function(*arguments, **named)

    code: CodeType = spacious.__code__  # type: ignore[attr-defined]  # what `wraps` gives is a function
    spacious.__code__ = code.replace(co_stacksize=_WORDS)  # type: ignore[attr-defined]
    return spacious
