"""The parser that runs the tables of `tables.py`: an LALR(1) automaton that goes on after an error.

A token is looked up as what it is written as; a keyword that is not expected is taken for a name.
At an error the parser drops what it has of the innermost item (a statement, definition, setting
or branch) and goes on where the next one begins: at the next line of the same depth.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import Any, Protocol

from spec_lang.lexer import CLOSERS, ERROR, OPENERS, Token
from spec_lang.tables import END, Rule, Tables

DEFINITION_KINDS = frozenset({"BLOCK", "MODEL", "INLINE", "TRAIN", "IMPORT", "LET"})

CONTINUING = frozenset(
    {
        "COMMA",
        "LPAR",
        "LSQB",
        "EQUAL",
        "_ARROW",
        "DOTS",
        "PLUS",
        "MINUS",
        "POWER",
        "FLOOR_DIVIDE",
        "TIMES",
        "DIVIDE",
    }
    | {"REMAINDER", "COMPARE", "AND", "OR", "NOT", "THEN", "DOT"}
)
"""A line that ends with one of these goes on below (when the parser looks for the next item)."""

CONTINUED = frozenset(CLOSERS) | {"_ARROW", "ELSE", "COMMA", "AND", "OR", "THEN", "COMPARE", "PLUS", "TIMES"}
"""A line that begins with one of these belongs to what is above."""

_HEADERS = {
    "statement": (("ASIDE", "aside"),),
    "definition": (("BLOCK", "block"), ("NAME", "_")),
    "branch_item": (("BRANCH", "branch"),),
}
"""What to pretend before the brace of an item whose head is wrong, so that its body is still read."""

MOST_FAILURES = 1000
"""After so many errors a text is not read on."""

Executable = tuple[str, int, int, Any, tuple[int | None, ...]]
"""A rule ready to run: what it makes, its length, how it makes its value, by which method, of what."""

# How a rule makes its value.
_PASS, _LIST, _CALL, _SPREAD = range(4)


class _HopelessError(Exception):
    """More than `MOST_FAILURES`."""


class Judge(Protocol):
    """Says what is wrong where the parser cannot go on."""

    def unexpected(self, at: int, automaton: Automaton) -> None:
        """Token `at` cannot follow; report it."""

    def line_break(self, at: int, before: str, kind: str, automaton: Automaton) -> bool | None:
        """Token `at` begins a line, after one of kind `before`.

        None where that is fine; else the mistake has been reported, and the answer says
        whether this line is to be read as an item of its own.
        """

    def same_line(self, at: int, automaton: Automaton) -> None:
        """Token `at` begins an item on the line on which the one before ends; report it."""


class Automaton:
    """One run over one list of tokens.  `tokens[-1]` is of kind `$END`; brackets are matched."""

    def __init__(self, tables: Tables, tokens: list[Token], rules: list[Executable], judge: Judge) -> None:
        self.tables = tables
        self.tokens = tokens
        self.judge = judge
        self.states: list[int] = []
        self.values: list[Any] = []
        self.items: dict[int, str] = {}
        """The tokens at which items begin, each with its kind (closing braces of lists are among them)."""
        self.names: set[int] = set()
        """The tokens that look like keywords and are names where they stand."""
        self._at = 0
        self._starts: list[int] = []
        self._depths: list[int] | None = None
        self._words = frozenset(tables.keywords.values())
        self._rules = rules
        self._failures = 0
        self._doubtful = -1  # the line behind a wrong break: it may be no item at all

    def run(self, goal: str, recover: bool = True) -> Any:
        """The value of `goal`, after mistakes without the items that hold them; None if it is hopeless."""
        try:
            return self._run(goal, recover)
        except _HopelessError:
            return None

    def _run(self, goal: str, recover: bool) -> Any:
        actions, gotos, rules = self.tables.actions, self.tables.gotos, self._rules
        items, words = self.tables.item_states, self._words
        states, values, starts = self.states, self.values, self._starts
        tokens, judge = self.tokens, self.judge
        final = self.tables.ends[goal]
        states.append(self.tables.starts[goal])
        at = end = 0
        line = tokens[0].line
        before = ""
        while True:
            self._at = at
            token = tokens[at]
            kind, _, start, stop, token_line = token
            action = actions[states[-1]].get(kind)
            if action is None and kind in words:
                kind = "NAME"
                action = actions[states[-1]].get(kind)
                self.names.add(at)
            if token_line != line and recover:
                line = token_line
                own_item = judge.line_break(at, before, kind, self)
                if own_item is not None:
                    at = self._recover(at, own_item, not own_item)
                    self._doubtful = token_line if own_item else -1
                    before, line = "", tokens[at].line
                    continue
            while action is not None and action < 0:
                origin, size, mode, build, picks = rules[-1 - action]
                if mode == _PASS and size == 1:
                    states[-1] = gotos[states[-2]][origin]
                    value = values[-1]
                else:
                    base = len(values) - size
                    if mode == _CALL:
                        first = starts[base] if size else start
                        value = build(first, end, *[None if i is None else values[base + i] for i in picks])
                    elif mode == _PASS:
                        value = values[base + picks[0]]  # type: ignore[operator]  # such a rule has one child
                    else:
                        value = _spread(values, base, picks)
                        if mode == _SPREAD:
                            value = build(starts[base] if size else start, end, *value)
                    if size:
                        del values[base:], states[base + 1 :], starts[base + 1 :]
                    else:
                        starts.append(start)
                    values.append(value)
                    states.append(gotos[states[-1]][origin])
                if kind == END and states[-1] == final:
                    return value
                action = actions[states[-1]].get(kind)
            if action is None:
                if kind != ERROR and self._doubtful not in (token_line, tokens[at - 1].line if at else 0):
                    judge.unexpected(at, self)
                if not recover:
                    return None
                at = self._recover(at, False)
                before, line = "", tokens[at].line
                continue
            if states[-1] in items:
                if (
                    before not in ("LBRACE", "")
                    and tokens[at - 1].line == token_line
                    and items[states[-1]] not in ("init_rule", "branch_item")
                    and kind != "RBRACE"
                    and recover
                ):
                    if token_line != self._doubtful:
                        judge.same_line(at, self)
                    at = self._recover(at, False)
                    before, line = "", tokens[at].line
                    continue
                self.items[at] = items[states[-1]]
            states.append(action)
            values.append(token)
            starts.append(start)
            end = stop
            before = kind
            at += 1

    # ---- after an error

    def accepts(self, kind: str) -> bool:
        """Whether a token of this kind could come now."""
        actions, gotos, rules = self.tables.actions, self.tables.gotos, self.tables.rules
        states = list(self.states)
        while True:
            action = actions[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                return True
            rule = rules[-1 - action]
            if rule.size:
                del states[-rule.size :]
            target = gotos[states[-1]].get(rule.origin)
            if target is None or target in self.tables.ends.values():
                return kind == END
            states.append(target)

    def enclosing(self) -> str:
        """The kind of item that the parser is in the middle of, or at the beginning of."""
        keep = self._innermost()
        return "" if keep is None else self.tables.item_states[self.states[keep]]

    @property
    def item_start(self) -> int:
        """The token at which that item began; the next token where it has not begun."""
        keep = self._innermost()
        if keep is None:
            return 0
        if keep == len(self._starts):
            return self._at
        return bisect_left(self.tokens, self._starts[keep], key=attrgetter("start"))

    def innermost_bracket(self) -> int | None:
        """Where in `values` the innermost bracket stands that is still open."""
        closed = 0
        for index in range(len(self.values) - 1, -1, -1):
            value = self.values[index]
            if isinstance(value, Token):
                if value.kind in CLOSERS:
                    closed += 1
                elif value.kind in OPENERS:
                    if not closed:
                        return index
                    closed -= 1
        return None

    def bracket_kind(self) -> str:
        """The kind of the innermost open bracket, or an empty string."""
        index = self.innermost_bracket()
        return "" if index is None else self.values[index].kind

    def _innermost(self) -> int | None:
        """How many values stand before the innermost unfinished item."""
        items, closed = self.tables.item_states, 0
        for keep in range(len(self.states) - 1, -1, -1):
            if not closed and self.states[keep] in items:
                return keep
            value = self.values[keep - 1] if keep else None
            if isinstance(value, Token):
                if value.kind == "RBRACE":
                    closed += 1
                elif value.kind == "LBRACE" and closed:
                    closed -= 1
        return None

    def depth(self, at: int) -> int:
        """How many brackets are open around token `at` (a bracket itself does not count)."""
        if self._depths is None:
            self._depths = []
            depth = 0
            for token in self.tokens:
                if token.kind in CLOSERS:
                    depth -= 1
                self._depths.append(depth)
                if token.kind in OPENERS:
                    depth += 1
        return self._depths[at]

    def _recover(self, at: int, own_item: bool, skip: bool = False) -> int:
        """Drop the unfinished item, and find the token to go on with.

        With `own_item`, token `at` begins the next item already; with `skip`, it certainly does not.
        """
        items, states, values = self.tables.item_states, self.states, self.values
        self._failures += 1
        if self._failures > MOST_FAILURES:
            raise _HopelessError
        begun = self.item_start
        keep = self._innermost()
        assert keep is not None  # the list of definitions encloses everything
        item = items[states[keep]]
        del states[keep + 1 :], values[keep:], self._starts[keep:]
        level = sum(isinstance(value, Token) and value.kind in OPENERS for value in values)
        states.append(self.tables.gotos[states[-1]][item])
        values.append(None)
        self._starts.append(self.tokens[at].start)
        kind = self.tokens[at].kind
        possible = self.accepts(kind) or (kind in self._words and self.accepts("NAME"))
        if own_item and possible:
            return at
        begins = possible and at > begun and not skip
        if self.tokens[at].kind == END:
            return at
        if item in _HEADERS:
            brace = self._brace_ahead(begun, at, level)
            if brace is not None:
                self._pretend(_HEADERS[item], brace)
                return brace
        return self._next_item(at, at if begins else at + 1, level, item)

    def _brace_ahead(self, begun: int, at: int, level: int) -> int | None:
        """The opening brace of the item's body, if it is still to come on its line."""
        for index in range(at, len(self.tokens)):
            token = self.tokens[index]
            if index > at and token.line != self.tokens[index - 1].line:
                return None
            if index == at and at > begun and token.line != self.tokens[at - 1].line:
                return None
            if token.kind == "LBRACE" and self.depth(index) == level:
                return index
            if token.kind == "RBRACE" and self.depth(index) < level:
                return None
        return None

    def _pretend(self, header: tuple[tuple[str, str], ...], brace: int) -> None:
        place = self.tokens[brace]
        rules, gotos = self._rules, self.tables.gotos
        for kind, text in header:
            action = self.tables.actions[self.states[-1]][kind]
            while action < 0:
                origin, size, _, _, picks = rules[-1 - action]
                base = len(self.values) - size
                value = _spread(self.values, base, picks) if origin.startswith("_") else None
                del self.values[base:], self.states[base + 1 :], self._starts[base:]
                self.values.append(value)
                self._starts.append(place.start)
                self.states.append(gotos[self.states[-1]][origin])
                action = self.tables.actions[self.states[-1]][kind]
            self.states.append(action)
            self.values.append(Token(kind, text, place.start, place.start, place.line))
            self._starts.append(place.start)

    def _next_item(self, at: int, fresh: int, level: int, item: str) -> int:
        """The next token that begins a line at this level, or that closes it."""
        tokens = self.tokens
        for index in range(at, len(tokens)):
            token = tokens[index]
            depth = self.depth(index)
            if token.kind == END or (token.kind == "RBRACE" and depth < level):
                return index
            if index < fresh or depth != level or token.kind in CONTINUED:
                continue
            if index and (token.line == tokens[index - 1].line or _continues(tokens[index - 1])):
                continue
            if item == "definition" and token.kind not in DEFINITION_KINDS:
                continue
            return index
        return len(tokens) - 1


