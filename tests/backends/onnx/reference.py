"""What each layer should give, in float64: PyTorch's functions where it has one, plain loops for pools.

Nothing here looks at how a backend lowers a layer; output sizes come from the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from compiler.graph import Node
from tests.cases import LayerCase

Array = np.ndarray
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class Reference:
    """One node's inputs and weights as torch tensors."""

    def __init__(self, node: Node, inputs: Sequence[torch.Tensor], weights: Mapping[str, torch.Tensor],
                 sizes: Sequence[int] | None) -> None:
        self.op: Any = node.op
        self.inputs = list(inputs)
        self.x = inputs[0]
        self.weights = {own: weights[dotted] for own, dotted in node.weights.items()}
        self.sizes = sizes  # spatial sizes of the result, from the table
        self.rank = self.x.dim() - 1

    def w(self, own: str) -> torch.Tensor | None:
        return self.weights.get(own)

    def along(self, own: str, axis: int = 0) -> torch.Tensor:
        """A vector shaped to stretch over all axes but one (without the batch)."""
        shape = [1] * self.rank
        shape[axis] = -1
        return self.weights[own].reshape(shape)


def reference(case: LayerCase, node: Node, inputs: Mapping[str, Array], weights: Mapping[str, Array],
              nominal: bool = True) -> Array:
    """The case's result for these float64 arrays; at other than the nominal size the table has no answer."""
    tensors = {name: torch.from_numpy(np.asarray(a, np.float64)) for name, a in weights.items()}
    flowing = [tensors[v.weight] if v.weight is not None else torch.from_numpy(np.asarray(inputs[v.name]))
               for v in node.inputs]
    sizes = case.out[1:] if nominal and case.out is not None else None
    result = REFERENCES[case.op.name](Reference(node, flowing, tensors, sizes))
    return np.asarray(result)


def torch_pads(pads: Sequence[tuple[int, int]]) -> list[int]:
    """Last axis first, as F.pad has it."""
    return [p for pair in reversed(pads) for p in pair]


def pad(x: torch.Tensor, pads: Sequence[tuple[int, int]], mode: str) -> torch.Tensor:
    return F.pad(x, torch_pads(pads), MODES[mode]) if any(map(any, pads)) else x


def conv(r: Reference) -> torch.Tensor:
    op, n = r.op, r.rank - 1
    pads = list(op.pad)
    if op.round == "ceil" and r.sizes is not None:
        for axis, out in enumerate(r.sizes):
            extent = op.dilation[axis] * (op.kernel[axis] - 1) + 1
            have = r.x.shape[2 + axis] + sum(pads[axis])
            pads[axis] = (pads[axis][0], pads[axis][1] + max(0, (out - 1) * op.stride[axis] + extent - have))
    function = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    x = pad(r.x, pads, op.pad_mode)
    return function(x, r.w("weight"), r.w("bias"), op.stride, 0, op.dilation, op.groups)


def pool(r: Reference) -> Array:
    """Window by window: what lies in the input, and how much of the window lies in the declared padding."""
    op, x = r.op, r.x.numpy()
    spatial, sizes = x.shape[2:], r.sizes
    dilation = getattr(op, "dilation", (1,) * len(spatial))
    if sizes is None:
        padded = any(map(any, op.pad))
        sizes = [_size(i, d * (k - 1) + 1, s, b, e, op.round, padded) for i, d, k, s, (b, e) in
                 zip(spatial, dilation, op.kernel, op.stride, op.pad, strict=True)]
    result = np.empty((*x.shape[:2], *sizes))
    for place in product(*map(range, sizes)):
        inside, counted = [], 1
        for axis, at in enumerate(place):
            begin, end = op.pad[axis]
            positions = [at * op.stride[axis] - begin + t * dilation[axis] for t in range(op.kernel[axis])]
            inside.append([p for p in positions if 0 <= p < spatial[axis]])
            counted *= sum(-begin <= p < spatial[axis] + end for p in positions)
        window = x[np.ix_(range(x.shape[0]), range(x.shape[1]), *inside)].reshape(*x.shape[:2], -1)
        if op.name == "maxpool":
            result[(..., *place)] = window.max(-1)
            continue
        words = {"padded": counted, "valid": window.shape[-1], "window": prod(op.kernel)}
        divisor = words.get(op.divisor, op.divisor)
        result[(..., *place)] = window.sum(-1) / divisor
    return result


def _size(i: int, k: int, s: int, b: int, e: int, round: str, padded: bool) -> int:
    """How many windows there are, by counting: PyTorch's and Caffe's rules in words."""
    total, count = i + b + e, 0
    while count * s + k <= total:  # those that fit
        count += 1
    if round in ("ceil", "caffe") and (count - 1) * s + k < total:
        starts_inside = count * s < i + b
        if starts_inside or (round == "caffe" and not padded):
            count += 1
    return count


def adaptive(r: Reference) -> torch.Tensor:
    sizes = r.op.size if r.op.like is None else tuple(r.inputs[r.op.like].shape[2:])
    table = {"adaptiveavgpool": (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d),
             "adaptivemaxpool": (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)}
    return table[r.op.name][r.rank - 2](r.x, sizes)


