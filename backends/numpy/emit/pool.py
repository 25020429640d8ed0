"""Pools."""

from __future__ import annotations

from typing import Any

from backends.numpy.emit.base import Call, Emitter, Emitters, Expression, Layer, Source, pads, per_axis, shown
from compiler.ops.pool import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool


def _window(layer: Layer) -> dict[str, Any]:
    """Stride, pad and dilation where they differ from the kernels' defaults."""
    op = layer.op
    return {
        "stride": per_axis(op.stride) if op.stride != op.kernel else None,
        "pad": pads(op.pad) if any(map(any, op.pad)) else None,
        "dilation": per_axis(op.dilations) if set(op.dilations) != {1} else None,
    }


def _arguments(layer: Layer, sizes: str) -> dict[str, Any]:
    """What a pool is called with; what hangs over is a number where `sizes`, an expression, are fixed."""
    op, arguments = layer.op, _window(layer)
    more = op.overhang(layer.value().type)
    if op.round in ("ceil", "caffe") and any(layer.value().type.free[1:]):
        rule = str(op.round) if op.round != "ceil" else None
        beyond = layer.call("overhang", sizes, shown(per_axis(op.kernel)), **arguments, rule=rule)
        arguments["overhang"] = Source(str(beyond))
    elif any(more):
        arguments["overhang"] = per_axis(more)
    if isinstance(op, AvgPool) and op.divisor != "padded":
        arguments["divisor"] = op.divisor if not isinstance(op.divisor, str) else str(op.divisor)
    return arguments


def _kernel(layer: Layer) -> str:
    return shown(per_axis(layer.op.kernel))


def emit_maxpool(layer: Layer) -> Expression:
    return layer.call("maxpool", layer.x, _kernel(layer), **_arguments(layer, f"{layer.x}.shape[2:]"))


def emit_maxpool_backward(layer: Layer) -> None:
    x = layer.saved()
    layer.give(
        layer.call(
            "maxpool_backward",
            layer.d,
            x,
            layer.saved_output,
            _kernel(layer),
            **_arguments(layer, f"{x}.shape[2:]"),
        )
    )


def emit_avgpool(layer: Layer) -> Expression:
    return layer.call("avgpool", layer.x, _kernel(layer), **_arguments(layer, f"{layer.x}.shape[2:]"))


def emit_avgpool_backward(layer: Layer) -> None:
    shape = layer.shape()
    layer.give(
        layer.call("avgpool_backward", layer.d, shape, _kernel(layer), **_arguments(layer, f"{shape}[2:]"))
    )


def check_pool(layer: Layer) -> list[Call]:
    sizes = f"{layer.x}.shape[2:]"
    arguments = {name: value for name, value in _arguments(layer, sizes).items() if name != "divisor"}
    exact = True if layer.op.round == "exact" and set(layer.op.stride) != {1} else None
    return [
        layer.call("check_windows", layer.label, sizes, _kernel(layer), **arguments, exact=exact, pool=True)
    ]


def emit_globalavgpool(layer: Layer) -> Expression:
    return layer.call("globalavgpool", layer.x)


def emit_globalavgpool_backward(layer: Layer) -> None:
    layer.give(layer.call("globalavgpool_backward", layer.d, layer.shape()))


def emit_globalmaxpool(layer: Layer) -> Expression:
    return layer.call("globalmaxpool", layer.x)


def emit_globalmaxpool_backward(layer: Layer) -> None:
    layer.give(layer.call("globalmaxpool_backward", layer.d, layer.saved()))


def _size(layer: Layer) -> str:
    """The size of an adaptive pool's result: numbers, or those of `like` where they are free."""
    op = layer.op
    if op.like is not None and layer.is_free(op.like):
        return f"{layer.inputs[op.like]}.shape[2:]"
    return shown(tuple(op.sizes(layer.node.input_types)))


def emit_adaptiveavgpool(layer: Layer) -> Expression:
    return layer.call("adaptiveavgpool", layer.x, _size(layer))


def emit_adaptiveavgpool_backward(layer: Layer) -> None:
    layer.give(layer.call("adaptiveavgpool_backward", layer.d, layer.shape()))


def emit_adaptivemaxpool(layer: Layer) -> Expression:
    return layer.call("adaptivemaxpool", layer.x, _size(layer))


def emit_adaptivemaxpool_backward(layer: Layer) -> None:
    layer.give(layer.call("adaptivemaxpool_backward", layer.d, layer.saved()))


EMITTERS: Emitters = {
    MaxPool: Emitter(emit_maxpool, emit_maxpool_backward, checks=check_pool),
    AvgPool: Emitter(emit_avgpool, emit_avgpool_backward, checks=check_pool),
    GlobalAvgPool: Emitter(emit_globalavgpool, emit_globalavgpool_backward),
    GlobalMaxPool: Emitter(emit_globalmaxpool, emit_globalmaxpool_backward),
    AdaptiveAvgPool: Emitter(emit_adaptiveavgpool, emit_adaptiveavgpool_backward),
    AdaptiveMaxPool: Emitter(emit_adaptivemaxpool, emit_adaptivemaxpool_backward),
}
