"""What to say where the parser cannot go on, and where a line may break.

White space means nothing to the grammar.  So that a typo does not become another network, items
stand on lines of their own, and an operand stands on the line of its keyword.
"""

from __future__ import annotations

from spec_lang.build import Report
from spec_lang.diagnostics import Diagnostic, Label
from spec_lang.habits import habit
from spec_lang.lalr import DEFINITION_KINDS, Automaton
from spec_lang.lexer import Token
from spec_lang.render import escape
from spec_lang.source import Source, Span
from spec_lang.tables import END

_OPERANDS = {
    "OUTPUT": "the name of the output",
    "AS": "the name",
    "LABEL": "what it stands for",
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

_VALUE_ENDS = frozenset({"NAME", "INT", "FLOAT", "SIZE", "STRING", "RPAR", "RSQB", "TRUE", "FALSE"})

_BODY_OWNERS = {
    "BLOCK": "a block",
    "MODEL": "a model",
    "INLINE": "a block",
    "TRAIN": "a `train` section",
    "FOR": "a loop",
    "REPEAT": "`repeat`",
    "IF": "`if`",
    "ELSE": "`else`",
    "ASIDE": "`aside`",
    "TRAINING": "`training`",
    "PREPROCESS": "`preprocess`",
    "INIT": "`init`",
    "SEQ": "`seq`",
    "BRANCH": "a branch",
}

_SHOWN = {
    "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "LBRACE": "`{`", "RBRACE": "`}`",
    "COMMA": "`,`", "EQUAL": "`=`", "COLON": "`:`", "_ARROW": "`->`", "DOT": "`.`", "DOTS": "`..`",
    "NAME": "a name", "STRING": "a string", "LABEL": "a label (`name:`)", "PER_IMAGE": "`per image`",
}  # fmt: skip

_EXPRESSION = frozenset(
    {"NAME", "INT", "FLOAT", "SIZE", "STRING", "TRUE", "FALSE", "LPAR", "LSQB", "NOT", "MINUS", "IF"}
)
_OPERATORS = frozenset(
    {
        "OR",
        "AND",
        "COMPARE",
        "DOTS",
        "PLUS",
        "MINUS",
        "TIMES",
        "DIVIDE",
        "FLOOR_DIVIDE",
        "REMAINDER",
        "POWER",
        "DOT",
    }
    | {"LSQB", "LPAR"}
)


class Mistakes:
    """Judges the mistakes of one source (see `lalr.Judge`)."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report

    # ---- lines

    def line_break(self, at: int, before: str, kind: str, automaton: Automaton) -> bool | None:
        if at == 0:
            return None
        token, last = automaton.tokens[at], automaton.tokens[at - 1]
        if before in _OPERANDS and kind not in ("RBRACE", END):
            if automaton.bracket_kind() in ("LPAR", "LSQB"):
                return None
            if not (before == "LABEL" and self._habit(at - 1, automaton)):
                self._operand_below(token, last, before)
            return True
        if kind in ("LPAR", "LSQB") and before in _VALUE_ENDS and automaton.accepts(kind):
            self.report(
                Diagnostic(
                    "E132",
                    f"a `{token.text}` stands on the line of what it belongs to",
                    self._span(token),
                    labels=(Label(self._span(last), "it would belong to this"),),
                    help=(
                        ("put a `,` between the two, or both on one line",)
                        if automaton.bracket_kind() in ("LPAR", "LSQB")
                        else ("put both on one line",)
                    ),
                )
            )
            return False
        if kind == "AS" and automaton.accepts(kind):
            self.report(
                Diagnostic(
                    "E132",
                    "`as` stands on the line of the layer whose result it names",
                    self._span(token),
                    labels=(Label(self._span(last), "it would name the result of this line"),),
                )
            )
            return False
        return None

    def _operand_below(self, token: Token, last: Token, before: str) -> None:
        word = escape(last.text[:-1].rstrip() + ":" if before == "LABEL" else last.text)
        advice: tuple[str, ...] = ()
        if before == "OUTPUT":
            advice = ("write `output` and its name on one line, below the layer whose result it names",)
        elif before == "AS":
            advice = ("write `as name` behind the layer whose result it names",)
        elif before in ("LABEL", "COLON"):
            advice = ("write the label and its layer on one line",)
        self.report(
            Diagnostic(
                "E131",
                f"`{word}` and {_OPERANDS[before]} stand on one line",
                self._span(last),
                f"{_OPERANDS[before]} is missing on this line",
                (Label(self._span(token), "this would be taken for it"),),
                help=advice,
            )
        )

    def same_line(self, at: int, automaton: Automaton) -> None:
        if self._habit(at, automaton) or self._misplaced_definition(at - 1, automaton):
            return
        what = {"definition": "definition", "setting": "setting"}.get(automaton.enclosing(), "statement")
        advice = "put it on a line of its own"
        if what == "statement":
            advice += ", or join layers by `->`"
        token = automaton.tokens[at]
        self.report(
            Diagnostic(
                "E130",
                f"a second {what} on one line",
                self._span(token),
                f"this begins a new {what}",
                help=(advice,),
            )
        )

    # ---- tokens

    def unexpected(self, at: int, automaton: Automaton) -> None:
        if self._missing_body(at, automaton) or self._misplaced_definition(automaton.item_start, automaton):
            return
        if self._habit(at, automaton):
            return
        token = automaton.tokens[at]
        enclosing = automaton.enclosing()
        if enclosing == "branch_item" and token.kind not in ("LBRACE", END) and automaton.accepts("BRANCH"):
            self._not_a_branch(at, automaton)
        elif enclosing == "definition" and automaton.accepts("BLOCK") and self._begins_line(at, automaton):
            self._outside(token)
        else:
            self._other(at, automaton)

    def _habit(self, at: int, automaton: Automaton, kind: str = "") -> bool:
        """Report what a row of the table of habits says of token `at`, if one fits.

        `kind` is that of the token which could not follow, if it is not this one.
        """
        token = automaton.tokens[at]
        line_start = self.source.line_starts[self.source.position(token.start)[0] - 1]
        row = habit(
            self.source.line(self.source.position(token.start)[0]),
            token.start - line_start,
            token.end - line_start,
            kind or token.kind,
            automaton.enclosing() == "definition",
        )
        if row is None:
            return False
        self.report(Diagnostic(row.code, row.message, self._span(token), help=(row.help,)))
        return True

    def _missing_body(self, at: int, automaton: Automaton) -> bool:
        """A head whose `{` does not come."""
        first = automaton.tokens[automaton.item_start]
        owner = first.kind
        if owner == "NAME" and first.text in ("block", "model", "train"):
            return False
        last = automaton.tokens[at - 1]
        if last.kind in _BODY_OWNERS and last.kind not in ("FOR", "IF", "REPEAT", "BLOCK", "MODEL", "TRAIN"):
            first, owner = last, last.kind
        if (
            owner not in _BODY_OWNERS
            or not automaton.accepts("LBRACE")
            or automaton.tokens[at].kind == "LABEL"
        ):
            return False
        if automaton.tokens[at].line == last.line and self._habit(at, automaton):
            return True
        span = Span(self.source, first.start, last.end)
        self.report(
            Diagnostic(
                "E135",
                f"{_BODY_OWNERS[owner]} has a body in braces",
                span,
                "a `{ ... }` is missing behind this",
            )
        )
        return True

    def _misplaced_definition(self, begun: int, automaton: Automaton) -> bool:
        if begun + 1 >= len(automaton.tokens):
            return False
        first, after = automaton.tokens[begun], automaton.tokens[begun + 1]
        if automaton.enclosing() != "statement" or first.text not in (
            "block",
            "model",
            "train",
            "import",
            "inline",
        ):
            return False
        if after.line != first.line or after.kind not in ("NAME", "STRING", "BLOCK"):
            return False
        self.report(
            Diagnostic(
                "E134",
                f"`{first.text}` stands at the top of a file, not inside braces",
                self._span(first),
                help=("move it out, or close the braces above it",),
            )
        )
        return True

    def _not_a_branch(self, at: int, automaton: Automaton) -> None:
        token = automaton.tokens[at]
        owner = self._join_name(automaton)
        if token.kind == "RBRACE":
            message = f"`{owner}` has no branches" if owner else "there are no branches here"
            self.report(
                Diagnostic("E133", message, self._span(token), help=("write `branch { ... }` for each",))
            )
            return
        advice = [f"write `{owner or 'add'} {{ branch {{ ... }} branch {{ ... }} }}`"]
        if owner and owner not in ("add", "multiply", "maximum", "average", "concat"):
            advice.append(f"if a group was meant, it has a label: `{owner}: {{ ... }}`")
        self.report(
            Diagnostic(
                "E133",
                f"between the braces of `{owner}` stand branches" if owner else "branches stand here",
                self._span(token),
                "this is not a `branch`, `for` or `if`",
                help=tuple(advice),
            )
        )

    def _join_name(self, automaton: Automaton) -> str:
        """The word before the innermost open brace, where that is a name."""
        index = automaton.innermost_bracket()
        name = automaton.values[index - 1] if index else None
        return name.text if isinstance(name, Token) and name.kind == "NAME" else ""

    def _outside(self, token: Token) -> None:
        self.report(
            Diagnostic(
                "E134",
                "only definitions stand at the top of a file",
                self._span(token),
                "this is not `block`, `model`, `train`, `let` or `import`",
                help=("put layers into `model name { ... }`",),
            )
        )

    def _other(self, at: int, automaton: Automaton) -> None:
        token, last = automaton.tokens[at], automaton.tokens[at - 1] if at else None
        expected = _expected(automaton)
        bracket = automaton.bracket_kind()
        found = "end of the file" if token.kind == END else f"`{escape(_short(token.text))}`"
        if token.kind == END and token.start < len(self.source.text):
            found = "end of the expression"
        if token.kind == "RBRACE" and not token.text:
            found = "end of the block"
        span, label = self._span(token), ""
        advice: tuple[str, ...] = ()
        if last is not None and last.line != token.line and not _complete(automaton):
            # The mistake is where the line above ends, not at the first word of this one.
            if self._habit(at - 1, automaton, token.kind):
                return
            span = Span(self.source, last.start, last.end)
            label = "something is missing behind this"
        elif token.kind in _EXPRESSION and bracket in ("LPAR", "LSQB") and automaton.accepts("COMMA"):
            advice = ("a `,` is missing in front of this",)
        elif token.kind == "LABEL" and automaton.accepts("NAME"):
            advice = ("leave out the `:`",)
        message = f"unexpected {found}"
        if expected:
            message += f"; expected {expected}"
        self.report(Diagnostic("E120", message, span, label, help=advice))

    def _begins_line(self, at: int, automaton: Automaton) -> bool:
        return at == 0 or automaton.tokens[at - 1].line != automaton.tokens[at].line

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)


def _complete(automaton: Automaton) -> bool:
    """Whether the item so far needs nothing more: the next one could begin."""
    first = {"definition": "BLOCK", "statement": "REPEAT", "branch_item": "BRANCH"}
    return automaton.accepts(first.get(automaton.enclosing(), "NAME"))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _expected(automaton: Automaton) -> str:
    """What could have come, in a few words; empty where that is nearly anything."""
    row = automaton.tables.actions[automaton.states[-1]]
    kinds = {kind for kind in row if automaton.accepts(kind)}
    if {"REPEAT", "ASIDE"} <= kinds:
        return "a statement" if "AS" not in kinds and not kinds & _OPERATORS else ""
    words: list[str] = []
    if kinds >= DEFINITION_KINDS:
        return "a definition"
    if kinds >= _EXPRESSION:
        words.append("an expression")
        kinds -= _EXPRESSION
    elif len(kinds - _OPERATORS) > 0:
        kinds -= _OPERATORS
    names = {kind: word for word, kind in automaton.tables.keywords.items()}
    words += sorted(_SHOWN.get(kind) or f"`{names.get(kind, kind.lower())}`" for kind in kinds if kind != END)
    if not words or len(words) > 5:
        return ""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
