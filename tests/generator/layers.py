"""Arguments for each layer, made for the type that flows.

A few layers solve their arguments for the shape; whatever is declared otherwise is drawn by its kind.
What comes out fits most of the time: the caller asks the declaration, and draws again if not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

from compiler.declare import AnyOf, Arg, Axis, Choice, Flag, Int, Real
from compiler.ops import OPS
from compiler.ops.base import TensorType
from tests.generator.sim import Code, Refused, word

Arguments = list[tuple[str | None, Code]]
#: Writes a whole number in one of several ways, all of that value.
Express = Callable[[int], Code]

REALS = {
    ("lrn", "alpha"): ["1.0", "0.5", "0.01", "0"],
    ("lrn", "beta"): ["0.75", "0.5", "1", "0"],
    ("lrn", "k"): ["1", "2.0", "0.5"],
    ("batchnorm", "momentum"): ["0.1", "0.37", "0", "1", "1 / 3"],
    ("dropout", "p"): ["0.5", "0", "0.25", "1 / 3"],
    ("avgpool", "divisor"): ["3", "2.5", "7 / 2"],
    ("leakyrelu", "slope"): ["0.2", "-0.3", "1.5", "0"],
    ("elu", "alpha"): ["0.5", "1.7", "-0.4", "0"],
    ("l2norm", "eps"): ["1e-12", "1e-6", "0.1"],
}
EPS = ["1e-5", "1e-3", "0.01", "1 / 1000"]
WINDOWS = ("conv", "maxpool", "avgpool", "adaptiveavgpool", "adaptivemaxpool", "pad")
SMALL_EXTENTS = [1, 1, 2, 3, 3, 3, 4, 5]
KEEPING = [
    "relu",
    "relu6",
    "leakyrelu",
    "prelu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "hardsigmoid",
    "sigmoid",
    "tanh",
    "softplus",
    "softmax",
    "logsoftmax",
    "dropout",
    "channelshuffle",
    "batchnorm",
    "instancenorm",
    "groupnorm",
    "layernorm",
    "l2norm",
    "lrn",
    "scale",
    "identity",
    "conv",
    "maxpool",
    "avgpool",
]


def arguments(rng: Random, name: str, x: TensorType, express: Express, keep: bool = False) -> Arguments:
    """Arguments for a layer on this type; `keep` asks for a result of the same shape."""
    if name in WINDOWS and not 2 <= x.rank <= 4:
        raise Refused("no feature map")
    if name in ("conv", "maxpool", "avgpool"):
        return sliding(rng, name, x, express, keep)
    special = SPECIAL.get(name)
    if special is not None:
        return special(rng, x, express)
    made: Arguments = []
    for one in OPS[name].args():
        if one.required or rng.random() < (0.2 if one.name == "frozen" else 0.4):
            made.append(given(rng, one, drawn(rng, name, one)))
    return made


def given(rng: Random, one: Arg, code: Code) -> tuple[str | None, Code]:
    """By position or by name."""
    return (None if one.positional and rng.random() < 0.8 else one.name, code)


def drawn(rng: Random, layer: str, one: Arg) -> Code:
    """A value of an argument's kind."""
    kind = rng.choice(one.kind.kinds) if isinstance(one.kind, AnyOf) else one.kind
    if isinstance(kind, Axis):
        return word(rng.choice(kind.all_words()))
    if isinstance(kind, Choice):
        return word(rng.choice(kind.words))
    if isinstance(kind, Flag):
        value = rng.random() < 0.5
        return Code(str(value).lower(), str(value))
    if isinstance(kind, Real):
        return Code(rng.choice(REALS.get((layer, one.name), EPS)))
    assert isinstance(kind, Int), (layer, one)
    return Code(str(rng.randint(kind.minimum, kind.minimum + 4)))


