"""Writing source text: lines with indentation, unique names, and safe ways to quote foreign text."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Writer:
    """Lines of Python with a current indentation."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def line(self, text: str = "") -> None:
        """One line; `text` holds no line break."""
        assert "\n" not in text and "\r" not in text, text
        self._lines.append("    " * self._depth + text if text else "")

    def lines(self, text: str) -> None:
        """Several lines, each indented."""
        for one in text.splitlines():
            self.line(one)

    def blank(self, count: int = 1) -> None:
        """So many blank lines, counting those that stand there already."""
        while self._lines and not self._lines[-1]:
            self._lines.pop()
        if self._lines:
            self._lines.extend([""] * count)

    @contextmanager
    def indent(self) -> Iterator[None]:
        self._depth += 1
        yield
        self._depth -= 1

    def text(self) -> str:
        """All of it, with one line end at the end."""
        return "\n".join(self._lines).rstrip("\n") + "\n"


# `__class__` is what `super()` reads; the letters are taken for digits.
_RESERVED = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "__class__", "l", "O", "I"})
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def identifier(text: str) -> str:
    """A Python identifier for a path or name: other characters become `_`, a digit gets an `_` in front."""
    made = re.sub(r"[^A-Za-z0-9_]", "_", text) or "_"
    return f"_{made}" if made[0].isdigit() else made


class Names:
    """Unique identifiers of one scope of generated code.

    Keywords, builtins and what is `reserved` get a trailing `_`; a clash gets `_2`, `_3`, ...
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken: set[str] = set(reserved) | _RESERVED

    def fresh(self, wanted: str) -> str:
        name = identifier(wanted)
        if name in self._taken and (name in _RESERVED):
            name = f"{name}_"
        base, count = name.rstrip("_") or name, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


def is_identifier(text: str) -> bool:
    """Whether the text can stand as a Python name as it is."""
    return _IDENTIFIER.fullmatch(text) is not None and not keyword.iskeyword(text)


def comment(text: str) -> str:
    """Foreign text as it may stand in a comment or docstring: one printable line that cannot break out."""
    hidden = ("Cf", "Zl", "Zp")
    shown = "".join(
        c if c.isprintable() and unicodedata.category(c) not in hidden else f"<U+{ord(c):04X}>" for c in text
    )
    return shown.replace("\\", "\\\\").replace('"""', "'''")


def literal(text: str) -> str:
    """Foreign text as a Python string literal: ASCII, one line, in double quotes."""
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


class Hole(str):
    """An expression in a formatted string."""


def formatted(*parts: str) -> str:
    """A formatted string of holes and, between them, foreign text."""
    made = ""
    for part in parts:
        text = literal(part)[1:-1].replace("{", "{{").replace("}", "}}")
        made += f"{{{part}}}" if isinstance(part, Hole) else text
    return f'f"{made}"'


def pascal(name: str) -> str:
    """`conv_bn` -> `ConvBn`; a name that begins with a capital stays."""
    if name[:1].isupper() and name.isidentifier():
        return name
    made = ""
    for part in name.replace("-", "_").split("_"):
        # Two numbers stay apart: lenet5_1998 is Lenet5_1998.
        made += ("_" if made[-1:].isdigit() and part[:1].isdigit() else "") + part[:1].upper() + part[1:]
    return made or "Module"
