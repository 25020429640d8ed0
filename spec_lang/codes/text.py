"""E1: text and syntax."""

from __future__ import annotations

from spec_lang.codes.base import Code


def _model(*lines: str, before: str = "") -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"{before}model m {{\n    input x: [3, 16, 16]\n{body}\n}}\n"


_RIGHT = _model("relu")

CODES: tuple[Code, ...] = (
    # ---- characters
    Code(
        "E101", "Not UTF-8",
        "A spec is text in UTF-8, with or without a byte-order mark.  The message names the first byte "
        "that is not part of such a text; save the file as UTF-8.",
    ),
    Code(
        "E102", "Control character",
        "Besides tabs and line ends, a spec holds no control characters, not even in comments and "
        "strings.  A NUL mostly means that the file is no text at all.",
        _model("relu  # \x00"), _RIGHT,
    ),
    Code(
        "E103", "Bidirectional control",
        "Characters that change the direction of text make a line look like another one.  They may stand "
        "nowhere, comments included.",
        _model("relu  # \u202e reversed"), _RIGHT,
    ),
    Code(
        "E104", "Letter outside ASCII",
        "Names become names of weights and of variables in generated code, so they are made of ASCII "
        "letters, digits and `_`.  Comments, and the messages of `expect`, may hold any letters.",
        _model("conv(4, 1x1) as gro\u00df", "relu"), _model("conv(4, 1x1) as large", "relu"),
    ),
    Code(
        "E105", "Unknown character",
        "The character is not part of the language.  Text copied from a paper or a word processor brings "
        "along multiplication signs, arrows, dashes and curly quotes; the help names what to write for "
        "them.",
        _model("relu;"), _RIGHT,
    ),
    Code(
        "E106", "String not closed",
        'A string begins and ends with `"` on one line, and holds no `"` itself.',
        _model('output "logits'), _model('output "logits"'),
    ),
    Code(
        "E107", "Not a number",
        "Numbers are integers (`64`, `60_000`), floats (`0.5`, `1e-5`) and sizes (`3x3`).  A letter glued "
        "to one, a point without digits on both sides, or a float out of range make none of these.  A size "
        "with a name in it is a tuple: `(k, 1)`.",
        _model("dropout(.5)"), _model("dropout(0.5)"),
    ),
    Code(
        "E108", "Decimal comma",
        "A decimal fraction has a point: `0.5`.  A comma parts arguments.",
        _model("dropout(p = 0,5)"), _model("dropout(p = 0.5)"),
    ),
    Code(
        "E109", "Reserved word",
        "`and`, `or`, `not`, `if`, `then`, `else`, `true` and `false` mean something in every expression, "
        "so nothing can have one as its name.  As a label every word is fine.",
        _model("let then = 3", "relu"), _model("let thirdly = 3", "relu"),
    ),
    # ---- brackets
    Code(
        "E110", "Bracket never closed",
        "Brackets and braces are matched before anything else, so this is the one without a partner.  Where "
        "indentation shows that an inner `{` took the `}` of an outer one, the inner one is blamed.",
        _model("conv(4, 1x1", "relu"), _model("conv(4, 1x1)", "relu"),
    ),
    Code(
        "E111", "Bracket closes nothing",
        "There is no open bracket of this kind here.",
        _model("relu)"), _RIGHT,
    ),
    # ---- grammar
    Code(
        "E120", "Unexpected word or mark",
        "The text cannot go on with this.  The message names what could have come, where that is not "
        "nearly anything. The parser then goes on at the next line of the same depth, so other mistakes of "
        "the file are reported too.",
        _model("conv(4 1x1)"), _model("conv(4, 1x1)"),
    ),
    Code(
        "E121", "Naming with `=`",
        "Three things have names: `label: layer` names weights, `layer as name` names a tensor, and `let "
        "name = value` names a number or another value.  A layer has no `=` in front of it.",
        _model("a = conv(4, 1x1)"), _model("a: conv(4, 1x1)"),
    ),
    Code(
        "E122", "Not a chain",
        "Layers are joined by `->`, or stand on lines below each other.  A chain begins with a layer, or "
        "with the name of a tensor; `in` is the tensor that came in.",
        _model("conv(4, 1x1), relu"), _model("conv(4, 1x1) -> relu"),
    ),
    Code(
        "E123", "Size in pieces",
        "A size is one word, `3x3`, height first.  With spaces in it, it is a number, a name and a number.",
        _model("conv(4, 1 x 1)"), _model("conv(4, 1x1)"),
    ),
    Code(
        "E124", "Statement of another language",
        "Loops are `for i in 0..4 { ... }` and `repeat 2 { ... }`, conditions `if c { ... } else { ... }`, "
        "parts of a network `block name(parameters) { ... }`.  Bodies stand in braces; indentation means "
        "nothing.",
        _model("for i in range(2):", "    relu"), _model("for i in range(2) {", "    relu", "}"),
    ),
    Code(
        "E125", "Operator of another language",
        "Layers are joined by `->`; values are compared with `== != < <= > >=`, joined by `and`, `or`, "
        "`not`, and given to a name or an argument by a single `=`.",
        _model("conv(4, 1x1) => relu"), _model("conv(4, 1x1) -> relu"),
    ),
    Code(
        "E126", "Comment of another language",
        "A comment begins with `#` and ends with its line.  `##` lines document the definition below.",
        _model("relu  // not negative"), _model("relu  # not negative"),
    ),
    # ---- lines and places
    Code(
        "E130", "Two statements on one line",
        "Each statement has a line of its own, so that a forgotten `->` or `,` does not become another "
        "network.  The first one of a body may stand behind its `{`; rules of `init` and branches may "
        "share a line.",
        _model("conv(4, 1x1) relu"), _model("conv(4, 1x1)", "relu"),
    ),
    Code(
        "E131", "Operand on another line",
        "What belongs to a keyword stands on its line: the name behind `output` and `as`, the layer behind "
        "a label, the value behind `let name =`.  Otherwise the next statement would silently become that "
        "operand.",
        _model("output", "relu"), _model("relu", "output y"),
    ),
    Code(
        "E132", "Line begins with `(`, `[` or `as`",
        "A call's `(`, a subscript's `[` and `as` stand on the line of what they belong to.  A line may "
        "begin with `->`, and inside brackets lines may break anywhere else.",
        _model("conv", "(4, 1x1)"), _model("conv(", "    4, 1x1)"),
    ),
    Code(
        "E133", "Not a branch",
        "Between the braces of a join stand `branch { ... }`, and `for` and `if` with branches in them.  "
        "Each branch starts from the same tensor.  A group of layers has a label: `name: { ... }`.",
        _model("add { relu }"), _model("add { branch { relu } branch { identity } }"),
    ),
    Code(
        "E134", "In the wrong place",
        "At the top of a file stand definitions: `block`, `model`, `train`, `let`, `import`.  Layers stand "
        "in the body of a model or block, and definitions do not stand in bodies.",
        "relu\n", _RIGHT,
    ),
    Code(
        "E135", "Body missing",
        "Behind this head a body in braces is expected.",
        _model("repeat 2", "relu"), _model("repeat 2 { relu }"),
    ),
    # ---- strings with expressions
    Code(
        "E140", "Braces in a string",
        "In labels, in the names of outputs and in the messages of `expect`, `{expression}` is filled in, "
        "with an optional format for whole numbers (`{i:03}` has three digits).  A brace itself is written "
        "`{{` or `}}`.",
        _model('"a{1": relu'), _model('"a{1}": conv(4, 1x1)'),
    ),
)