def fc(r: Reference) -> torch.Tensor:
    axis = (0 if r.op.axis is None else r.op.axis) + 1
    return F.linear(r.x.movedim(axis, -1), r.w("weight"), r.w("bias")).movedim(-1, axis)


def groupnorm(r: Reference) -> torch.Tensor:
    return F.group_norm(r.x, r.op.groups, r.w("weight"), r.w("bias"), r.op.eps)


def layernorm(r: Reference) -> torch.Tensor:
    axis = r.op.axis + 1
    moved = r.x.movedim(axis, -1)
    return F.layer_norm(moved, moved.shape[-1:], r.w("weight"), r.w("bias"), r.op.eps).movedim(-1, axis)


def lrn(r: Reference) -> torch.Tensor:
    alpha = r.op.alpha * (r.op.size if r.op.scale == "sum" else 1)
    return F.local_response_norm(r.x, r.op.size, alpha, r.op.beta, r.op.k)


def scale(r: Reference) -> torch.Tensor:
    scaled = r.x * r.along("weight")
    return scaled + r.along("bias") if r.op.bias else scaled


def reduce(r: Reference) -> torch.Tensor:
    axis = r.op.axis + 1
    return {"max": r.x.amax, "mean": r.x.mean, "sum": r.x.sum}[r.op.how](axis)


def chained(r: Reference) -> torch.Tensor:
    whole = r.inputs[0]
    for other in r.inputs[1:]:
        whole = whole + other if r.op.name == "add" else whole * other
    if r.op.constant is None:
        return whole
    return whole + r.op.constant if r.op.name == "add" else whole * r.op.constant


def narrow(r: Reference) -> torch.Tensor:
    return r.x.narrow(r.op.axis + 1, r.op.start, r.op.stop - r.op.start)


REFERENCES: dict[str, Callable[[Reference], Any]] = {
    "conv": conv,
    "maxpool": pool,
    "avgpool": pool,
    "globalavgpool": lambda r: r.x.mean(tuple(range(2, r.rank + 1)), keepdim=True),
    "globalmaxpool": lambda r: r.x.amax(tuple(range(2, r.rank + 1)), keepdim=True),
    "adaptiveavgpool": adaptive,
    "adaptivemaxpool": adaptive,
    "fc": fc,
    "rbf": lambda r: torch.cdist(r.x, r.inputs[1], compute_mode="donot_use_mm_for_euclid_dist") ** 2,
    "batchnorm": lambda r: F.batch_norm(r.x, r.w("running_mean"), r.w("running_var"), r.w("weight"),
                                        r.w("bias"), False, 0.0, r.op.eps),
    "instancenorm": lambda r: F.instance_norm(r.x, None, None, r.w("weight"), r.w("bias"), True, 0.0,
                                              r.op.eps),
    "groupnorm": groupnorm,
    "layernorm": layernorm,
    "l2norm": lambda r: F.normalize(r.x, 2.0, 1, r.op.eps) * r.along("weight"),
    "lrn": lrn,
    "scale": scale,
    "relu": lambda r: F.relu(r.x),
    "relu6": lambda r: F.relu6(r.x),
    "leakyrelu": lambda r: F.leaky_relu(r.x, r.op.slope),
    "prelu": lambda r: F.prelu(r.x, r.weights["weight"]),
    "elu": lambda r: F.elu(r.x, r.op.alpha),
    "selu": lambda r: F.selu(r.x),
    "gelu": lambda r: F.gelu(r.x),
    "silu": lambda r: F.silu(r.x),
    "mish": lambda r: F.mish(r.x),
    "hardswish": lambda r: F.hardswish(r.x),
    "hardsigmoid": lambda r: F.hardsigmoid(r.x),
    "sigmoid": lambda r: torch.sigmoid(r.x),
    "tanh": lambda r: torch.tanh(r.x),
    "softplus": lambda r: torch.log1p(torch.exp(r.x)),
    "softmax": lambda r: F.softmax(r.x, r.op.axis + 1),
    "logsoftmax": lambda r: F.log_softmax(r.x, r.op.axis + 1),
    "dropout": lambda r: r.x * (1 - r.op.p) if r.op.mode == "classic" else r.x,
    "flatten": lambda r: r.x.flatten(1),
    "reshape": lambda r: r.x.reshape(r.x.shape[0], *r.op.shape),
    "permute": lambda r: r.x.permute(0, *(a + 1 for a in r.op.order)),
    "select": lambda r: r.x[:, list(r.op.channels)],
    "channelshuffle": lambda r: F.channel_shuffle(r.x, r.op.groups),
    "slice": narrow,
    "reduce": reduce,
    "pad": lambda r: pad(r.x, r.op.amount, r.op.mode),
    "identity": lambda r: r.x,
    "add": chained,
    "multiply": chained,
    "maximum": lambda r: torch.stack(r.inputs).amax(0),
    "average": lambda r: torch.stack(r.inputs).mean(0),
    "concat": lambda r: torch.cat(r.inputs, r.op.axis + 1),
}