def _continues(token: Token) -> bool:
    """Whether a line that ends with this goes on below (`ERROR`: a bracket that is never closed)."""
    return token.kind in CONTINUING or (token.kind == ERROR and token.text in ("(", "["))


def executable(tables: Tables, builder: Any) -> list[Executable]:
    """The rules with the methods of `builder` that make their values."""
    return [_executable(rule, builder) for rule in tables.rules]


def _executable(rule: Rule, actions: Any) -> Executable:
    if rule.origin.startswith("_"):
        return rule.origin, rule.size, _LIST, None, rule.picks
    if rule.action is None:
        return rule.origin, rule.size, _PASS, None, rule.picks
    method = getattr(actions, f"{rule.action}_", None) or getattr(actions, rule.action)
    lists = any(pick is not None and pick < 0 for pick in rule.picks)
    return rule.origin, rule.size, _SPREAD if lists else _CALL, method, rule.picks


def _spread(values: list[Any], base: int, picks: tuple[int | None, ...]) -> list[Any]:
    """The children of a rule, with lists among them taken apart.

    A list in front is taken over and grows in place, so that long lists cost linear time.
    """
    children: list[Any] = []
    for position, pick in enumerate(picks):
        if pick is None:
            children.append(None)
        elif pick >= 0:
            children.append(values[base + pick])
        elif position == 0:
            children = values[base - 1 - pick]
        else:
            children += values[base - 1 - pick]
    return children
