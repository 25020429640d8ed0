"""Syntax errors explained by example: what people type from habit, and what to say to it.

A row is looked for where the parser stops: its pattern must match the line in question and touch
the token in question.  `examples` are statements of a body (or definitions, where a row says so)
that lead to the row; the tests try them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from spec_lang.frozen import frozen


@frozen
class Habit:
    """`pattern` is searched in the line, and compiled then; `kinds` narrows the unexpected token down."""

    code: str
    message: str
    help: str
    pattern: str
    examples: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    where: str = "body"
    """Where it is looked for: in a `body`, at the `top` of a file, or in `both`."""


def _habit(
    code: str, message: str, help: str, pattern: str, *examples: str, kinds: str = "", where: str = "body"
) -> Habit:
    return Habit(code, message, help, pattern, examples, frozenset(kinds.split()), where)


HABITS: tuple[Habit, ...] = (
    # ---- loops, conditions and definitions of other languages
    _habit(
        "E124",
        "`elif` is not part of the language",
        "write `else if condition { ... }`",
        r"\belif\b.*",
        "if x > 1 { relu } elif x > 2 { tanh }",
        "elif x > 2 { tanh }",
        where="both",
    ),
    _habit(
        "E124",
        "there is no `while`",
        "`for x in list { ... }`, `repeat n { ... }` and recursion of blocks run at compile time",
        r"^\s*while\b.*",
        "while x > 2 { tanh }",
        where="both",
    ),
    _habit(
        "E124",
        "there is no `def`",
        "a part of a network is `block name(parameters) { ... }`, a function of numbers `let f(x) = ...`",
        r"^\s*(async\s+)?def\b.*",
        "def double(x):",
        "def double(x) { relu }",
        where="both",
    ),
    _habit(
        "E124",
        "there is no `class`",
        "a part of a network is `block name(parameters) { ... }`, a network `model name { ... }`",
        r"^\s*class\b.*",
        "class Net(nn.Module):",
        where="both",
    ),
    _habit(
        "E124",
        "there is no `return`",
        "the last tensor is the result; `output name` names it",
        r"^\s*return\b.*",
        "return x",
        "return relu(x)",
        where="both",
    ),
    _habit(
        "E124",
        "a loop runs over a list",
        "write `for i in 0..4 { ... }`; 4 is excluded",
        r"\bfor\s*\(?\s*(int\s+)?\w+\s*=.*",
        "for i = 0 { relu }",
        "for (i = 0, 4) { relu }",
        kinds="EQUAL",
    ),
    _habit(
        "E124",
        "a range has two dots, and its end is excluded",
        "write `0..4` for 0, 1, 2, 3",
        r"\.\.(\.|=)",
        "for i in 0...4 { relu }",
        "for i in 0..=3 { relu }",
    ),
    _habit(
        "E124",
        "bodies stand in braces, not below a colon",
        "write `{ ... }` around the body and leave out the `:`",
        r"^\s*(\}\s*)?(for|if|else|elif|while|repeat|block|model|inline|aside|train|with)\b.*:\s*(#.*)?$",
        "for i in range(4):",
        "if x == y:",
        "if x > 3:",
        "else:",
        "repeat 3:",
    ),
    _habit(
        "E124",
        "bodies stand in braces, not below a colon",
        "write `{ ... }` around the body and leave out the `:`",
        r"^(block|model|inline|train)\b.*:\s*(#.*)?$",
        "block A:",
        "model a(n = 3):",
        where="top",
    ),
    _habit(
        "E124",
        "an import names a file and what it takes from it",
        'write `import "blocks.cnn" (ConvBN, Aux)`',
        r"^\s*(import|from)\b.*",
        "import torch",
        "from torch import nn",
        'import "a.cnn"',
        where="top",
    ),
    # ---- operators of other languages
    _habit(
        "E125",
        "layers are joined by `->`",
        "write `a -> b`",
        r"=>|>>|\|>|-\s+>|~>|–>",
        "conv(3, 3x3) => relu",
        "conv(3, 3x3) >> relu",
        "conv(3, 3x3) - > relu",
    ),
    _habit(
        "E125",
        "values are given once and never changed",
        "write `let name = ...` with a new name",
        r"\w+\s*(\+|-|\*|/)=|\+\+|--",
        "let n += 1",
        "n += 1",
        "n++",
    ),
    _habit(
        "E125",
        "a comparison is written with `==`",
        "write `==`; a single `=` gives an argument or a name its value",
        r"\b(if|expect|and|or|not)\b.*=.*",
        "if x = 3 { relu }",
        "expect params = 3",
        kinds="EQUAL",
    ),
    _habit(
        "E125",
        "comparisons cannot be chained",
        "write `a < b and b < c`",
        r"(<|>|==|!=)=?.*(<|>|==|!=)=?.*",
        "expect 1 < x < 3",
        "if a == b == c { relu }",
        kinds="COMPARE",
    ),
    _habit(
        "E125",
        "a name gets its value with a single `=`",
        "write `let name = value`",
        r"\blet\b.*(==|:=)",
        "let n == 3",
        kinds="COMPARE COLON",
    ),
    # ---- labels, arguments, names
    _habit(
        "E125",
        "an argument is given with `=`",
        "write `name = value`; a colon follows a label, in front of a layer",
        r"\(.*\w\s*:",
        "conv(64, kernel: 3x3)",
        "conv(64, 3x3, pad: 1)",
        kinds="LABEL COLON",
    ),
    _habit(
        "E121",
        "an output is the current tensor, and gets a name alone",
        "write the layer above `output name`, or `layer(...) -> output name`",
        r"\boutput\s+\S+\s*=.*",
        "output y = relu",
        'output "a/b" = conv(3, 3x3)',
        kinds="EQUAL",
    ),
    _habit(
        "E121",
        "what is shared has a label",
        "write `shared head: fc(10)`",
        r"\bshared\s+\w+\s*[=({]?.*",
        "shared head = fc(10)",
        "shared head fc(10)",
        kinds="NAME EQUAL",
    ),
    _habit(
        "E121",
        "the name of a weight is followed by a colon",
        "write `weight gamma: [64, 1, 1]`",
        r"\bweight\s+\w+\b(?!\s*:)\s*[\[(=]?.*",
        "weight w [3]",
        "weight w = [3]",
        kinds="NAME",
    ),
    _habit(
        "E121",
        "`as` names a tensor by a plain name",
        'write `as c1`; a label, in front of the layer, names weights: `"c1": conv(64, 3x3)`',
        r"\bas\s+\".*",
        'conv(64, 3x3) as "c1"',
        kinds="STRING",
    ),
    _habit(
        "E121",
        "a layer is labelled with a colon, a number is named with `let`",
        "write `name: layer(...)` to name its weights, `layer(...) as name` to name its result, "
        "`let name = ...` for a number",
        r"^\s*[\w\"{}.]+(\[.*\])?\s*=.*",
        "x = conv(64, 3x3)",
        '"x{1}" = conv(64, 3x3)',
        "x[0] = relu",
        kinds="EQUAL",
    ),
    _habit(
        "E121",
        "a value at the top of a file is named with `let`",
        "write `let name = value`",
        r"^\s*\w+\s*=[^=>].*",
        "n = 3",
        where="top",
    ),
    _habit(
        "E121",
        "several results are named in parentheses",
        "write `as (a, b)`",
        r"\bas\s+\w+\s*,.*",
        "maxpool(2x2, indices = true) as p, where",
        kinds="COMMA",
    ),
    # ---- numbers and sizes
    _habit(
        "E123",
        "a size is one word",
        "write `3x3`, without spaces; with names in it, the tuple `(k, 1)`",
        r"(\d|\b\w)\s+[xX×]\s*(\d|\w\b)|\d\s*[xX×]\s+\d|\d\s+by\s+\d",
        "conv(64, 3 x 3)",
        "conv(64, 3 x3)",
        "conv(64, k x k)",
        "maxpool(2 X 2)",
    ),
    _habit(
        "E108",
        "a decimal fraction has a point",
        "write `0.5`",
        r"\d+,\d+",
        "let rate = 0,5",
        kinds="COMMA",
    ),
    _habit(
        "E108",
        "`%` is the remainder of a division",
        "write `0.5` for 50 %",
        r"\d\s*%\s*([,)\]]|$)",
        "dropout(50%)",
        "dropout(50%, spatial = true)",
        kinds="RPAR COMMA RSQB",
    ),
    # ---- comments
    _habit(
        "E126",
        "a comment begins with `#`",
        "write `# ...`; a `#` ends with its line",
        r"//.*|/\*.*|\*/|--\s.*|<!--.*|%.*",
        "conv(64, 3x3) // the first layer",
        "// the first layer",
        "/* the first layer */",
        kinds="FLOOR_DIVIDE DIVIDE TIMES MINUS REMAINDER NAME",
    ),
    _habit(
        "E126",
        "a comment begins with `#`",
        "write `# ...`; a `#` ends with its line",
        r"//.*|/\*.*|\*/",
        "// LeNet",
        "/* LeNet */",
        where="top",
    ),
    # ---- the flow
    _habit(
        "E122",
        "`input` declares an input; the tensor that comes in is called `in`",
        "write `in -> ...`, or `input name: [C, H, W]` to declare one",
        r"\binput\s*(->|\.|\)|,).*",
        "input -> relu",
        "input.channels",
        kinds="_ARROW DOT COMMA RPAR",
    ),
    _habit(
        "E122",
        "a layer stands here by its name alone",
        "write `relu`, and `name: layer(...)` for a layer whose weights have a name",
        r"^\s*(self|nn|F|torch|tf|keras|layers)\..*",
        "nn.ReLU()",
        "self.conv1 = conv(64, 3x3)",
        kinds="DOT",
    ),
    _habit(
        "E122",
        "tensors are added and multiplied by layers",
        "write `add(a, b)` or `multiply(a, b)`; in a chain, `a -> add(it, b)`",
        r"[\w)\]]\s*[+*-]\s*\w.*",
        "conv(64, 3x3) + relu",
        "skip + it -> relu",
        "skip * it",
        kinds="PLUS TIMES MINUS",
    ),
    _habit(
        "E122",
        "layers are joined by `->`",
        "write `a -> b`, or put them on two lines",
        r"[\w)\]]\s*(,|\.|\|)\s*\w.*",
        "conv(64, 3x3), relu",
        "conv(64, 3x3).relu()",
        kinds="COMMA DOT",
    ),
    _habit(
        "E122",
        "a chain begins with a layer or the name of a tensor, not with `->`",
        "`it` is the current tensor, and need not be written",
        r"^\s*->.*",
        "-> relu",
        kinds="_ARROW",
    ),
    _habit(
        "E122",
        "layers stand in a chain without brackets",
        "write `a -> b`; a group with a name is `name: { ... }`, a numbered one `seq { ... }`",
        r"^\s*[\[({].*",
        "(conv(64, 3x3) -> relu)",
        "[relu, tanh]",
        "{ relu }",
        kinds="LPAR LSQB LBRACE",
    ),
    _habit(
        "E122",
        "the arguments of a layer stand in parentheses",
        "write `layer(arguments)`",
        r"(^|->|[:{])\s*[A-Za-z_]\w*\s+[\d\"].*",
        "conv 64, 3x3",
        "flatten -> fc 10",
        kinds="INT FLOAT SIZE STRING",
    ),
    _habit(
        "E122",
        "the name of an input is followed by a colon",
        "write `input image: [3, 224, 224]`",
        r"\binput\s+\w+\b(?!\s*:)\s*[\[(=]?.*",
        "input image [3, 224, 224]",
        "input image = [3, 224, 224]",
        kinds="NAME EQUAL",
    ),
    _habit(
        "E122",
        "an input has a name, and its shape stands in square brackets",
        "write `input image: [3, 224, 224]`; the batch is not written",
        r"\binput\s*(\w+\s*:?\s*)?[\[(].*",
        "input(3, 224, 224)",
        "input [3, 224, 224]",
        "input image: (3, 224, 224)",
        kinds="LPAR LSQB",
    ),
    _habit(
        "E122",
        "a name has letters, digits and `_`",
        "write `res_net`",
        r"^\s*(model|block|train|inline\s+block)\s+\w+-.*",
        "model res-net { relu }",
        "block res-block(n) { relu }",
        kinds="MINUS",
        where="top",
    ),
)
"""In order: the first row that fits is taken."""


LONGEST_LINE = 500
"""People's lines are shorter; those of machines are not searched for habits."""


def habit(line: str, column: int, end: int, kind: str, top_level: bool) -> Habit | None:
    """The row for an unexpected token of `kind` at `line[column:end]`."""
    if len(line) > LONGEST_LINE:
        return None
    for row in HABITS:
        if row.where == ("body" if top_level else "top") or (row.kinds and kind not in row.kinds):
            continue
        for match in re.finditer(row.pattern, line):
            if match.start() <= end and match.end() >= column:
                return row
    return None


def size_of_name(name: str, known: Iterable[str] = ()) -> str:
    """For a name such as `kxk` the tuple that was probably meant, `(k, k)`; else an empty string.

    Its halves are numbers, single letters, or names that are `known`.
    """
    names = set(known)

    def stands(half: str) -> bool:
        return half.isdecimal() or half in names or re.fullmatch("[A-Za-z]", half) is not None

    for at, letter in enumerate(name):
        if letter == "x" and stands(name[:at]) and stands(name[at + 1 :]):
            return f"({name[:at]}, {name[at + 1 :]})"
    return ""
