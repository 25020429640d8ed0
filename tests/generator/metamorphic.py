"""A spec written otherwise, by cutting its text along the places of its AST: the meaning stays."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from spec_lang import syntax as ast
from spec_lang.node import Node
from spec_lang.parser import parse
from spec_lang.source import Source, Span

Edit = tuple[int, int, str]


def nodes(root: Any) -> Iterator[Node]:
    """All nodes of an AST, from the outside in."""
    stack = [root]
    while stack:
        one = stack.pop()
        if isinstance(one, Node) and not isinstance(one, (Source, Span)):
            yield one
            stack += reversed([getattr(one, n) for n in one.__match_args__ if n != "source"])
        elif isinstance(one, tuple):
            stack += reversed(one)


def edited(text: str, edits: list[Edit]) -> str:
    """The text with stretches replaced; of two that overlap the outer one, which comes first, stays."""
    made, at = [], 0
    for start, stop, new in sorted(edits, key=lambda e: (e[0], -e[1])):
        if start < at:
            continue
        made += [text[at:start], new]
        at = stop
    return "".join([*made, text[at:]])


def file_of(text: str) -> ast.File:
    return parse(Source("random.cnn", text))


def variants(text: str, seed: int) -> Iterator[tuple[str, str]]:
    """Each way that changes something, with the new text."""
    rng = Random(seed)
    for name, make in (
        ("unrolled", unrolled),
        ("renamed", renamed),
        ("identities", lambda t: identities(t, rng)),
        ("split concat", split),
        ("inlined", inlined),
        ("asides", asides),
    ):
        changed = make(text)
        if changed != text:
            yield name, changed


def unrolled(text: str) -> str:
    """Every outermost `repeat` of a plain number as so many bodies, each with a scope of its own."""
    edits: list[Edit] = []
    for one in nodes(file_of(text)):
        if isinstance(one, ast.Repeat) and isinstance(one.count, ast.Int) and one.count.value:
            body = text[one.body.span.start : one.body.span.end]
            edits.append((one.span.start, one.span.end, "\n".join([f"if true {body}"] * one.count.value)))
    return edited(text, edits)


def renamed(text: str) -> str:
    """Every tensor under another name, by `as` and where it is used; inputs and labels stay."""
    file = file_of(text)
    bound = {t.name for t in nodes(file) if isinstance(t, ast.Target) and t.name != "_"}
    edits: list[Edit] = []
    for one in nodes(file):
        if isinstance(one, ast.Target) and one.name in bound:
            edits.append((one.span.start, one.span.start + len(one.name), f"renamed_{one.name}"))
        elif isinstance(one, ast.Name) and one.id in bound:
            edits.append((one.span.start, one.span.end, f"renamed_{one.id}"))
        elif isinstance(one, ast.Apply) and one.name in bound:
            edits.append((one.name_span.start, one.name_span.end, f"renamed_{one.name}"))
    return edited(text, edits)


def identities(text: str, rng: Random) -> str:
    """`identity` behind some links."""
    edits: list[Edit] = []
    for one in nodes(file_of(text)):
        if isinstance(one, ast.Chain):
            # Not behind the last link: the next chain may begin elsewhere, and what flows here would be lost.
            places = [link.span.end for link in one.links[:-1] if rng.random() < 0.5]
            edits += [(at, at, " -> identity") for at in places]
    return edited(text, edits)


def split(text: str) -> str:
    """`concat(a, b, c)` at the begin of a chain as two: what flowed gets a name, since `it` is another then."""
    edits: list[Edit] = []
    for chain in nodes(file_of(text)):
        if not isinstance(chain, ast.Chain) or not isinstance(chain.links[0].base, ast.Apply):
            continue
        one = chain.links[0].base
        if one.name != "concat" or not one.arguments or one.label is not None:
            continue
        flowing = f"flowing_{one.span.start}"
        parts = [_flowing(text, a.value, flowing) for a in one.arguments if a.name is None]
        named = [text[a.span.start : a.span.end] for a in one.arguments if a.name is not None]
        if len(parts) < 3:
            continue
        first = f"concat({', '.join([*parts[:-1], *named])})"
        last = f"concat({', '.join(['it', parts[-1], *named])})"
        edits.append((one.span.start, one.span.end, f"identity as {flowing}\n{first} -> {last}"))
    return edited(text, edits)


def _flowing(text: str, value: Any, name: str) -> str:
    """An expression with another name for `it`."""
    start = value.span.start
    edits = [
        (n.span.start - start, n.span.end - start, name)
        for n in nodes(value)
        if isinstance(n, ast.Name) and n.id == "it"
    ]
    return edited(text[start : value.span.end], edits)


def inlined(text: str) -> str:
    """Calls of blocks at the end of a chain as their bodies, the parameters bound by `let`."""
    file = file_of(text)
    blocks = {d.name: d for d in file.definitions if isinstance(d, ast.Block)}
    edits: list[Edit] = []
    count = 0
    # A label stands once: not where its body runs several times under one path.
    loops = (ast.For, ast.Repeat, ast.ForBranches, ast.Shared)
    many = [n for n in nodes(file) if isinstance(n, loops) or (isinstance(n, ast.Block) and n.inline)]
    repeated = {chain for one in many for chain in nodes(one) if isinstance(chain, ast.Chain)}
    for chain in nodes(file):
        if not isinstance(chain, ast.Chain) or chain in repeated:
            continue
        for position, link in enumerate(chain.links):
            if (
                not isinstance(link.base, ast.Apply)
                or link.base.name not in blocks
                or link.base.label is not None
            ):
                continue
            block = blocks[link.base.name]
            inner = list(nodes(block.body))
            recursive = any(isinstance(n, ast.Apply) and n.name == block.name for n in inner)
            if recursive or link.targets or any(isinstance(n, ast.Output) for n in inner):
                continue
            count += 1
            body = _body(text, block, link.base, count)
            if body is None or position != len(chain.links) - 1:
                continue
            # The labels of the body stay apart from others by a group, which is no scope: hence the `if`.
            start = chain.links[position - 1].span.end if position else link.span.start
            edits.append((start, link.span.end, f"\nif true {{\ninlined_{count}: {{\n{body}\n}}\n}}"))
            break
    return edited(text, edits)


def _body(text: str, block: ast.Block, call: ast.Apply, count: int) -> str | None:
    """The block's statements with its parameters renamed and bound."""
    names = {p.name: f"{p.name}_{count}" for p in block.parameters}
    values: dict[str, str] = {}
    for position, argument in enumerate(call.arguments or ()):
        name = argument.name or block.parameters[position].name
        values[name] = text[argument.value.span.start : argument.value.span.end]
    lets = [f"identity as in_{count}"]
    edits: list[Edit] = []
    for parameter in block.parameters:
        if parameter.name not in values:
            assert parameter.default is not None
            values[parameter.name] = text[parameter.default.span.start : parameter.default.span.end]
        lets.append(f"let {names[parameter.name]} = {values[parameter.name]}")
    for one in nodes(block.body):
        if isinstance(one, ast.Name) and one.id in names:
            edits.append((one.span.start, one.span.end, names[one.id]))
        elif isinstance(one, ast.Name) and one.id == "in":
            edits.append((one.span.start, one.span.end, f"in_{count}"))
        elif isinstance(one, ast.Apply) and one.name in names:
            edits.append((one.name_span.start, one.name_span.end, names[one.name]))
        elif isinstance(one, ast.Target) and not one.indices and one.name != "_":
            pass
        elif isinstance(one, (ast.Target, ast.Index)):
            return None  # an array belongs to the block
    start, stop = block.body.span.start + 1, block.body.span.end - 1
    offset = [(a - start, b - start, new) for a, b, new in edits]
    return "\n".join([*lets, edited(text[start:stop], offset)])


def asides(text: str) -> str:
    """An `aside` that looks at the flow and gives it back, before every `repeat`."""
    edits: list[Edit] = []
    for one in nodes(file_of(text)):
        if isinstance(one, ast.Repeat):
            edits.append((one.span.start, one.span.start, "aside { }\n"))
    return edited(text, edits)


def without_dropout(text: str) -> str:
    """Every `dropout` with p = 0, so that training is the same everywhere."""
    edits: list[Edit] = []
    for one in nodes(file_of(text)):
        if isinstance(one, (ast.Apply, ast.Call)) and one.name == "dropout":
            rest = [text[a.span.start : a.span.end] for a in one.arguments or () if a.name not in (None, "p")]
            edits.append((one.name_span.start, one.span.end, f"dropout({', '.join(['0', *rest])})"))
    return edited(text, edits)
