"""Text to tokens, with the limits on tokens, names and numbers.

The patterns are those of `grammar.lark`.  A keyword gets its own kind here; where the grammar
does not expect it, the parser takes it for a name.  What cannot be a token is reported and
becomes a token of kind `ERROR`, over which the parser recovers in silence.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from spec_lang.diagnostics import Diagnostic
from spec_lang.frozen import frozen
from spec_lang.limits import Limits
from spec_lang.source import Source, Span
from spec_lang.syntax import Comment
from spec_lang.tables import END, tables

ERROR = "ERROR"
OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}


class Token(NamedTuple):
    """`kind` is a terminal of the grammar; `line` counts from the line on which the text starts."""

    kind: str
    text: str
    start: int
    end: int
    line: int


@frozen
class Tokens:
    """The tokens of a text, the last of kind `$END`."""

    tokens: list[Token]
    comments: tuple[Comment, ...]
    brackets: list[int]
    """The indices of the brackets and braces among the tokens."""
    diagnostics: list[Diagnostic]


_NUMBERS = frozenset({"INT", "FLOAT", "SIZE"})
_SPECIAL = _NUMBERS | {"COMMENT", "_OPEN_STRING", "_POINT", "_NEWLINE", "_FOREIGN_WORD", "_BAD"}

LOOKALIKES = {
    "\u00d7": "x",
    "\u2715": "x",
    "\u2062": "*",
    "\u00b7": "*",
    "\u22c5": "*",
    "\u00f7": "/",
    "\u2192": "->",
    "\u21d2": "->",
    "\u27f6": "->",
    "\u2190": "=",
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2018": '"',
    "\u2019": '"',
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u2026": "..",
    "\u2025": "..",
    "\u00a0": " ",
    "\u3000": " ",
    "\uff08": "(",
    "\uff09": ")",
    "\uff0c": ",",
    "\uff1a": ":",
    "\u200b": "",
    "\ufeff": "",
    "\u2009": " ",
    "\u202f": " ",
}
"""Characters that come along with text copied from papers and word processors, and what to write."""


@cache
def _scanner() -> tuple[re.Pattern[str], tuple[str, ...]]:
    """One pattern with a group for each kind (white space behind a token is taken along)."""
    kinds = [
        ("_POINT", r"(?<!\.)\.\d+"),
        *tables().lexemes,
        ("_OPEN_STRING", r'"[^"\r\n]*'),
        ("_NEWLINE", r"\r\n|\n|\r"),
        ("_FOREIGN_WORD", r"\w+"),
        ("_BAD", r"(?s:.)"),
    ]
    pattern = "(?:" + "|".join(f"({pattern})" for _, pattern in kinds) + r")[ \t]*"
    # Digits and words are ASCII in the grammar's patterns, which spell them out; \d must not match others.
    return re.compile(pattern.replace(r"\d", "[0-9]")), ("", *(kind for kind, _ in kinds))


def tokenize(source: Source, limits: Limits, start: int = 0, end: int | None = None) -> Tokens:
    """Split `source.text[start:end]`; more tokens than `limits.tokens` end the list early."""
    text = source.text
    stop = len(text) if end is None else end
    scanner, kinds = _scanner()
    keywords = tables().keywords
    tokens: list[Token] = []
    comments: list[Comment] = []
    brackets: list[int] = []
    found: list[Diagnostic] = []
    append = tokens.append
    longest = limits.identifier_length
    line, strange = 1, 0
    while start < stop and text[start] in " \t":
        start += 1
    for match in scanner.finditer(text, start, stop):
        group = match.lastindex
        assert group is not None
        kind = kinds[group]
        word = match[group]
        at, to = match.span(group)
        if kind == "NAME":
            if word in keywords:
                kind = keywords[word]
            elif len(word) > longest:
                found.append(_long_name(source, at, to, limits))
        elif kind in _SPECIAL:
            if kind == "_NEWLINE":
                line += 1
                continue
            if kind == "COMMENT":
                own = not tokens or tokens[-1].line != line
                comments.append(Comment(Span(source, at, to), word.rstrip(), own))
                continue
            if kind in _NUMBERS:
                problem = _number_problem(source, word, at, to, limits)
            else:
                problem = _not_a_token(source, kind, word, at, to)
            if problem is not None:
                # Of strange characters the first one of a line is reported.
                if problem.code != "E105" or line != strange:
                    found.append(problem)
                strange = line if problem.code == "E105" else strange
                kind = ERROR
        elif kind in OPENERS or kind in CLOSERS:
            brackets.append(len(tokens))
        elif kind == "LABEL" and len(word.rstrip(": \t")) > longest:
            found.append(_long_name(source, at, at + len(word.rstrip(": \t")), limits))
        append(Token(kind, word, at, to, line))
        if len(tokens) > limits.tokens:
            found.append(
                Diagnostic(
                    "E402",
                    f"the file has more than {limits.tokens:,} tokens",
                    Span(source, at, to),
                    f"token {limits.tokens + 1:,}",
                )
            )
            break
    append(Token(END, "", stop, stop, line))
    return Tokens(tokens, tuple(comments), brackets, found)


def _long_name(source: Source, at: int, to: int, limits: Limits) -> Diagnostic:
    return Diagnostic(
        "E404",
        f"a name has at most {limits.identifier_length} characters, this one has {to - at}",
        Span(source, at, to),
    )


def _number_problem(source: Source, word: str, at: int, to: int, limits: Limits) -> Diagnostic | None:
    """What is wrong with a number: glued to what follows, too long, or a decimal comma."""
    text = source.text
    rest = _AFTER_NUMBER.match(text, to)
    if rest is not None:
        return _glued(source, word, at, rest.end())
    if "." in word or "e" in word or "E" in word:
        if float(word) == float("inf"):
            return Diagnostic("E107", f"{_short(word)} is too large for a float", Span(source, at, to))
        return None
    for digits in word.replace("_", "").split("x"):
        if len(digits) > limits.integer_digits:
            return Diagnostic(
                "E405",
                f"an integer has at most {limits.integer_digits} digits, this one has {len(digits)}",
                Span(source, at, to),
            )
        if (
            len(digits) > 1
            and digits[0] == "0"
            and text[at - 1 : at] == ","
            and text[at - 2 : at - 1].isdigit()
        ):
            # `0,05` by the habit of many languages; elsewhere zeros in front mean nothing.
            return Diagnostic(
                "E107",
                f"`{_short(word)}` begins with a zero",
                Span(source, at, to),
                help=(f"a decimal fraction has a point: `{text[at - 2]}.{word}`",),
            )
    return None


_AFTER_NUMBER = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]*|\.(?![.\w])[0-9]*|\.[A-Za-z][A-Za-z0-9_]*|\.[0-9]+", re.ASCII
)


def _short(word: str) -> str:
    return word if len(word) <= 24 else f"{word[:20]}..."


def _glued(source: Source, word: str, at: int, to: int) -> Diagnostic:
    """A number with something directly behind it, such as `3xk`, `1.` or `10px`."""
    whole = source.text[at:to]
    tail = whole[len(word) :]
    advice: tuple[str, ...] = ()
    if tail.startswith("x") and tail[1:]:
        advice = (f"a size with a name in it is a tuple: `({word.replace('x', ', ')}, {tail[1:]})`",)
    elif tail == "x":
        advice = (f"a size has an extent on both sides: `{word}x{word}`",)
    elif tail[:1] in "Xx*" and tail[1:].isdigit():
        advice = (f"a size is written with a small x: `{word}x{tail[1:]}`",)
    elif tail == ".":
        advice = (f"write `{word}` for an integer, `{word}.0` for a float",)
    elif tail.strip("_") == "" or tail.replace("_", "").isdigit():
        advice = ("single underscores may stand between digits, as in `60_000`",)
    return Diagnostic("E107", f"`{_short(whole)}` is not a number", Span(source, at, to), help=advice)


def _not_a_token(source: Source, kind: str, word: str, at: int, to: int) -> Diagnostic | None:
    span = Span(source, at, to)
    if kind == "_OPEN_STRING":
        return Diagnostic("E106", "this string is not closed", span, 'a `"` is missing on this line')
    if kind == "_POINT":
        return Diagnostic(
            "E107", f"`{_short(word)}` is not a number", span, help=(f"write `0{_short(word)}`",)
        )
    if kind == "_FOREIGN_WORD":
        foreign = next((c for c in word if not c.isascii()), "")
        if foreign:
            return Diagnostic(
                "E104",
                f"a name is made of ASCII letters, digits and `_`; {describe(foreign)} is none of them",
                span,
            )
    if word == "'":
        return Diagnostic("E105", "a string stands in double quotes", span, help=('write `"..."`',))
    if word == ";":
        return Diagnostic(
            "E105",
            "statements end with the line, not with `;`",
            span,
            help=("leave out the `;`; one statement a line",),
        )
    if word in LOOKALIKES:
        ascii_form = LOOKALIKES[word]
        if not ascii_form.strip():
            advice = "delete it" if not ascii_form else "write an ordinary space"
        else:
            advice = f"write `{ascii_form}`"
        return Diagnostic("E105", f"{describe(word)} is not part of the language", span, help=(advice,))
    return Diagnostic(
        "E105", f"{describe(word)} is not part of the language", span, help=_HABITS.get(word, ())
    )


_HABITS = {
    "&": ("write `and`",),
    "|": ("layers are joined by `->`; a logical or is `or`",),
    "!": ("write `not`, or `!=` for unequal",),
    "^": ("a power is `**`",),
    "@": ("a `block` takes layers as parameters; there are no decorators",),
    "\\": ("a line needs no mark to continue inside brackets or before `->`",),
    "?": ("a choice is `if condition then a else b`",),
    "$": ("parameters are used by their name alone",),
    "`": ('a string stands in double quotes: `"..."`',),
    "~": ("write `not`",),
}


def describe(character: str) -> str:
    """A character as a message may show it: itself if that can be seen, and its number."""
    number = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    if character.isprintable() and not character.isspace():
        return (
            f"`{character}`" if character.isascii() else f"`{character}` ({number} {name})".replace(" )", ")")
        )
    return f"the character {number} {name}".rstrip()
