"""E3: shapes and arguments."""

from __future__ import annotations

from spec_lang.codes.base import Code


def _model(flow: str, shape: str = "[3, 32, 32]") -> str:
    """A model of one chain."""
    return f"model m {{\n    input image: {shape}\n    {flow}\n    output y\n}}\n"


def _pair(flow: str, left: str, right: str) -> str:
    """A model that joins two inputs."""
    return f"model m {{\n    input a: {left}\n    input b: {right}\n    a -> {flow}\n    output y\n}}\n"


def _weighted(flow: str, weight: str, shape: str = "[3, 32, 32]") -> str:
    """A model with a raw weight `w`."""
    return f"model m {{\n    input image: {shape}\n    weight w: {weight}\n    {flow}\n    output y\n}}\n"


CODES: tuple[Code, ...] = (
    Code(
        "E301",
        "The window does not fit",
        "A convolution or pooling gives (size - F + begin + end) / stride + 1 positions per axis, where F "
        "is the kernel after dilation. With `round = exact`, the default, the last window may leave over "
        "end padding, and the gap that a stride beyond the kernel leaves anyway, but no real row or column "
        "that another size would have seen.\n\nChange the padding or the input's size, or say on purpose "
        "what happens: `round = floor` drops what is left over, `round = ceil` adds a last window that "
        "hangs over. 11x11 with stride 4 on 224x224 is the famous case: the published AlexNet needs "
        "227x227, or padding.",
        _model("conv(8, 11x11, stride = 4)", "[3, 224, 224]"),
        _model("conv(8, 11x11, stride = 4)", "[3, 227, 227]"),
    ),
    Code(
        "E302",
        "Empty result",
        "The kernel, after dilation, is larger than the padded input, so that not one window fits. Mostly "
        "there was one pooling too many on the way, or the input is smaller than the one that the "
        "network was made for.",
        _model("conv(8, 7x7)", "[3, 5, 5]"),
        _model("conv(8, 7x7)", "[3, 7, 7]"),
    ),
    Code(
        "E303",
        "Padding that a layer cannot take",
        "Pools pad at most half of their kernel (as PyTorch demands; dilation does not count for this), "
        "and every window must see something of the input: a maximum over padding alone would be minus "
        "infinity. `reflect` mirrors without the edge, so it has one less than the size to give; "
        "`circular` at most the size. `round = caffe` without padding may begin a window beyond the input.",
        _model("maxpool(3x3, stride = 2, pad = 2)"),
        _model("maxpool(3x3, stride = 2, pad = 1)"),
    ),
    Code(
        "E304",
        "Groups do not divide",
        "A convolution of g groups gives each group the same number of input channels and of filters, so g "
        "divides both. `groupnorm` and `channelshuffle` divide their channels in the same way.",
        _model("conv(8, 3x3, groups = 2)"),
        _model("conv(9, 3x3, groups = 3)"),
    ),
    Code(
        "E305",
        "Feature map in front of fc",
        "A fully connected layer takes a vector. `flatten` makes one of a feature map, channels first, rows "
        "and columns after them; `globalavgpool -> flatten` makes one of any size. `axis = channels` or "
        "`axis = last` multiplies along one axis and keeps the others.",
        _model("fc(10)"),
        _model("flatten -> fc(10)"),
    ),
    Code(
        "E306",
        "Shapes that differ",
        "`add`, `multiply`, `maximum` and `average` work number by number, so their tensors have one "
        "shape. Only in `add` and `multiply` a 1 stretches, and only where it is written as one: in a raw "
        "`weight`, or in a map whose spatial extents are all 1 (a pooled gate). A shortcut whose shape "
        "changes needs a 1x1 convolution.",
        _pair("add(it, b)", "[64, 56, 56]", "[128, 28, 28]"),
        _pair("conv(128, 1x1, stride = 2) -> add(it, b)", "[64, 56, 56]", "[128, 28, 28]"),
    ),
    Code(
        "E307",
        "Shapes that cannot be concatenated",
        "`concat` puts tensors one after the other along one axis (`channels`, unless `axis` says "
        "another), so all other extents are equal.",
        _pair("concat(it, b)", "[64, 56, 56]", "[64, 28, 28]"),
        _pair("maxpool(2x2) -> concat(it, b)", "[64, 56, 56]", "[64, 28, 28]"),
    ),
    Code(
        "E308",
        "Wrong number of axes",
        "Convolutions and pools take [C, W], [C, H, W] or [C, D, H, W]: channels first, the batch is not "
        "counted. A vector has no spatial axes; `reshape` makes a feature map of it.",
        _model("conv(8, 3x3)", "[100]"),
        _model("reshape([1, 10, 10]) -> conv(8, 3x3)", "[100]"),
    ),
    Code(
        "E309",
        "A free extent is read as a number",
        "An extent that is written with a name (`[3, H = 224, W = 224]`) may be another one when the model "
        "runs. What follows from the number 224 would be wrong then: the features of a vector, the pads of "
        "`same` with a stride, a new shape, bounds of a slice. A pool to a fixed size in between, or a "
        "fixed input, helps.",
        _model("flatten -> fc(10)", "[3, H = 32, W = 32]"),
        _model("adaptiveavgpool(7) -> flatten -> fc(10)", "[3, H = 32, W = 32]"),
    ),
    Code(
        "E310",
        "Unknown argument",
        "The layer has no argument of this name. The message shows its signature; the layer reference says "
        "what each argument does.",
        _model("conv(8, 3x3, padding = 1)"),
        _model("conv(8, 3x3, pad = 1)"),
    ),
    Code(
        "E311",
        "Missing argument",
        "An argument without a default must be given. The message shows the signature.",
        _model("conv(8)"),
        _model("conv(8, 3x3)"),
    ),
    Code(
        "E312",
        "Value that an argument does not take",
        "Every argument says what it takes: a whole number, a number in a range, one of several words, a "
        "size per axis. Counts are whole: 8.0 or `true` is no number of filters.",
        _model("dropout(1.5)"),
        _model("dropout(0.5)"),
    ),
    Code(
        "E314",
        "Too many arguments by position",
        "Only the first arguments of a layer go by position (`conv(filters, kernel)`), all others by name, "
        "so that a call says what its numbers mean. A kernel is one size: `3x3`, not `3, 3`.",
        _model("conv(8, 3, 3)"),
        _model("conv(8, 3x3)"),
    ),
    Code(
        "E315",
        "Argument given twice",
        "An argument is given by position and by name, or by name twice; or two arguments that say the same "
        "(`size` and `like`) are both given.",
        _model("conv(8, 3x3, kernel = 5x5)"),
        _model("conv(8, 5x5)"),
    ),
    Code(
        "E316",
        "A product where a size was meant",
        "`3*3` is the number 9, and a kernel of 9 is 9 by 9. A size is written with an x: `3x3`.",
        _model("conv(8, 3*3)"),
        _model("conv(8, 3x3)"),
    ),
    Code(
        "E320",
        "Reshape changes the number of elements",
        "`reshape` orders the same numbers under another shape, so the products of both shapes are equal. "
        "One extent may be -1: it becomes what is left.",
        _model("reshape([3, 1000])"),
        _model("reshape([3, 1024])"),
    ),
    Code(
        "E321",
        "Not an order of the axes",
        "`permute` names every axis once, counted from 0 without the batch: `[1, 2, 0]` moves the channels "
        "to the end.",
        _model("permute([0, 2, 3, 1])"),
        _model("permute([1, 2, 0])"),
    ),
    Code(
        "E322",
        "Outside of the tensor",
        "`select` takes channels that exist, counted from 0; `slice` goes from `start` up to, without, "
        "`stop`, within the axis and not empty.",
        _model("select([0, 3])"),
        _model("select([0, 2])"),
    ),
    Code(
        "E323",
        "Even size of lrn",
        "A window of an even size around a channel has no middle: frameworks put the odd one on different "
        "sides, so the same spec would give different numbers.",
        _model("lrn(4)"),
        _model("lrn(5)"),
    ),
    Code(
        "E324",
        "Normalisation of single numbers",
        "A normalisation over one number subtracts it from itself: the result is 0 whatever the input was. "
        "`instancenorm` needs more than one spatial element, `groupnorm` more than one number per group.",
        _model("globalavgpool -> instancenorm"),
        _model("instancenorm -> globalavgpool"),
    ),
    Code(
        "E325",
        "Rows of different inputs",
        "An input that is `per image` has its own number of rows (regions of a detector), which has "
        "nothing to do with the batch, so their tensors cannot be joined.",
        "model m {\n    input a: [4]\n    input b: [4] per image\n    a -> add(it, b)\n    output y\n}\n",
        "model m {\n    input a: [4] per image\n    a -> add(it, a)\n    output y\n}\n",
    ),
    Code(
        "E326",
        "Raw weight in the wrong place",
        "A raw `weight` has no batch axis. It may be added, multiplied, or given as an argument that is a "
        "tensor (`rbf(centers)`); a layer that transforms images cannot take it.",
        _weighted("maximum(image, w)", "[3, 32, 32]"),
        _weighted("image -> multiply(it, w)", "[3, 1, 1]"),
    ),
    Code(
        "E329",
        "Centres that do not fit",
        "`rbf` measures the distance of a vector to n centres, so its centres are a raw weight of [n, "
        "features].",
        _weighted("image -> rbf(w)", "[10, 80]", "[84]"),
        _weighted("image -> rbf(w)", "[10, 84]", "[84]"),
    ),
)
