"""The parse tables: made from `grammar.lark` by Lark, shipped as plain data in `tables.json`.

Lark analyses the grammar (LALR(1), a contextual lexer) when a developer runs
`python -m spec_lang.tables`; the result is a JSON file of this package, so that reading a spec
costs neither the analysis nor the import of Lark, and nothing that can run code is ever loaded.
The file carries the hash of the grammar.  Where that does not fit (a grammar being edited),
the tables are made in memory instead.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from spec_lang.frozen import frozen

GRAMMAR = Path(__file__).with_name("grammar.lark")
TABLES = Path(__file__).with_name("tables.json")
LAYOUT = 1
"""Counts up when the form of `tables.json` changes."""

GOALS = ("file", "expr")
"""What can be parsed: a whole file, or one expression (inside a string)."""

ITEMS = frozenset({"definition", "statement", "setting", "init_rule", "branch_item"})
"""What stands in lists between braces (or at the top); after an error the parser goes on at the next."""

END = "$END"


@frozen
class Rule:
    """One production: `action` is the builder's method, or None where a single child passes through.

    `picks` says how the children are made of the symbols: an index, None for an absent optional
    part, and -1 - index where the symbol is itself a list of children.
    """

    origin: str
    size: int
    action: str | None
    picks: tuple[int | None, ...]


@frozen
class Tables:
    """`actions[state][kind]` is a state to shift to, or -1 - rule to reduce by."""

    lexemes: tuple[tuple[str, str], ...]
    keywords: dict[str, str]
    rules: tuple[Rule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    starts: dict[str, int]
    ends: dict[str, int]
    item_states: dict[int, str]
    """States in which another item of a list may begin, with the item."""


def key() -> str:
    """What the shipped tables must have been made from."""
    made_from = GRAMMAR.read_bytes() + b"\0%d" % LAYOUT
    return f"{zlib.crc32(made_from):08x}"


@cache
def tables() -> Tables:
    """The shipped tables if they fit the grammar, else new ones."""
    try:
        data = json.loads(TABLES.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = {}
    if data.get("key") != key():
        data = generate()
    return _from_data(data)


def _from_data(data: dict[str, Any]) -> Tables:
    rows = data["rows"]
    gotos = tuple(rows[i] for i in data["gotos"])
    return Tables(
        lexemes=tuple((kind, pattern) for kind, pattern in data["lexemes"]),
        keywords=data["keywords"],
        rules=tuple(
            Rule(origin, size, action, tuple(picks)) for origin, size, action, picks in data["rules"]
        ),
        actions=tuple(rows[i] for i in data["actions"]),
        gotos=gotos,
        starts=data["starts"],
        ends=data["ends"],
        item_states={state: item for state, row in enumerate(gotos) for item in row if item in ITEMS},
    )


def generate() -> dict[str, Any]:
    """Let Lark analyse the grammar, and keep what a parser needs as plain data."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    lark = Lark(GRAMMAR.read_text(encoding="utf-8"), parser="lalr", lexer="contextual", start=list(GOALS))
    table = lark.parser.parser._parse_table
    rules = sorted(lark.rules, key=lambda rule: (str(rule.origin.name), rule.order))
    rule_numbers = {rule: number for number, rule in enumerate(rules)}

    rows: list[dict[str, int]] = []
    row_numbers: dict[str, int] = {}

    def keep(row: dict[str, int]) -> int:
        text = json.dumps(row, sort_keys=True)
        if text not in row_numbers:
            row_numbers[text] = len(rows)
            rows.append(dict(sorted(row.items())))
        return row_numbers[text]

    terminals = {terminal.name for terminal in lark.terminals} | {END}
    actions, gotos = [], []
    numbers = _numbered(table, Shift)
    for state in numbers:
        shifts: dict[str, int] = {}
        jumps: dict[str, int] = {}
        for symbol, (action, target) in table.states[state].items():
            if symbol not in terminals:
                jumps[str(symbol)] = numbers[target]
            elif action is Shift:
                shifts[str(symbol)] = numbers[target]
            else:
                shifts[str(symbol)] = -1 - rule_numbers[target]
        actions.append(keep(shifts))
        gotos.append(keep(jumps))
    return {
        "key": key(),
        "lexemes": _lexemes(lark.terminals),
        "keywords": {t.pattern.value: t.name for t in sorted(lark.terminals, key=_name) if _is_word(t)},
        "rules": [_rule(rule) for rule in rules],
        "rows": rows,
        "actions": actions,
        "gotos": gotos,
        "starts": {goal: numbers[table.start_states[goal]] for goal in GOALS},
        "ends": {goal: numbers[table.end_states[goal]] for goal in GOALS},
    }


def _numbered(table: Any, shift: Any) -> dict[int, int]:
    """The states in an order that depends on the grammar alone: as they are reached from the starts."""
    order = [table.start_states[goal] for goal in GOALS]
    numbers = {state: number for number, state in enumerate(order)}
    for state in order:
        for _, (action, target) in sorted(table.states[state].items(), key=lambda entry: str(entry[0])):
            if action is shift and target not in numbers:
                numbers[target] = len(order)
                order.append(target)
    return numbers


def _name(terminal: Any) -> str:
    return str(terminal.name)


def _is_word(terminal: Any) -> bool:
    return terminal.pattern.type == "str" and str(terminal.pattern.value).isidentifier()


def _lexemes(terminals: Any) -> list[list[str]]:
    """Terminals other than keywords and white space, in the order in which Lark tries them."""
    order = sorted(
        terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name)
    )
    return [
        [t.name, t.pattern.to_regexp()]
        for t in order
        if not _is_word(t) and not t.name.startswith("__IGNORE")
    ]


def _rule(rule: Any) -> list[Any]:
    """A production with what Lark's own tree builder would keep of it."""
    blanks = rule.options.empty_indices
    runs = [len(run) for run in "".join(str(int(b)) for b in blanks).split("0")] if blanks else []
    picks: list[int | None] = []
    for index, symbol in enumerate(rule.expansion):
        picks += [None] * (runs[index] if runs else 0)
        if symbol.is_term:
            if not symbol.filter_out:
                picks.append(index)
        else:
            picks.append(-1 - index if symbol.name.startswith("_") else index)
    picks += [None] * (runs[-1] if runs else 0)
    origin = str(rule.origin.name)
    action: str | None = str(rule.alias or origin)
    if origin.startswith("_") or (rule.options.expand1 and not rule.alias and len(picks) == 1):
        action = None
    return [origin, len(rule.expansion), action, picks]


def serialized() -> str:
    """The content of `tables.json`."""
    text = json.dumps(generate(), separators=(",", ":"))
    # One line for each part, so that a change of the grammar shows as a readable difference.
    text = re.sub(
        r'(?<=[\]}"]),(?="(?:lexemes|keywords|rules|rows|actions|gotos|starts|ends)":)', ",\n", text
    )
    return text + "\n"


if __name__ == "__main__":
    TABLES.write_text(serialized(), encoding="utf-8", newline="\n")
