"""What is meant where an argument is left out: what PyTorch means, or what the language says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch.nn.functional as F
from torch import nn

from compiler.ops import OPS

# layer, argument, PyTorch's class or function, the name of its parameter
AS_PYTORCH: tuple[tuple[str, str, Any, str], ...] = (
    ("conv", "stride", nn.Conv2d, "stride"),
    ("conv", "pad", nn.Conv2d, "padding"),
    ("conv", "dilation", nn.Conv2d, "dilation"),
    ("conv", "groups", nn.Conv2d, "groups"),
    ("conv", "bias", nn.Conv2d, "bias"),
    ("conv", "pad_mode", nn.Conv2d, "padding_mode"),
    ("maxpool", "stride", nn.MaxPool2d, "stride"),
    ("maxpool", "pad", nn.MaxPool2d, "padding"),
    ("maxpool", "dilation", nn.MaxPool2d, "dilation"),
    ("avgpool", "stride", nn.AvgPool2d, "stride"),
    ("avgpool", "pad", nn.AvgPool2d, "padding"),
    ("fc", "bias", nn.Linear, "bias"),
    ("batchnorm", "eps", nn.BatchNorm2d, "eps"),
    ("batchnorm", "momentum", nn.BatchNorm2d, "momentum"),
    ("batchnorm", "affine", nn.BatchNorm2d, "affine"),
    ("instancenorm", "eps", nn.InstanceNorm2d, "eps"),
    ("instancenorm", "affine", nn.InstanceNorm2d, "affine"),
    ("groupnorm", "eps", nn.GroupNorm, "eps"),
    ("groupnorm", "affine", nn.GroupNorm, "affine"),
    ("layernorm", "eps", nn.LayerNorm, "eps"),
    ("layernorm", "affine", nn.LayerNorm, "elementwise_affine"),
    ("l2norm", "eps", F.normalize, "eps"),
    ("lrn", "alpha", nn.LocalResponseNorm, "alpha"),
    ("lrn", "beta", nn.LocalResponseNorm, "beta"),
    ("lrn", "k", nn.LocalResponseNorm, "k"),
    ("leakyrelu", "slope", nn.LeakyReLU, "negative_slope"),
    ("elu", "alpha", nn.ELU, "alpha"),
    ("dropout", "p", nn.Dropout, "p"),
)

# What PyTorch has no word or another rule for: layer, argument, what the language says.
OF_THE_LANGUAGE = (
    ("conv", "round", "exact"),
    ("maxpool", "round", "exact"),
    ("avgpool", "round", "exact"),
    ("avgpool", "divisor", "padded"),  # PyTorch's count_include_pad = True
    ("adaptiveavgpool", "size", None),
    ("adaptiveavgpool", "like", None),
    ("adaptivemaxpool", "size", None),
    ("adaptivemaxpool", "like", None),
    ("fc", "axis", "none"),
    ("layernorm", "axis", "channels"),
    ("lrn", "scale", "mean"),
    ("scale", "bias", True),
    ("prelu", "shared", False),
    ("softmax", "axis", "channels"),
    ("logsoftmax", "axis", "channels"),
    ("dropout", "mode", "inverted"),
    ("dropout", "spatial", False),
    ("pad", "mode", "zeros"),
    ("concat", "axis", "channels"),
    ("add", "constant", None),
    ("multiply", "constant", None),
)


def default(layer: str, argument: str) -> Any:
    (found,) = (a.default for a in OPS[layer].args() if a.name == argument)
    return found


@pytest.mark.parametrize(("layer", "argument", "theirs", "name"), AS_PYTORCH)
def test_a_default_is_that_of_pytorch(layer: str, argument: str, theirs: Any, name: str) -> None:
    wanted = inspect.signature(theirs).parameters[name].default
    found = default(layer, argument)
    assert (str(found) if isinstance(wanted, str) else found) == wanted
    assert isinstance(found, bool) == isinstance(wanted, bool)


@pytest.mark.parametrize(("layer", "argument", "wanted"), OF_THE_LANGUAGE)
def test_a_default_is_that_of_the_language(layer: str, argument: str, wanted: Any) -> None:
    found = default(layer, argument)
    assert (str(found) if isinstance(wanted, str) else found) == wanted


def test_every_default_is_listed_here_and_frozen_is_false() -> None:
    listed = {(layer, argument) for layer, argument, *_ in (*AS_PYTORCH, *OF_THE_LANGUAGE)}
    declared = {(op.name, a.name) for op in OPS.values() for a in op.args() if not a.required}
    assert {(layer, "frozen") for layer, op in OPS.items() if op.weighted} == declared - listed
    assert {default(layer, name) for layer, name in declared - listed} == {False}
