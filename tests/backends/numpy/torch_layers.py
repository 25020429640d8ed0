"""Each layer as PyTorch's own functions compute it, differentiable.

Written from the language's definition of the layers, and from nothing of ours but the declared arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F

from compiler.graph import Graph, Node

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
ADAPTIVE_AVG = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}

Weights = Mapping[str, torch.Tensor]


def outputs(
    graph: Graph,
    inputs: Mapping[str, torch.Tensor],
    weights: Weights,
    training: bool = False,
    after: Callable[[Node, torch.Tensor], torch.Tensor] = lambda _, y: y,
) -> dict[str, torch.Tensor]:
    """The graph's outputs, with `after` done to what each layer gives.

    Running statistics in `weights` change in training.
    """
    values = {value: inputs[name] for name, value in graph.inputs.items()}
    for node in graph.nodes:
        xs = [values[v] if v.weight is None else weights[v.weight] for v in node.inputs]
        own = {name: weights[dotted] for name, dotted in node.weights.items()}
        values[node.output] = after(node, LAYERS[node.op.name](node, xs, own, training))
    return {name: values[value] for name, value in graph.outputs.items()}


def flat(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Last axis first, as F.pad has it."""
    return [p for pair in reversed(pairs) for p in pair]


def padded(
    x: torch.Tensor, pairs: Sequence[tuple[int, int]], mode: str = "zeros", value: float = 0
) -> torch.Tensor:
    if mode == "zeros":
        return F.pad(x, flat(pairs), value=value)
    return F.pad(x, flat(pairs), mode=MODES[mode])


