"""Dropout."""

from __future__ import annotations

from backends.torch.emit.forms import Arguments, Form, emits
from compiler.graph import Node
from compiler.ops.dropout import Dropout


@emits(Dropout)
def emit_dropout(node: Node) -> Form:
    """PyTorch's own where there is one; not for vectors: `Dropout1d` takes a batch of them for one image."""
    op, rank = node.op, node.inputs[0].type.rank
    assert isinstance(op, Dropout)
    made = Arguments().add(op.p, "p", positional=True)
    if not op.spatial or rank == 1:
        plain = "nn.Dropout"
    else:
        plain = f"nn.Dropout{rank - 1}d" if rank <= 4 else "ChannelDropout"
    if op.mode == "path":
        return Form(made.layer("PathDropout"))
    if op.mode == "classic":
        made.add(op.spatial and rank > 1, "spatial", default=False)
        return Form(made.layer("ClassicDropout"))
    return Form(made.layer(plain))