def ordered(rng: Random, name: str, values: dict[str, Code]) -> Arguments:
    """Positional arguments first, the others by name in any order."""
    declared = [a for a in OPS[name].args() if a.name in values]
    leading = [a for a in declared if a.positional]
    rest = [a for a in declared if not a.positional]
    rng.shuffle(rest)
    named = rng.random() < 0.1
    return [
        *((a.name if named else None, values[a.name]) for a in leading),
        *((a.name, values[a.name]) for a in rest),
    ]


def per_axis(rng: Random, values: Sequence[int], express: Express, lists: bool = True) -> Code:
    """One number per axis: a number where all agree, a size, a tuple or a list."""
    if len(set(values)) == 1 and rng.random() < 0.6:
        return express(values[0])
    if len(values) > 1 and rng.random() < 0.6:
        return Code("x".join(map(str, values)), repr(tuple(values)))
    parts = [express(v) for v in values]
    comma = "," if len(parts) == 1 else ""
    text = ", ".join(p.text for p in parts)
    python = ", ".join(p.python or p.text for p in parts)
    return (
        Code(f"({text}{comma})", f"({python}{comma})")
        if not lists or rng.random() < 0.8
        else Code(f"[{text}]", f"({python},)")
    )


def pads(rng: Random, pairs: Sequence[tuple[int, int]], express: Express) -> Code:
    if all(b == e for b, e in pairs) and rng.random() < 0.7:
        return per_axis(rng, [b for b, _ in pairs], express)
    text = ", ".join(f"({b}, {e})" for b, e in pairs)
    return Code(f"[{text}]", f"({text},)")


