"""Activations: functions in a forward pass, modules in an `nn.Sequential`."""

from __future__ import annotations

from backends.torch.emit.forms import Arguments, Form, Slot, emits, is_frozen
from compiler.graph import Node
from compiler.ops.activation import (
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    LogSoftmax,
    Mish,
    PRelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from compiler.ops.base import Op

#: Layer -> module, function.
PLAIN: dict[type[Op], tuple[str, str]] = {
    Relu: ("nn.ReLU", "F.relu"),
    Relu6: ("nn.ReLU6", "F.relu6"),
    Selu: ("nn.SELU", "F.selu"),
    Gelu: ("nn.GELU", "F.gelu"),
    Silu: ("nn.SiLU", "F.silu"),
    Mish: ("nn.Mish", "F.mish"),
    HardSwish: ("nn.Hardswish", "F.hardswish"),
    Sigmoid: ("nn.Sigmoid", "torch.sigmoid"),
    Tanh: ("nn.Tanh", "torch.tanh"),
}


@emits(*PLAIN)
def emit_plain(node: Node) -> Form:
    module, function = PLAIN[type(node.op)]
    return Form(Arguments().layer(module), f"{function}({{0}})", register=False)


@emits(HardSigmoid)
def emit_hardsigmoid(node: Node) -> Form:
    """PyTorch's own takes 1/6 as a float32 in its derivative, which is off by 3e-8 in float64."""
    return Form(Arguments().layer("HardSigmoid"), "F.relu6({0} + 3) / 6", register=False)


@emits(Softplus)
def emit_softplus(node: Node) -> Form:
    """PyTorch goes over to the identity beyond its threshold: at 20 that is off by 2e-9, at 40 by nothing."""
    made = Arguments().add(40, "threshold")
    return Form(made.layer("nn.Softplus"), "F.softplus({0}, threshold=40)", register=False)


@emits(LeakyRelu)
def emit_leakyrelu(node: Node) -> Form:
    assert isinstance(node.op, LeakyRelu)
    made = Arguments().add(node.op.slope, "negative_slope", positional=True, called="slope", default=0.01)
    return Form(
        made.layer("nn.LeakyReLU"),
        "F.leaky_relu({0}, {slope})",
        register=False,
        slots=(("slope", Slot(node.op.slope, "slope")),),
    )


@emits(Elu)
def emit_elu(node: Node) -> Form:
    assert isinstance(node.op, Elu)
    made = Arguments().add(node.op.alpha, "alpha", positional=True, default=1.0)
    return Form(
        made.layer("nn.ELU"),
        "F.elu({0}, {alpha})",
        register=False,
        slots=(("alpha", Slot(node.op.alpha, "alpha")),),
    )


@emits(PRelu)
def emit_prelu(node: Node) -> Form:
    assert isinstance(node.op, PRelu)
    slopes = 1 if node.op.shared else node.inputs[0].type.shape[0]
    made = Arguments().add(slopes, "num_parameters", positional=True, called="channels", default=1)
    return Form(made.layer("nn.PReLU", is_frozen(node)))


@emits(Softmax, LogSoftmax)
def emit_softmax(node: Node) -> Form:
    op = node.op
    assert isinstance(op, (Softmax, LogSoftmax))
    module, function = (
        ("nn.Softmax", "F.softmax") if isinstance(op, Softmax) else ("nn.LogSoftmax", "F.log_softmax")
    )
    made = Arguments().add(op.axis + 1, "dim")
    return Form(
        made.layer(module),
        f"{function}({{0}}, dim={{dim}})",
        register=False,
        slots=(("dim", Slot(op.axis + 1, "dim")),),
    )
