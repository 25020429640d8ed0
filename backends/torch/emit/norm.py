"""Normalisation."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from backends.torch.emit.conv import path_slot
from backends.torch.emit.forms import Arguments, Bracket, Form, Slot, emits, is_frozen
from compiler.graph import Node
from compiler.ops.norm import BatchNorm, GroupNorm, InstanceNorm, L2Norm, LayerNorm, Lrn, Scale


@emits(BatchNorm)
def emit_batchnorm(node: Node) -> Form:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, BatchNorm)
    made = Arguments().add(x.shape[0], "num_features", positional=True, called="channels")
    made.add(op.eps, "eps", default=1e-5)
    if not op.frozen:
        made.add(op.momentum, "momentum", default=0.1)
    made.add(op.affine, "affine", default=True)
    if op.frozen:
        return Form(made.layer("FrozenBatchNorm", True))
    thin = 1 in x.shape[1:] and prod(x.shape[1:]) > 1
    return Form(made.layer("BatchNorm" if thin else f"nn.BatchNorm{max(x.rank - 1, 1)}d", is_frozen(node)))


@emits(BatchNorm, anywhere=True)
def emit_shared_batchnorm(node: Node) -> Form:
    form = emit_batchnorm(node)
    assert form.layer is not None
    return form if is_frozen(node) else replace(form, layer=replace(form.layer, callee="BatchNorm"))


@emits(InstanceNorm)
def emit_instancenorm(node: Node) -> Form:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, InstanceNorm)
    made = Arguments().add(x.shape[0], "num_features", positional=True, called="channels")
    made.add(op.eps, "eps", default=1e-5)
    made.add(op.affine, "affine", default=False)
    before, slots = _several(node, x.shape[0], "{0}.shape[1]")
    return Form(made.layer(f"nn.InstanceNorm{x.rank - 1}d", is_frozen(node)), before=before, slots=slots)


@emits(InstanceNorm, anywhere=True)
def emit_shared_instancenorm(node: Node) -> Form:
    form = emit_instancenorm(node)
    assert form.layer is not None
    return replace(form, layer=replace(form.layer, callee="InstanceNorm"))


@emits(GroupNorm)
def emit_groupnorm(node: Node) -> Form:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, GroupNorm)
    made = Arguments().add(op.groups, "num_groups", positional=True, called="groups")
    made.add(x.shape[0], "num_channels", positional=True, called="channels")
    made.add(op.eps, "eps", default=1e-5)
    made.add(op.affine, "affine", default=True)
    before, slots = _several(node, op.groups, "{groups}")
    return Form(made.layer("nn.GroupNorm", is_frozen(node)), before=before, slots=slots)


def _several(
    node: Node, groups: int, text: str
) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    """A statement that refuses to normalise numbers one by one, where free sizes could ask for it.

    `text` is how the number of groups is written.
    """
    x = node.inputs[0].type
    least = prod(1 if free else n for n, free in zip(x.shape, x.free, strict=True))
    if not any(x.free) or least // groups > 1:
        return (), ()
    slots = [path_slot(node)]
    if text == "{groups}":
        slots.append(("groups", Slot(groups, "groups")))
    return (Bracket("check_several(", ("{0}", "{path}", text), ")"),), tuple(slots)


@emits(LayerNorm)
def emit_layernorm(node: Node) -> Form:
    """`nn.LayerNorm` along the last axis, `ChannelNorm` along the channels of a map."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, LayerNorm)
    last = op.axis == x.rank - 1
    if x.free[op.axis]:  # Then it has no weights, and its extent is known when it runs.
        call = "F.layer_norm({0}, {0}.shape[-1:], eps={eps})"
        if not last:
            call = (
                f"F.layer_norm({{0}}.movedim({op.axis + 1}, -1), {{0}}.shape[{op.axis + 1} : {op.axis + 2}], "
                f"eps={{eps}}).movedim(-1, {op.axis + 1})"
            )
        return Form(call=call, slots=(("eps", Slot(op.eps, "eps")),))
    made = Arguments().add(x.shape[op.axis], "normalized_shape", positional=True, called="channels")
    made.add(op.eps, "eps", default=1e-5)
    made.add(op.affine, "elementwise_affine", default=True)
    return Form(made.layer("nn.LayerNorm" if last else "ChannelNorm", is_frozen(node)))


@emits(LayerNorm, anywhere=True)
def emit_shared_layernorm(node: Node) -> Form:
    """Along the channels of vectors and maps alike; along the last axis one module serves every rank."""
    form = emit_layernorm(node)
    assert form.layer is not None
    return replace(form, layer=replace(form.layer, callee="ChannelNorm"))


@emits(L2Norm)
def emit_l2norm(node: Node) -> Form:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, L2Norm)
    made = Arguments().add(x.shape[0], "channels", positional=True).add(op.eps, "eps", default=1e-12)
    return Form(made.layer("L2Norm", is_frozen(node)))


@emits(Lrn)
def emit_lrn(node: Node) -> Form:
    """PyTorch divides alpha by the size, so `scale = sum` multiplies by it first.

    It takes a volume (rank 4) only where its last axes follow each other in memory (2.13), which they need
    not behind a `layernorm` along the channels.
    """
    op = node.op
    assert isinstance(op, Lrn)
    module = "LocalResponseNorm" if node.inputs[0].type.rank > 3 else "nn.LocalResponseNorm"
    made = Arguments().add(op.size, "size", positional=True)
    made.add(op.alpha if op.scale == "mean" else op.alpha * op.size, "alpha", default=1e-4)
    made.add(op.beta, "beta", default=0.75)
    made.add(op.k, "k", default=1.0)
    return Form(made.layer(module))


@emits(Scale)
def emit_scale(node: Node) -> Form:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, Scale)
    made = Arguments().add(x.shape[0], "channels", positional=True).add(op.bias, "bias", default=True)
    return Form(made.layer("Scale", is_frozen(node)))
