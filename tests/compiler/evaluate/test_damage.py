"""Mistakes of the text and of the meaning in one file are told in one run, each once."""

from __future__ import annotations

import pytest

from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source

HEAD = "model m {\n    input x: [3, 16, 16]\n"

CASES = {
    "an output without its name, and five mistakes of meaning": (
        HEAD + "    conv(8, 3x3, strid = 2) -> relu\n    conv(8, 3x3, pad = half) -> rellu\n    x -> conv(8, 19x19)\n"
        "    let n = 4 // 0\n    fc(10, bias = 3)\n    output\n    softmax\n}\n",
        {("E310", 3), ("E202", 4), ("E302", 5), ("E211", 6), ("E312", 7), ("E131", 8)},
    ),
    "a label on the line above its layer": (
        HEAD + "    c1:\n    conv(4, 3x3)\n    relu(slop = 1)\n}\n", {("E131", 3), ("E310", 5)},
    ),
    "a shape before and a name behind the mistake": (
        HEAD + "    conv(4, 20x20)\n    y = conv(4, 1x1)\n    sigmod\n}\n", {("E302", 3), ("E121", 4), ("E202", 5)},
    ),
    "two models, one with a mistake of the text": (
        HEAD + "    conv(4, 3, 3)\n}\nmodel n {\n    input x: [3, 8, 8]\n    relu;\n    conv(4, 9x9)\n}\n",
        {("E314", 3), ("E124", 7)},
    ),
    "what only follows from a lost statement is not told": (
        HEAD + "    conv(4, 3x3) as skip -> relu ] -> conv(4, 3x3)\n    add(it, skip)\n}\n", None,
    ),
    "a lost input": ("model m {\n    input x = [3, 16, 16]\n    conv(4, 3x3) -> relu\n    output y\n}\n", None),
    "a lost name": (
        HEAD + "    conv(4, 3x3) as\n    a\n    add(a, it)\n    conv(4, 3x3, pads = 1)\n}\n", {("E131", 3), ("E310", 6)},
    ),
    "a mistake within a loop": (
        HEAD + "    for i in 0..2 {\n        conv(4, 3x3) relu\n    }\n    fc(3, biass = true)\n}\n",
        {("E130", 4), ("E310", 6)},
    ),
    "a block whose head is not understood": (
        "block B(a b) { conv(a, 1x1) }\n" + HEAD + "    B(3)\n    relu(slop = 3)\n}\n", {("E120", 1), ("E310", 5)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_mistake_is_told_once(name):
    text, expected = CASES[name]
    found = check(Source("s.cnn", text))
    got = {(d.code, d.span.line) for d in found}
    if expected is None:
        assert all(code.startswith("E1") for code, _ in got) and got
    else:
        assert {line for _, line in got} == {line for _, line in expected}
        assert {code for code, _ in got if code >= "E2"} == {code for code, _ in expected if code >= "E2"}
    assert len(found) == len(got)
    with pytest.raises(SpecError):
        load(Source("s.cnn", text))
