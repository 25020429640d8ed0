"""Bytes to text: UTF-8 only, and nothing in it that deceives the eye."""

from __future__ import annotations

import pytest

from spec_lang.diagnostics import SpecError
from spec_lang.parser import decode, parse
from spec_lang.source import Source

TEXT = "model m { relu }  # gro\u00df\n"


def code_and_place(data):
    with pytest.raises(SpecError) as caught:
        parse(decode(data, "t.cnn"))
    return [
        (d.code, d.span.line, d.span.column) if d.span else (d.code, d.place)
        for d in caught.value.diagnostics
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_with_or_without_a_mark_is_read(encoding):
    source = decode(TEXT.encode(encoding), "t.cnn")
    assert (source.name, source.text) == ("t.cnn", TEXT)


WRONG = {
    "latin-1": (TEXT.encode("latin-1"), [("E101", 1, 24)]),
    "a byte in the third line": (b"# a\n# \xc3\xa4\n#  \xff\n", [("E101", 3, 4)]),
    "behind a mark": (b"\xef\xbb\xbf# a\xff", [("E101", 1, 4)]),
    "cut short": ("# \u4e2d".encode()[:-1], [("E101", 1, 3)]),
    "utf-16": (TEXT.encode("utf-16"), [("E101", "t.cnn:0")]),
    "utf-16 without a mark": ("model".encode("utf-16-le"), [("E102", 1, 2)]),
    "a NUL in a comment": (b"relu # \0 and \0\n", [("E102", 1, 8)]),
    "an escape in a string": (b'let a = "\x1b[2J"\n', [("E102", 1, 10)]),
    "a form feed": (b"let a = 1\n\x0clet b = 2\n", [("E102", 2, 1)]),
    "a C1 control": ("# \u0085\n".encode(), [("E102", 1, 3)]),
    "bidirectional": ("# \u202e\nlet a = 1 # \u2066\n".encode(), [("E103", 1, 3), ("E103", 2, 13)]),
    "a mark inside": ("let a = 1\n\ufeff\n".encode(), [("E105", 2, 1)]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_byte_is_refused_where_it_stands(name):
    data, expected = WRONG[name]
    assert code_and_place(data) == expected


def test_any_letters_may_stand_in_comments_and_messages():
    text = (
        'model m {\n    relu  # \u4e2d\u6587 \u2192\n    expect a, "gr\u00f6\u00dfer \u00d7 \U0001f600"\n}\n'
    )
    assert parse(Source("t", text)).definitions


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_alike_on_all_systems(end):
    source = Source("t", end.join(["let a = 1", "", "let b = 2"]))
    assert parse(source).definitions[1].span.line == 3
    assert [source.line(n) for n in (1, 2, 3)] == ["let a = 1", "", "let b = 2"]