def sliding(rng: Random, name: str, x: TensorType, express: Express, keep: bool) -> Arguments:
    """A window per axis that fits: kernel, dilation and stride first, then pads that leave something."""
    conv = name == "conv"
    kernel, stride, dilation, pairs = [], [], [], []
    dilates = name != "avgpool" and rng.random() < 0.25
    strides = not keep and rng.random() < (0.4 if conv else 0.7)
    padded = rng.random() < 0.6
    for size in x.spatial:
        k = rng.choice(SMALL_EXTENTS)
        k = k - 1 + k % 2 if keep else k
        d = rng.choice([1, 2, 2, 3]) if dilates else 1
        s = rng.choice([1, 2, 2, 3]) if strides else 1
        most = 3 if conv else k // 2
        begin, end = (rng.randint(0, min(most, 3)), rng.randint(0, min(most, 3))) if padded else (0, 0)
        while d * (k - 1) + 1 > size + begin + end:
            k, d = max(1, k - 1), max(1, d - 1)
        if not conv:
            begin, end = min(begin, k // 2), min(end, k // 2)
        kernel.append(k)
        stride.append(s)
        dilation.append(d)
        pairs.append((begin, end))
    values: dict[str, Code] = {"kernel": per_axis(rng, kernel, express)}
    if conv:
        groups = 1
        filters = x.shape[0] if keep else rng.choice([1, 2, 3, 4, 4, 6, 6, 8])
        if rng.random() < 0.35:
            divisors = [g for g in range(2, x.shape[0] + 1) if x.shape[0] % g == 0]
            if divisors:
                groups = rng.choice(divisors)
                filters = x.shape[0] if keep else groups * rng.randint(1, 2)
                values["groups"] = express(groups)
        values["filters"] = express(filters)
        if rng.random() < 0.4:
            values["bias"] = rng.choice([Code("true", "True"), Code("false", "False")])
        if rng.random() < 0.25:
            values["pad_mode"] = word(rng.choice(["zeros", "reflect", "replicate", "circular"]))
        if rng.random() < 0.05:
            values["frozen"] = Code("true", "True")
    if any(s > 1 for s in stride) or rng.random() < 0.1 or (not conv and keep):
        values["stride"] = per_axis(rng, stride, express)
    if any(d > 1 for d in dilation):
        values["dilation"] = per_axis(rng, dilation, express)
    if keep:
        values["pad"] = word(rng.choice(["half", "same", "same_lower"]))
    elif rng.random() < 0.25:
        values["pad"] = word(rng.choice(["half", "same", "same_lower", "valid"]))
    elif any(map(any, pairs)):
        values["pad"] = pads(rng, pairs, express)
    if not keep and rng.random() < 0.6:
        values["round"] = word(
            rng.choice(["floor", "ceil", "exact"] + ([] if conv else ["caffe", "caffe", "ceil"]))
        )
    if name == "avgpool" and rng.random() < 0.6:
        values["divisor"] = drawn(rng, name, next(a for a in OPS[name].args() if a.name == "divisor"))
    return ordered(rng, name, values)


def _reshape(rng: Random, x: TensorType, express: Express) -> Arguments:
    count, shape = x.elements, []
    for _ in range(rng.randint(0, 3)):
        shape.append(rng.choice([d for d in range(1, min(count, 24) + 1) if count % d == 0]))
        count //= shape[-1]
    if count > 1 or rng.random() < 0.4:
        shape.insert(rng.randint(0, len(shape)), count)
    rng.shuffle(shape)
    if shape and rng.random() < 0.4:
        shape[rng.randrange(len(shape))] = -1
    return [(None, Code(repr(shape), repr(tuple(shape))))]


def _permute(rng: Random, x: TensorType, express: Express) -> Arguments:
    order = list(range(x.rank))
    rng.shuffle(order)
    return [(None, Code(repr(order), repr(tuple(order))))]


def _select(rng: Random, x: TensorType, express: Express) -> Arguments:
    chosen = [rng.randrange(x.shape[0]) for _ in range(rng.randint(1, min(x.shape[0] + 1, 8)))]
    if x.shape[0] > 2 and rng.random() < 0.3:
        step = rng.choice([1, 2])
        text = f"for c in range({(x.shape[0] + step - 1) // step})"
        return [(None, Code(f"[c * {step} {text}]", f"tuple([c * {step} {text}])"))]
    return [(None, Code(repr(chosen), repr(tuple(chosen))))]


def _axes(x: TensorType) -> list[tuple[str, int]]:
    found = [("channels", 0), ("last", x.rank - 1)] if x.rank else []
    return found + [
        (n, x.rank - 1 - i) for i, n in enumerate(("width", "height", "depth")) if x.rank - 1 - i > 0
    ]


def _slice(rng: Random, x: TensorType, express: Express) -> Arguments:
    name, axis = rng.choice(_axes(x))
    start = rng.randint(0, x.shape[axis] - 1)
    stop = rng.randint(start + 1, x.shape[axis])
    return ordered(rng, "slice", {"axis": word(name), "start": express(start), "stop": express(stop)})


def _reduce(rng: Random, x: TensorType, express: Express) -> Arguments:
    return [(None, word(rng.choice(["max", "mean", "sum"]))), (None, word(rng.choice(_axes(x))[0]))]


def _softmax(rng: Random, x: TensorType, express: Express) -> Arguments:
    return [] if rng.random() < 0.4 else [("axis", word(rng.choice(_axes(x))[0]))]


def _pad(rng: Random, x: TensorType, express: Express) -> Arguments:
    pairs = [(rng.randint(0, 2), rng.randint(0, 3)) for _ in x.spatial]
    made: Arguments = [(None, pads(rng, pairs, express))]
    if rng.random() < 0.7:
        made.append(("mode", word(rng.choice(["zeros", "reflect", "replicate", "circular"]))))
    return made


def _adaptive(rng: Random, x: TensorType, express: Express) -> Arguments:
    sizes = [rng.choice([1, 2, 3, size, max(1, size // 2), size + 1]) for size in x.spatial]
    return [(None if rng.random() < 0.7 else "size", per_axis(rng, sizes, express))]


def _fc(rng: Random, x: TensorType, express: Express) -> Arguments:
    values = {"features": express(rng.choice([1, 3, 5, 8, 10]))}
    if x.rank != 1 or rng.random() < 0.15:
        values["axis"] = word(rng.choice(["channels", "last"]))
    elif rng.random() < 0.1:
        values["axis"] = word("none")
    if rng.random() < 0.4:
        values["bias"] = rng.choice([Code("true", "True"), Code("false", "False")])
    if rng.random() < 0.1:
        values["frozen"] = Code("true", "True")
    return ordered(rng, "fc", values)


def _groupnorm(rng: Random, x: TensorType, express: Express) -> Arguments:
    values = {"groups": express(rng.choice([g for g in range(1, x.shape[0] + 1) if x.shape[0] % g == 0]))}
    for one in OPS["groupnorm"].args():
        if not one.required and rng.random() < (0.2 if one.name == "frozen" else 0.3):
            values[one.name] = drawn(rng, "groupnorm", one)
    return ordered(rng, "groupnorm", values)


def _channelshuffle(rng: Random, x: TensorType, express: Express) -> Arguments:
    groups = rng.choice([g for g in range(1, x.shape[0] + 1) if x.shape[0] % g == 0])
    return [(None if rng.random() < 0.8 else "groups", express(groups))]


def _dropout(rng: Random, x: TensorType, express: Express) -> Arguments:
    """Any arguments, but what drops whole images drops no channels."""
    values = {one.name: drawn(rng, "dropout", one) for one in OPS["dropout"].args() if rng.random() < 0.4}
    if "mode" in values and values["mode"].text == "path":
        values.pop("spatial", None)
    return ordered(rng, "dropout", values)


def _lrn(rng: Random, x: TensorType, express: Express) -> Arguments:
    values = {"size": express(rng.choice([1, 3, 3, 5, 7]))}
    for one in OPS["lrn"].args():
        if not one.required and rng.random() < 0.5:
            values[one.name] = drawn(rng, "lrn", one)
    return ordered(rng, "lrn", values)


SPECIAL: dict[str, Callable[[Random, TensorType, Express], Arguments]] = {
    "reshape": _reshape,
    "permute": _permute,
    "select": _select,
    "slice": _slice,
    "reduce": _reduce,
    "softmax": _softmax,
    "logsoftmax": _softmax,
    "pad": _pad,
    "adaptiveavgpool": _adaptive,
    "adaptivemaxpool": _adaptive,
    "fc": _fc,
    "groupnorm": _groupnorm,
    "channelshuffle": _channelshuffle,
    "dropout": _dropout,
    "lrn": _lrn,
}


def choices(x: TensorType) -> list[str]:
    """Layers that can take this type, those that networks are made of more often."""
    plain = [
        "fc",
        "reshape",
        "permute",
        "slice",
        "reduce",
        "softmax",
        "logsoftmax",
        "identity",
        "dropout",
        "layernorm",
    ]
    smooth = [n for n in KEEPING[:14] if n != "prelu"]
    if x.rank == 0:
        return ["reshape", "identity", "dropout", *smooth]
    if 2 <= x.rank <= 4:
        return [
            *["conv"] * 14,
            *["maxpool", "avgpool"] * 4,
            *KEEPING,
            *["batchnorm", "relu"] * 3,
            *plain,
            "pad",
            "pad",
            "select",
            "adaptiveavgpool",
            "adaptivemaxpool",
            "globalavgpool",
            "globalmaxpool",
            "flatten",
            "prelu",
        ]
    flat = (
        ["batchnorm", "scale", "l2norm", "lrn", "groupnorm"]
        if x.rank == 1
        else ["scale", "l2norm", "groupnorm"]
    )
    return [*["fc"] * 5, *smooth, *plain, *flat, "select", "flatten", "prelu", *["reshape"] * 2]


def product(values: Sequence[int]) -> int:
    return math.prod(values)
