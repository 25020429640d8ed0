"""Members of a sequence that repeat, as a comprehension.

`Bottleneck(256)` five times becomes `*(Bottleneck(256) for _ in range(5))`; `DenseLayer(64)` as
`denselayer1`, `DenseLayer(96)` as `denselayer2`, ... become `f"denselayer{i}"` and `DenseLayer(32 + 32 * i)`.
Numbers that differ stand as literals of their own, in a tuple or in a plain string, and grow evenly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from itertools import count as count_from
from typing import Any

from backends.layout import Bracket, Comprehension, Named, flat, lines_of

#: So many members make a comprehension where they are equal but for their labels ...
EQUAL = 3
#: ... and so many where a reader has to work out their arguments.
GROWING = 4

_NUMBERS = re.compile(r"-?\d+|\((?:-?\d+, )*-?\d+,?\)")
#: Strings that may become f-strings: nothing in them has a meaning there, but `{path}`, which has it already.
_PLAIN = re.compile(r'"[A-Za-z0-9_./-]*"|f"(?:[A-Za-z0-9_./-]|\{[a-z_0-9]+\})*"')
_IN_NUMBERS = re.compile(r"(-?\d+)")
_IN_STRING = re.compile(r"(?:\{\w+\})|(0|[1-9]\d*)(?!\d)")
#: An extent that is a number, in the text of a shape.
_EXTENT = re.compile(r"(?<=[(, ])(\d+)(?=[,)])")


@dataclass(frozen=True)
class Member:
    """One member: its label as a literal (nothing where its place says it), how it is made, its shape."""

    label: str
    tree: Any
    note: str = ""


@dataclass(frozen=True)
class Run(Member):
    """Members that `clause` counts: `for i in range(1, 7)`; their `shape` is what `note` says, if it does."""

    clause: str = ""
    shape: str = ""


def runs(members: Sequence[Member], depth: int) -> list[Member]:
    """The members, which stand `depth` steps in, with those that repeat as one `Run` where that is shorter.

    A shape is said where it changes.
    """
    parts = [_Parts(member) for member in members]
    made: list[Member] = []
    start, said = 0, ""
    while start < len(members):
        end = _end(parts, start)
        one = members[start]
        run = _run(members[start:end], parts[start:end]) if end - start >= EQUAL else None
        if run and _shorter(run, one, end - start, depth):
            one = run
        else:
            end = start + 1
        made.append(replace(one, note="") if made and one.note == said else one)
        said = members[end - 1].note
        start = end
    return made


class _Parts:
    """A member's text and the numbers in it that may differ from those of its neighbours."""

    def __init__(self, member: Member) -> None:
        self.numbers: list[int] = []
        self.notes: list[str] = []
        skeleton = []
        for text in (member.label, *_leaves(member.tree, self.notes)):
            for piece, is_number in _pieces(text):
                skeleton.append("\0" if is_number else piece)
                if is_number:
                    self.numbers.append(int(piece))
            skeleton.append("\n")
        self.skeleton = "".join(skeleton)

    def step(self, after: _Parts) -> tuple[int, ...] | None:
        """What is added to each number on the way to the next member; None where more differs."""
        if self.skeleton != after.skeleton or len(self.notes) != len(after.notes):
            return None
        return tuple(b - a for a, b in zip(self.numbers, after.numbers, strict=True))


def _end(parts: Sequence[_Parts], start: int) -> int:
    """The end of the longest stretch from `start` on in which all steps are alike."""
    end = start + 1
    step = parts[start].step(parts[end]) if end < len(parts) else None
    while step is not None and end < len(parts) and parts[end - 1].step(parts[end]) == step:
        end += 1
    return end


def _run(members: Sequence[Member], parts: Sequence[_Parts]) -> Run | None:
    """The comprehension that makes the members; None where they had better be listed."""
    first, count = members[0], len(members)
    steps = parts[0].step(parts[1])
    assert steps is not None
    in_label = sum(is_number for _, is_number in _pieces(first.label))
    growing = [(n, d) for n, d in zip(parts[0].numbers[in_label:], steps[in_label:], strict=True) if d]
    if growing and count < GROWING:
        return None
    begin = 0
    if first.label:
        counted = [n for n, d in zip(parts[0].numbers[:in_label], steps, strict=False) if d == 1]
        if not counted:
            return None
        begin = counted[0]
    elif len(set(growing)) == 1 and growing[0][1] == 1:
        begin = growing[0][0]
    elif growing and all(n == d for n, d in growing):
        begin = 1
    words = set(re.findall(r"[A-Za-z_]\w*", first.label + flat(first.tree)))
    names = chain("ijkmn", (f"i{n}" for n in count_from(2)))
    name = next(name for name in names if name not in words)
    pending = iter(steps)

    def put(text: str) -> str:
        return _text(text, [next(pending) for _, is_number in _pieces(text) if is_number], begin, name)

    label = put(first.label)
    inner = iter([_note(list(notes), begin, name) for notes in zip(*(p.notes for p in parts), strict=True)])
    tree = _mapped(first.tree, put, inner)
    if not any(steps):
        name = "_"
    clause = f"for {name} in range({f'{begin}, ' if begin else ''}{begin + count})"
    note = _note([m.note for m in members], begin, name)
    return Run(label, tree, note, clause, note)


