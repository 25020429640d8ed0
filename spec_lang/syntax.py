"""The AST: one frozen class for each form of the grammar, each with its span.

Nothing here is checked beyond the grammar: names may be unknown and numbers absurd.
A `Template` is a string in which `{expression}` is filled in (`{{` is a brace).
"""

from __future__ import annotations

from typing import TypeAlias

from spec_lang.node import Node
from spec_lang.source import Source, Span

# ---- expressions -----------------------------------------------------------------------


class Int(Node):
    span: Span
    value: int


class Float(Node):
    span: Span
    value: float


class Bool(Node):
    span: Span
    value: bool


class String(Node):
    """A string without its quotes.  It is plain text here; where the language fills in
    expressions (labels, outputs, messages) the parser gives a `Template` instead."""

    span: Span
    value: str


class Size(Node):
    """`3x5`: one extent per axis, height before width."""

    span: Span
    extents: tuple[int, ...]


class Name(Node):
    span: Span
    id: str


class Attribute(Node):
    span: Span
    value: Expr
    name: str


class Index(Node):
    span: Span
    value: Expr
    items: tuple[Expr, ...]


class Argument(Node):
    """`value` or `name = value` in a call."""

    span: Span
    name: str | None
    value: Expr


class Call(Node):
    span: Span
    name: str
    name_span: Span
    arguments: tuple[Argument, ...]


class Unary(Node):
    """`operator` is `-` or `not`."""

    span: Span
    operator: str
    operand: Expr


class Binary(Node):
    """`operator` is one of `+ - * / // % ** == != <= >= < > and or ..`."""

    span: Span
    operator: str
    left: Expr
    right: Expr


class Conditional(Node):
    span: Span
    condition: Expr
    then: Expr
    otherwise: Expr


class Tuple(Node):
    span: Span
    items: tuple[Expr, ...]


class List(Node):
    span: Span
    items: tuple[Expr, ...]


class Loop(Node):
    """`for targets in iterable` of a comprehension."""

    span: Span
    targets: tuple[str, ...]
    unpack: bool
    iterable: Expr


class Comprehension(Node):
    span: Span
    element: Expr
    loops: tuple[Loop, ...]


Expr: TypeAlias = (
    Int | Float | Bool | String | Size | Name | Attribute | Index | Call | Unary | Binary
    | Conditional | Tuple | List | Comprehension
)


class Formatted(Node):
    """`{value:03}` in a template: a whole number in a format of Python's (digits, perhaps `d`)."""

    span: Span
    value: Expr
    format: str


class Template(Node):
    """Text with expressions in it: `parts` alternate freely between text and expressions."""

    span: Span
    parts: tuple[str | Expr | Formatted, ...]


# ---- chains ----------------------------------------------------------------------------


class Target(Node):
    """One name of `as`: `name`, `name[i, j]`, or `_`."""

    span: Span
    name: str
    indices: tuple[Expr, ...]


class Apply(Node):
    """`label: name[i](arguments)`: a layer, a block, a layer value, or the name of a tensor.

    `arguments` is None where there are no parentheses; `indices` is empty without brackets.
    """

    span: Span
    label: Template | None
    name: str
    name_span: Span
    indices: tuple[Expr, ...]
    arguments: tuple[Argument, ...] | None


class Branch(Node):
    span: Span
    body: Body


class ForBranches(Node):
    span: Span
    loop: Loop
    branches: tuple[BranchItem, ...]


class IfBranches(Node):
    """`otherwise` is empty without `else`; `else if` is a tuple of one `IfBranches`."""

    span: Span
    condition: Expr
    then: tuple[BranchItem, ...]
    otherwise: tuple[BranchItem, ...]


BranchItem: TypeAlias = Branch | ForBranches | IfBranches


class Merge(Node):
    """`label: add { branch {...} ... }`."""

    span: Span
    label: Template | None
    name: str
    name_span: Span
    branches: tuple[BranchItem, ...]


