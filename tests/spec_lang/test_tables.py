"""The grammar is sound, the shipped tables are made from it, and reading them costs little."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from lark import Lark, UnexpectedInput

from spec_lang import tables
from spec_lang.diagnostics import SpecError
from spec_lang.formatter import format_source
from spec_lang.lalr import CONTINUED, CONTINUING, DEFINITION_KINDS
from spec_lang.lexer import OPENERS
from spec_lang.mistakes import _OPERANDS
from spec_lang.parser import parse
from spec_lang.source import Source
from tests.spec_lang.test_syntax import DEFINITIONS, EXPRESSIONS, STATEMENTS

GRAMMAR = tables.GRAMMAR.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lark():
    """Lark's own parser, which refuses a grammar with any conflict or colliding terminals."""
    pytest.importorskip("interegular", reason="Lark's strict mode needs it")
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", strict=True, start=list(tables.GOALS))


def test_the_shipped_tables_are_those_of_the_grammar():
    shipped = tables.TABLES.read_text(encoding="utf-8")
    assert shipped == tables.serialized(), "run `python -m spec_lang.tables`"


def test_a_table_of_another_grammar_is_not_used(tmp_path, monkeypatch):
    stale = json.loads(tables.TABLES.read_text(encoding="utf-8")) | {"key": "0", "keywords": {}}
    (tmp_path / "tables.json").write_text(json.dumps(stale), encoding="utf-8")
    for path in (tmp_path / "tables.json", tmp_path / "absent.json"):
        monkeypatch.setattr(tables, "TABLES", path)
        assert tables.tables.__wrapped__().keywords["block"] == "BLOCK"


def test_the_grammar_has_no_conflicts(lark):
    assert {rule.origin.name for rule in lark.rules} >= {"file", "expr"}


TEXTS = {
    **{f"let x = {text}": True for text in EXPRESSIONS},
    **{f"model m {{\n{text}\n}}": True for text in STATEMENTS},
    **dict.fromkeys(DEFINITIONS, True),
    "model m { add { relu } }": False,
    "model m { conv(3 3) }": False,
    "let a = 1 < 2 < 3": False,
    "block a relu": False,
    "model m { -> relu }": False,
    "model m { x = relu }": False,
    "let a = [for x in b]": False,
    "relu": False,
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_accepted_is_what_lark_accepts(lark, text):
    for accepts, errors in (
        (lambda: lark.parse(text, start="file"), UnexpectedInput),
        (lambda: parse(Source("t", text)), SpecError),
    ):
        try:
            accepts()
        except errors:
            assert not TEXTS[text]
        else:
            assert TEXTS[text]


def test_terminals_that_the_code_names_exist():
    kinds = {kind for kind, _ in tables.tables().lexemes} | set(tables.tables().keywords.values())
    assert kinds >= {*CONTINUED, *CONTINUING, *DEFINITION_KINDS, *_OPERANDS, *OPENERS, *OPENERS.values()}
    assert set(tables.tables().item_states.values()) == tables.ITEMS


def test_reading_a_spec_imports_neither_lark_nor_anything_large():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from spec_lang.parser import parse\n"
        "from spec_lang.source import Source\n"
        "parse(Source('t', 'model m { relu }'))\n"
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before}))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(eval(out))
    assert "spec_lang" in loaded
    assert not loaded & {"lark", "numpy", "torch", "onnx", "rich", "click"}


def test_parsing_takes_less_time_than_larks_own_tree_with_positions():
    text = "\n".join(f"model m{i} {{\n" + "\n".join(STATEMENTS) + "\n}" for i in range(12))
    peer = Lark(
        GRAMMAR, parser="lalr", lexer="contextual", start=list(tables.GOALS), propagate_positions=True
    )

    def best(run):
        times = []
        for _ in range(3):
            started = time.process_time()
            run()
            times.append(time.process_time() - started)
        return min(times)

    assert best(lambda: parse(Source("t", text))) < 1.3 * best(lambda: peer.parse(text, start="file"))
    assert format_source(Source("t", text))
