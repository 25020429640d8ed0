"""Does PyTorch take this layer?  Its own modules, built and run as a user of PyTorch would write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from compiler.declare import Axis, Choice, Int, Ints, Pads, PerAxis, Real, show
from compiler.graph import Node
from compiler.ops import OPS
from tests.backends.numpy.torch_layers import hanging

Values = dict[str, Any]
Shape = tuple[int, ...]
ONE_INPUT = [n for n in OPS if OPS[n].arity == 1 and not OPS[n].tensor_args()]


def text_of(name: str, values: Values, shapes: Sequence[Shape]) -> str:
    """The layer alone in a model."""
    inputs = [f"    input x{i}: {list(shape)}" for i, shape in enumerate(shapes)]
    given = [f"{key} = {written(name, key, value)}" for key, value in values.items() if value is not None]
    tensors = [f"x{i}" for i in range(len(shapes))] if len(shapes) > 1 else []
    call = f"{name}({', '.join([*tensors, *given])})" if given or tensors else name
    start = [] if len(shapes) > 1 else ["    x0"]
    return "\n".join(["model alone {", *inputs, *start, f"    {call}", "    output y", "}", ""])


def written(name: str, key: str, value: Any) -> str:
    kind = next(a.kind for a in OPS[name].args() if a.name == key)
    if isinstance(kind, (PerAxis, Pads)) and isinstance(value, tuple):
        opened, closed = (
            ("[", "]") if value and isinstance(value[0], tuple) else ("(", ",)" if len(value) == 1 else ")")
        )
        return opened + ", ".join(written_pair(v) for v in value) + closed
    return str(value) if isinstance(value, str) else show(value)


def written_pair(value: Any) -> str:
    return f"({value[0]}, {value[1]})" if isinstance(value, tuple) else str(value)


def mutated(node: Node, rng: Random) -> tuple[str, Values, list[Shape]]:
    """The layer of a node with one argument or one input changed."""
    name, shapes = node.op.name, [list(v.shape) for v in node.inputs]
    values = {a.name: getattr(node.op, a.name) for a in node.op.args() if a.name != "frozen"}
    for one in node.op.args():
        if isinstance(one.kind, Axis) and values[one.name] is not None:
            rank = len(shapes[0])
            axis = values[one.name]
            values[one.name] = (
                "channels"
                if axis == 0
                else "last"
                if axis == rank - 1
                else ("height", "depth")[rank - 2 - axis]
            )
    choices = [key for key, value in values.items() if value is not None]
    if not choices or rng.random() < 0.4:
        shape = rng.choice(shapes)
        how = rng.randrange(5)
        if how == 0 and shape:
            del shape[rng.randrange(len(shape))]
        elif how == 1:
            shape.insert(rng.randint(0, len(shape)), rng.choice([1, 3]))
        elif shape:
            at = rng.randrange(len(shape))
            shape[at] = rng.choice([1, 2, shape[at] + 1, max(1, shape[at] - 1), shape[at] * 2])
        return name, values, [tuple(s) for s in shapes]
    key = rng.choice(choices)
    values[key] = changed(next(a.kind for a in node.op.args() if a.name == key), values[key], rng)
    return name, values, [tuple(s) for s in shapes]


def changed(kind: Any, value: Any, rng: Random) -> Any:
    """Another value of about that kind; it need not be allowed."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        pairs = [list(p) for p in value]
        rng.choice(pairs)[rng.randrange(2)] = rng.choice([0, 1, 2, 4, 9])
        if rng.random() < 0.4:  # the same at both ends, as PyTorch has it
            pairs = [[p[0], p[0]] for p in pairs]
        return tuple(tuple(p) for p in pairs[: rng.choice([len(pairs), len(pairs), len(pairs) - 1]) or 1])
    if isinstance(value, tuple):
        items = list(value)
        if items and rng.random() < 0.75:
            items[rng.randrange(len(items))] = rng.choice([0, 1, 2, 3, 5, 11, 40])
        elif items and rng.random() < 0.5:
            items.pop()
        else:
            items.append(1)
        return tuple(items)
    if isinstance(value, int) and isinstance(kind, Int):
        return rng.choice([0, 1, value + 1, value * 2, max(0, value - 1), 97])
    if isinstance(value, (int, float)):
        return rng.choice([0.0, -0.5, 1.0, 1.5, 40.0]) if isinstance(kind, Real) else 2.5
    words = getattr(kind, "words", ()) or ("channels",)
    return rng.choice(words)