class Group(Node):
    """`label: { ... }`, or with `seq` also without a label."""

    span: Span
    label: Template | None
    seq: bool
    body: Body


class Output(Node):
    """`output name` or `output "a/b"`; a plain name is a template of one text."""

    span: Span
    name: Template


Base: TypeAlias = Apply | Merge | Group | Output


class Link(Node):
    """One step of a chain.  `targets` is empty without `as`; `unpack` is true for `as (p, q)`."""

    span: Span
    base: Base
    targets: tuple[Target, ...]
    unpack: bool


# ---- statements ------------------------------------------------------------------------


class Chain(Node):
    span: Span
    links: tuple[Link, ...]


class Dim(Node):
    """An extent of an input; with a `name` (`H = 224`) it is free at run time."""

    span: Span
    name: str | None
    value: Expr


class Input(Node):
    span: Span
    name: str
    name_span: Span
    dims: tuple[Dim, ...]
    per_image: bool


class Weight(Node):
    span: Span
    label: Template
    dims: tuple[Expr, ...]
    arguments: tuple[Argument, ...]


class Let(Node):
    span: Span
    name: str
    name_span: Span
    value: Expr


class Function(Node):
    """`let f(x, y) = body`."""

    span: Span
    name: str
    name_span: Span
    parameters: tuple[str, ...]
    body: Expr


class For(Node):
    span: Span
    loop: Loop
    body: Body


class Repeat(Node):
    span: Span
    count: Expr
    body: Body


class If(Node):
    """`otherwise` is None without `else`; `else if` is a body of one `If`."""

    span: Span
    condition: Expr
    then: Body
    otherwise: Body | None


class Aside(Node):
    span: Span
    body: Body


class Training(Node):
    span: Span
    body: Body


class Expect(Node):
    span: Span
    condition: Expr
    message: Template | None


class Preprocess(Node):
    span: Span
    body: Body


class InitRule(Node):
    """`path` is true where the left side is a string (a path), false for a layer's name."""

    span: Span
    target: str
    target_span: Span
    path: bool
    value: Expr


class Init(Node):
    span: Span
    rules: tuple[InitRule, ...]


class Shared(Node):
    """`shared label: ref(arguments)`, `shared label: { ... }` or `shared label: seq { ... }`.

    `base` is an `Apply` or a `Group`; it carries the label.
    """

    span: Span
    label: Template
    base: Apply | Group


Statement: TypeAlias = (
    Input | Weight | Let | Function | Chain | For | Repeat | If | Aside | Training | Expect
    | Preprocess | Init | Shared
)


class Body(Node):
    """`{ statements }`; the span takes in the braces."""

    span: Span
    statements: tuple[Statement, ...]


# ---- definitions -----------------------------------------------------------------------


class Parameter(Node):
    span: Span
    name: str
    default: Expr | None


class Import(Node):
    span: Span
    path: str
    path_span: Span
    names: tuple[tuple[str, Span], ...]


class Block(Node):
    """`doc` is the text of the `##` lines above, without the marks; empty without."""

    span: Span
    name: str
    name_span: Span
    inline: bool
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str


class Model(Node):
    span: Span
    name: str
    name_span: Span
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str


class Variant(Node):
    """`model name = base(arguments)`."""

    span: Span
    name: str
    name_span: Span
    base: str
    base_span: Span
    arguments: tuple[Argument, ...]
    doc: str


class Setting(Node):
    """`name = value` or `name { ... }` of a `train` section."""

    span: Span
    name: str
    name_span: Span
    value: Expr | Body


class Train(Node):
    span: Span
    name: str
    name_span: Span
    settings: tuple[Setting, ...]


Definition: TypeAlias = Import | Let | Function | Block | Model | Variant | Train


class Comment(Node):
    """`text` starts with its `#`; `own_line` is false for a comment behind code."""

    span: Span
    text: str
    own_line: bool


class File(Node):
    source: Source
    definitions: tuple[Definition, ...]
    comments: tuple[Comment, ...]
