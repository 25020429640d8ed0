"""Syntax errors: each has its code and exact place, each is reported once, and the rest is still read."""

from __future__ import annotations

import pytest

from spec_lang.codes.text import CODES
from spec_lang.habits import HABITS, size_of_name
from spec_lang.parser import parse
from spec_lang.source import Source
from tests.spec_lang.trees import mistakes, places

# Statements of a body that begins in line 2; the place counts from there.
LINES = {
    # an operand on the line of its keyword
    "output\nsoftmax": ("E131", 2, 1),
    "relu\noutput # logits\nsoftmax": ("E131", 3, 1),
    'output\n"a"': ("E131", 2, 1),
    "conv as\nrelu": ("E131", 2, 6),
    "lab:\nrelu": ("E131", 2, 1),
    "lab : # why\nrelu": ("E131", 2, 1),
    '"l{1}":\nrelu': ("E131", 2, 7),
    "lab:\n{ relu }": ("E131", 2, 1),
    "lab:\nseq { relu }": ("E131", 2, 1),
    "let y =\nrelu": ("E131", 2, 7),
    "let\ny = 3": ("E131", 2, 1),
    "input x:\n[3, 2]": ("E131", 2, 7),
    "input\nx: [3, 2]": ("E131", 2, 1),
    "weight\nx: [3, 2]": ("E131", 2, 1),
    "shared\nx: relu": ("E131", 2, 1),
    "shared x:\nrelu": ("E131", 2, 8),
    "for\ni in a { relu }": ("E131", 2, 1),
    "for i in\na { relu }": ("E131", 2, 7),
    "repeat\n2 { relu }": ("E131", 2, 1),
    "expect\na": ("E131", 2, 1),
    "init { conv =\nhe }": ("E131", 2, 13),
    # a line does not begin with what belongs to the one above
    "relu\nas x": ("E132", 3, 1),
    "conv\n(3, 3x3)": ("E132", 3, 1),
    "let y = act\n(3)": ("E132", 3, 1),
    "let y = act\n[3]": ("E132", 3, 1),
    "lab: conv\n\n(3, 3x3)": ("E132", 4, 1),
    "let y = [[1, 2]\n[3, 4]]": ("E132", 3, 1),
    "add(a\n(3))": ("E132", 3, 1),
    # one statement per line
    "conv(3, 3x3) relu": ("E130", 2, 14),
    "relu tanh": ("E130", 2, 6),
    "input i: [3, 4, 4] conv(3, 3x3)": ("E130", 2, 20),
    "weight w: [3, 1, 1] conv(3, 3x3)": ("E130", 2, 21),
    "repeat 2 { relu } tanh": ("E130", 2, 19),
    "let a = 3 let b = 4": ("E130", 2, 11),
    "input a: [3] input b: [3]": ("E130", 2, 14),
    "output a tanh": ("E130", 2, 10),
}


@pytest.mark.parametrize("text", LINES)
def test_a_break_in_the_wrong_place(text):
    assert places(f"model m {{\n{text}\n}}\n") == [LINES[text]]


FINE = [
    "relu\n-> tanh",
    "relu ->\ntanh",
    "relu\n# between\n-> tanh",
    "repeat 2 { relu\ntanh }",
    "add { branch { relu } branch { tanh } }",
    "add {\nbranch { relu } branch { tanh }\nbranch { }\n}",
    "init { conv = he fc = xavier }",
    "if a { relu }\nelse { tanh }",
    "if a\n{ relu }",
    "lab: seq\n{ relu }",
    "conv(\n3,\n3x3\n)",
    "conv(3, pad =\n1)",
    "let a = [\n(1, 2),\n[3],\n]",
    "let a = b +\nc",
    "let a = b\n+ c",
    'expect a,\n"why"',
]


@pytest.mark.parametrize("text", FINE)
def test_a_break_in_a_good_place(text):
    assert len(parse(Source("t", f"model m {{\n{text}\n}}\n")).definitions) == 1


def test_definitions_and_settings_have_lines_of_their_own():
    assert places("model m { relu } model n { relu }\n") == [("E130", 1, 18)]
    assert places("train m { a = 3 b = 4 }\n") == [("E130", 1, 17)]