def refuses(name: str, values: Mapping[str, Any], shapes: Sequence[Shape]) -> str:
    """PyTorch's reason, or nothing if it builds and runs the layer."""
    try:
        with torch.no_grad():
            # Two images, in training: some layers look at how many numbers they get only there.
            MODULES[name](dict(values), [torch.randn(2, *shape) for shape in shapes])
    except (
        RuntimeError,
        ValueError,
        TypeError,
        IndexError,
        AssertionError,
        ArithmeticError,
        AttributeError,
    ) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return ""


def _rank(x: torch.Tensor) -> int:
    rank = x.dim() - 2
    if not 1 <= rank <= 3:
        raise ValueError(f"there is no such layer for {x.dim() - 1} axes")
    return rank


def _axis(word: str, x: torch.Tensor) -> int:
    axis = {
        "channels": 1,
        "last": x.dim() - 1,
        "width": x.dim() - 1,
        "height": x.dim() - 2,
        "depth": x.dim() - 3,
    }[word]
    if axis < (1 if word in ("channels", "last") else 2):
        raise IndexError(f"no {word}")
    return axis


def _flat(pairs: Sequence[tuple[int, int]]) -> list[int]:
    return [p for pair in reversed(pairs) for p in pair]


def _conv(v: Values, xs: list[torch.Tensor]) -> Any:
    x, rank = xs[0], _rank(xs[0])
    module = getattr(nn, f"Conv{rank}d")
    symmetric = all(b == e for b, e in v["pad"]) and len(v["pad"]) == rank
    if v["round"] == "ceil" or not symmetric:
        padding: Any = 0
        extents = [d * (k - 1) + 1 for k, d in zip(v["kernel"], v["dilation"], strict=True)]
        more = hanging(x.shape[2:], extents, v["stride"], v["pad"], v["round"])
        pads = [(b, e + m) for (b, e), (_, m) in zip(v["pad"], more, strict=True)]
        x = F.pad(x, _flat(pads), mode="constant" if v["pad_mode"] == "zeros" else v["pad_mode"])
    else:
        padding = tuple(b for b, _ in v["pad"])
    mode = v["pad_mode"]
    return module(
        x.shape[1],
        v["filters"],
        v["kernel"],
        v["stride"],
        padding,
        v["dilation"],
        v["groups"],
        v["bias"],
        mode,
    )(x)


def _maxpool(v: Values, xs: list[torch.Tensor]) -> Any:
    x, rank = xs[0], _rank(xs[0])
    padding: Any = tuple(b for b, _ in v["pad"])
    if any(b != e for b, e in v["pad"]):
        x, padding = F.pad(x, _flat(v["pad"]), value=-torch.inf), 0
    ceil = v["round"] in ("ceil", "caffe")
    return getattr(nn, f"MaxPool{rank}d")(v["kernel"], v["stride"], padding, v["dilation"], ceil_mode=ceil)(x)


def _avgpool(v: Values, xs: list[torch.Tensor]) -> Any:
    x, rank = xs[0], _rank(xs[0])
    padding: Any = tuple(b for b, _ in v["pad"])
    if rank == 3 or any(b != e for b, e in v["pad"]):  # AvgPool3d looks at the input before it pads
        x, padding = F.pad(x, _flat(v["pad"])), 0
    if rank == 3 and v["round"] in ("ceil", "caffe"):
        # The one pool that refuses a window that hangs over the input from its first position on.
        x = F.pad(x, _flat([(0, max(0, k - size)) for k, size in zip(v["kernel"], x.shape[2:], strict=True)]))
    if not isinstance(v["divisor"], str) and v["divisor"] <= 0:
        raise ValueError("a divisor of zero")
    return getattr(nn, f"AvgPool{rank}d")(v["kernel"], v["stride"], padding, v["round"] in ("ceil", "caffe"))(
        x
    )


def _adaptive(kind: str) -> Callable[[Values, list[torch.Tensor]], Any]:
    def made(v: Values, xs: list[torch.Tensor]) -> Any:
        y = getattr(nn, f"Adaptive{kind}Pool{_rank(xs[0])}d")(v["size"])(xs[0])
        if not y.numel():
            raise ValueError("nothing is left")
        return y

    return made


def _fc(v: Values, xs: list[torch.Tensor]) -> Any:
    if v["features"] < 1 or (v["axis"] in (None, "none") and xs[0].dim() != 2):
        raise ValueError("no vector")
    axis = 1 if v["axis"] in (None, "none") else _axis(v["axis"], xs[0])
    x = xs[0].movedim(axis, -1)
    return nn.Linear(x.shape[-1], v["features"], v["bias"])(x)


def _norm(kind: str) -> Callable[[Values, list[torch.Tensor]], Any]:
    def made(v: Values, xs: list[torch.Tensor]) -> Any:
        x = xs[0]
        rank = max(1, x.dim() - 2)
        more = {"momentum": v["momentum"]} if "momentum" in v else {}
        return getattr(nn, f"{kind}{rank}d")(x.shape[1], eps=v["eps"], affine=v["affine"], **more)(x)

    return made


