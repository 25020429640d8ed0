"""Diagnostics as text and as JSON, to the letter."""

from __future__ import annotations

import json

import pytest

from spec_lang.diagnostics import Diagnostic, Label, SpecError
from spec_lang.render import render_json, render_text
from spec_lang.source import Source, Span

ALEXNET = Source(
    "alexnet.cnn",
    "model alexnet {\n\n    input image: [3, 224, 224]\n\n    conv(96, 11x11, stride = 4) -> relu\n}\n",
)


def at(source, word, start=0):
    offset = source.text.index(word, start)
    return Span(source, offset, offset + len(word))


CONV = Diagnostic(
    "E301",
    "conv does not fit its input: (224 - 11 + 0) / 4 + 1 = 54.25",
    at(ALEXNET, "conv(96, 11x11, stride = 4)"),
    "the last input row and column would never be seen",
    notes=("input here: [3, 224, 224], from `input image` on line 3",),
    help=("`pad = 2`, or a 227x227 input, fits; `round = floor` drops them on purpose",),
)


def test_the_example_of_the_language_page():
    assert render_text([CONV]) == (
        "error[E301]: conv does not fit its input: (224 - 11 + 0) / 4 + 1 = 54.25\n"
        "  --> alexnet.cnn:5:5\n"
        "   |\n"
        " 5 |     conv(96, 11x11, stride = 4) -> relu\n"
        "   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^ the last input row and column would never be seen\n"
        "   |\n"
        "   = input here: [3, 224, 224], from `input image` on line 3\n"
        "   = help: `pad = 2`, or a 227x227 input, fits; `round = floor` drops them on purpose"
    )


def test_second_places_have_snippets_of_their_own():
    other = Source("b.cnn", "\n" * 11 + "block B { }\n")
    diagnostic = Diagnostic(
        "E203",
        "bound twice",
        at(ALEXNET, "relu"),
        "here",
        (
            Label(at(ALEXNET, "conv"), "and here"),
            Label(at(ALEXNET, "image"), "first"),
            Label(at(other, "B"), "in another file"),
        ),
    )
    assert render_text([diagnostic]) == (
        "error[E203]: bound twice\n"
        "   --> alexnet.cnn:5:36\n"
        "    |\n"
        "  5 |     conv(96, 11x11, stride = 4) -> relu\n"
        "    |                                    ^^^^ here\n"
        "    |     ---- and here\n"
        "   ::: alexnet.cnn:3:11\n"
        "    |\n"
        "  3 |     input image: [3, 224, 224]\n"
        "    |           ----- first\n"
        "   ::: b.cnn:12:7\n"
        "    |\n"
        " 12 | block B { }\n"
        "    |       - in another file"
    )


def test_a_file_that_is_not_a_spec_has_a_place():
    warning = Diagnostic(
        "W501", "a key is unknown", place="w.safetensors:8", notes=("one\ntwo",), help=("drop it",)
    )
    assert render_text([warning]) == (
        "warning[W501]: a key is unknown\n  --> w.safetensors:8\n   = one\n     two\n   = help: drop it"
    )


def caret(text, word, width=80):
    """The source line and the line of carets, without their margins."""
    source = Source("t", text)
    lines = render_text([Diagnostic("E1", "m", at(source, word))], width=width).split("\n")
    return lines[3].partition("| ")[2], lines[4].partition("| ")[2]


@pytest.mark.parametrize(
    ("text", "shown", "under"),
    [
        ("\tfoo", "    foo", "    ^^^"),
        ("a\tfoo", "a   foo", "    ^^^"),
        ("\u4e2d\u6587 foo", "\u4e2d\u6587 foo", "     ^^^"),
        ("e\u0301 foo", "e\u0301 foo", "  ^^^"),
        ("\x1b[2Jfoo", "\\x1b[2Jfoo", "       ^^^"),
        ("\u202efoo", "\\u202efoo", "      ^^^"),
        ("foo\r\nbar", "foo", "^^^"),
        ("a\x00foo\x9b", "a\\x00foo\\x9b", "     ^^^"),
    ],
)
def test_the_caret_stands_below_what_is_shown(text, shown, under):
    assert caret(text, "foo") == (shown, under)


