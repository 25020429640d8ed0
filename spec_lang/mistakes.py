"""What to say where the parser cannot go on, and where a line may break.

White space means nothing to the grammar.  So that a typo does not become another network, items
stand on lines of their own, and an operand stands on the line of its keyword.
"""

from __future__ import annotations

from spec_lang.build import Report
from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.lalr import Automaton
from spec_lang.lexer import Token
from spec_lang.source import Source, Span

_VALUE_ENDS = frozenset({"NAME", "INT", "FLOAT", "SIZE", "STRING", "RPAR", "RSQB", "TRUE", "FALSE"})

_OPERANDS = {
    "OUTPUT": "the name of the output",
    "AS": "the name",
    "LABEL": "what it labels",
    "COLON": "what it labels",
    "EQUAL": "the value",
    "INPUT": "the name of the input",
    "WEIGHT": "the name of the weight",
    "SHARED": "the label of the layer",
    "EXPECT": "the condition",
    "IF": "the condition",
    "FOR": "the name of the loop's variable",
    "IN": "the list",
    "REPEAT": "the count",
    "LET": "the name",
    "BLOCK": "the name of the block",
    "MODEL": "the name of the model",
    "TRAIN": "the name of the model",
    "INLINE": "`block`",
    "IMPORT": "the path",
}
"""Kinds whose operand stands on their own line, and what the operand is."""


class Mistakes:
    """Judges the mistakes of one source (see `lalr.Judge`)."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def line_break(self, at: int, before: str, kind: str, automaton: Automaton) -> bool | None:
        if at == 0:
            return None
        token, last = automaton.tokens[at], automaton.tokens[at - 1]
        if before in _OPERANDS and kind != "RBRACE" and kind != "$END":
            if automaton.innermost_bracket() in ("LPAR", "LSQB"):
                return None
            keyword = last.text.rstrip(": \t") + ":" if before == "LABEL" else last.text
            self.report(
                Diagnostic(
                    "E131",
                    f"`{keyword}` and {_OPERANDS[before]} stand on one line",
                    self._span(last),
                    f"{_OPERANDS[before]} is missing here",
                    (Label(self._span(token), "this line is a statement of its own"),),
                )
            )
            return True
        if kind in ("LPAR", "LSQB") and before in _VALUE_ENDS:
            self.report(
                Diagnostic(
                    "E132",
                    f"a `{token.text}` stands on the line of what it belongs to",
                    self._span(token),
                    "",
                    (Label(self._span(last), "it would belong to this"),),
                )
            )
            return False
        if kind == "AS":
            self.report(
                Diagnostic(
                    "E132",
                    "`as` stands on the line of the layer whose result it names",
                    self._span(token),
                    "",
                    (Label(self._span(last), "it would belong to this line"),),
                )
            )
            return False
        return None

    def same_line(self, at: int, automaton: Automaton) -> None:
        token = automaton.tokens[at]
        self.report(
            Diagnostic(
                "E130",
                "a second statement on one line",
                self._span(token),
                help=("put it on a line of its own, or join layers by `->`",),
            )
        )

    def unexpected(self, at: int, automaton: Automaton) -> None:
        token = automaton.tokens[at]
        self.report(Diagnostic("E120", f"unexpected `{token.text}`", self._span(token)))
