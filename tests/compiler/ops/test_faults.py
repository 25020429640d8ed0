"""What layers refuse: with code, numbers and a way out that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compiler.declare import Fault, Given, Position, Word
from compiler.load import load
from compiler.ops import OPS
from compiler.ops.base import TensorType
from spec_lang.codes.shapes import CODES
from spec_lang.diagnostics import Diagnostic, SpecError
from spec_lang.source import Source


def fault(name: str, *inputs: tuple[int, ...] | TensorType, **arguments: Any) -> Fault:
    """The fault of a layer applied to these inputs."""
    types = [i if isinstance(i, TensorType) else TensorType(i) for i in inputs]
    given = {k: Word(v) if isinstance(v, str) else v for k, v in arguments.items()}
    with pytest.raises(Fault) as caught:
        OPS[name].apply_to(types, **given).infer(types)
    return caught.value


def weight(*shape: int) -> TensorType:
    return TensorType(shape, rows=None)


def free(*shape: int) -> TensorType:
    return TensorType(shape, (False, *[True] * (len(shape) - 1)))


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    try:
        load(Source("example.cnn", text))
    except SpecError as error:
        return error.diagnostics
    return ()


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_every_page_shows_a_smallest_mistake_and_its_cure(code: Any) -> None:
    assert [d.code for d in diagnostics(code.wrong)] == [code.name]
    assert diagnostics(code.right) == ()
    assert code.text and 1 < len(code.title.split()) < 9


# layer, inputs, arguments: code, message, label, help (each a part of the text)
# fmt: off
TABLE: tuple[tuple[str, tuple[Any, ...], dict[str, Any], tuple[str, str, str, str]], ...] = (
    ("conv", ((3, 224, 224),), {"filters": 96, "kernel": 11, "stride": 4},
     ("E301", "conv does not fit its input: (224 - 11 + 0) / 4 + 1 = 54.25",
      "the last input row and column would never be seen",
      "`pad = 2`, or a 227x227 input, fits; `round = floor` drops them on purpose")),
    ("conv", ((3, 12, 13),), {"filters": 4, "kernel": 3, "stride": 2},
     ("E301", "conv does not fit its input: height (12 - 3 + 0) / 2 + 1 = 5.5", "the last input row would",
      "`pad = (1, 0)`, or a 13x13 input, fits; `round = floor` drops it on purpose")),
    ("conv", ((3, 13, 14),), {"filters": 4, "kernel": (3, 5), "stride": (2, 4)},
     ("E301", "width (14 - 5 + 0) / 4 + 1 = 3.25", "the last input column would",
      "`pad = (0, 2)`, or a 13x17")),
    ("conv", ((3, 15, 16),), {"filters": 4, "kernel": 5, "stride": 4},
     ("E301", "height (15 - 5 + 0) / 4 + 1 = 3.5, width (16 - 5 + 0) / 4 + 1 = 3.75",
      "the last 2 input rows and 3 input columns would", "`pad = 1`, or a 17x17 input")),
    ("conv", ((3, 12),), {"filters": 4, "kernel": 3, "stride": 2},
     ("E301", "(12 - 3 + 0) / 2 + 1 = 5.5", "the last input position would",
      "`pad = 1`, or an input of 13, fits")),
    ("conv", ((3, 12, 12, 12),), {"filters": 4, "kernel": 3, "stride": 2},
     ("E301", "= 5.5", "the last input slice, row and column would", "a 13x13x13 input")),
    ("conv", ((3, 12, 12),), {"filters": 4, "kernel": 3, "stride": 3, "pad": ((1, 0), (1, 0))},
     ("E301", "(12 - 3 + 1) / 3 + 1 = 4.333", "row and column",
      "`pad = [(1, 2), (1, 2)]`, or a 14x14 input")),
    ("conv", ((3, 15, 15),), {"filters": 4, "kernel": 3, "dilation": 2, "stride": 4},
     ("E301", "(15 - 5 + 0) / 4 + 1 = 3.5", "the last 2 input rows and columns would", "a 17x17 input")),
    ("maxpool", ((3, 112, 112),), {"kernel": 3, "stride": 2},
     ("E301", "maxpool does not fit its input: (112 - 3 + 0) / 2 + 1 = 55.5",
      "the last input row and column", "`pad = 1`, or a 113x113 input")),
    ("maxpool", ((3, 9, 9),), {"kernel": 2},
     ("E301", "(9 - 2 + 0) / 2 + 1 = 4.5", "", "`pad = 1`, or a 10x10 input")),
    ("avgpool", ((3, 11, 12),), {"kernel": (1, 3), "stride": (3, 5)},
     ("E301", "width (12 - 3 + 0) / 5 + 1 = 2.8", "the last 4 input columns", "an 11x13 input")),
    ("conv", ((3, 5, 5),), {"filters": 4, "kernel": 7},
     ("E302", "conv has an empty result: (5 - 7 + 0) / 1 + 1 = -1",
      "the kernel covers 7x7, its padded input is 5x5", "`pad = 1`")),
    ("conv", ((3, 5, 9),), {"filters": 4, "kernel": 3, "dilation": 3},
     ("E302", "height (5 - 7 + 0) / 1 + 1 = -1", "the kernel covers 7x7", "an input of at least 7x7")),
    ("maxpool", ((3, 1, 4),), {"kernel": 2},
     ("E302", "height (1 - 2 + 0) / 2 + 1 = 0.5", "its padded input is 1x4", "`pad = (1, 0)`")),
    ("maxpool", ((3, 9, 9),), {"kernel": 3, "stride": 1, "pad": 2},
     ("E303", "maxpool pads its height by 2, more than half of its kernel of 3", "at most 1", "`pad = 1`")),
    ("avgpool", ((3, 9, 9),), {"kernel": (4, 5), "stride": 1, "pad": ((1, 2), (0, 3))},
     ("E303", "avgpool pads its width by 3, more than half of its kernel of 5", "at most 2", "`pad = 2`")),
    ("maxpool", ((3, 9, 9),), {"kernel": 3, "dilation": 2, "stride": 1, "pad": "half"},
     ("E303", "pads its height by 2, more than half of its kernel of 3", "at most 1", "`pad = 1`")),
    ("maxpool", ((3, 32),), {"kernel": 1, "stride": 2, "round": "caffe"},
     ("E303", "a window that sees no input: along the width of 32, window 17 of 17 begins at position 32",
      "", "`round = ceil`")),
    ("maxpool", ((3, 1),), {"kernel": 2, "dilation": 2, "pad": 1, "stride": 1},
     ("E303", "a window that sees no input: along the width of 1, window 1 of 1 begins at position -1", "",
      "pad less")),
    ("conv", ((3, 3, 9),), {"filters": 4, "kernel": 3, "pad": (3, 1), "pad_mode": "reflect"},
     ("E303", "conv pads its height by 3, but `reflect` has at most 2 to give at a height of 3", "3 of 3",
      "pad at most 2")),
    ("pad", ((3, 3, 9),), {"amount": ((4, 0), (0, 0)), "mode": "circular"},
     ("E303", "pad pads its height by 4, but `circular` has at most 3 to give", "", "`replicate`")),
    ("conv", ((4, 9, 9),), {"filters": 6, "kernel": 3, "groups": 3},
     ("E304", "conv cannot divide 4 input channels and 6 filters into 3 groups",
      "4 input channels cannot be divided by 3", "`groups = 2` divides both")),
    ("conv", ((6, 9, 9),), {"filters": 4, "kernel": 3, "groups": 3},
     ("E304", "6 input channels and 4 filters into 3 groups", "4 filters cannot be divided by 3",
      "`groups = 2`")),
    ("groupnorm", ((6, 9, 9),), {"groups": 4},
     ("E304", "groupnorm cannot divide 6 channels into 4 groups", "6 cannot be divided by 4",
      "`groupnorm(3)`")),
    ("fc", ((16, 5, 5),), {"features": 120},
     ("E305", "fc takes a vector, and a feature map [16, 5, 5] stands in front of it",
      "the input is [16, 5, 5]", "`flatten -> fc(120)`, which makes 400 features of it")),
    ("add", ((4, 9, 14), (4, 9, 13)), {},
     ("E306", "add needs equal shapes: width 14 and 13 differ", "the width differs", "")),
    ("add", ((64, 56, 56), (128, 28, 28)), {},
     ("E306", "channels 64 and 128, height 56 and 28, width 56 and 28 differ",
      "the channels, height and width differ",
      "`conv(128, 1x1, stride = 2)` brings the first one to [128, 28, 28]")),
    ("maximum", ((4, 9, 14), (6, 9, 14)), {},
     ("E306", "maximum needs equal shapes: channels 4 and 6 differ", "the channels differ",
      "`conv(6, 1x1)` gives the first one 6 channels")),
    ("average", ((4, 9), (4, 9, 1)), {},
     ("E306", "average needs tensors of one rank, not [4, 9] and [4, 9, 1]", "2 axes and 3 axes",
      "`flatten`")),
    ("maximum", ((4, 9, 14), (4, 1, 1)), {}, ("E306", "height 9 and 1, width 14 and 1 differ", "", "")),
    ("add", ((4, 9, 14), (4, 1, 14)), {}, ("E306", "height 9 and 1 differ", "the height differs", "")),
    ("multiply", ((4, 9, 14), (1, 9, 14)), {}, ("E306", "channels 4 and 1 differ", "", "`conv(1, 1x1)`")),
    ("multiply", ((4, 9, 14), (3, 1, 1)), {}, ("E306", "channels 4 and 3, height 9 and 1", "", "")),
    ("multiply", ((4, 9, 14), weight(4)), {},
     ("E306", "tensors of one rank, not [4, 9, 14] and [4]", "", "")),
    ("multiply", ((4, 9, 14), weight(4, 2, 1)), {},
     ("E306", "height 9 and 2, width 14 and 1 differ", "", "")),
    ("multiply", ((1, 9, 14), weight(4, 1, 1)), {}, ("E306", "channels 1 and 4", "", "")),
    ("add", ((14,), (1,)), {}, ("E306", "channels 14 and 1 differ", "", "")),
    ("concat", ((4, 9, 14), (4, 9, 13)), {},
     ("E307", "concat needs equal extents beside its axis `channels`: width 14 and 13 differ",
      "the width differs", "")),
    ("concat", ((4, 9, 14), (5, 9, 14)), {"axis": "height"},
     ("E307", "beside its axis `height`: channels 4 and 5 differ", "the channels differ", "`conv(5, 1x1)`")),
    ("concat", ((4, 9, 14), (4, 9)), {}, ("E307", "tensors of one rank, not [4, 9, 14] and [4, 9]", "", "")),
    ("conv", ((100,),), {"filters": 4, "kernel": 3},
     ("E308", "conv takes [C, W], [C, H, W] or [C, D, H, W], and its input [100] has 1 axis", "",
      "`reshape`")),
    ("conv", ((1, 2, 3, 4, 5),), {"filters": 4, "kernel": 1},
     ("E308", "its input [1, 2, 3, 4, 5] has 5 axes", "", "")),
    ("globalavgpool", ((100,),), {}, ("E308", "globalavgpool takes [C, W]", "", "")),
    ("flatten", ((),), {},
     ("E308", "flatten takes [C] or more axes, and its input [] has 0 axes", "", "`reshape([1])`")),
    ("fc", ((),), {"features": 3},
     ("E308", "fc takes [C], and its input [] has 0 axes", "", "`reshape([1])`")),
    ("rbf", ((4, 3), weight(2, 4)), {"centers": Position(1)}, ("E308", "rbf takes [C]", "", "`flatten`")),
    ("lrn", ((4,),), {"size": 3}, ("E308", "lrn takes [C, W] or more axes", "", "")),
    ("instancenorm", ((4,),), {}, ("E308", "instancenorm takes [C, W]", "", "")),
    ("batchnorm", ((),), {}, ("E308", "batchnorm takes [C]", "", "")),
    ("prelu", ((),), {}, ("E308", "prelu takes [C] or more", "", "")),
    ("pad", ((4,),), {"amount": 1}, ("E308", "pad takes [C, W]", "", "")),
    ("adaptiveavgpool", ((4, 9, 14), (7,)), {"like": Position(1)},
     ("E308", "`like` is [7], which has 1 axis, and its input [4, 9, 14] has 3", "spatial axes", "")),
    ("conv", ((2, 3, 5),), {"filters": 4, "kernel": 7, "pad": 1},
     ("E302", "height (3 - 7 + 2) / 1 + 1 = -1", "its padded input is 5x7", "a kernel that covers at most 5x7")),
    ("adaptiveavgpool", ((4, 9, 14), (4, 9)), {"like": Position(1)},
     ("E308", "`like` is [4, 9], which has 2 axes, and its input [4, 9, 14] has 3", "", "")),
    ("fc", (TensorType((504,), (True,)),), {"features": 3},
     ("E309", "fc: the size of its input [504] is free, but its weights depend on it",
      "the size is read as a number", "`adaptiveavgpool(7)`")),
    ("fc", (free(4, 9, 14),), {"features": 3, "axis": "last"}, ("E309", "the width of its input", "", "")),
    ("conv", (free(4, 9, 14),), {"filters": 3, "kernel": 3, "stride": 2, "pad": "same"},
     ("E309",
      "conv: the height and width of its input [4, 9, 14] are free, but the pads of `same` "
      "with a stride depend", "the height and width are read as numbers here",
      "`pad = half`")),
    ("maxpool", (free(4, 9, 14),), {"kernel": 3, "stride": (1, 2), "pad": "same_lower"},
     ("E309", "maxpool: the width of its input [4, 9, 14] is free, but the pads of `same_lower`", "", "")),
    ("conv", (free(4, 9, 14),), {"filters": 3, "kernel": 3, "stride": 2, "round": "ceil"},
     ("E309", "the padding of `round = ceil` depends on them", "", "`round = floor`")),
    ("conv", (TensorType((4, 9, 14), (True, False, False)),), {"filters": 3, "kernel": 3},
     ("E309", "the channels of its input [4, 9, 14] are free, but the weights depend on them", "", "")),
    ("batchnorm", (TensorType((4,), (True,)),), {}, ("E309", "the weights depend on it", "", "")),
    ("layernorm", (free(4, 9, 14),), {"axis": "last"},
     ("E309", "layernorm: the width", "", "`affine = false`")),
    ("reshape", (free(4, 9, 14),), {"shape": (504,)},
     ("E309", "the new shape is made of numbers", "", "`flatten`")),
    ("slice", (free(4, 9, 14),), {"axis": "height", "start": 0, "stop": 3},
     ("E309", "start and stop are numbers", "", "")),
    ("multiply", (free(4, 9, 14), weight(1, 9, 1)), {},
     ("E309", "multiply: the height is free, but a raw weight [1, 9, 1] has 9 there", "", "extent 1")),
    ("reshape", ((4, 9, 14),), {"shape": (7, 70)},
     ("E320", "reshape: [4, 9, 14] has 504 numbers, and [7, 70] has 490", "", "")),
    ("reshape", ((4, 9, 14),), {"shape": (10, 9, 14)},
     ("E320", "504 numbers, and [10, 9, 14] has 1260", "", "`reshape([4, 9, 14])` fits")),
    ("reshape", ((4, 9, 14),), {"shape": (5, -1)}, ("E320", "[5, -1] is a multiple of 5", "", "")),
    ("reshape", ((4, 9, 14),), {"shape": (-1, -1)}, ("E320", "[-1, -1] is no shape", "", "504 numbers")),
    ("reshape", ((4, 9, 14),), {"shape": (0, 4)}, ("E320", "[0, 4] is no shape", "", "")),
    ("reshape", ((4, 9, 14),), {"shape": ()}, ("E320", "has 504 numbers, and [] has 1", "", "")),
    ("permute", ((4, 9, 14),), {"order": (0, 2, 3, 1)},
     ("E321", "each of the 3 axes of [4, 9, 14] once", "the batch is not counted", "`permute([2, 1, 0])`")),
    ("permute", ((4, 9, 14),), {"order": (0, 1)},
     ("E321", "[0, 1] does not name each of the 3 axes", "", "")),
    ("permute", ((4, 9, 14),), {"order": (0, 1, 1)}, ("E321", "[0, 1, 1]", "", "")),
    ("select", ((4, 9, 14),), {"channels": (0, 4)},
     ("E322", "select: there is no channel 4 in [4, 9, 14]", "4 channels, counted from 0",
      "the last one is 3")),
    ("slice", ((4, 9, 14),), {"axis": "height", "start": 2, "stop": 10},
     ("E322", "slice: 2 to 10 of the height of [4, 9, 14] ends after 9", "9 positions", "`stop = 9`")),
    ("slice", ((4, 9, 14),), {"axis": "height", "start": 3, "stop": 3},
     ("E322", "3 to 3 of the height", "", "")),
    ("slice", ((4, 9, 14),), {"axis": "height", "start": 12, "stop": 15}, ("E322", "12 to 15", "", "")),
    ("lrn", ((4, 9, 14),), {"size": 4},
     ("E323", "an even size of 4 has no middle", "", "`lrn(3)` or `lrn(5)`")),
    ("instancenorm", ((4, 1, 1),), {}, ("E324", "it has one spatial element", "", "`batchnorm`")),
    ("channelshuffle", ((6, 9, 9),), {"groups": 4},
     ("E304", "channelshuffle cannot divide 6 channels into 4 groups", "6 cannot be divided by 4",
      "`channelshuffle(3)`")),
    ("channelshuffle", ((6,),), {"groups": 2}, ("E308", "channelshuffle takes [C, W] or more axes", "", "")),
    ("groupnorm", ((4, 1, 1),), {"groups": 4},
     ("E324", "each of its 4 groups holds one number", "", "fewer groups")),
    ("groupnorm", ((300, 1, 1),), {"groups": 300}, ("E324", "each of its 300 groups holds one number", "", "")),
    ("add", ((4, 5, 6, 7), (3, 5, 6, 7)), {}, ("E306", "channels 4 and 3 differ", "", "`conv(3, 1x1x1)`")),
    ("add", ((4, 9, 9, 9), (4, 5, 5, 5)), {}, ("E306", "", "", "`conv(4, 1x1x1, stride = 2)` brings the first one")),
    ("add", ((4, 9, 9), (4, 5, 7)), {}, ("E306", "height 9 and 5, width 9 and 7 differ", "", "")),  # no stride gives both
    ("add", ((4, 9), (3, 9)), {}, ("E306", "channels 4 and 3 differ", "", "`conv(3, 1)`")),
    ("fc", ((4, 9),), {"features": 5}, ("E305", "a feature map [4, 9] stands in front", "", "`flatten -> fc(5)`")),
    ("batchnorm", (weight(4, 9, 9),), {}, ("E326", "cannot take a raw weight [4, 9, 9]", "a raw weight flows in here", "")),
    ("add", (TensorType((4,)), TensorType((4,), rows="boxes")), {},
     ("E325", "add cannot join rows of `batch` with rows of `boxes`", "", "")),
    ("concat", (TensorType((4,), rows="boxes"), TensorType((4,))), {},
     ("E325", "`boxes` with rows of `batch`", "", "")),
    ("conv", (weight(4, 9, 14),), {"filters": 4, "kernel": 3},
     ("E326", "conv cannot take a raw weight [4, 9, 14]: it has no batch axis", "", "`multiply`")),
    ("relu", (weight(4),), {}, ("E326", "relu cannot take a raw weight", "", "")),
    ("concat", ((4, 9, 14), weight(4, 9, 14)), {}, ("E326", "concat cannot take a raw weight", "", "")),
    ("maximum", ((4,), weight(4)), {}, ("E326", "maximum cannot take", "", "")),
    ("add", (weight(4), weight(4)), {}, ("E326", "add joins raw weights alone", "", "")),
    ("rbf", ((4,), (3, 4)), {"centers": Position(1)},
     ("E326", "`centers` is a raw weight", "", "`weight centers: [10, 4]`")),
    ("rbf", ((84,), weight(10, 80)), {"centers": Position(1)},
     ("E329", "rbf: `centers` is [10, 80], and its input has 84 features", "[n, 84]", "`[10, 84]`")),
    ("add", ((4, 9, 14),), {},
     ("E224", "add joins at least two tensors, and gets 1", "", "`add(skip, it)`")),
    ("concat", ((4, 9, 14),), {}, ("E224", "concat joins at least two", "", "")),
    ("dropout", ((4,),), {"p": 1.0},
     ("E312", "dropout: `p` is a number, at least 0, below 1, not 1.0", "", "")),
    ("fc", ((4,),), {"features": "none"}, ("E312", "`features` is a whole number, at least 1, not none", "", "")),
    ("dropout", ((4,),), {"p": -0.1}, ("E312", "at least 0, below 1, not -0.1", "", "")),
    ("dropout", ((4,),), {"mode": "inverse"},
     ("E312", "`mode` is inverted, classic or path, not inverse", "", "")),
    ("dropout", ((4, 9, 14),), {"mode": "path", "spatial": True},
     ("E312", "`spatial` drops channels, and `mode = path` whole images", "", "`dropout(..., mode = path)`")),
    ("avgpool", ((3, 8, 8),), {"kernel": 2, "divisor": 0},
     ("E312", "`divisor` is padded, valid or window", "", "")),
    ("avgpool", ((3, 8, 8),), {"kernel": 2, "divisor": "paded"}, ("E312", "not paded", "", "")),
    ("conv", ((3, 8, 8),), {"filters": 0, "kernel": 3},
     ("E312", "`filters` is a whole number, at least 1, not 0", "", "")),
    ("conv", ((3, 8, 8),), {"filters": 4, "kernel": (3, 3, 3)},
     ("E312", "3 numbers for 2 spatial axes", "", "")),
    ("conv", ((3, 8, 8),), {"filters": 4, "kernel": 3, "pad": -1}, ("E312", "`pad` is a number", "", "")),
    ("conv", ((3, 8, 8),), {"filters": 4, "kernel": 3, "round": "caffe"},
     ("E312", "exact, floor or ceil, not caffe", "", "")),
    ("conv", ((3, 8, 8),), {"filters": 4.0, "kernel": 3}, ("E312", "not 4.0", "", "")),
    ("conv", ((3, 8, 8),), {"filters": True, "kernel": 3}, ("E312", "not true", "", "")),
    ("softmax", ((4,),), {"axis": "height"},
     ("E312", "`height`, which a tensor of rank 1 does not have", "", "")),
    ("softmax", ((4, 9, 14),), {"axis": "depth"},
     ("E312", "`depth`, which a tensor of rank 3 does not have", "", "")),
    ("softmax", ((),), {}, ("E312", "`channels`, which a tensor of rank 0 does not have", "", "")),
    ("fc", ((4, 9, 14),), {"features": 3, "axis": "height"},
     ("E312", "channels, last or none, not height", "", "")),
    ("reduce", ((4, 9),), {"how": "max", "axis": "depth"}, ("E312", "`depth`, which a tensor of rank 2 does not have", "", "")),
    ("reduce", ((4, 9),), {"how": "min", "axis": "last"}, ("E312", "max, mean or sum, not min", "", "")),
    ("pad", ((4, 9),), {"amount": "half"}, ("E312", "not half", "", "")),
    ("batchnorm", ((4,),), {"eps": 0}, ("E312", "`eps` is a number, above 0, not 0", "", "")),
    ("batchnorm", ((4,),), {"momentum": 1.5}, ("E312", "at most 1, not 1.5", "", "")),
    ("lrn", ((4, 9),), {"size": 3, "k": 0}, ("E312", "`k` is a number, above 0", "", "")),
    ("adaptiveavgpool", ((4, 9),), {}, ("E311", "needs `size`, or `like`", "", "`adaptiveavgpool(7)`")),
    ("adaptivemaxpool", ((4, 9), (4, 3)), {"size": 3, "like": Position(1)},
     ("E315", "`size` or `like`, not both", "", "")),
    ("maxpool", ((4, 9),), {"kernel": 3, "indices": True},
     ("E310", "maxpool has no argument `indices`", "", "")),
    ("conv", ((4, 9),), {"filters": 3}, ("E311", "conv needs `kernel`", "", "")),
)
# fmt: on


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[3][0]} {row[0]} {row[2] or row[1]}")
def test_a_mistake_is_told_with_code_numbers_and_a_way_out(row: Any) -> None:
    name, inputs, arguments, (code, message, label, help) = row
    found = fault(name, *inputs, **arguments)
    assert found.code == code
    assert message in found.message
    assert label in found.label
    assert help in " | ".join(found.help)
    assert not found.message.endswith(".") and "\n" not in found.message
    assert all(0 <= i < len(inputs) for i in found.inputs)


def test_every_mistake_is_told_in_the_words_that_were_read_and_liked(
    golden: Callable[[str, str], None],
) -> None:
    """Every field of every fault of the table, marks, notes and places included."""
    told = []
    for name, inputs, arguments, _ in TABLE:
        found = fault(name, *inputs, **arguments)
        given = "".join(f", {key} = {value}" for key, value in arguments.items())
        told += [f"{name}({', '.join(map(str, inputs))}{given})", f"  {found.code}: {found.message}"]
        told += [f"  points at {found.argument or 'the layer'}, shows inputs {list(found.inputs)}"]
        told += [f"  label: {found.label}"] * bool(found.label)
        told += [f"  note: {note}" for note in found.notes] + [f"  help: {help}" for help in found.help]
    golden("compiler/faults.txt", "\n".join([*told, ""]))


@pytest.mark.parametrize(
    ("name", "given", "helps"),
    (
        ("conv", (64, 3, 3), ("`conv(64, 3x3)`",)),
        ("conv", (64, 3, 5), ("`conv(64, 3x5)`", "`conv(64, 3, stride = 5)` for a stride of 5")),
        ("conv", (64, 3, 3, 3), ("`conv(64, 3x3x3)`",)),
        (
            "maxpool",
            (2, 2),
            ("`maxpool(2x2)` for a kernel of 2x2", "`maxpool(2, stride = 2)` for a stride of 2"),
        ),
        (
            "avgpool",
            (3, 2),
            ("`avgpool(3x2)` for a kernel of 3x2", "`avgpool(3, stride = 2)` for a stride of 2"),
        ),
    ),
)
def test_a_kernel_as_separate_numbers_is_explained(
    name: str, given: tuple[int, ...], helps: tuple[str, ...]
) -> None:
    with pytest.raises(Fault) as caught:
        OPS[name].apply_to([TensorType((3, 9, 9))], [Given(None, n) for n in given])
    assert (caught.value.code, caught.value.help) == ("E314", helps)


@pytest.mark.parametrize(
    ("name", "given"),
    [("conv", (8, 3, 1.5)), ("conv", (8, 3, True)), ("conv", (8, 3, 3, 3, 3)), ("maxpool", (2, 2.5))],
)
def test_other_numbers_than_sizes_are_arguments_too_many(name: str, given: tuple[Any, ...]) -> None:
    with pytest.raises(Fault) as caught:
        OPS[name].apply_to([TensorType((3, 9, 9))], [Given(None, n) for n in given])
    assert caught.value.code == "E314" and "by position" in caught.value.message


def test_the_marks_show_which_axes_differ() -> None:
    assert fault("add", (4, 9, 14), (4, 9, 13)).notes == (
        "tensor 1 is [4, 9, >14<]",
        "tensor 2 is [4, 9, >13<]",
    )


def test_the_caret_is_at_the_argument_by_position_and_by_name() -> None:
    for layer, place in (
        ("dropout(1.5)", "1.5"),
        ("dropout(p = 1.5)", "p = 1.5"),
        ("groupnorm(2)", "2"),
        ("conv(4, 3x3, stride = 0)", "stride = 0"),
        ("conv(4, 9x9)", "conv(4, 9x9)"),
    ):
        found = diagnostics(f"model m {{\n    input x: [3, 8, 8]\n    {layer}\n    output y\n}}\n")
        assert [d.span.text for d in found if d.span] == [place]


def test_extents_beyond_reason_are_answered_at_once() -> None:
    huge = TensorType((3, 2**31 - 1, 2**31 - 1))
    assert fault("conv", huge, filters=4, kernel=2**30, stride=2**29).code == "E301"
    assert fault("maxpool", huge, kernel=2, dilation=2**31 + 1, stride=1, pad=1, round="floor").code in (
        "E302",
        "E303",
    )
    assert fault("conv", huge, filters=2**31 - 1, kernel=1, groups=2).code == "E304"
    assert fault("conv", TensorType((2**31 - 2, 2)), filters=2**31 - 2, kernel=1, groups=2**30).code == "E304"
    assert fault("groupnorm", TensorType((2**31 - 1,)), groups=2).code == "E304"


def test_half_is_no_amount_of_padding_for_the_layer_that_pads() -> None:
    (found,) = diagnostics("model net { input x: [2, 9, 9]\n pad(half)\n output y }")
    assert found.code == "E312" and "(begin, end) per axis, not half" in found.message
