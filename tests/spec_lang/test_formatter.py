"""The layout: what it looks like, that it means the same, and that it is final."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spec_lang.diagnostics import SpecError
from spec_lang.formatter import WIDTH, format_source
from spec_lang.parser import parse
from spec_lang.source import Source
from tests.spec_lang.language import SPECS
from tests.spec_lang.test_syntax import DEFINITIONS, EXPRESSIONS, STATEMENTS
from tests.spec_lang.trees import definitions

SHIPPED = sorted((Path(__file__).parents[2] / "specs").rglob("*.cnn"))


def laid_out(text):
    """The text in its layout, after checking what must hold for every text."""
    result = format_source(Source("t", text))
    assert definitions(result) == definitions(text)
    assert format_source(Source("t", result)) == result
    assert [re.sub(r"\s+", "", c) for c in comments(result)] == [
        re.sub(r"\s+", "", c) for c in comments(text)
    ]
    assert not re.search(r"[ \t]\n|\n\n\n|\r", result)
    return result


def comments(text):
    return [comment.text for comment in parse(Source("t", text)).comments]


def model(body):
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.split("\n"))
    return f"model m {{\n{lines}}}\n"


# Body as typed: body as laid out.
LAYOUT = {
    # spaces
    "conv( 64,3x3 ,pad=half )->relu  ->  x [ 0 ]": "conv(64, 3x3, pad = half) -> relu -> x[0]",
    "let a=-b+ - c**-2//( 3 )": "let a = -b + -c ** -2 // (3)",
    "for ( i,j ) in zip( 0 .. n-1,a ){ relu }": "for (i, j) in zip(0..n - 1, a) { relu }",
    "if not(a)and b . c{relu}": "if not (a) and b.c { relu }",
    "lab  :conv as(p , _)": "lab: conv as (p, _)",
    '"l{ i }" :seq{relu}': '"l{ i }": seq { relu }',
    "input x:[3,H=2]per\timage": "input x: [3, H = 2] per image",
    "weight w:[3](trainable=false)": "weight w: [3] (trainable = false)",
    'weight "w" : [ 3 ](trainable=false)': 'weight "w": [3] (trainable = false)',
    "x[0](3)": "x[0](3)",
    "prelu(shared=true)": "prelu(shared = true)",
    "block(weight)->output  a": "block(weight) -> output a",
    'init{conv=he   "a"=b}': 'init { conv = he  "a" = b }',
    'expect a==b,"why"': 'expect a == b, "why"',
    "repeat 2{\n}": "repeat 2 {}",
    "let a = [ ]": "let a = []",
    "let a = if b then(c)else[d]": "let a = if b then (c) else [d]",
    # breaks
    "relu\n->tanh\n    ->  elu": "relu\n    -> tanh\n    -> elu",
    "relu->\ntanh": "relu\n    -> tanh",
    "relu -> # why\ntanh": "relu  # why\n    -> tanh",
    "if a\n{\nrelu\n}\nelse\n{\ntanh\n}": "if a {\n    relu\n} else {\n    tanh\n}",
    "if a { relu\n}": "if a {\n    relu\n}",
    "if a # why\n{ relu }": "if a  # why\n{ relu }",
    "if a { relu } # b\nelse { tanh }": "if a { relu }  # b\nelse { tanh }",
    "add { branch { relu } branch {\ntanh } }": "add {\n    branch { relu } branch {\n        tanh\n    }\n}",
    "conv(\n64,\n3x3\n)": "conv(\n    64,\n    3x3\n)",
    "let a = [[1,\n2],\n[3]]": "let a = [[1,\n    2],\n    [3]]",
    "expect a\nand b,\n'why'".replace("'", '"'): 'expect a\n    and b,\n    "why"',
    "seq { relu } ->\nseq {\ntanh\n}": "seq { relu }\n    -> seq {\n        tanh\n    }",
    # blank lines and comments
    "\n\nrelu\n\n\n\ntanh\n\n": "relu\n\ntanh",
    "relu#a\ntanh # b": "relu  #a\ntanh  # b",
    "relu      # a\nconv(3)   # b\n\ntanh  # c": "relu     # a\nconv(3)  # b\n\ntanh  # c",
    "# a\n\n\n# b\nrelu\n# c": "# a\n\n# b\nrelu\n# c",
    "conv( # a\n3, # b\n# own\n4)": "conv(  # a\n    3,  # b\n    # own\n    4)",
    "relu\n# between\n-> tanh": "relu\n    # between\n    -> tanh",
    "repeat 2 { # a\nrelu }": "repeat 2 {  # a\n    relu\n}",
    "repeat 2 {\n# nothing\n}": "repeat 2 {\n    # nothing\n}",
}


@pytest.mark.parametrize("text", LAYOUT)
def test_a_body_in_its_layout(text):
    assert laid_out(f"model m {{\n{text}\n}}\n") == model(LAYOUT[text])


LONG = "conv(64, 3x3, pad = half) -> batchnorm -> relu"


def test_a_long_chain_is_broken_before_an_arrow():
    text = laid_out(model(" -> ".join([LONG] * 4)))
    lines = text.split("\n")[1:-2]
    assert lines[0].startswith("    conv(") and all(line.startswith("        -> ") for line in lines[1:])
    assert len(lines) > 1 and max(map(len, lines)) <= WIDTH


def test_braces_on_a_long_line_are_opened_first():
    branch = f"branch {{ {LONG} }}"
    assert laid_out(model(f"add {{ {branch} {branch} {branch} }}")) == model(
        f"add {{\n    {branch}\n    {branch}\n    {branch}\n}}"
    )
    assert laid_out(model(f"repeat 2 {{ {LONG} -> {LONG} }} ")) == model(
        f"repeat 2 {{\n    {LONG} -> {LONG}\n}}"
    )


def test_a_long_line_that_cannot_be_broken_stays():
    line = "let a = [" + ", ".join("1" * 60) + "]"
    assert laid_out(model(line)) == model(line)


def test_definitions_and_their_comments():
    assert laid_out(
        '#a\n\n\n\nimport "a.cnn"(A,B)\n## doc\ninline   block X( a,b=3 ) { relu }\n\nmodel n=X( 3 )  # n\n'
        "train n{loss=a\nepochs=3}\n\n# tail\n\n\n"
    ) == (
        '#a\n\nimport "a.cnn" (A, B)\n## doc\ninline block X(a, b = 3) { relu }\n\nmodel n = X(3)  # n\n'
        "train n {\n    loss = a\n    epochs = 3\n}\n\n# tail\n"
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# a", "\n# a\n\n\n# b"])
def test_a_file_without_definitions(text):
    assert laid_out(text) == "\n\n".join(comments(text)) + ("\n" if text.strip() else "")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_become_those_of_unix(end):
    assert format_source(Source("t", f"model m {{{end}    relu{end}}}{end}")) == model("relu")


@pytest.mark.parametrize("name", SPECS)
def test_the_specs_of_the_language_mean_the_same_when_laid_out(name):
    assert max(len(line.partition("  #")[0]) for line in laid_out(SPECS[name]).split("\n")) <= WIDTH


def test_a_spec_in_its_layout_is_left_alone():
    assert laid_out(SPECS["unetpp"]) == SPECS["unetpp"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_spec_means_the_same_when_laid_out(path):
    laid_out(path.read_text(encoding="utf-8"))


def test_every_construct_means_the_same_when_laid_out():
    laid_out("\n".join(DEFINITIONS))
    laid_out("\n".join(f"let x = {text}" for text in EXPRESSIONS))
    body = "\n".join(STATEMENTS)
    laid_out(f"model m {{\n{body}\n}}\n")
    for text in STATEMENTS:
        laid_out(f"block b {{ {text} }}")
        laid_out(f"block b {{ {text} # why\n\n}}")
        laid_out(f"block b{{#why\n{text}\n#end\n}}#e")


def test_a_text_that_does_not_parse_is_not_laid_out():
    with pytest.raises(SpecError):
        format_source(Source("t", "model m { relu relu }"))


def test_what_a_broken_line_indents_further_is_measured_where_it_then_stands():
    inner = "relu -> " * 11 + "flatten"
    outer = "conv(len([0 for k in 0..100_000]), 1x1, bias = true, pad = same_lower, round = floor, dilation = 1) -> add {"
    text = model(f"{outer}\n    branch {{\n        {inner}\n    }}\n    branch {{}}\n}}")
    assert len(f"            {inner}") <= WIDTH < len(f"                {inner}")
    lines = laid_out(text).splitlines()
    assert lines[2].strip() == "-> add {"
    assert max(map(len, lines)) <= WIDTH