def _groupnorm(v: Values, xs: list[torch.Tensor]) -> Any:
    return nn.GroupNorm(v["groups"], xs[0].shape[1], v["eps"], v["affine"])(xs[0])


def _layernorm(v: Values, xs: list[torch.Tensor]) -> Any:
    x = xs[0].movedim(_axis(v["axis"], xs[0]), -1)
    return nn.LayerNorm(x.shape[-1], v["eps"])(x)


def _lrn(v: Values, xs: list[torch.Tensor]) -> Any:
    if v["size"] < 1:
        raise ValueError("no window")
    return nn.LocalResponseNorm(v["size"], v["alpha"], v["beta"], v["k"])(xs[0])


def _dropout(v: Values, xs: list[torch.Tensor]) -> Any:
    return nn.Dropout(v["p"])(xs[0])


def _channelshuffle(v: Values, xs: list[torch.Tensor]) -> Any:
    return nn.ChannelShuffle(v["groups"])(xs[0])


def _reshape(v: Values, xs: list[torch.Tensor]) -> Any:
    return xs[0].reshape(2, *v["shape"])


def _permute(v: Values, xs: list[torch.Tensor]) -> Any:
    return xs[0].permute(0, *(i + 1 for i in v["order"]))


def _select(v: Values, xs: list[torch.Tensor]) -> Any:
    return xs[0].index_select(1, torch.tensor(v["channels"], dtype=torch.long))


def _slice(v: Values, xs: list[torch.Tensor]) -> Any:
    y = xs[0].narrow(_axis(v["axis"], xs[0]), v["start"], v["stop"] - v["start"])
    if not y.numel():
        raise ValueError("nothing is left")
    return y


def _reduce(v: Values, xs: list[torch.Tensor]) -> Any:
    return torch.amax(xs[0], _axis(v["axis"], xs[0]))


def _softmax(v: Values, xs: list[torch.Tensor]) -> Any:
    return nn.Softmax(_axis(v["axis"], xs[0]))(xs[0])


def _pad(v: Values, xs: list[torch.Tensor]) -> Any:
    if len(v["amount"]) != _rank(xs[0]):
        raise ValueError("another number of axes")
    return F.pad(xs[0], _flat(v["amount"]), mode="constant" if v["mode"] == "zeros" else v["mode"])


def _concat(v: Values, xs: list[torch.Tensor]) -> Any:
    return torch.cat(xs, _axis(v["axis"], xs[0]))


def _stacked(v: Values, xs: list[torch.Tensor]) -> Any:
    return torch.stack(xs)


def _channels(v: Values, xs: list[torch.Tensor]) -> Any:
    return nn.PReLU(xs[0].shape[1])(xs[0])


MODULES: dict[str, Callable[[Values, list[torch.Tensor]], Any]] = {
    "conv": _conv, "maxpool": _maxpool, "avgpool": _avgpool, "adaptiveavgpool": _adaptive("Avg"),
    "adaptivemaxpool": _adaptive("Max"), "fc": _fc, "batchnorm": _norm("BatchNorm"),
    "instancenorm": _norm("InstanceNorm"), "groupnorm": _groupnorm, "layernorm": _layernorm, "lrn": _lrn,
    "dropout": _dropout, "channelshuffle": _channelshuffle, "reshape": _reshape, "permute": _permute, "select": _select, "slice": _slice,
    "reduce": _reduce, "softmax": _softmax, "logsoftmax": _softmax, "pad": _pad, "concat": _concat,
    "maximum": _stacked, "average": _stacked,
    "globalavgpool": lambda v, xs: getattr(nn, f"AdaptiveAvgPool{_rank(xs[0])}d")(1)(xs[0]),
    "globalmaxpool": lambda v, xs: getattr(nn, f"AdaptiveMaxPool{_rank(xs[0])}d")(1)(xs[0]),
}  # fmt: skip


def asks(seed: int, nodes: Sequence[Node], count: int) -> list[tuple[str, str]]:
    """Mutants of layers with PyTorch's reason to refuse each; only those that it refuses."""
    rng = Random(f"{seed} layers")
    able = [
        n
        for n in nodes
        if n.op.name in MODULES and all(v.weight is None for v in n.inputs) and not n.op.tensor_args()
    ]
    able += [n for n in nodes if n.op.name.startswith("adaptive") and len(n.inputs) == 1]
    found = []
    for _ in range(count if able else 0):
        name, values, shapes = mutated(rng.choice(able), rng)
        why = refuses(name, values, shapes)
        if why:
            found.append((text_of(name, values, shapes), why))
    return found


__all__ = ["Choice", "Ints", "asks", "refuses", "text_of"]
