"""A row of the table: a bad input, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: A file's content, or what makes it at this path.
Content = str | bytes | Callable[[Path], None]


@dataclass(frozen=True)
class Row:
    """One bad input.

    `argv` is the command line after `cnnc`, run in a folder that holds `files`.  `codes` are those of all
    errors, in the order in which they are shown; `place` is that of the first (`file:line:column`, or `file:byte`
    or a file's name).  With `api` the same is asked of the Python API.
    """

    name: str
    argv: tuple[str, ...]
    files: Mapping[str, Content]
    codes: tuple[str, ...]
    place: str = ""
    status: int = 1
    seconds: float = 2.0
    api: bool = True
    stdin: str = ""
    says: str = ""
    prints: bool = False
    long: bool = False


def row(name: str, command: str | tuple[str, ...], files: Mapping[str, Content], codes: str, place: str = "",
        *, status: int | None = None, seconds: float = 2.0, api: bool = True, stdin: str = "",
        says: str = "", prints: bool = False, long: bool = False) -> Row:
    """A row; the exit status follows from the codes where none is given."""
    argv = tuple(command.split()) if isinstance(command, str) else command
    wanted = tuple(codes.split())
    if status is None:
        first = wanted[0] if wanted else ""
        status = 0 if not wanted else 2 if first in ("E950", "E951") else 3 if first[:2] == "E9" else 1
    return Row(name, argv, files, wanted, place, status, seconds, api and status != 2, stdin, says, prints, long)


def spec(text: str, name: str = "a.cnn") -> dict[str, Content]:
    """The files of a row with one spec."""
    return {name: text}


def body(*lines: str, before: str = "", input: str = "x: [3, 16, 16]") -> dict[str, Content]:
    """One spec, `a.cnn`, whose model has these lines, from line 3 and column 5 (if nothing is before it)."""
    inner = "".join(f"    {line}\n" for line in lines)
    return {"a.cnn": f"{before}model m {{\n    input {input}\n{inner}}}\n"}


#: A sound spec with 195 weights, in two tensors.
SMALL = "model m {\n    input x: [1, 8, 8]\n    flatten -> fc(3)\n    output y\n}\n"
