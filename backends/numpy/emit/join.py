"""Joins.  Two or three tensors are joined by an operator, more of them by a kernel: the code stays flat."""

from __future__ import annotations

from backends.numpy.emit.base import Call, Emitter, Emitters, Expression, Layer, Source, shown
from compiler.graph import Value
from compiler.ops.join import Add, Average, Concat, Maximum, Multiply, may_stretch

_OPERANDS = 3  # the most that are written with an operator between them


def _joined(layer: Layer, operator: str, kernel: str) -> Expression:
    terms = layer.inputs
    constant = layer.op.constant
    if constant is not None:
        terms = [*terms, shown(constant)]
    if len(terms) <= _OPERANDS:
        return f" {operator} ".join(terms)
    return layer.call(kernel, *terms)


def _stretches(layer: Layer, value: Value) -> bool:
    """Whether the result is larger than this input, or may be at another size."""
    result = layer.node.output.type
    if value.type.rows is None or value.shape != result.shape:
        return True
    return isinstance(layer.op, (Add, Multiply)) and any(result.free) and may_stretch(value.type)


def _unstretched(layer: Layer, position: int, gradient: Expression) -> Expression:
    """The gradient of an input, summed where the input was stretched."""
    if not _stretches(layer, layer.value(position)):
        return gradient
    return layer.call("unstretched", str(gradient), layer.shape(position))


def emit_add(layer: Layer) -> Expression:
    return _joined(layer, "+", "summed")


def emit_add_backward(layer: Layer) -> None:
    for position in range(len(layer.node.inputs)):
        if layer.wants(position):
            layer.give(_unstretched(layer, position, layer.d), position)


def emit_multiply(layer: Layer) -> Expression:
    return _joined(layer, "*", "multiplied")


def emit_multiply_backward(layer: Layer) -> None:
    """Each factor gets d times all others, which no division could give where a factor is 0."""
    count = len(layer.node.inputs)
    for position in range(count):
        if not layer.wants(position):
            continue
        if count <= _OPERANDS:
            others = [layer.saved(i) for i in range(count) if i != position]
            gradient: Expression = " * ".join([layer.d, *others])
        else:
            factors = ", ".join(layer.saved(i) for i in range(count))
            gradient = layer.call("product_gradient", layer.d, f"({factors})", str(position))
        if layer.op.constant is not None:
            gradient = f"{gradient} * {shown(layer.op.constant)}"
        layer.give(_unstretched(layer, position, gradient), position)


def emit_maximum(layer: Layer) -> Expression:
    if len(layer.node.inputs) == 2:
        return Call("np.maximum", tuple(layer.inputs))
    return layer.call("maximum", *layer.inputs)


def emit_maximum_backward(layer: Layer) -> None:
    positions = range(len(layer.node.inputs))
    layer.give_all(
        layer.call("maximum_backward", layer.d, layer.saved_output, *(layer.saved(i) for i in positions)),
        (),
        positions,
    )


def emit_average(layer: Layer) -> Expression:
    count = len(layer.inputs)
    if count <= _OPERANDS:
        return f"({' + '.join(layer.inputs)}) / {count}"
    return f"{layer.call('summed', *layer.inputs)} / {count}"


def emit_average_backward(layer: Layer) -> None:
    for position in range(len(layer.node.inputs)):
        layer.give(f"{layer.d} / {len(layer.node.inputs)}", position)


def emit_concat(layer: Layer) -> Expression:
    return layer.call("concat", *layer.inputs, axis=_concat_axis(layer))


def _concat_axis(layer: Layer) -> int | None:
    return layer.op.axis + 1 if layer.op.axis else None


def emit_concat_backward(layer: Layer) -> None:
    """Each input gets its part of d."""
    axis, positions = layer.op.axis, range(len(layer.node.inputs))
    if layer.body.in_block or any(layer.value(i).type.free[axis] for i in positions):
        shapes = [layer.shape(i) if layer.body.in_block else f"{layer.saved(i)}.shape" for i in positions]
        sizes = ", ".join(f"{shape}[{axis + 1}]" for shape in shapes)
        layer.give_all(
            layer.call("concat_backward", layer.d, f"({sizes})", axis=_concat_axis(layer)), (), positions
        )
        return
    first = 0
    for position in positions:
        size = layer.value(position).shape[axis]
        layer.give(f"{layer.d}[{', '.join([':'] * (axis + 1))}, {first}:{first + size}]", position)
        first += size


def check_join(layer: Layer) -> list[Call]:
    """Where extents are free, all tensors that are not stretched must be alike."""
    whole = [
        name
        for i, name in enumerate(layer.inputs)
        if layer.value(i).type.rows is not None
        and (any(layer.value(i).type.free) or not _stretches(layer, layer.value(i)))
    ]
    if len(whole) < 2:
        return []
    return [layer.call("check_equal", layer.label, *(f"{name}.shape" for name in whole))]


def check_concat(layer: Layer) -> list[Call]:
    return [
        layer.call(
            "check_equal",
            layer.label,
            *(f"{name}.shape" for name in layer.inputs),
            apart=Source(str(layer.op.axis + 1)),
        )
    ]


EMITTERS: Emitters = {
    Add: Emitter(emit_add, emit_add_backward, checks=check_join),
    Multiply: Emitter(emit_multiply, emit_multiply_backward, checks=check_join),
    Maximum: Emitter(emit_maximum, emit_maximum_backward, checks=check_join),
    Average: Emitter(emit_average, emit_average_backward, checks=check_join),
    Concat: Emitter(emit_concat, emit_concat_backward, checks=check_concat),
}
