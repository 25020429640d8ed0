"""Every construct of the language parses to the expected AST."""

from __future__ import annotations

import pytest

from spec_lang.parser import parse
from spec_lang.source import Source
from tests.spec_lang.trees import definitions, expression, statements


def name(word):
    return ("Name", word)


def integer(value):
    return ("Int", value)


def apply(word, arguments=None, label=None, indices=()):
    return ("Apply", label, word, indices, arguments)


def link(base, *targets, unpack=False):
    return ("Link", base, targets, unpack)


def chain(*links):
    return ("Chain", links)


def one(word):
    """A statement that is one layer without arguments."""
    return chain(link(apply(word)))


def label(*parts):
    return ("Template", parts)


def body(*items):
    return ("Body", items)


def argument(value, key=None):
    return ("Argument", key, value)


A, B, C, X = name("a"), name("b"), name("c"), name("x")

EXPRESSIONS = {
    # literals
    "60_965_224": integer(60965224),
    "0.25": ("Float", 0.25),
    "1e-5": ("Float", 1e-5),
    "2.5E+3": ("Float", 2500.0),
    "true": ("Bool", True),
    "false": ("Bool", False),
    '"a {b} c"': ("String", "a {b} c"),
    '""': ("String", ""),
    "3x5": ("Size", (3, 5)),
    "2x3x4": ("Size", (2, 3, 4)),
    # lists and tuples
    "[]": ("List", ()),
    "[1]": ("List", (integer(1),)),
    "[a, b,]": ("List", (A, B)),
    "(k, 1)": ("Tuple", (name("k"), integer(1))),
    "(k,)": ("Tuple", (name("k"),)),
    "(k, 1,)": ("Tuple", (name("k"), integer(1))),
    "(a)": A,
    "[a for x in b]": ("Comprehension", A, (("Loop", ("x",), False, B),)),
    "[a for (x, y) in b for c in x]": (
        "Comprehension",
        A,
        (("Loop", ("x", "y"), True, B), ("Loop", ("c",), False, X)),
    ),
    # operators, from the loosest
    "if a then b else c": ("Conditional", A, B, C),
    "if a then b else if b then c else a": ("Conditional", A, B, ("Conditional", B, C, A)),
    "a or b and c": ("Binary", "or", A, ("Binary", "and", B, C)),
    "not a == b": ("Unary", "not", ("Binary", "==", A, B)),
    "a <= b + c": ("Binary", "<=", A, ("Binary", "+", B, C)),
    "0..a - 1": ("Binary", "..", integer(0), ("Binary", "-", A, integer(1))),
    "a - b - c": ("Binary", "-", ("Binary", "-", A, B), C),
    "a + b * c": ("Binary", "+", A, ("Binary", "*", B, C)),
    "a // b % c / x": ("Binary", "/", ("Binary", "%", ("Binary", "//", A, B), C), X),
    "-a ** b": ("Unary", "-", ("Binary", "**", A, B)),
    "a ** -b": ("Binary", "**", A, ("Unary", "-", B)),
    "a ** b ** c": ("Binary", "**", A, ("Binary", "**", B, C)),
    "-(a + b)": ("Unary", "-", ("Binary", "+", A, B)),
    "a != b": ("Binary", "!=", A, B),
    # calls, subscripts, attributes
    "a()": ("Call", "a", ()),
    "a(b, c = 1,)": ("Call", "a", (argument(B), argument(integer(1), "c"))),
    "a[b, 0..c]": ("Index", A, (B, ("Binary", "..", integer(0), C))),
    "a.b.c": ("Attribute", ("Attribute", A, "b"), "c"),
    "in.channels": ("Attribute", name("in"), "channels"),
    "a(b)[0].c": ("Attribute", ("Index", ("Call", "a", (argument(B),)), (integer(0),)), "c"),
    # keywords are names where no keyword is expected
    "prelu(shared = true)": ("Call", "prelu", (argument(("Bool", True), "shared"),)),
    "block(weight, output)": ("Call", "block", (argument(name("weight")), argument(name("output")))),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression(text):
    assert expression(text) == EXPRESSIONS[text]


STATEMENTS = {
    # inputs and weights
    "input image: [3, H = 224, W = n]": (
        "Input",
        "image",
        (("Dim", None, integer(3)), ("Dim", "H", integer(224)), ("Dim", "W", name("n"))),
        False,
    ),
    "input boxes: [4] per image": ("Input", "boxes", (("Dim", None, integer(4)),), True),
    "weight w: [a, 1, 1]": ("Weight", label("w"), (A, integer(1), integer(1)), ()),
    "weight w: []": ("Weight", label("w"), (), ()),
    "weight w: [3] (trainable = false, value = [1, 2, 3])": (
        "Weight",
        label("w"),
        (integer(3),),
        (
            argument(("Bool", False), "trainable"),
            argument(("List", (integer(1), integer(2), integer(3))), "value"),
        ),
    ),
    'weight "w{i}": [3]': ("Weight", label("w", name("i")), (integer(3),), ()),
    # names of values
    "let n = a": ("Let", "n", A),
    "let f(a, b) = a": ("Function", "f", ("a", "b"), A),
    # chains
    "relu": one("relu"),
    "in -> relu": chain(link(apply("in")), link(apply("relu"))),
    "conv(64, 3x3, pad = half)": chain(
        link(
            apply(
                "conv",
                (argument(integer(64)), argument(("Size", (3, 3))), argument(name("half"), "pad")),
            )
        )
    ),
    "relu() as a": chain(link(apply("relu", ()), ("Target", "a", ()))),
    "a as x[i, 0] -> b": chain(
        link(apply("a"), ("Target", "x", (name("i"), integer(0)))),
        link(apply("b")),
    ),
    "pool as (p, _)": chain(link(apply("pool"), ("Target", "p", ()), ("Target", "_", ()), unpack=True)),
    "pool as (p,)": chain(link(apply("pool"), ("Target", "p", ()), unpack=True)),
    "x[0, j] -> relu": chain(link(apply("x", indices=(integer(0), name("j")))), link(apply("relu"))),
    "units[i](64)": chain(link(apply("units", (argument(integer(64)),), indices=(name("i"),)))),
    "a\n-> b\n-> c": chain(link(apply("a")), link(apply("b")), link(apply("c"))),
    "a ->\nb": chain(link(apply("a")), link(apply("b"))),
    "output logits": chain(link(("Output", label("logits")))),
    'output "a/{i}"': chain(link(("Output", label("a/", name("i"))))),
    "relu -> output a -> tanh": chain(link(apply("relu")), link(("Output", label("a"))), link(apply("tanh"))),
    # labels
    "conv1: conv(a)": chain(link(apply("conv", (argument(A),), label("conv1")))),
    "conv1 : conv": chain(link(apply("conv", None, label("conv1")))),
    "in: relu": chain(link(apply("relu", None, label("in")))),
    "output: relu": chain(link(apply("relu", None, label("output")))),
    "training: relu": chain(link(apply("relu", None, label("training")))),
    "if: relu": chain(link(apply("relu", None, label("if")))),
    '"layer{i}.{j + 1}": relu': chain(
        link(apply("relu", None, label("layer", name("i"), ".", ("Binary", "+", name("j"), integer(1)))))
    ),
    '"l{i:03}_conv": relu': chain(
        link(apply("relu", None, label("l", ("Formatted", name("i"), "03"), "_conv")))
    ),
    '"a{{b}}": relu': chain(link(apply("relu", None, label("a{b}")))),
    # groups and joins
    "stem: { relu }": chain(link(("Group", label("stem"), False, body(one("relu"))))),
    "seq { relu }": chain(link(("Group", None, True, body(one("relu"))))),
    "stem: seq { relu } as a": chain(
        link(("Group", label("stem"), True, body(one("relu"))), ("Target", "a", ()))
    ),
    "add { branch { relu } branch { } }": chain(
        link(("Merge", None, "add", (("Branch", body(one("relu"))), ("Branch", body()))))
    ),
    "j: concat {\nfor i in a { branch { relu } }\n"
    "if b { branch { } } else if c { branch { } } else { branch { } } }": (
        chain(
            link(
                (
                    "Merge",
                    label("j"),
                    "concat",
                    (
                        ("ForBranches", ("Loop", ("i",), False, A), (("Branch", body(one("relu"))),)),
                        (
                            "IfBranches",
                            B,
                            (("Branch", body()),),
                            (("IfBranches", C, (("Branch", body()),), (("Branch", body()),)),),
                        ),
                    ),
                )
            )
        )
    ),
    # control
    "for i in 0..a { relu }": (
        "For",
        ("Loop", ("i",), False, ("Binary", "..", integer(0), A)),
        body(one("relu")),
    ),
    "for (i, j) in a { }": ("For", ("Loop", ("i", "j"), True, A), body()),
    "repeat 2 * a { relu }": ("Repeat", ("Binary", "*", integer(2), A), body(one("relu"))),
    "if a { relu }": ("If", A, body(one("relu")), None),
    "if a { } else { relu }": ("If", A, body(), body(one("relu"))),
    "if a { }\nelse { relu }": ("If", A, body(), body(one("relu"))),
    "if a { } else if b { relu }": ("If", A, body(), body(("If", B, body(one("relu")), None))),
    "if a\n{\nrelu\n}": ("If", A, body(one("relu")), None),
    "aside { relu }": ("Aside", body(one("relu"))),
    "training { relu }": ("Training", body(one("relu"))),
    # assertions, settings
    "expect params == 3": ("Expect", ("Binary", "==", name("params"), integer(3)), None),
    'expect a, "table {b}"': ("Expect", A, label("table ", B)),
    'expect a\nand b,\n"why"': ("Expect", ("Binary", "and", A, B), label("why")),
    "preprocess { bgr }": ("Preprocess", body(one("bgr"))),
    'init { conv = he  "fc.w" = a }': (
        "Init",
        (("InitRule", "conv", False, name("he")), ("InitRule", "fc.w", True, A)),
    ),
    # shared layers
    "shared head: RPN(3)": ("Shared", label("head"), apply("RPN", (argument(integer(3)),), label("head"))),
    "shared head: { relu }": ("Shared", label("head"), ("Group", label("head"), False, body(one("relu")))),
    "shared head: seq { relu }": ("Shared", label("head"), ("Group", label("head"), True, body(one("relu")))),
    'shared "h{i}": units[i]': (
        "Shared",
        label("h", name("i")),
        apply("units", None, label("h", name("i")), (name("i"),)),
    ),
}


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement(text):
    assert statements(text) == (STATEMENTS[text],)


DEFINITIONS = {
    'import "blocks.cnn" (ConvBN, Aux)': ("Import", "blocks.cnn", (("ConvBN", None), ("Aux", None))),
    "let n = a": ("Let", "n", A),
    "let f(a) = a": ("Function", "f", ("a",), A),
    "block B { relu }": ("Block", "B", False, (), body(one("relu")), ""),
    "block B() { }": ("Block", "B", False, (), body(), ""),
    "inline block B(a, b = 1,) { }": (
        "Block",
        "B",
        True,
        (("Parameter", "a", None), ("Parameter", "b", integer(1))),
        body(),
        "",
    ),
    "model M(block, layers = [a]) { block }": (
        "Model",
        "M",
        (("Parameter", "block", None), ("Parameter", "layers", ("List", (A,)))),
        body(one("block")),
        "",
    ),
    "model n = M": ("Variant", "n", "M", (), ""),
    "model n = M(a, b = 1)": ("Variant", "n", "M", (argument(A), argument(integer(1), "b")), ""),
    "train M { loss = a\nepochs = 1\naugment { hflip } }": (
        "Train",
        "M",
        (
            ("Setting", "loss", A),
            ("Setting", "epochs", integer(1)),
            ("Setting", "augment", body(one("hflip"))),
        ),
    ),
    "train M { }": ("Train", "M", ()),
}


@pytest.mark.parametrize("text", DEFINITIONS)
def test_a_definition(text):
    assert definitions(text) == (DEFINITIONS[text],)


def test_doc_comments_belong_to_the_definition_right_below_them():
    text = (
        "## not this, a blank line follows\n\n"
        "## First line.\n##   Second.\nblock A { }\n"
        "# plain\nmodel b = A\n"
        "### no doc\nmodel c = A\n"
        "## A variant\nmodel d = A\n"
        "## Inline.\ninline block E { }\n"
    )
    docs = {d[1]: d[-1] for d in definitions(text)}
    assert docs == {"A": "First line.\n  Second.", "b": "", "c": "", "d": "A variant", "E": "Inline."}


def test_comments_are_kept_with_their_places():
    file = parse(Source("t", "# one\nmodel m { # two\n  relu\t# three  \n}\n#four"))
    assert [(c.text, c.own_line, c.span.line) for c in file.comments] == [
        ("# one", True, 1),
        ("# two", False, 2),
        ("# three", False, 3),
        ("#four", True, 5),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems_part_statements(end):
    text = end.join(["model m {", "relu", "tanh", "}", ""])
    assert definitions(text)[0][3] == body(one("relu"), one("tanh"))


def test_white_space_means_nothing_within_brackets():
    assert statements("conv(\n\t64,\n\t3x3,\n\tpad =\n\t\thalf\n)") == statements("conv(64,3x3,pad=half)")


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "   \n\t\n"])
def test_an_empty_file_has_no_definitions(text):
    assert definitions(text) == ()
