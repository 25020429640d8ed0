"""Fully connected layers."""

from __future__ import annotations

from backends.torch.emit.forms import Arguments, Form, emits, is_frozen
from compiler.graph import Node
from compiler.ops.dense import Fc, Rbf


@emits(Fc)
def emit_fc(node: Node) -> Form:
    """`nn.Linear`, which works along the last axis; `ChannelLinear` along the channels of a map."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Fc)
    made = Arguments()
    made.add(x.shape[op.position], "in_features", positional=True)
    made.add(op.features, "out_features", positional=True)
    made.add(op.bias, "bias", default=True)
    return Form(made.layer("nn.Linear" if op.position == x.rank - 1 else "ChannelLinear", is_frozen(node)))


@emits(Fc, anywhere=True)
def emit_shared_fc(node: Node) -> Form:
    """Along the channels of vectors and maps alike."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Fc)
    made = Arguments().add(x.shape[op.position], "in_features", positional=True)
    made.add(op.features, "out_features", positional=True).add(op.bias, "bias", default=True)
    return Form(made.layer("ChannelLinear", is_frozen(node)))


@emits(Rbf)
def emit_rbf(node: Node) -> Form:
    op = node.op
    assert isinstance(op, Rbf)
    return Form(call=f"squared_distances({{0}}, {{{op.centers}}})")
