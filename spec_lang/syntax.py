"""The AST: one frozen class for each form of the grammar, each with its span.

Nothing here is checked beyond the grammar: names may be unknown and numbers absurd.
A `Template` is a string in which `{expression}` is filled in (`{{` is a brace).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from spec_lang.source import Source, Span

# ---- expressions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Int:
    span: Span
    value: int


@dataclass(frozen=True, slots=True)
class Float:
    span: Span
    value: float


@dataclass(frozen=True, slots=True)
class Bool:
    span: Span
    value: bool


@dataclass(frozen=True, slots=True)
class String:
    """A string without its quotes.  It is plain text here; where the language fills in
    expressions (labels, outputs, messages) the parser gives a `Template` instead."""

    span: Span
    value: str


@dataclass(frozen=True, slots=True)
class Size:
    """`3x5`: one extent per axis, height before width."""

    span: Span
    extents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Name:
    span: Span
    id: str


@dataclass(frozen=True, slots=True)
class Attribute:
    span: Span
    value: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    span: Span
    value: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """`value` or `name = value` in a call."""

    span: Span
    name: str | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Call:
    span: Span
    name: str
    name_span: Span
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`operator` is `-` or `not`."""

    span: Span
    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """`operator` is one of `+ - * / // % ** == != <= >= < > and or ..`."""

    span: Span
    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Conditional:
    span: Span
    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Tuple:
    span: Span
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class List:
    span: Span
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`for targets in iterable` of a comprehension."""

    span: Span
    targets: tuple[str, ...]
    unpack: bool
    iterable: Expr


@dataclass(frozen=True, slots=True)
class Comprehension:
    span: Span
    element: Expr
    loops: tuple[Loop, ...]


Expr: TypeAlias = (
    Int | Float | Bool | String | Size | Name | Attribute | Index | Call | Unary | Binary
    | Conditional | Tuple | List | Comprehension
)


@dataclass(frozen=True, slots=True)
class Formatted:
    """`{value:03}` in a template: a whole number in a format of Python's (digits, perhaps `d`)."""

    span: Span
    value: Expr
    format: str


@dataclass(frozen=True, slots=True)
class Template:
    """Text with expressions in it: `parts` alternate freely between text and expressions."""

    span: Span
    parts: tuple[str | Expr | Formatted, ...]


# ---- chains ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """One name of `as`: `name`, `name[i, j]`, or `_`."""

    span: Span
    name: str
    indices: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Apply:
    """`label: name[i](arguments)`: a layer, a block, a layer value, or the name of a tensor.

    `arguments` is None where there are no parentheses; `indices` is empty without brackets.
    """

    span: Span
    label: Template | None
    name: str
    name_span: Span
    indices: tuple[Expr, ...]
    arguments: tuple[Argument, ...] | None


@dataclass(frozen=True, slots=True)
class Branch:
    span: Span
    body: Body


@dataclass(frozen=True, slots=True)
class ForBranches:
    span: Span
    loop: Loop
    branches: tuple[BranchItem, ...]


@dataclass(frozen=True, slots=True)
class IfBranches:
    """`otherwise` is empty without `else`; `else if` is a tuple of one `IfBranches`."""

    span: Span
    condition: Expr
    then: tuple[BranchItem, ...]
    otherwise: tuple[BranchItem, ...]


BranchItem: TypeAlias = Branch | ForBranches | IfBranches


@dataclass(frozen=True, slots=True)
class Merge:
    """`label: add { branch {...} ... }`."""

    span: Span
    label: Template | None
    name: str
    name_span: Span
    branches: tuple[BranchItem, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """`label: { ... }`, or with `seq` also without a label."""

    span: Span
    label: Template | None
    seq: bool
    body: Body


@dataclass(frozen=True, slots=True)
class Output:
    """`output name` or `output "a/b"`; a plain name is a template of one text."""

    span: Span
    name: Template


Base: TypeAlias = Apply | Merge | Group | Output


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain.  `targets` is empty without `as`; `unpack` is true for `as (p, q)`."""

    span: Span
    base: Base
    targets: tuple[Target, ...]
    unpack: bool


# ---- statements ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chain:
    span: Span
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Dim:
    """An extent of an input; with a `name` (`H = 224`) it is free at run time."""

    span: Span
    name: str | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Input:
    span: Span
    name: str
    name_span: Span
    dims: tuple[Dim, ...]
    per_image: bool


@dataclass(frozen=True, slots=True)
class Weight:
    span: Span
    label: Template
    dims: tuple[Expr, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Let:
    span: Span
    name: str
    name_span: Span
    value: Expr


@dataclass(frozen=True, slots=True)
class Function:
    """`let f(x, y) = body`."""

    span: Span
    name: str
    name_span: Span
    parameters: tuple[str, ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class For:
    span: Span
    loop: Loop
    body: Body


@dataclass(frozen=True, slots=True)
class Repeat:
    span: Span
    count: Expr
    body: Body


@dataclass(frozen=True, slots=True)
class If:
    """`otherwise` is None without `else`; `else if` is a body of one `If`."""

    span: Span
    condition: Expr
    then: Body
    otherwise: Body | None


@dataclass(frozen=True, slots=True)
class Aside:
    span: Span
    body: Body


@dataclass(frozen=True, slots=True)
class Training:
    span: Span
    body: Body


@dataclass(frozen=True, slots=True)
class Expect:
    span: Span
    condition: Expr
    message: Template | None


@dataclass(frozen=True, slots=True)
class Preprocess:
    span: Span
    body: Body


@dataclass(frozen=True, slots=True)
class InitRule:
    """`path` is true where the left side is a string (a path), false for a layer's name."""

    span: Span
    target: str
    target_span: Span
    path: bool
    value: Expr


@dataclass(frozen=True, slots=True)
class Init:
    span: Span
    rules: tuple[InitRule, ...]


@dataclass(frozen=True, slots=True)
class Shared:
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


@dataclass(frozen=True, slots=True)
class Body:
    """`{ statements }`; the span takes in the braces."""

    span: Span
    statements: tuple[Statement, ...]


# ---- definitions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    span: Span
    name: str
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Import:
    span: Span
    path: str
    path_span: Span
    names: tuple[tuple[str, Span], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """`doc` is the text of the `##` lines above, without the marks; empty without."""

    span: Span
    name: str
    name_span: Span
    inline: bool
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str


@dataclass(frozen=True, slots=True)
class Model:
    span: Span
    name: str
    name_span: Span
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str


@dataclass(frozen=True, slots=True)
class Variant:
    """`model name = base(arguments)`."""

    span: Span
    name: str
    name_span: Span
    base: str
    base_span: Span
    arguments: tuple[Argument, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Setting:
    """`name = value` or `name { ... }` of a `train` section."""

    span: Span
    name: str
    name_span: Span
    value: Expr | Body


@dataclass(frozen=True, slots=True)
class Train:
    span: Span
    name: str
    name_span: Span
    settings: tuple[Setting, ...]


Definition: TypeAlias = Import | Let | Function | Block | Model | Variant | Train


@dataclass(frozen=True, slots=True)
class Comment:
    """`text` starts with its `#`; `own_line` is false for a comment behind code."""

    span: Span
    text: str
    own_line: bool


@dataclass(frozen=True, slots=True)
class File:
    source: Source
    definitions: tuple[Definition, ...]
    comments: tuple[Comment, ...]
