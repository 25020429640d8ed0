"""Normalisations, and the learned factor per channel."""

from __future__ import annotations

from backends.numpy.emit.base import Call, Emitter, Emitters, Expression, Layer, Source
from compiler.ops.norm import BatchNorm, GroupNorm, InstanceNorm, L2Norm, LayerNorm, Lrn, Scale

_AFFINE = ("weight", "bias")


def _eps(layer: Layer, default: float = 1e-5) -> float | None:
    eps: float = layer.op.eps
    return eps if eps != default else None


def emit_batchnorm(layer: Layer) -> Expression:
    momentum = layer.op.momentum
    return layer.call(
        "batchnorm",
        layer.x,
        layer.weight("running_mean"),
        layer.weight("running_var"),
        layer.weight("weight"),
        layer.weight("bias"),
        training=False if layer.op.frozen else Source(layer.body.training),
        eps=_eps(layer),
        momentum=momentum if momentum != 0.1 and not layer.op.frozen else None,
    )


def emit_batchnorm_backward(layer: Layer) -> None:
    layer.give_all(
        layer.call(
            "batchnorm_backward",
            layer.d,
            layer.saved(),
            layer.weight("running_mean"),
            layer.weight("running_var"),
            layer.weight("weight"),
            training=False if layer.op.frozen else Source(layer.body.trained),
            eps=_eps(layer),
        ),
        _AFFINE,
    )


def _groups(layer: Layer) -> str:
    """The number of groups; instance normalisation has a group per channel."""
    if isinstance(layer.op, GroupNorm):
        return str(layer.op.groups)
    value = layer.value()
    return str(value.shape[0])


def emit_groupnorm(layer: Layer) -> Expression:
    groups = f"{layer.x}.shape[1]" if _channels_free(layer) else _groups(layer)
    return layer.call(
        "groupnorm", layer.x, groups, layer.weight("weight"), layer.weight("bias"), eps=_eps(layer)
    )


def emit_groupnorm_backward(layer: Layer) -> None:
    x = layer.saved()
    groups = f"{x}.shape[1]" if _channels_free(layer) else _groups(layer)
    layer.give_all(
        layer.call("groupnorm_backward", layer.d, x, groups, layer.weight("weight"), eps=_eps(layer)), _AFFINE
    )


def _channels_free(layer: Layer) -> bool:
    return isinstance(layer.op, InstanceNorm) and (layer.value().type.free[0] or layer.body.in_block)


def check_groupnorm(layer: Layer) -> list[Call]:
    count = (
        f"{layer.x}[0, 0].size"
        if isinstance(layer.op, InstanceNorm)
        else f"{layer.x}[0].size // {_groups(layer)}"
    )
    return [layer.call("check_several", layer.label, count)]


def emit_layernorm(layer: Layer) -> Expression:
    return layer.call(
        "layernorm",
        layer.x,
        layer.weight("weight"),
        layer.weight("bias"),
        axis=layer.op.axis + 1,
        eps=_eps(layer),
    )


def emit_layernorm_backward(layer: Layer) -> None:
    layer.give_all(
        layer.call(
            "layernorm_backward",
            layer.d,
            layer.saved(),
            layer.weight("weight"),
            axis=layer.op.axis + 1,
            eps=_eps(layer),
        ),
        _AFFINE,
    )


def emit_l2norm(layer: Layer) -> Expression:
    return layer.call("l2norm", layer.x, layer.weight("weight"), eps=_eps(layer, 1e-12))


def emit_l2norm_backward(layer: Layer) -> None:
    layer.give_all(
        layer.call("l2norm_backward", layer.d, layer.saved(), layer.weight("weight"), eps=_eps(layer, 1e-12)),
        ("weight",),
    )


def _response(layer: Layer) -> dict[str, float | Source]:
    """alpha as it multiplies the sum: written as a quotient where the spec's is divided by the size."""
    op = layer.op
    alpha = Source(f"{float(op.alpha)!r} / {op.size}") if op.scale == "mean" else float(op.alpha)
    return {"alpha": alpha, "beta": float(op.beta), "k": float(op.k)}


def emit_lrn(layer: Layer) -> Expression:
    return layer.call("lrn", layer.x, str(layer.op.size), **_response(layer))


def emit_lrn_backward(layer: Layer) -> None:
    layer.give(layer.call("lrn_backward", layer.d, layer.saved(), str(layer.op.size), **_response(layer)))


def emit_scale(layer: Layer) -> Expression:
    return layer.call("scale", layer.x, layer.weight("weight"), layer.weight("bias"))


def emit_scale_backward(layer: Layer) -> None:
    layer.give_all(layer.call("scale_backward", layer.d, layer.saved(), layer.weight("weight")), _AFFINE)


EMITTERS: Emitters = {
    BatchNorm: Emitter(emit_batchnorm, emit_batchnorm_backward),
    InstanceNorm: Emitter(emit_groupnorm, emit_groupnorm_backward, checks=check_groupnorm),
    GroupNorm: Emitter(emit_groupnorm, emit_groupnorm_backward, checks=check_groupnorm),
    LayerNorm: Emitter(emit_layernorm, emit_layernorm_backward),
    L2Norm: Emitter(emit_l2norm, emit_l2norm_backward),
    Lrn: Emitter(emit_lrn, emit_lrn_backward),
    Scale: Emitter(emit_scale, emit_scale_backward),
}
