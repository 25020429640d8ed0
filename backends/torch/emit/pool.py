"""Pooling."""

from __future__ import annotations

from backends.torch.emit.conv import path_slot, size_checks
from backends.torch.emit.forms import Arguments, Bracket, Form, Slot, emits, per_axis
from compiler.graph import Node
from compiler.ops.pool import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool


def _rounds_up(node: Node) -> bool:
    """Whether PyTorch's ceil_mode is meant; a valid `caffe` pool has no window to clip, so it is the same."""
    op = node.op
    assert isinstance(op, (MaxPool, AvgPool))
    return op.round in ("ceil", "caffe")


def _window(node: Node, made: Arguments) -> None:
    op = node.op
    assert isinstance(op, (MaxPool, AvgPool))
    made.add(per_axis(op.kernel), "kernel_size", positional=True)
    made.add(per_axis(op.stride), "stride", default=per_axis(op.kernel))


def _checks(node: Node) -> tuple[tuple[Bracket, ...], tuple[tuple[str, Slot], ...]]:
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, (MaxPool, AvgPool))
    before, slots = size_checks(node)
    axes = list(zip(x.free[1:], op.stride, op.extents, op.pad, op.dilations, strict=True))
    if op.round == "caffe" and not any(map(any, op.pad)) and any(free and s > k for free, s, k, _, _ in axes):
        # Caffe leaves in a last window that starts beyond the input, and PyTorch leaves it out.
        before += (Bracket("check_seen(", ("{0}", "{path}", "extent={extent}", "stride={stride}"), ")"),)
        slots += (
            ("extent", Slot(per_axis(op.extents), "extent")),
            ("stride", Slot(per_axis(op.stride), "stride")),
        )
    if any(free and d > 1 and begin for free, _, _, (begin, _), d in axes):
        arguments = ("kernel={kernel}", "stride={stride}", "begin={begin}", "dilation={dilation}")
        before += (Bracket("check_windows(", ("{0}", "{path}", *arguments), ")"),)
        slots += (
            ("kernel", Slot(per_axis(op.kernel), "kernel")),
            ("stride", Slot(per_axis(op.stride), "stride")),
            ("begin", Slot(per_axis([begin for begin, _ in op.pad]), "begin")),
            ("dilation", Slot(per_axis(op.dilations), "dilation")),
        )
    return before, tuple(dict((path_slot(node), *slots)).items()) if before else ()


@emits(MaxPool)
def emit_maxpool(node: Node) -> Form:
    """`nn.MaxPoolNd`, or `PaddedMaxPoolNd` for pads that differ at the two ends."""
    op = node.op
    assert isinstance(op, MaxPool)
    rank = len(op.kernel)
    symmetric = all(begin == end for begin, end in op.pad)
    made = Arguments()
    _window(node, made)
    if symmetric:
        made.add(per_axis([begin for begin, _ in op.pad]), "padding", default=0)
    else:
        made.add(op.pad, "pads")
    made.add(per_axis(op.dilation), "dilation", default=1)
    made.add(_rounds_up(node), "ceil_mode", default=False)
    before, slots = _checks(node)
    return Form(
        made.layer(f"nn.MaxPool{rank}d" if symmetric else f"PaddedMaxPool{rank}d"), before=before, slots=slots
    )


def _refused(node: Node) -> bool:
    """Whether AvgPool3d would refuse: it wants the input as large as the kernel before it is padded."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, AvgPool)
    if len(op.kernel) < 3 or not (any(map(any, op.pad)) or _rounds_up(node)):
        return False
    return any(free or i < k for i, k, free in zip(x.spatial, op.kernel, x.free[1:], strict=True))


@emits(AvgPool)
def emit_avgpool(node: Node) -> Form:
    """`nn.AvgPoolNd` where it can say pads and divisor, else `PaddedAvgPool`."""
    op = node.op
    assert isinstance(op, AvgPool)
    rank = len(op.kernel)
    symmetric = all(begin == end for begin, end in op.pad)
    before, slots = _checks(node)
    made = Arguments()
    elements = 1
    for k in op.kernel:
        elements *= k
    number = elements if op.divisor == "window" else op.divisor
    whole = isinstance(number, (int, float)) and float(number).is_integer()
    if symmetric and (op.divisor in ("padded", "valid") or (rank > 1 and whole)) and not _refused(node):
        _window(node, made)
        made.add(per_axis([begin for begin, _ in op.pad]), "padding", default=0)
        made.add(_rounds_up(node), "ceil_mode", default=False)
        if isinstance(number, str):
            made.add(number == "padded", "count_include_pad", default=True)
        else:
            made.add(int(number), "divisor_override")
        return Form(made.layer(f"nn.AvgPool{rank}d"), before=before, slots=slots)
    made.add(op.kernel, "kernel_size", positional=True)
    made.add(op.stride, "stride")
    made.add(op.pad, "pads")
    made.add(_rounds_up(node), "ceil_mode", default=False)
    made.add(float(number) if not isinstance(number, str) else number, "divisor")
    return Form(made.layer("PaddedAvgPool"), before=before, slots=slots)


@emits(GlobalAvgPool, GlobalMaxPool)
def emit_global(node: Node) -> Form:
    kind = "Avg" if isinstance(node.op, GlobalAvgPool) else "Max"
    made = Arguments().add(1, "output_size", positional=True)
    return Form(made.layer(f"nn.Adaptive{kind}Pool{node.inputs[0].type.rank - 1}d"))


@emits(AdaptiveAvgPool, AdaptiveMaxPool)
def emit_adaptive(node: Node) -> Form:
    op = node.op
    assert isinstance(op, (AdaptiveAvgPool, AdaptiveMaxPool))
    kind = "Avg" if isinstance(op, AdaptiveAvgPool) else "Max"
    rank = node.inputs[0].type.rank - 1
    if op.like is None:
        assert op.size is not None
        made = Arguments().add(per_axis(op.size), "output_size", positional=True)
        return Form(made.layer(f"nn.Adaptive{kind}Pool{rank}d"))
    # Counted from the end: a raw weight has no batch axis.
    sizes = ", ".join(f"{{{op.like}}}.shape[{axis - rank}]" for axis in range(rank))
    call = Bracket(
        f"F.adaptive_{kind.lower()}_pool{rank}d(", ("{0}", f"({sizes},)" if rank == 1 else f"({sizes})"), ")"
    )
    return Form(call=call)
