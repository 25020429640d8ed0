"""Brackets and braces are matched before parsing, so that a missing one is reported where it stands.

The parser then sees matched brackets only: a brace that is never closed is closed at the next
definition (or at the end), and other brackets without a partner become tokens of kind `ERROR`.
"""

from __future__ import annotations

from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.lalr import MOST_FAILURES
from spec_lang.lexer import CLOSERS, ERROR, OPENERS, Token, Tokens
from spec_lang.limits import Limits
from spec_lang.source import Source, Span

_SHOWN = {"LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}"}


def match(source: Source, tokens: Tokens, limits: Limits) -> tuple[list[Token], list[Diagnostic]]:
    """The tokens with matched brackets, and what had to be mended for that."""
    matcher = _Matcher(source, tokens, limits)
    return matcher.run(), matcher.found


class _Matcher:
    def __init__(self, source: Source, tokens: Tokens, limits: Limits) -> None:
        self.source = source
        self.tokens = tokens.tokens
        self.brackets = tokens.brackets
        self.limits = limits
        self.found: list[Diagnostic] = []
        self.open: list[int] = []
        self.pairs: list[tuple[int, int]] = []
        self.replaced: dict[int, Token] = {}

    def run(self) -> list[Token]:
        tokens, stack = self.tokens, self.open
        for index in self.brackets:
            kind = tokens[index].kind
            if kind in OPENERS:
                stack.append(index)
                if len(stack) > self.limits.nesting:
                    self._report(
                        "E403", f"brackets and braces are nested more than {self.limits.nesting} deep", index
                    )
                    return tokens
            elif stack and tokens[stack[-1]].kind == CLOSERS[kind]:
                self.pairs.append((stack.pop(), index))
            else:
                self._mismatch(index, kind)
        closers: list[tuple[int, int]] = []
        if stack:
            braces = [index for index in stack if tokens[index].kind == "LBRACE"]
            for index in stack:
                if tokens[index].kind != "LBRACE":
                    self._never_closed(index)
            if braces:
                closers = self._close_braces()
        if not self.replaced and not closers:
            return tokens
        result = [self.replaced.get(index, token) for index, token in enumerate(tokens)]
        for at, count in reversed(closers):
            before = result[at - 1]
            result[at:at] = [Token("RBRACE", "", before.end, before.end, before.line)] * count
        return result

    def _report(
        self, code: str, message: str, index: int, label: str = "", *labels: Label, advice: str = ""
    ) -> None:
        if len(self.found) > MOST_FAILURES:
            return
        place = self._span(index)
        self.found.append(Diagnostic(code, message, place, label, labels, help=(advice,) if advice else ()))

    def _span(self, index: int) -> Span:
        return Span(self.source, self.tokens[index].start, self.tokens[index].end)

    def _drop(self, index: int) -> None:
        self.replaced[index] = self.tokens[index]._replace(kind=ERROR)

    def _never_closed(self, index: int) -> None:
        shown = _SHOWN[self.tokens[index].kind]
        closer = _SHOWN[OPENERS[self.tokens[index].kind]]
        self._report("E110", f"this `{shown}` is never closed", index, f"a `{closer}` is missing")
        self._drop(index)

    def _mismatch(self, index: int, kind: str) -> None:
        """A closing bracket that is not the partner of the innermost open one."""
        tokens, stack = self.tokens, self.open
        for position in range(len(stack) - 1, -1, -1):
            candidate = tokens[stack[position]].kind
            if candidate == CLOSERS[kind]:
                for unclosed in stack[position + 1 :]:
                    self._never_closed(unclosed)
                self.pairs.append((stack[position], index))
                del stack[position:]
                return
            if candidate == "LBRACE":
                break
        shown = _SHOWN[kind]
        if kind != "RBRACE" and stack and tokens[stack[-1]].kind in ("LPAR", "LSQB"):
            opener = stack.pop()
            expected = OPENERS[tokens[opener].kind]
            self._report(
                "E111",
                f"`{shown}` does not close `{_SHOWN[tokens[opener].kind]}`",
                index,
                f"`{_SHOWN[expected]}` is expected",
                Label(self._span(opener), "opened here"),
            )
            self.replaced[index] = tokens[index]._replace(kind=expected)
            self.pairs.append((opener, index))
            return
        self._report("E111", f"this `{shown}` closes nothing", index)
        self._drop(index)

    # ---- braces that are left open

    def _close_braces(self) -> list[tuple[int, int]]:
        """Where braces must be closed: (token index, how many), each reported."""
        tokens = self.tokens
        ends = dict(self.pairs)
        closed = {closer for _, closer in self.pairs}
        stack: list[int] = []
        result: list[tuple[int, int]] = []
        for index, token in enumerate(tokens):
            if token.kind == "LBRACE":
                stack.append(index)
            elif token.kind == "RBRACE" and index in closed and stack:
                stack.pop()
            elif stack and (index == len(tokens) - 1 or self._begins_definition(index)):
                unclosed = [brace for brace in stack if brace not in ends]
                if len(unclosed) < len(stack):
                    continue  # the definition stands inside a brace that is closed further down
                for brace in unclosed:
                    self._brace_never_closed(brace, index)
                result.append((index, len(unclosed)))
                stack.clear()
        return result

    def _begins_definition(self, index: int) -> bool:
        token, after = self.tokens[index], self.tokens[index + 1]
        if index and self.tokens[index - 1].line == token.line:
            return False
        if token.kind in ("BLOCK", "MODEL", "TRAIN"):
            return after.kind == "NAME"
        return (token.kind, after.kind) in (("INLINE", "BLOCK"), ("IMPORT", "STRING"))

    def _brace_never_closed(self, brace: int, until: int) -> None:
        """Blame the brace whose own `}` seems to be missing, judging by indentation."""
        own = self._indentation(brace)
        for opener, closer in sorted(self.pairs):
            if not brace < opener < closer < until or self.tokens[opener].kind != "LBRACE":
                continue
            if self._first_on_line(closer) and self._indentation(closer) == own < self._indentation(opener):
                line = self._span(brace).line
                label = Label(self._span(closer), f"this `}}` closed it, indented like line {line}")
                self._report("E110", "this `{` is never closed", opener, "a `}` is missing", label)
                return
        self._report("E110", "this `{` is never closed", brace, "a `}` is missing")

    def _first_on_line(self, index: int) -> bool:
        return index == 0 or self.tokens[index - 1].line != self.tokens[index].line

    def _indentation(self, index: int) -> int:
        """Columns of white space before the line that holds a token."""
        text = self.source.line(self._span(index).line).expandtabs(4)
        return len(text) - len(text.lstrip())
