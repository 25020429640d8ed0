"""One layout for all specs: indentation, spaces and line breaks, and nothing else.

The author's breaks between statements, before `->` and inside brackets stay, and so do comments
and single blank lines.  A line that is too long is broken: first the braces in it are opened, then
statements that share it are parted, then the chain is broken before each `->`.
The result means the same, and formatting it again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from spec_lang.lexer import CLOSERS, OPENERS, Token
from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.parser import analyse
from spec_lang.source import Source
from spec_lang.syntax import Comment
from spec_lang.tables import END

INDENT = 4
WIDTH = 110

_ENDS_VALUE = frozenset({"NAME", "INT", "FLOAT", "SIZE", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})


def format_source(source: Source, limits: Limits = DEFAULT_LIMITS) -> str:
    """The text in its layout, with `\\n` line ends.

    Raises:
        SpecError: where the text does not parse.
    """
    parsed = analyse(source, limits)
    layout = _Layout(source, parsed.tokens, parsed.items, parsed.file.comments)
    layout.arrange()
    return layout.text()


@dataclass
class _Line:
    """A line of the result: `comment` stands behind the code, at `column` of the source."""

    code: str
    comment: str = ""
    column: int = -1


class _Span(NamedTuple):
    """A line as it is planned: its tokens and its indentation."""

    start: int
    stop: int
    indent: int


@dataclass
class _Gap:
    """What stands between a token and the one before it."""

    comments: list[Comment] = field(default_factory=list)
    broken: bool = False


class _Layout:
    def __init__(
        self, source: Source, tokens: list[Token], items: dict[int, str], comments: tuple[Comment, ...]
    ) -> None:
        self.source = source
        self.tokens = tokens
        self.items = items
        self.partner = _partners(tokens)
        self.inside = _inside(tokens)
        self.apart = self._weight_options()
        self.gaps = self._gaps(comments)
        self.glue = [self._glue(at) for at in range(len(tokens))]
        widths = (len(glue) + len(_spelled(token)) for glue, token in zip(self.glue, tokens, strict=True))
        self.ends = list(accumulate(widths))
        """Where each token would end if all stood on one line."""

    # ---- where lines break

    def _gaps(self, comments: tuple[Comment, ...]) -> list[_Gap]:
        tokens = self.tokens
        gaps = [_Gap() for _ in tokens]
        at = 0
        for comment in comments:
            while tokens[at].start < comment.span.start and tokens[at].kind != END:
                at += 1
            gaps[at].comments.append(comment)
        for at in range(1, len(tokens)):
            gaps[at].broken = tokens[at].line != tokens[at - 1].line
        return gaps

    def arrange(self) -> None:
        """Settle which gaps are line breaks."""
        tokens, gaps = self.tokens, self.gaps
        for at in range(1, len(tokens)):
            gap, kind = gaps[at], tokens[at].kind
            if tokens[at - 1].kind == "_ARROW" and gap.broken:
                # A line begins with `->` rather than ending with it.
                gaps[at - 1].comments += gap.comments
                gaps[at - 1].broken, gap.broken, gap.comments = True, False, []
            elif not gap.comments and (
                kind == "LBRACE" or (kind == "ELSE" and tokens[at - 1].kind == "RBRACE")
            ):
                gap.broken = False
        breaks = [0]
        for gap in gaps:
            breaks.append(breaks[-1] + gap.broken)
        for opener, closer in self.partner.items():
            if tokens[opener].kind == "LBRACE" and breaks[closer + 1] > breaks[opener + 1]:
                self._open(opener, closer, part=False)
        self._lines(settle=True)

    def _open(self, opener: int, closer: int, part: bool) -> None:
        """Put what stands in braces on lines of its own."""
        if closer == opener + 1 and not self.gaps[closer].comments:
            self.gaps[closer].broken = False
            return
        self.gaps[opener + 1].broken = self.gaps[closer].broken = True
        if part:
            self._part(opener + 1, closer)

    def _part(self, start: int, stop: int) -> bool:
        """Give each item that begins between two tokens at their level a line of its own."""
        at, changed = start, False
        while at < stop:
            if at in self.items and at > start and not self.gaps[at].broken:
                self.gaps[at].broken = changed = True
            at = self.partner.get(at, at) + 1
        return changed

    def _lines(self, settle: bool = False) -> list[_Span]:
        """The lines as gaps are now; with `settle`, those that are too long are broken where there is a way.

        An outer line comes before those within: where it breaks, they are indented further.
        """
        gaps, tokens = self.gaps, self.tokens
        result, stack = [], list[int]()
        start = indent = 0
        while start < len(tokens):
            stop = start + 1
            while stop < len(tokens) and not gaps[stop].broken and tokens[stop].kind != END:
                stop += 1
            line = _Span(start, stop, indent)
            if settle and self._width(line) > WIDTH and self._break(line):
                continue
            result.append(line)
            for token in tokens[start:stop]:
                if token.kind in OPENERS:
                    stack.append(indent)
                elif token.kind in CLOSERS:
                    stack.pop()
            if stop < len(tokens):
                indent = self._indent(stop, stack)
            start = stop
        return result

    def _width(self, line: _Span) -> int:
        return (
            line.indent
            + self.ends[line.stop - 1]
            - self.ends[line.start]
            + len(_spelled(self.tokens[line.start]))
        )

    def _indent(self, at: int, stack: list[int]) -> int:
        """Columns in front of a line: `stack` has the indentation of each open bracket's line."""
        if self.tokens[at].kind in CLOSERS:
            return stack[-1]
        base = stack[-1] + INDENT if stack else 0
        if at in self.items or self.tokens[at].kind in ("LBRACE", "ELSE", END):
            return base
        return base if self.inside[at] in ("LPAR", "LSQB") else base + INDENT

    def _break(self, line: _Span) -> bool:
        """Break a line that is too long, if there is a way."""
        tokens, changed = self.tokens, False
        at = line.start
        while at < line.stop:
            closer = self.partner.get(at, -1)
            if tokens[at].kind == "LBRACE" and at + 1 < closer < line.stop:
                self._open(at, closer, part=True)
                changed = True
            at = max(at, closer if closer < line.stop else at) + 1
        return changed or self._part(line.start, line.stop) or self._fill(line)

    def _fill(self, line: _Span) -> bool:
        """Break a chain before those `->` that would go over the width."""
        tokens, ends = self.tokens, self.ends
        arrows = []
        at = line.start
        while at < line.stop:
            if tokens[at].kind == "_ARROW" and at > line.start:
                arrows.append(at)
            closer = self.partner.get(at, at)
            at = (closer if closer < line.stop else at) + 1
        changed = False
        room = WIDTH - self._width(_Span(line.start, line.start + 1, line.indent))
        begin = line.start
        base = self.tokens[line.start].kind != "_ARROW"
        for arrow, following in zip(arrows, [*arrows, line.stop][1:], strict=True):
            if ends[following - 1] - ends[begin] > room:
                self.gaps[arrow].broken = changed = True
                begin = arrow
                room = WIDTH - line.indent - INDENT * base - len("->")
        return changed

    # ---- lines

    def _glue(self, at: int) -> str:
        """The space in front of a token that does not begin a line."""
        tokens = self.tokens
        token, before = tokens[at], tokens[at - 1] if at else None
        if before is None or token.kind == END:
            return ""
        kind, last = token.kind, before.kind
        if last == "LBRACE" and kind == "RBRACE":
            return ""
        if self.items.get(at) == "init_rule" and last != "LBRACE":
            return "  "
        if last in ("LPAR", "LSQB", "DOT", "DOTS") or kind in (
            "RPAR",
            "RSQB",
            "COMMA",
            "DOT",
            "DOTS",
            "COLON",
        ):
            return ""
        if kind in ("LPAR", "LSQB") and last in _ENDS_VALUE and last != "STRING" and at not in self.apart:
            return ""
        if last == "MINUS" and self._is_sign(at - 1):
            return ""
        return " "

    def _weight_options(self) -> set[int]:
        """The `(` behind the brackets of `weight name: [...] (...)`, which is no call."""
        result = set()
        for at in self.items:
            if self.tokens[at].kind == "WEIGHT":
                bracket = at + (2 if self.tokens[at + 1].kind == "LABEL" else 3)
                result.add(self.partner[bracket] + 1)
        return result

    def _is_sign(self, at: int) -> bool:
        return at == 0 or self.tokens[at - 1].kind not in _ENDS_VALUE

    def _code(self, start: int, stop: int) -> str:
        """The tokens of a line, with spaces."""
        tokens, glue = self.tokens, self.glue
        return "".join((glue[at] if at > start else "") + _spelled(tokens[at]) for at in range(start, stop))

    def text(self) -> str:
        """The whole text, when lines are settled."""
        lines: list[_Line] = []
        bottom = 0  # the line of the source on which the last thing ended
        for start, stop, indent in self._lines():
            gap = self.gaps[start]
            inside = "" if start == 0 else self.tokens[start - 1].kind
            trailing = [c for c in gap.comments if not c.own_line]
            own = [c for c in gap.comments if c.own_line]
            if self.tokens[start].kind in CLOSERS:
                own_indent = indent + INDENT
            else:
                own_indent = indent
            for comment in trailing:
                _attach(lines, comment)
                bottom = comment.span.line
            for comment in own:
                line = comment.span.line
                if line > bottom + 1 and lines and inside not in OPENERS:
                    lines.append(_Line(""))
                lines.append(_Line(" " * own_indent + comment.text))
                bottom, inside = line, ""
            top = self._line_number(start)
            closes = self.tokens[start].kind in CLOSERS
            if top > bottom + 1 and lines and inside not in OPENERS and not closes and start in self.items:
                lines.append(_Line(""))
            code = self._code(start, stop)
            if code:
                lines.append(_Line(" " * indent + code))
                bottom = self._line_number(stop - 1)
        return _joined(lines)

    def _line_number(self, at: int) -> int:
        return self.source.position(self.tokens[at].start)[0]


