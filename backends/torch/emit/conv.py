"""Convolution."""

from __future__ import annotations

from backends.torch.emit.forms import Arguments, Bracket, Form, Slot, emits, is_frozen, per_axis
from compiler.graph import Node
from compiler.ops.conv import Conv
from compiler.ops.sliding import Sliding

#: The language's border mode -> what `functional.pad` calls it.
PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def flat_pads(pads: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """(begin, end) per axis in the order of `functional.pad`: the last axis first."""
    return tuple(p for pair in reversed(pads) for p in pair)


@emits(Conv)
def emit_conv(node: Node) -> Form:
    """`nn.ConvNd`, or `PaddedConvNd` where PyTorch has no way to say the pads."""
    op = node.op
    assert isinstance(op, Conv)
    pads = op.lowered_pads(node.inputs[0].type)
    rank = len(op.kernel)
    before, slots = size_checks(node)
    if all(begin == end for begin, end in pads):
        made = _arguments(node, [begin for begin, _ in pads])
        made.add(op.pad_mode, "padding_mode", default="zeros")
        return Form(made.layer(f"nn.Conv{rank}d", is_frozen(node)), before=before, slots=slots)
    made = _arguments(node, [0] * rank)
    made.add(flat_pads(pads), "pads")
    made.add(PAD_MODES[op.pad_mode], "border", default="constant")
    return Form(made.layer(f"PaddedConv{rank}d", is_frozen(node)), before=before, slots=slots)


@emits(Conv, anywhere=True)
def emit_shared_conv(node: Node) -> Form:
    """The module does not pad and the call does: `pad = same` differs between inputs of different sizes."""
    op = node.op
    assert isinstance(op, Conv)
    pads = op.lowered_pads(node.inputs[0].type)
    before, slots = size_checks(node)
    layer = _arguments(node, [0] * len(op.kernel)).layer(f"nn.Conv{len(op.kernel)}d", is_frozen(node))
    if not any(map(any, pads)):
        return Form(layer, before=before, slots=slots)
    slots = (*slots, ("pads", Slot(flat_pads(pads), "pads")))
    mode = PAD_MODES[op.pad_mode]
    call = (
        "{layer}(F.pad({0}, {pads}))"
        if mode == "constant"
        else f'{{layer}}(F.pad({{0}}, {{pads}}, mode="{mode}"))'
    )
    return Form(layer, call, before=before, slots=slots)


def _arguments(node: Node, padding: list[int]) -> Arguments:
    op = node.op
    assert isinstance(op, Conv)
    made = Arguments()
    made.add(node.inputs[0].type.shape[0], "in_channels", positional=True)
    made.add(op.filters, "out_channels", positional=True)
    made.add(per_axis(op.kernel), "kernel_size", positional=True)
    made.add(per_axis(op.stride), "stride", default=1)
    made.add(per_axis(padding), "padding", default=0)
    made.add(per_axis(op.dilation), "dilation", default=1)
    made.add(op.groups, "groups", default=1)
    return made.add(op.bias, "bias", default=True)


def size_checks(node: Node) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    """Statements that refuse sizes which the layer cannot honour, where a free size could be such."""
    before, slots = exact_check(node)
    if not before:
        before, slots = _fit_check(node)
    more, also = _border_check(node)
    return (*before, *more), (*slots, *(slot for slot in also if slot not in slots))


def exact_check(node: Node) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    """A statement that refuses sizes at which rows would be lost.

    A remainder is below the stride, so a layer whose allowance reaches that far never fails.
    """
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Sliding)
    allowed = [end + max(0, s - k) for k, s, (_, end) in zip(op.extents, op.stride, op.pad, strict=True)]
    risky = any(
        free and s > 1 and allowance < s - 1
        for free, s, allowance in zip(x.free[1:], op.stride, allowed, strict=True)
    )
    if op.round != "exact" or not risky:
        return (), ()
    slots = [
        path_slot(node),
        ("extent", Slot(per_axis(op.extents), "extent")),
        ("stride", Slot(per_axis(op.stride), "stride")),
    ]
    items = ["{0}", "{path}", "extent={extent}", "stride={stride}"]
    if any(map(any, op.pad)):
        items += ["begin={begin}", "end={end}"]
        slots += [
            ("begin", Slot(per_axis([b for b, _ in op.pad]), "begin")),
            ("end", Slot(per_axis([e for _, e in op.pad]), "end")),
        ]
    return (Bracket("check_exact(", tuple(items), ")"),), tuple(slots)


def _fit_check(node: Node) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    """A statement that refuses sizes at which no window fits; an extent of 1 is the worst that comes."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Sliding)
    over = [s - 1 if op.round in ("ceil", "caffe") else 0 for s in op.stride]
    risky = any(
        free and 1 + sum(pair) + more < k
        for free, k, pair, more in zip(x.free[1:], op.extents, op.pad, over, strict=True)
    )
    if not risky:
        return (), ()
    slots = [path_slot(node), ("extent", Slot(per_axis(op.extents), "extent"))]
    items = ["{0}", "{path}", "extent={extent}"]
    if any(map(any, op.pad)):
        items.append("pads={both}")
        slots.append(("both", Slot(per_axis([sum(pair) for pair in op.pad]), "both")))
    if any(over):
        items.append("overhang={over}")
        slots.append(("over", Slot(per_axis(over), "over")))
    return (Bracket("check_fits(", tuple(items), ")"),), tuple(slots)


def _border_check(node: Node) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    op = node.op
    if not isinstance(op, Conv):
        return (), ()
    return border_check(node, op.lowered_pads(node.inputs[0].type), op.pad_mode)


def border_check(
    node: Node, pads: tuple[tuple[int, int], ...], mode: str
) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    """A statement that refuses sizes with too little to mirror or repeat, where a free one could be such."""
    most = [max(pair) for pair in pads]
    least = 0 if mode == "reflect" else 1
    risky = any(free and n > least for free, n in zip(node.inputs[0].type.free[1:], most, strict=True))
    if mode not in ("reflect", "circular") or not risky:
        return (), ()
    items = ("{0}", "{path}", "{border}", f'"{mode}"')
    slots = (path_slot(node), ("border", Slot(per_axis(most), "border_pads")))
    return (Bracket("check_border(", items, ")"),), slots


def path_slot(node: Node) -> tuple[str, Slot]:
    """The layer's name, for errors while it runs."""
    return "path", Slot(node.path, "path", is_path=True)