def hanging(
    sizes: Sequence[int],
    extents: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    rule: str,
) -> list[tuple[int, int]]:
    """The end padding that gives the size of `ceil` or `caffe`, from conventions of the frameworks."""
    ends = []
    any_pad = any(b or e for b, e in pads)
    for i, k, s, (b, e) in zip(sizes, extents, stride, pads, strict=True):
        if rule in ("exact", "floor"):
            ends.append((0, 0))
            continue
        o = -(-(i + b + e - k) // s) + 1
        if (rule == "ceil" or any_pad) and (o - 1) * s >= i + b and o > (i + b + e - k) // s + 1:
            o -= 1
        ends.append((0, max(0, (o - 1) * s + k - i - b - e)))
    return ends


def conv(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    x = xs[0]
    extents = [d * (k - 1) + 1 for k, d in zip(op.kernel, op.dilation, strict=True)]
    more = hanging(x.shape[2:], extents, op.stride, op.pad, op.round)
    pads = [(b, e + m) for (b, e), (_, m) in zip(op.pad, more, strict=True)]
    return CONV[x.dim() - 2](
        padded(x, pads, op.pad_mode), w["weight"], w.get("bias"), op.stride, 0, op.dilation, op.groups
    )


def maxpool(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    x, rank = xs[0], xs[0].dim() - 2
    if op.round != "caffe" and all(b == e for b, e in op.pad):  # PyTorch's own padding and rounding
        return MAX[rank](
            x, op.kernel, op.stride, tuple(b for b, _ in op.pad), op.dilation, op.round == "ceil"
        )
    extents = [d * (k - 1) + 1 for k, d in zip(op.kernel, op.dilation, strict=True)]
    x = (
        padded(x, hanging(x.shape[2:], extents, op.stride, op.pad, op.round), value=-torch.inf)
        if not any(map(any, op.pad))
        else padded(
            padded(x, op.pad, value=-torch.inf),
            hanging(x.shape[2:], extents, op.stride, op.pad, op.round),
            value=-torch.inf,
        )
    )
    return MAX[rank](x, op.kernel, op.stride, 0, op.dilation)


def avgpool(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    x, rank = xs[0], xs[0].dim() - 2
    own = op.round != "caffe" and all(b == e for b, e in op.pad) and op.divisor in ("padded", "valid")
    # In 3-D alone PyTorch wants the input as large as the kernel before it is padded.
    own = own and (rank < 3 or all(i >= k for i, k in zip(x.shape[2:], op.kernel, strict=True)))
    if own:
        return AVG[rank](
            x, op.kernel, op.stride, tuple(b for b, _ in op.pad), op.round == "ceil", op.divisor == "padded"
        )
    more = hanging(x.shape[2:], op.kernel, op.stride, op.pad, op.round)

    def sums(y: torch.Tensor) -> torch.Tensor:
        return AVG[rank](y, op.kernel, op.stride) * prod(op.kernel)

    total = sums(padded(padded(x, op.pad), more))
    if op.divisor == "window":
        return total / prod(op.kernel)
    if not isinstance(op.divisor, str):
        return total / op.divisor
    counted = padded(torch.ones_like(x), op.pad, value=1.0 if op.divisor == "padded" else 0.0)
    return total / sums(padded(counted, more)).round()


def sizes(node: Node, xs: list[torch.Tensor]) -> tuple[int, ...]:
    op: Any = node.op
    # Counted from the end: a raw weight has no batch axis.
    return op.size if op.size is not None else tuple(xs[op.like].shape[2 - xs[0].dim() :])


def batchnorm(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    # Its gradients are wrong (2.13) for some strides of what has extents of 1: all in the order of the axes.
    y = F.batch_norm(
        xs[0].flatten().view_as(xs[0]),
        w["running_mean"],
        w["running_var"],
        w.get("weight"),
        w.get("bias"),
        training and not op.frozen,
        op.momentum,
        op.eps,
    )
    return y.flatten().view_as(y)


def groupnorm(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    return F.group_norm(xs[0], op.groups, w.get("weight"), w.get("bias"), op.eps)


def instancenorm(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    return F.instance_norm(xs[0], weight=w.get("weight"), bias=w.get("bias"), eps=op.eps)


def layernorm(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    moved = xs[0].movedim(op.axis + 1, -1)
    return F.layer_norm(moved, moved.shape[-1:], w.get("weight"), w.get("bias"), op.eps).movedim(
        -1, op.axis + 1
    )


def channels(v: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return v.reshape(-1, *(1,) * (x.dim() - 2))


def lrn(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    alpha = op.alpha * op.size if op.scale == "sum" else op.alpha
    # It refuses some strides of volumes.
    return F.local_response_norm(xs[0].contiguous(), op.size, alpha, op.beta, op.k)


def fc(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    axis = 1 + (node.op.axis or 0)
    return F.linear(xs[0].movedim(axis, -1), w["weight"], w.get("bias")).movedim(-1, axis)


def scale(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    y = xs[0] * channels(w["weight"], xs[0])
    return y + channels(w["bias"], xs[0]) if "bias" in w else y


def reduce(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    return {"max": torch.amax, "mean": torch.mean, "sum": torch.sum}[op.how](xs[0], op.axis + 1)


def joined(combine: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def layer(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
        total = xs[0]
        for x in xs[1:]:
            total = combine(total, x)
        constant = getattr(node.op, "constant", None)
        total = total if constant is None else combine(total, torch.tensor(constant, dtype=total.dtype))
        return total / len(xs) if node.op.name == "average" else total

    return layer


def dropout(node: Node, xs: list[torch.Tensor], w: Weights, training: bool) -> torch.Tensor:
    op: Any = node.op
    assert not training, "the numbers that are dropped are not PyTorch's"
    return xs[0] * (1 - op.p) if op.mode == "classic" else xs[0]


LAYERS: dict[str, Callable[[Any, list[torch.Tensor], Weights, bool], torch.Tensor]] = {
    "conv": conv,
    "maxpool": maxpool,
    "avgpool": avgpool,
    "globalavgpool": lambda n, xs, w, t: ADAPTIVE_AVG[xs[0].dim() - 2](xs[0], 1),
    "globalmaxpool": lambda n, xs, w, t: ADAPTIVE_MAX[xs[0].dim() - 2](xs[0], 1),
    "adaptiveavgpool": lambda n, xs, w, t: ADAPTIVE_AVG[xs[0].dim() - 2](xs[0], sizes(n, xs)),
    "adaptivemaxpool": lambda n, xs, w, t: ADAPTIVE_MAX[xs[0].dim() - 2](xs[0], sizes(n, xs)),
    "fc": fc,
    "rbf": lambda n, xs, w, t: torch.square(xs[0][:, None] - xs[n.op.centers]).sum(2),
    "batchnorm": batchnorm,
    "instancenorm": instancenorm,
    "groupnorm": groupnorm,
    "layernorm": layernorm,
    "l2norm": lambda n, xs, w, t: F.normalize(xs[0], dim=1, eps=n.op.eps) * channels(w["weight"], xs[0]),
    "lrn": lrn,
    "scale": scale,
    "dropout": dropout,
    "channelshuffle": lambda n, xs, w, t: F.channel_shuffle(xs[0], n.op.groups),
    "relu": lambda n, xs, w, t: F.relu(xs[0]),
    "relu6": lambda n, xs, w, t: F.relu6(xs[0]),
    "leakyrelu": lambda n, xs, w, t: F.leaky_relu(xs[0], n.op.slope),
    "prelu": lambda n, xs, w, t: F.prelu(xs[0], w["weight"]),
    "elu": lambda n, xs, w, t: F.elu(xs[0], n.op.alpha),
    "selu": lambda n, xs, w, t: F.selu(xs[0]),
    "gelu": lambda n, xs, w, t: F.gelu(xs[0]),
    "silu": lambda n, xs, w, t: F.silu(xs[0]),
    "mish": lambda n, xs, w, t: F.mish(xs[0]),
    "hardswish": lambda n, xs, w, t: F.hardswish(xs[0]),
    # PyTorch's own hardsigmoid differentiates with a sixth in single precision.
    "hardsigmoid": lambda n, xs, w, t: F.relu6(xs[0] + 3) / 6,
    "sigmoid": lambda n, xs, w, t: torch.sigmoid(xs[0]),
    "tanh": lambda n, xs, w, t: torch.tanh(xs[0]),
    "softplus": lambda n, xs, w, t: F.softplus(xs[0]),
    "softmax": lambda n, xs, w, t: F.softmax(xs[0], n.op.axis + 1),
    "logsoftmax": lambda n, xs, w, t: F.log_softmax(xs[0], n.op.axis + 1),
    "flatten": lambda n, xs, w, t: xs[0].flatten(1),
    "reshape": lambda n, xs, w, t: xs[0].reshape(len(xs[0]), *n.op.shape),
    "permute": lambda n, xs, w, t: xs[0].permute(0, *(i + 1 for i in n.op.order)),
    "select": lambda n, xs, w, t: xs[0].index_select(1, torch.tensor(n.op.channels)),
    "slice": lambda n, xs, w, t: xs[0].narrow(n.op.axis + 1, n.op.start, n.op.stop - n.op.start),
    "reduce": reduce,
    "pad": lambda n, xs, w, t: padded(xs[0], n.op.amount, n.op.mode),
    "identity": lambda n, xs, w, t: xs[0],
    "add": joined(torch.add),
    "multiply": joined(torch.mul),
    "maximum": joined(torch.maximum),
    "average": joined(torch.add),
    "concat": lambda n, xs, w, t: torch.cat(xs, n.op.axis + 1),
}