# Whole texts, with every mistake in them.
TEXTS = {
    # brackets and braces
    "block a {\n    relu\n\nmodel m {\n    relu\n}\n": [("E110", 1, 9)],
    "block a {\n    repeat 2 {\n        relu\n}\nblock b { relu }\n": [("E110", 2, 14)],
    "model m {\n    if a {\n        relu\n    tanh\n": [("E110", 1, 9), ("E110", 2, 10)],
    "model m {\n    relu\n}\n}\n": [("E111", 4, 1)],
    "model m {\n    conv(3, 3x3 -> relu\n    fc(3)\n}\n": [("E110", 2, 9)],
    "model m {\n    conv(\n        3,\n        3x3\n    relu\n}\n": [("E110", 2, 9)],
    "model m {\n    conv(3, 3x3]\n    relu\n}\n": [("E111", 2, 16)],
    "model m {\n    conv(3, 3x3))\n    relu\n}\n": [("E111", 2, 17)],
    "model m {\n    let a = [1, 2\n}\n": [("E110", 2, 13)],
    "{": [("E110", 1, 1)],
    "(": [("E110", 1, 1)],
    "}": [("E111", 1, 1)],
    # bodies
    "block a\n    relu\n}\nmodel m { relu }\n": [("E135", 1, 1)],
    "model m\n": [("E135", 1, 1)],
    "model m {\n    repeat 2\n    relu\n}\n": [("E135", 2, 5)],
    "model m {\n    if a > 3\n        relu\n    tanh tanh\n}\n": [("E135", 2, 5), ("E130", 4, 10)],
    "model m {\n    seq relu\n}\n": [("E135", 2, 5)],
    # places
    "relu\ntanh\nmodel m { relu }\nfc\n": [("E134", 1, 1), ("E134", 4, 1)],
    "model m {\n    model n { relu relu }\n}\n": [("E134", 2, 5), ("E130", 2, 20)],
    "block m {\n    block n(a) { relu }\n    relu relu\n}\n": [("E134", 2, 5), ("E130", 3, 10)],
    "model m {\n    add { relu }\n    concat {}\n    layer1 { tanh }\n}\n": [
        ("E133", 2, 11),
        ("E133", 3, 13),
        ("E133", 4, 14),
    ],
    # strings
    'model m {\n    output "a\n}\n': [("E106", 2, 12)],
    'model m {\n    "a{": relu\n    "b}": relu\n    "c{}": relu\n}\n': [
        ("E140", 2, 7),
        ("E140", 3, 7),
        ("E140", 4, 7),
    ],
    'model m {\n    "l{i:x}": relu\n    "l{1 +}": relu\n    "l{1 2}": relu\n    "l{$}": relu\n}\n': [
        ("E140", 2, 9),
        ("E120", 3, 11),
        ("E120", 4, 10),
        ("E105", 5, 8),
    ],
    'model m {\n    "a{{{b}": relu\n}\n': [],
    # names
    "model m {\n    let if = 3\n    relu as not\n    for true in a { relu }\n}\n": [
        ("E109", 2, 9),
        ("E109", 3, 13),
        ("E109", 4, 9),
    ],
    "block then(else) { relu }\n": [("E109", 1, 7), ("E109", 1, 12)],
    # ends
    "model": [("E120", 1, 6)],
    "model m {\n    let a\n    relu\n}\n": [("E120", 2, 9)],
    "model m {\n    conv(3 3x3)\n}\n": [("E120", 2, 12)],
    "model m {\n    relu(3)(4)\n}\n": [("E120", 2, 12)],
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_with_its_mistakes(text):
    if TEXTS[text]:
        assert places(text) == TEXTS[text]
    else:
        assert parse(Source("t", text)).definitions


def test_all_mistakes_of_a_file_are_reported_each_once():
    text = """\
model first(a b) {
    conv 64
    for i in range(4):
        relu
    x = conv(64, 3x3)
    relu; tanh
    conv(64, 3 x 3)
    output
    softmax
    if a = 3 { relu relu }
    add { relu }
    repeat 2 {
        dropout(.5)
    }
    good -> relu
}

block second {
    relu => tanh
    "a{": relu
}
"""
    assert places(text) == [
        ("E120", 1, 15),
        ("E122", 2, 10),
        ("E124", 3, 22),
        ("E121", 5, 7),
        ("E105", 6, 9),
        ("E123", 7, 16),
        ("E131", 8, 5),
        ("E125", 10, 10),
        ("E130", 10, 21),
        ("E133", 11, 11),
        ("E107", 13, 17),
        ("E125", 19, 10),
        ("E140", 20, 7),
    ]


def _whole(row, example):
    return (
        example + "\n"
        if row.where == "top"
        else f"model m {{\n    input a: [1, 8, 8]\n    {example}\n    relu\n}}\n"
    )


@pytest.mark.parametrize(
    ("row", "example"),
    [(row, example) for row in HABITS for example in row.examples],
    ids=lambda x: str(x)[:40],
)
def test_what_people_type_from_habit_is_explained(row, example):
    found = mistakes(_whole(row, example))
    assert [(d.code, d.message, d.help) for d in found] == [(row.code, row.message, (row.help,))]


# Marks and numbers that the lexer knows from elsewhere: (code, column, part of the help).
WORDS = {
    "relu;": ("E105", 5, "leave out the `;`"),
    "if a && b { relu }": ("E105", 6, "`and`"),
    "if a || b { relu }": ("E105", 6, "`->`"),
    "if !a { relu }": ("E105", 4, "`not`"),
    "relu \u2192 tanh": ("E105", 6, "`->`"),
    "conv(64, 3\u00d73)": ("E105", 11, "`x`"),
    "expect \u201ca\u201d": ("E105", 8, '`"`'),
    "expect a, 'b'": ("E105", 11, '`"..."`'),
    "dropout(0\u00a0)": ("E105", 10, "ordinary space"),
    "conv(3xk, 1)": ("E107", 6, "`(3, k)`"),
    "conv(4, 3x)": ("E107", 9, "`3x3`"),
    "conv(4, 3X3)": ("E107", 9, "`3x3`"),
    "dropout(.5)": ("E107", 9, "`0.5`"),
    "dropout(1.)": ("E107", 9, "`1.0`"),
    "dropout(p = 0,5)": ("E108", 13, "`0.5`"),
    "normal(0,01)": ("E107", 10, "`0.01`"),
    "let a = 1__0": ("E107", 9, "60_000"),
    "let a = 1e999": ("E107", 9, ""),
    "let stra\u00dfe = 1": ("E104", 9, ""),
}


@pytest.mark.parametrize("text", WORDS)
def test_a_word_of_another_language(text):
    code, column, advice = WORDS[text]
    found = mistakes(f"model m {{\n{text}\n}}\n")
    assert [(d.code, d.span.line, d.span.column) for d in found] == [(code, 2, column)]
    assert advice in " ".join(found[0].help)


@pytest.mark.parametrize("code", [code for code in CODES if code.wrong], ids=lambda code: code.name)
def test_the_page_of_a_code_shows_its_mistake_alone(code):
    assert {d.code for d in mistakes(code.wrong)} == {code.name}
    assert parse(Source("right", code.right)).definitions


def test_a_message_says_what_could_have_come():
    message = mistakes("model m {\n    conv(3 3)\n}\n")[0]
    assert message.message == "unexpected `3`; expected `)` or `,`"
    assert message.help == ("a `,` is missing in front of this",)


def test_a_file_of_mistakes_is_cut_off_with_their_number():
    found = mistakes("model m {\n" + "relu relu\n" * 250 + "}\n")
    assert len(found) == 100
    assert found[-1].notes == ("150 more mistakes follow in this file",)


@pytest.mark.parametrize(
    ("name", "tuple_"), [("kxk", "(k, k)"), ("3xk", "(3, k)"), ("xception", ""), ("max", "")]
)
def test_a_name_that_looks_like_a_size(name, tuple_):
    assert size_of_name(name) == tuple_