def test_long_lines_are_cut_around_the_caret():
    shown, under = caret("x" * 300 + " foo " + "y" * 300, "foo")
    assert len(shown) <= 80
    assert shown.startswith("...x") and shown.endswith("y...")
    assert shown[len(under) - 3 : len(under)] == "foo"
    shown, under = caret("foo " + "y" * 200_000, "foo")
    assert (shown[:5], shown[-4:], under) == ("foo y", "y...", "^^^")
    shown, under = caret("y" * 200_000 + " foo", "foo")
    assert shown.endswith("y foo") and shown[len(under) - 3 : len(under)] == "foo"


def test_a_span_of_many_lines_shows_its_first():
    source = Source("t", "add {\n    relu\n}\n")
    assert render_text([Diagnostic("E1", "m", Span(source, 0, 16))]).split("\n")[3:] == [
        " 1 | add {",
        "   | ^^^^^",
    ]


def test_an_empty_span_has_one_caret():
    source = Source("t", "a\n")
    for offset, column in ((0, 0), (1, 1), (2, 0)):
        lines = render_text([Diagnostic("E1", "m", Span(source, offset, offset))]).split("\n")
        assert lines[-1].partition("| ")[2] == " " * column + "^"


def test_nothing_from_the_input_reaches_the_terminal_unescaped():
    source = Source("\x1b]0;name\x07.cnn", "foo\x1b[31m\n")
    nasty = "\x1b[0m\u202e\r\n\x07"
    diagnostic = Diagnostic(
        "E1", nasty, at(source, "foo"), nasty, (Label(at(source, "oo"), nasty),), (nasty,), (nasty,)
    )
    for text in (
        render_text([diagnostic]),
        render_text([Diagnostic("E1", "m", place=nasty)]),
        str(SpecError(diagnostic)),
    ):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert render_json([diagnostic]).isascii()


def test_colour_adds_escapes_and_nothing_else():
    import re

    painted = render_text([CONV], color=True)
    assert painted.startswith("\x1b[1;31merror[E301]\x1b[0m")
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == render_text([CONV])


def test_diagnostics_come_in_the_order_of_their_places_each_once():
    first, second = (
        Diagnostic("E1", "first", at(ALEXNET, "input")),
        Diagnostic("E1", "second", at(ALEXNET, "relu")),
    )
    whole = Diagnostic("E1", "no place")
    assert render_text([second, first, whole, second]) == render_text([whole, first, second])
    assert [d["message"] for d in json.loads(render_json([second, first, whole, second]))] == [
        "no place",
        "first",
        "second",
    ]


def test_json_has_every_field():
    assert json.loads(render_json([CONV])) == [
        {
            "code": "E301",
            "severity": "error",
            "message": CONV.message,
            "file": "alexnet.cnn",
            "line": 5,
            "column": 5,
            "end_line": 5,
            "end_column": 32,
            "length": 27,
            "offset": None,
            "label": CONV.label,
            "labels": [],
            "notes": list(CONV.notes),
            "help": list(CONV.help),
        }
    ]
    labelled = Diagnostic("W2", "m", at(ALEXNET, "relu"), labels=(Label(at(ALEXNET, "image"), "first"),))
    assert json.loads(render_json([labelled]))[0]["labels"] == [
        {
            "file": "alexnet.cnn",
            "line": 3,
            "column": 11,
            "end_line": 3,
            "end_column": 16,
            "length": 5,
            "text": "first",
        }
    ]
    placed = json.loads(
        render_json([Diagnostic("W5", "m", place="w.bin:12"), Diagnostic("W5", "m", place="w.bin")])
    )
    assert [(d["severity"], d["file"], d["offset"], d["line"]) for d in placed] == [
        ("warning", "w.bin", 12, None),
        ("warning", "w.bin", None, None),
    ]
