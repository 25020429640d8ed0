"""Joins: expressions of the forward pass."""

from __future__ import annotations

from backends.torch.emit.forms import Arguments, Bracket, Form, Slot, emits
from compiler.graph import Node
from compiler.ops.join import Add, Average, Concat, Maximum, Multiply, may_stretch

#: Up to here a sum stands on one line; a long one is written a term a line, since Python does
#: not compile deep expressions.
TERMS = 4


@emits(Add, Multiply)
def emit_arithmetic(node: Node) -> Form:
    op = node.op
    assert isinstance(op, (Add, Multiply))
    sign, module = ("+", "AddConstant") if isinstance(op, Add) else ("*", "MultiplyConstant")
    terms = [f"{{{i}}}" for i in range(len(node.inputs))]
    slots: tuple[tuple[str, Slot], ...] = ()
    layer = None
    if op.constant is not None:
        terms.append("{constant}")
        slots = (("constant", Slot(float(op.constant), "constant")),)
        if len(node.inputs) == 1:
            layer = Arguments().add(float(op.constant), "constant", positional=True).layer(module)
    before, more = same_size_check(node)
    call = f" {sign} ".join(terms)
    then: tuple[str, ...] = ()
    if len(terms) > TERMS:
        call, then = f"{terms[0]} {sign} {terms[1]}", tuple(f"{{out}} {sign} {term}" for term in terms[2:])
    return Form(layer, call, then, before, (*slots, *more), register=False)


@emits(Maximum)
def emit_maximum(node: Node) -> Form:
    before, slots = same_size_check(node)
    then = tuple(f"torch.maximum({{out}}, {{{i}}})" for i in range(2, len(node.inputs)))
    return Form(None, "torch.maximum({0}, {1})", then, before, slots)


@emits(Average)
def emit_average(node: Node) -> Form:
    before, slots = same_size_check(node)
    count = len(node.inputs)
    terms = [f"{{{i}}}" for i in range(count)]
    if count <= TERMS:
        return Form(None, f"({' + '.join(terms)}) / {count}", (), before, slots)
    then = (*(f"{{out}} + {term}" for term in terms[2:]), f"{{out}} / {count}")
    return Form(None, f"{terms[0]} + {terms[1]}", then, before, slots)


@emits(Concat)
def emit_concat(node: Node) -> Form:
    op = node.op
    assert isinstance(op, Concat)
    tensors = Bracket("[", tuple(f"{{{i}}}" for i in range(len(node.inputs))), "]")
    before, slots = same_size_check(node, op.axis)
    call = Bracket("torch.cat(", (tensors, f"dim={op.axis + 1}"), ")")
    return Form(None, call, (), before, slots)


def same_size_check(
    node: Node, but: int | None = None
) -> tuple[tuple[str | Bracket, ...], tuple[tuple[str, Slot], ...]]:
    """A statement that refuses tensors whose free extents differ when the model runs.

    PyTorch would stretch a tensor that happens to be 1 wide there.  Axes on which a 1 stretches
    on purpose are left out, and so are raw weights, which fit at every size.
    """
    gates = isinstance(node.op, (Add, Multiply))
    meant = [i for i, value in enumerate(node.inputs) if not (gates and may_stretch(value.type))]
    types = [node.inputs[i].type for i in meant]
    axes = [axis for axis in range(node.output.type.rank) if axis != but and any(t.free[axis] for t in types)]
    if len(meant) < 2 or not axes:
        return (), ()
    items = (
        "{path}",
        Bracket("[", tuple(f"{{{i}}}" for i in meant), "]"),
        f"dims=({', '.join(str(axis + 1) for axis in axes)}{',' if len(axes) == 1 else ''})",
    )
    return (Bracket("check_same_size(", items, ")"),), (("path", Slot(node.path, "path", is_path=True)),)
