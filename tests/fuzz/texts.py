"""Texts that look like specs: of the language's words, and of real specs that were damaged."""

from __future__ import annotations

from hypothesis import strategies as st

from compiler.load import shipped
from tests.contract.rows import ROWS

WORDS = (
    "model", "block", "input", "output", "let", "for", "in", "if", "else", "then", "repeat", "seq", "add", "concat",
    "branch", "aside", "training", "shared", "weight", "frozen", "expect", "import", "train", "init", "preprocess",
    "inline", "identity", "conv", "convtranspose", "maxpool", "avgpool", "fc", "relu", "batchnorm", "dropout",
    "flatten", "reshape", "permute", "select", "slice", "reduce", "softmax", "lrn", "rbf", "upsample", "it", "x",
    "m", "B", "half", "same", "floor", "ceil", "exact", "channels", "last", "true", "false", "and", "or", "not",
    "min", "max", "len", "sum", "range", "zip", "int", "sqrt", "params", "macs", "memory", "as", "per", "image",
    "3", "0", "1", "-1", "2 ** 40", "10 ** 15", "1e308", "0.5", "3x3", "5x1x2", "[1, 8, 8]", "[3, H = 9, W = 8]", "0..3",
    "..", "->", ",", ":", "=", "==", "!=", "<", "**", "//", "%", "/", "*", "+", "-", ".", "(", ")", "[", "]", "{", "}",
    '"a{i}"', '"l.{j:03}"', '"', '"\\', "# c", "## d", "\n", "\n", "\n", "\n    ", "\r", "\t", "\x00", "\x1b", "\u202e",
    "\u00d7", "\ufb01", "$", ";", "=>", "it.channels", "it.shape", "classes = 3", "conv(4, 3x3)", "-> relu\n",
)  # fmt: skip

HEAD = "model m(n = 3, k = 3x3, act = relu) {\n    input x: [4, 9, 8]\n    "
SPECS = tuple(sorted({
    *(one.path.read_text(encoding="utf-8") for one in shipped().values()),
    *(text for row in ROWS for text in row.files.values() if isinstance(text, str) and len(text) < 3000),
}))

words = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
statements = words.map(lambda text: f"{HEAD}{text}\n}}\n")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A real spec with some pieces dropped, doubled, moved, or replaced by others."""
    text = draw(st.sampled_from(SPECS))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 30)))
        kind = draw(st.sampled_from(["drop", "double", "move", "word", "number"]))
        piece = text[start:stop]
        if kind == "drop":
            text = text[:start] + text[stop:]
        elif kind == "double":
            text = text[:stop] + piece + text[stop:]
        elif kind == "move":
            rest = text[:start] + text[stop:]
            at = draw(st.integers(0, len(rest)))
            text = rest[:at] + piece + rest[at:]
        elif kind == "word":
            text = text[:start] + draw(st.sampled_from(WORDS)) + text[stop:]
        else:
            number = str(draw(st.sampled_from([0, -1, 1, 2, 7, 64, 2**31, 10**17, 10**18])))
            text = text[:start] + number + text[stop:]
    return text


anything = st.one_of(words, statements, damaged(), damaged(), st.text(max_size=80))
