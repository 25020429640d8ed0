"""Layers that move, cut, pad or drop: expressions in a forward pass, modules in an `nn.Sequential`."""

from __future__ import annotations

from backends.torch.emit.conv import PAD_MODES, border_check, flat_pads
from backends.torch.emit.forms import Arguments, Bracket, Form, Slot, emits
from compiler.graph import Node
from compiler.ops.reshape import (
    ChannelShuffle,
    Flatten,
    Identity,
    Pad,
    Permute,
    Reduce,
    Reshape,
    Select,
    Slice,
)


@emits(Identity)
def emit_identity(node: Node) -> Form:
    return Form(Arguments().layer("nn.Identity"), "{0}", register=False)


@emits(Flatten)
def emit_flatten(node: Node) -> Form:
    return Form(Arguments().layer("nn.Flatten"), "torch.flatten({0}, 1)", register=False)


@emits(Reshape)
def emit_reshape(node: Node) -> Form:
    assert isinstance(node.op, Reshape)
    shape = node.op.shape
    made = Arguments().add(shape, "shape", positional=True)
    slots = tuple((f"n{i}", Slot(extent, "extent")) for i, extent in enumerate(shape))
    call = Bracket("{0}.reshape(", ("{0}.shape[0]", *(f"{{n{i}}}" for i in range(len(shape)))), ")")
    return Form(made.layer("Reshape"), call, register=False, slots=slots)


@emits(Permute)
def emit_permute(node: Node) -> Form:
    assert isinstance(node.op, Permute)
    order = tuple(axis + 1 for axis in node.op.order)
    made = Arguments().add(order, "order", positional=True)
    call = f"{{0}}.permute(0, {', '.join(map(str, order))})"
    return Form(made.layer("Permute"), call, register=False)


@emits(Select)
def emit_select(node: Node) -> Form:
    """A slice where the channels are evenly spaced and ascending, else a list of them."""
    assert isinstance(node.op, Select)
    channels = node.op.channels
    made = Arguments().add(channels, "channels", positional=True)
    step = channels[1] - channels[0] if len(channels) > 1 else 1
    if step > 0 and channels == tuple(range(channels[0], channels[-1] + 1, step)):
        slots = [("start", Slot(channels[0], "start")), ("stop", Slot(channels[-1] + 1, "stop"))]
        call = "{0}[:, {start}{colon}{stop}]"
        if step > 1:
            call = "{0}[:, {start}{colon}{stop}{colon}{step}]"
            slots.append(("step", Slot(step, "step")))
        return Form(made.layer("Select"), call, register=False, slots=tuple(slots))
    call_list = Bracket("{0}[", (":", Bracket("[", tuple(map(str, channels)), "]")), "]")
    return Form(made.layer("Select"), call_list, register=False)


@emits(ChannelShuffle)
def emit_channelshuffle(node: Node) -> Form:
    assert isinstance(node.op, ChannelShuffle)
    made = Arguments().add(node.op.groups, "groups", positional=True)
    slots = (("groups", Slot(node.op.groups, "groups")),)
    return Form(
        made.layer("nn.ChannelShuffle"), "F.channel_shuffle({0}, {groups})", register=False, slots=slots
    )


@emits(Slice)
def emit_slice(node: Node) -> Form:
    op = node.op
    assert isinstance(op, Slice)
    made = Arguments().add(op.axis + 1, "dim", positional=True).add(op.start, "start", positional=True)
    made.add(op.stop, "stop", positional=True)
    slots = (("start", Slot(op.start, "start")), ("stop", Slot(op.stop, "stop")))
    skipped = ":, " * (op.axis + 1)
    return Form(
        made.layer("Slice"), f"{{0}}[{skipped}{{start}}{{colon}}{{stop}}]", register=False, slots=slots
    )


@emits(Reduce)
def emit_reduce(node: Node) -> Form:
    op = node.op
    assert isinstance(op, Reduce)
    function = {"max": "amax", "mean": "mean", "sum": "sum"}[op.how]
    made = Arguments().add(function, "how", positional=True).add(op.axis + 1, "dim", positional=True)
    return Form(made.layer("Reduce"), f"{{0}}.{function}(dim={op.axis + 1})", register=False)


@emits(Pad)
def emit_pad(node: Node) -> Form:
    op = node.op
    assert isinstance(op, Pad)
    rank = len(op.amount)
    pads, mode = flat_pads(op.amount), PAD_MODES[op.mode]
    # As modules PyTorch has them all under their own names, circular ones from 2.1 on.
    module = {
        "zeros": "ZeroPad",
        "reflect": "ReflectionPad",
        "replicate": "ReplicationPad",
        "circular": "CircularPad",
    }
    made = Arguments().add(pads, "padding", positional=True, called="pads")
    before, slots = border_check(node, op.amount, op.mode)
    slots += (("pads", Slot(pads, "pads")),)
    call = "F.pad({0}, {pads})"
    if op.mode != "zeros":
        call = f'F.pad({{0}}, {{pads}}, mode="{mode}")'
    return Form(made.layer(f"nn.{module[op.mode]}{rank}d"), call, before=before, register=False, slots=slots)
