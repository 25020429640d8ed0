"""The layer reference, made from the declarations alone: `python -m compiler.ops.reference` prints it."""

from __future__ import annotations

import inspect

from compiler.declare import Arg, show
from compiler.ops import FAMILIES
from compiler.ops.base import Op

_HEADER = """\
<!-- Made by `python -m compiler.ops.reference > docs/layers.md`; edit the declarations in compiler/ops. -->

# Layers

Every layer of the language, family by family, as it is declared in `compiler/ops/`. Shapes are
written without the batch and channels first: `[C, H, W]`. Arguments marked *by position* may be
given without their name, in this order; all others are given by name. A layer with weights takes
`frozen = true`, which keeps them out of training.
"""

_ARITY = {1: "one tensor", None: "two or more tensors, or branches"}


def reference() -> str:
    """The page, as Markdown."""
    parts = [_HEADER]
    for family, layers in FAMILIES.items():
        names = ", ".join(f"[`{op.name}`](#{op.name})" for op in layers)
        parts.append(f"## {family}\n\n{names}\n")
        parts.extend(_section(op) for op in layers)
    return "\n".join(parts)


def _section(op: type[Op]) -> str:
    lines = [f"### `{op.name}`", "", f"`{op.signature()}`", "", *_paragraphs(op), ""]
    facts = [f"Takes {_ARITY[op.arity]}"]
    if op.tensor_args():
        facts.append(f"and a tensor as {', '.join(f'`{name}`' for name in op.tensor_args())}")
    text = " ".join(facts) + "."
    if op.takes_raw:
        text += " A raw `weight` may be among them."
    if op.mode_dependent:
        text += " Training and inference differ."
    lines += [text, ""]
    own = [a for a in op.args() if a.name != "frozen"]
    if own:
        lines += ["| argument | takes | default | |", "| --- | --- | --- | --- |", *map(_row, own), ""]
    return "\n".join(lines)


def _paragraphs(op: type[Op]) -> list[str]:
    """The docstring with what Markdown would read as markup made plain."""
    text = inspect.cleandoc(op.__doc__ or "")
    return [_escaped(line) for line in text.splitlines()]


def _escaped(line: str) -> str:
    """Asterisks, underscores and brackets outside of `code` as themselves."""
    pieces = line.split("`")
    for i in range(0, len(pieces), 2):
        for mark in "\\*_[]<>|":
            pieces[i] = pieces[i].replace(mark, "\\" + mark)
    return "`".join(pieces)


def _row(a: Arg) -> str:
    place = f"`{a.name}`" + (" *by position*" if a.positional else "")
    default = "" if a.required else "none" if a.default is None else f"`{show(a.default)}`"
    takes = a.kind.describe().replace("|", "\\|")
    return f"| {place} | {takes} | {default} | {_escaped(a.doc)} |"


if __name__ == "__main__":
    print(reference(), end="")