def _shorter(run: Run, first: Member, count: int, depth: int) -> bool:
    """Whether the comprehension takes fewer lines than its members one by one."""
    made = Bracket("*(", (Comprehension(run.tree, run.clause, run.shape),), ")")
    return len(lines_of("", made, ",", depth)) < count * len(lines_of("", first.tree, ",", depth))


# ---- texts -----------------------------------------------------------------------------


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """A literal in pieces, and whether each is a number that may differ."""
    pattern = _IN_NUMBERS if _NUMBERS.fullmatch(text) else _IN_STRING if _PLAIN.fullmatch(text) else None
    place = 0
    for found in pattern.finditer(text) if pattern else ():
        # Digits in front, as in `007`, are no number to count with.
        if found[1] and not text[found.start() - 1 : found.start()].isdigit():
            yield text[place : found.start()], False
            yield found[1], True
            place = found.end()
    yield text[place:], False


def _text(text: str, steps: list[int], begin: int, name: str) -> str:
    """A literal with each number that grows as an expression of the variable."""
    if not any(steps):
        return text
    quoted = text.endswith('"')
    made, pending = "", iter(steps)
    for piece, is_number in _pieces(text):
        step = next(pending) if is_number else 0
        found = _expression(int(piece), step, begin, name) if step else piece
        made += f"{{{found}}}" if step and quoted else found
    if made == f'"{{{name}}}"':
        return f"str({name})"
    return made if not quoted or made.startswith("f") else f"f{made}"


def _expression(value: int, step: int, begin: int, name: str) -> str:
    """`value + step * (name - begin)`, shorter."""
    base = value - step * begin
    term = name if abs(step) == 1 else f"{abs(step)} * {name}"
    if step < 0:
        return f"{base} - {term}"
    return term if base == 0 else f"{base} + {term}" if base > 0 else f"{term} - {-base}"


def _note(notes: list[str], begin: int, name: str) -> str:
    """The shapes of all in one: the same, one with an extent that grows, or the first and the last."""
    if all(note == notes[0] for note in notes):
        return notes[0]
    if not all(notes):
        return ""
    rows = [[int(n) for n in _EXTENT.findall(note)] for note in notes]
    steps = [b - a for a, b in zip(rows[0], rows[1], strict=False)]
    if len({_EXTENT.sub("\0", note) for note in notes}) > 1 or any(
        [b - a for a, b in zip(row, after, strict=True)] != steps for row, after in pairwise(rows)
    ):
        return f"{notes[0]} to {notes[-1]}"
    pending = iter(steps)

    def put(found: re.Match[str]) -> str:
        step = next(pending)
        return _expression(int(found[1]), step, begin, name) if step else found[1]

    return _EXTENT.sub(put, notes[0])


# ---- trees -----------------------------------------------------------------------------


def _leaves(tree: Any, notes: list[str]) -> Iterator[str]:
    """The texts of an expression in order; its comments are added to `notes`."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Named):
        notes.append(tree.comment)
        yield f"{tree.before} "  # no literal, whatever stands there
        yield from _leaves(tree.tree, notes)
    elif isinstance(tree, Comprehension):
        yield from _leaves(tree.element, notes)
        notes.append(tree.comment)
        yield f"{tree.clause} "
    else:
        assert isinstance(tree, Bracket)
        yield f"{tree.open} "
        for item in tree.items:
            yield from _leaves(item, notes)
        yield f"{tree.close} "


def _mapped(tree: Any, put: Any, notes: Iterator[str]) -> Any:
    """The expression with other literals and comments."""
    if isinstance(tree, str):
        return put(tree)
    if isinstance(tree, Named):
        note = next(notes)
        return Named(tree.before, _mapped(tree.tree, put, notes), note)
    if isinstance(tree, Comprehension):
        return Comprehension(_mapped(tree.element, put, notes), tree.clause, next(notes))
    return Bracket(tree.open, tuple(_mapped(item, put, notes) for item in tree.items), tree.close, tree.tall)