def _partners(tokens: list[Token]) -> dict[int, int]:
    """The closing bracket of each opening one."""
    stack: list[int] = []
    result: dict[int, int] = {}
    for at, token in enumerate(tokens):
        if token.kind in OPENERS:
            stack.append(at)
        elif token.kind in CLOSERS:
            result[stack.pop()] = at
    return result


def _inside(tokens: list[Token]) -> list[str]:
    """The kind of the bracket that each token stands in."""
    stack = [""]
    result = []
    for token in tokens:
        if token.kind in CLOSERS:
            stack.pop()
        result.append(stack[-1])
        if token.kind in OPENERS:
            stack.append(token.kind)
    return result


def _spelled(token: Token) -> str:
    if token.kind == "LABEL":
        return token.text[:-1].rstrip() + ":"
    return "per image" if token.kind == "PER_IMAGE" else token.text


def _attach(lines: list[_Line], comment: Comment) -> None:
    """Put a comment behind the line that was written last."""
    last = lines[-1]
    if last.comment:
        lines.append(_Line(" " * (len(last.code) - len(last.code.lstrip())) + comment.text))
    else:
        last.comment, last.column = comment.text, comment.span.column


def _joined(lines: list[_Line]) -> str:
    """The lines as text; comments that stood in one column keep standing in one."""
    result: list[str] = []
    at = 0
    while at < len(lines):
        stop = at + 1
        while stop < len(lines) and lines[at].comment and lines[stop].column == lines[at].column:
            stop += 1
        width = max(len(line.code) for line in lines[at:stop])
        result += [f"{x.code:<{width}}  {x.comment}" if x.comment else x.code for x in lines[at:stop]]
        at = stop
    return "".join(f"{line}\n" for line in result)
