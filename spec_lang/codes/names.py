"""E2: names, flow and imports."""

from __future__ import annotations

from spec_lang.codes.base import Code


def _model(*lines: str, before: str = "") -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"{before}model m {{\n    input x: [3, 16, 16]\n{body}\n}}\n"


CODES: tuple[Code, ...] = (
    Code(
        "E201",
        "Unknown name",
        "A name in an expression is a parameter, a `let`, a loop's name, a tensor, a block, a layer, or a "
        "word that some layer takes as a choice (`half`, `floor`).  This one is none of them.",
        _model("conv(filter, 3x3)"),
        _model("let filters = 8", "conv(filters, 3x3)"),
    ),
    Code(
        "E202",
        "Unknown layer",
        "What stands in a chain is a layer of the language, a block of the file or of an import, a layer "
        "that came as a parameter, or the name of a tensor at the chain's beginning.",
        _model("rellu"),
        _model("relu"),
    ),
    Code(
        "E203",
        "Bound twice",
        "A name is bound once within a block or model, an element of an array is filled once, and there is "
        "one output of a name.  A loop's body, a branch, an `if` and an `aside` are scopes of their own: a "
        "name in them is new each time.  `it` and `in` are reserved.",
        _model("conv(4, 3x3) as a", "conv(4, 3x3) as a"),
        _model("conv(4, 3x3) as a", "conv(4, 3x3) as b"),
    ),
    Code(
        "E204",
        "Nothing flows",
        "A layer takes the current tensor, and there is none here: a model with several inputs begins its "
        "chains with the name of one.",
        "model m {\n    input a: [3, 8, 8]\n    input b: [3, 8, 8]\n    relu\n}\n",
        "model m {\n    input a: [3, 8, 8]\n    input b: [3, 8, 8]\n    add(a, b)\n}\n",
    ),
    Code(
        "E205",
        "The flow would be lost",
        "Inside a chain a join must take `it` among its tensors, and the name of a tensor may only begin a "
        "chain; otherwise what flowed there would be dropped in silence.",
        _model("conv(3, 1x1) as skip -> relu", "conv(3, 1x1) -> concat(skip)"),
        _model("conv(3, 1x1) as skip -> relu", "conv(3, 1x1) -> concat(skip, it)"),
    ),
    Code(
        "E206",
        "Reaches no output",
        "The result of this layer is used by nothing that leads to an output.  Mostly a chain was begun "
        "anew by accident, or a join was forgotten.",
        _model("conv(4, 3x3) as a", "x -> conv(5, 3x3)"),
        _model("conv(4, 3x3)", "conv(5, 3x3)"),
    ),
    Code(
        "E207",
        "Two things with one name",
        "Labels name weights, so two things cannot have the same path, and a layer `a` cannot stand beside "
        "a label `a.b`.",
        _model("a: conv(3, 1x1)", "a: conv(3, 1x1)"),
        _model("a: conv(3, 1x1)", "b: conv(3, 1x1)"),
    ),
    Code(
        "E208",
        "Not a label",
        "A label is steps of letters, digits, `_`, `-` and an inner `/`, joined by dots; a label names a "
        "layer, a block, a group or a join, not a tensor, and nothing `inline` or already `shared`.  An "
        "output's name is printable ASCII.",
        _model('"a..b": conv(3, 1x1)'),
        _model('"a.b": conv(3, 1x1)'),
    ),
    Code(
        "E209",
        "Unknown attribute",
        "Tensors have `.channels`, `.height`, `.width`, `.depth`, `.size`, `.features`, `.rank` and "
        "`.shape`, as far as their rank allows; nothing else has attributes.",
        _model("conv(it.chanels, 3x3)"),
        _model("conv(it.channels, 3x3)"),
    ),
    Code(
        "E210",
        "Wrong kind of value",
        "A condition is true or false, a count and an index are whole numbers, arithmetic is for numbers, a "
        "loop runs over a list, and only functions and layers are called.",
        _model("if 1 { relu }"),
        _model("if 1 > 0 { relu }"),
    ),
    Code(
        "E211",
        "Arithmetic without a result",
        "A division by zero, the root of a negative number, or a number that is too large for a float.",
        _model("conv(8 // 0, 1x1)"),
        _model("conv(8 // 2, 1x1)"),
    ),
    Code(
        "E212",
        "No such element",
        "The index is outside the list, or this element of an array of tensors is not filled at this place.  "
        "All elements of one array have the same number of indices.",
        _model("let widths = [8, 16]", "conv(widths[2], 1x1)"),
        _model("let widths = [8, 16]", "conv(widths[1], 1x1)"),
    ),
    Code(
        "E213",
        "Wrong arguments of a block, model or function",
        "Parameters are given by position or by name, each once; those without a default must be given; and "
        "a value must be of the kind of the default (a number, a size, a tuple and a choice are one kind).",
        _model("B(8, 9)", before="block B(width) { conv(width, 1x1) }\n"),
        _model("B(8)", before="block B(width) { conv(width, 1x1) }\n"),
    ),
    Code(
        "E214",
        "Out of place",
        "A model has inputs at its top, one `preprocess`, and an `init`; blocks have none of these.  A "
        "model needs an input and something that flows to its end.",
        "model m {\n    relu\n}\n",
        _model("relu"),
    ),
    Code(
        "E215",
        "A free extent is read",
        "`[3, H = 224, W = 224]` leaves H and W open until the model runs; a number that depends on them "
        "would fix them in silence.  Layers that take a size also take `like = tensor`, which reads nothing.",
        "model m {\n    input x: [3, H = 16, W = 16]\n    conv(it.width, 1x1)\n}\n",
        "model m {\n    input x: [3, H = 16, W = 16]\n    conv(it.channels, 1x1)\n}\n",
    ),
    Code(
        "E216",
        "An expectation is not met",
        "`expect` asserts something about parameters, about the flow, or about the whole model (`params`, "
        "`macs`, `memory`; checked when the parameters have their defaults), and it is not so.",
        _model("relu", "expect it.channels == 4"),
        _model("relu", "expect it.channels == 3"),
    ),
    Code(
        "E217",
        "An import that cannot be followed",
        "An import is a relative path of a `.cnn` file: beside the importing file, or among the shipped "
        "specs, and nowhere else.",
        'import "missing.cnn" (A)\n' + _model("relu"),
        _model("relu"),
    ),
    Code(
        "E218",
        "Files that import each other",
        "Imports must not run in a circle: move what both need into a third file.",
    ),
    Code("E219", "Not defined in the import", "The imported file has no definition of this name."),
    Code(
        "E220",
        "No model",
        "The file defines neither a model nor a block.",
        "let a = 3\n",
        "block B { relu }\n",
    ),
    Code(
        "E221",
        "Unknown model",
        "There is no model of this name in the file, among its imports, or among the shipped specs.",
        "model a = B(3)\n",
        "model B(n) { input x: [n]\n    relu\n}\nmodel a = B(3)\n",
    ),
    Code(
        "E223",
        "Misuse of something shared",
        "What is `shared` has its arguments and its weights from its declaration: every application must "
        "give its weights the same shapes.",
        _model("shared head: conv(3, 1x1)", "head(3)"),
        _model("shared head: conv(3, 1x1)", "head -> head"),
    ),
    Code(
        "E224",
        "Too little to join",
        "A join takes at least two tensors or branches; only `add`, `multiply`, `maximum`, `average` and "
        "`concat` have branches.",
        _model("add { branch { relu } }"),
        _model("add { branch { relu } branch { identity } }"),
    ),
    Code(
        "E225",
        "Wrong number of results",
        "`as (a, b)` names as many results as the layer or block has; `_` takes one that is not needed.",
        _model("relu as (a, b)"),
        _model("relu as a"),
    ),
    Code(
        "E226",
        "Defined twice",
        "A file defines or imports a name once.",
        _model("relu", before="let a = 1\nlet a = 2\n"),
        _model("relu", before="let a = 1\nlet b = 2\n"),
    ),
    Code(
        "E227",
        "Declared and never used",
        "An input, a raw weight or a shared layer that reaches no output.",
        _model("weight w: [3, 1, 1]", "relu"),
        _model("weight w: [3, 1, 1]", "multiply(it, w)"),
    ),
    Code(
        "E228",
        "Defined by itself",
        "A constant or a variant that leads back to itself.",
        _model("conv(a, 1x1)", before="let a = b\nlet b = a\n"),
        _model("conv(a, 1x1)", before="let a = b\nlet b = 4\n"),
    ),
    Code("E229", "Unknown parameter", "The model has no parameter of the name that was set from outside."),
    Code(
        "E230",
        "A spec that cannot be read",
        "The file is missing, is not a regular file, or may not be read.",
    ),
    Code(
        "E231",
        "Only there in training",
        "What stands in `training { ... }` does not exist when the model is used, so nothing outside of it "
        "can take its tensors.  Names in it end with it; elements of an array do not.",
        _model("training { conv(3, 1x1) as y[0] }", "add(it, y[0])"),
        _model("conv(3, 1x1) as y[0]", "add(x, y[0])"),
    ),
)
