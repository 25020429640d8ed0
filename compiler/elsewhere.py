"""What other frameworks call our layers and arguments, for the help of a message.

Only consulted where a name is unknown already; nothing here is part of the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from spec_lang.diagnostics import nearest

#: A layer's name elsewhere, in lower case, without `_` and a rank (`2d`) -> what to write here.
LAYERS = {
    "convolution": "conv",
    "separableconv": "conv",
    "depthwiseconv": "conv",
    "maxpooling": "maxpool",
    "averagepooling": "avgpool",
    "averagepool": "avgpool",
    "meanpool": "avgpool",
    "pooling": "maxpool",
    "globalaveragepooling": "globalavgpool",
    "globalaveragepool": "globalavgpool",
    "gap": "globalavgpool",
    "globalmaxpooling": "globalmaxpool",
    "dense": "fc",
    "linear": "fc",
    "innerproduct": "fc",
    "fullyconnected": "fc",
    "batchnormalization": "batchnorm",
    "bn": "batchnorm",
    "layernormalization": "layernorm",
    "groupnormalization": "groupnorm",
    "localresponsenorm": "lrn",
    "lrelu": "leakyrelu",
    "swish": "silu",
    "hswish": "hardswish",
    "hsigmoid": "hardsigmoid",
    "view": "reshape",
    "transpose": "permute",
    "zeropadding": "pad",
    "zeropad": "pad",
    "reflectionpad": "pad",
    "cat": "concat",
    "concatenate": "concat",
    "sum": "add",
    "eltwise": "add",
    "mul": "multiply",
    "sequential": "seq",
    "residual": "add",
    "skip": "add",
    "shortcut": "add",
}

#: An argument's name elsewhere -> the names that it may have here.
ARGUMENTS = {
    "padding": ("pad", "amount"),
    "paddingmode": ("pad_mode", "mode"),
    "kernelsize": ("kernel",),
    "poolsize": ("kernel",),
    "ksize": ("kernel",),
    "strides": ("stride",),
    "dilationrate": ("dilation",),
    "outchannels": ("filters",),
    "outputchannels": ("filters",),
    "width": ("filters",),
    "units": ("features",),
    "outfeatures": ("features",),
    "usebias": ("bias",),
    "biasterm": ("bias",),
    "group": ("groups",),
    "numgroups": ("groups",),
    "epsilon": ("eps",),
    "negativeslope": ("slope",),
    "rate": ("p",),
    "prob": ("p",),
    "ratio": ("p",),
    "ceilmode": ("round",),
    "dim": ("axis",),
    "outputsize": ("size",),
    "lr": ("lr",),
    "learningrate": ("lr",),
    "weightdecay": ("decay",),
}

#: Arguments that have no place here, and why.
NEEDLESS = {
    "activation": "an activation is a layer of its own: `{layer}(...) -> relu`",
    "inplace": "leave it out: where results lie is not part of a spec",
    "inchannels": "leave it out: what comes in is known from the flow",
    "infeatures": "leave it out: what comes in is known from the flow",
    "numfeatures": "leave it out: what comes in is known from the flow",
    "numchannels": "leave it out: what comes in is known from the flow",
    "inputshape": "the shape of an image is said once: `input image: [3, 224, 224]`",
    "name": "a label names it: `name: {layer}(...)`",
}

#: Rules of initialisation by another name.
RULES = {
    "kaiming": "he",
    "msra": "he",
    "glorot": "xavier",
    "gaussian": "normal",
    "zero": "zeros",
    "one": "ones",
}

#: Words of other languages -> ours.
WORDS = {"null": "none", "nil": "none", "undefined": "none", "yes": "true", "no": "false"}


def _bare(name: str) -> str:
    return re.sub(r"_|[123]d$", "", name.lower().removesuffix("layer"))


def layer_meant(name: str, known: Iterable[str]) -> str:
    """The layer (or block) that a person may have meant, or an empty string."""
    names = set(known)
    for candidate in (LAYERS.get(_bare(name)), _bare(name)):
        if candidate and (candidate in names or candidate == "seq"):
            return candidate
    near = nearest(name, names) or nearest(_bare(name), names)
    return near[0] if near else ""


def argument_meant(name: str, known: Iterable[str]) -> str:
    """The argument by that name or by what it is called elsewhere, or an empty string."""
    names = set(known)
    candidates = (name, *ARGUMENTS.get(_bare(name), ()))
    return next((candidate for candidate in candidates if candidate in names), "")


def argument_advice(layer: str, name: str, known: Iterable[str]) -> tuple[str, ...]:
    """What to say to an argument that a layer has not."""
    names, bare = list(known), _bare(name)
    if bare in NEEDLESS:
        return (NEEDLESS[bare].format(layer=layer),)
    candidate = argument_meant(name, names)
    if candidate:
        return (f"did you mean `{candidate}{' = ceil' if bare == 'ceilmode' else ''}`?",)
    near = nearest(name, names)
    return (f"did you mean `{near[0]}`?",) if near else ()
