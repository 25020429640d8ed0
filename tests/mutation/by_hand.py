"""Mistakes that somebody could make in an emitter or a declaration, each as an edit of one place.

A row names the file, a text that stands in it once, and what stands there instead; what goes wrong; and
which of the module's tests have to notice (`words` are parts of their ids).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One row."""

    file: str
    old: str
    new: str
    why: str
    tests: str
    words: tuple[str, ...]

    def apply(self, source: str) -> str:
        """The mistaken text.  Raises `LookupError` where the old text is not found once."""
        count = source.count(self.old)
        if count != 1:
            raise LookupError(f"{self.file} has {count} times, not once: {self.old!r}")
        return source.replace(self.old, self.new)

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


def _rows(folder: str, tests: str, *rows: tuple[str, str, str, str, str]) -> tuple[Mistake, ...]:
    """Rows of file, old text, new text, reason, and the layers (or tests) that notice, apart by spaces."""
    return tuple(
        Mistake(f"{folder}/{file}", old, new, why, tests, tuple(words.split()))
        for file, old, new, why, words in rows
    )


# fmt: off
NUMPY = _rows(
    "backends/numpy/emit", "tests/backends/numpy/test_layers.py",
    ("conv.py", '"stride": per_axis(op.stride) if', '"stride": per_axis(op.stride[::-1]) if',
     "height and width of the stride swapped", "[conv:"),
    ("conv.py", '"pad": pads(pad) if any', '"pad": pads(pad[::-1]) if any',
     "pads of height and width swapped", "[conv:"),
    ("conv.py", '"dilation": per_axis(op.dilation) if set(op.dilation) != {1} else None,', "",
     "dilation dropped", "[conv:"),
    ("conv.py", '"groups": _groups(layer),', "", "groups dropped", "[conv:"),
    ("conv.py", '"pad_mode": str(op.pad_mode) if', '"pad_mode": "replicate" if',
     "every border replicated", "[conv:"),
    ("conv.py", "op.lowered_pads(layer.value().type)", "op.pad", "overhang of `ceil` forgotten", "[conv:"),
    ("conv.py", 'layer.x, layer.weight("weight"), layer.weight("bias")', 'layer.x, layer.weight("weight"), "None"',
     "bias dropped", "[conv:"),
    ("pool.py", '"stride": per_axis(op.stride) if', '"stride": per_axis(op.stride[::-1]) if',
     "height and width of a pool's stride swapped", "[maxpool:"),
    ("pool.py", '"dilation": per_axis(op.dilations) if set(op.dilations) != {1} else None,', "",
     "a pool's dilation dropped", "[maxpool:"),
    ("pool.py", 'if isinstance(op, AvgPool) and op.divisor != "padded":', "if False:",
     "divisor dropped", "[avgpool:"),
    ("norm.py", "return eps if eps != default else None", "return None",
     "eps dropped", "[batchnorm: [instancenorm: [groupnorm: [layernorm: [l2norm:"),
    ("norm.py", "momentum=momentum if momentum != 0.1 and not layer.op.frozen else None", "momentum=None",
     "momentum dropped", "[batchnorm:"),
    ("norm.py", 'training=False if layer.op.frozen else Source(layer.body.training)',
     'training=Source(layer.body.training)',
     "a frozen batchnorm normalises by the batch", "[batchnorm:"),
    ("norm.py", 'training=False if layer.op.frozen else Source(layer.body.trained)',
     'training=Source(layer.body.trained)',
     "a frozen batchnorm goes back through the batch", "[batchnorm:"),
    ("norm.py", '{"alpha": alpha, "beta": float(op.beta), "k": float(op.k)}',
     '{"alpha": alpha, "beta": float(op.k), "k": float(op.beta)}', "beta and k of lrn swapped", "[lrn:"),
    ("norm.py", 'if op.scale == "mean" else float(op.alpha)', 'if op.scale == "sum" else float(op.alpha)',
     "lrn divides alpha by the size where the paper does not", "[lrn:"),
    ("activation.py", 'return {"slope": float(op.slope)}', "return {}", "slope dropped", "[leakyrelu:"),
    ("activation.py", 'return {"alpha": float(op.alpha) if op.alpha != 1 else None}', "return {}",
     "alpha of elu dropped", "[elu:"),
    ("activation.py", 'return {"axis": op.axis + 1 if op.axis else None}', 'return {"axis": -1}',
     "softmax always along the last axis", "[softmax:"),
    ("dense.py", "return axis if axis != layer.value().type.rank else None", "return None",
     "fc always along the last axis", "[fc:"),
    ("reshape.py", "[0, *(order.index(axis) + 1 for axis in range(len(order)))]",
     "[0, *(axis + 1 for axis in order)]", "a permutation's gradient permuted the same way again", "[permute:"),
    ("join.py", "return layer.op.axis + 1 if layer.op.axis else None", "return None",
     "concat always along the channels", "[concat:"),
    ("dropout.py", 'classic=True if op.mode == "classic" else None,', "",
     "classic dropout is not scaled at inference", "[dropout:"),
)

NUMPY_AT_OTHER_SIZES = _rows(
    "backends/numpy/emit", "tests/backends/numpy/test_module.py",
    ("pool.py", 'rule = str(op.round) if op.round != "ceil" else None', "rule = None",
     "caffe's rule taken for PyTorch's at sizes that are free",
     "test_a_free_size_that_a_layer_cannot_take_is_refused_by_its_name"),
)

NUMPY_BLOCKS = _rows(
    "backends/numpy/emit", "tests/backends/numpy/test_structure.py",
    ("classes.py", 'return [(p.name, p.texts[which]) for', "return [(p.name, p.texts[0]) for",
     "every block made with the arguments of the first", "test_what_differs_between_instances_reaches_each"),
    ("classes.py", "if p.texts[which] != p.default]", "if p.texts[which] == p.default]",
     "arguments left out but for the default", "test_what_differs_between_instances_reaches_each"),
    ("slots.py", 'return tuple("#" if isinstance(piece, Slot) else piece for piece in pieces)', "return ()",
     "blocks of other layers taken for instances of one class",
     "test_blocks_of_other_layers_have_classes_of_their_own"),
    ("backward.py", 'loop = f"for {self.body.loop(run)} in reversed(self.{self.body.attribute(run)}):"',
     'loop = f"for {self.body.loop(run)} in self.{self.body.attribute(run)}:"',
     "gradients flow through a run of blocks from its first to its last",
     "test_what_differs_between_instances_reaches_each"),
    ("backward.py", 'expression = after(f"{place} + ", expression)', "pass",
     "the gradient that a block gives replaces what others gave",
     "test_what_differs_between_instances_reaches_each test_gradients_of_inputs_can_be_left_out"),
    ("scopes.py", "if unit.path in paths:", "if False:", "a class for a block inside what is applied twice",
     "test_a_block_that_cannot_be_told_by_its_path_stays_in_the_class_around_it"),
    ("blocks.py", 'path = formatted(*([Hole("path"), "."] if body.in_block else []), *parts)',
     "path = formatted(*parts)", "blocks in a block named as if they stood alone",
     "test_a_run_of_blocks_within_a_block_goes_by_its_path"),
)

KERNELS = _rows(
    "backends/numpy/kernels", "tests/backends/numpy/test_layers.py",
    ("norm.py", "var * (count / (count - 1)) - running_var", "var - running_var",
     "the running variance biased", "[batchnorm:"),
    ("norm.py", "running_mean += momentum * (mean - running_mean)",
     "running_mean += (1 - momentum) * (mean - running_mean)", "momentum of the old value", "[batchnorm:"),
    ("norm.py", "x / np.maximum(size, eps) * by_channel", "x / (size + eps) * by_channel",
     "l2norm adds eps to the length", "[l2norm:"),
    ("norm.py", "half = size // 2", "half = size", "lrn sees twice as far", "[lrn:"),
    ("dense.py", "np.moveaxis(x, axis, -1) @ weight.T", "np.moveaxis(x, axis, -1) @ weight.reshape(weight.T.shape)",
     "fc's weight read in the other order", "[fc:"),
    ("dropout.py", "return (x * (1 - p), 1 - p) if classic", "return (x * p, p) if classic",
     "classic dropout scales by what is dropped", "[dropout:"),
    ("window.py", "tuple((begin, end + more) for", "tuple((begin + more, end) for",
     "what hangs over stands at the begin", "[maxpool: [avgpool:"),
    ("window.py", "return size - 1 - np.abs(size - 1 - np.abs(places))", "return np.abs(places) % size",
     "reflect goes on at the other side", "[pad:"),
    ("reshape.py", "dx[:, channel] += d[:, place]", "dx[:, channel] = d[:, place]",
     "a channel that is selected twice gets one gradient", "[select:"),
    ("pool.py", '"padded": size + end, "valid"', '"padded": size, "valid"',
     "the divisor leaves out the padding at the end", "[avgpool:"),
    ("activation.py", "return np.where(x > 0, d, slope * d)", "return np.where(x > 0, d, d)",
     "leakyrelu's gradient without its slope", "[leakyrelu:"),
)

PLAN = _rows(
    "backends/numpy/plan", "tests/backends/numpy/plan/test_plan_layers.py",
    ("steps/conv.py", "(pad, _) in ends), WHOLE)", "(_, pad) in ends), WHOLE)", "pads taken from the end", "[conv:"),
    ("steps/conv.py", "zip(item[1:-1], op.stride, strict=True)", "zip(item[1:-1], op.stride[::-1], strict=True)",
     "height and width of the stride swapped", "[conv:"),
    ("steps/conv.py", "zip(item[1:-1], op.dilation, strict=True)", "zip(item[1:-1], op.dilation[::-1], strict=True)",
     "height and width of the dilation swapped", "[conv:"),
    ("steps/conv.py", "group = channel * self.channels", "group = 0 * channel",
     "every group sees the channels of the first", "[conv:"),
    ("steps/conv.py", "return np.moveaxis(split, -2, 0)", "return np.moveaxis(split, -2, 0)[::-1]",
     "groups in the other order, channels last", "[conv:"),
    ("steps/conv.py", "split = np.moveaxis(split, 2, -1)", "pass", "filters not in the columns' order", "[conv:"),
    ("steps/conv.py", "rows = slice(rows.start * pooled, rows.stop * pooled)", "rows = slice(0, rows.stop - rows.start)",
     "every tile sees the first rows", "[conv:"),
    ("steps/pool.py", "shift = tap * dilation - begin", "shift = tap * dilation", "a pool's begin pad forgotten", "[maxpool:"),
    ("steps/pool.py", "(op.kernel[axis], op.stride[axis],", "(op.kernel[axis], op.stride[-1 - axis],",
     "height and width of a pool's stride swapped", "[maxpool: [avgpool:"),
    ("steps/pool.py", "divisor = _divisor(kit, op, sizes, out) if isinstance(op, AvgPool) else None", "divisor = None",
     "sums for means", "[avgpool:"),
    ("steps/pointwise.py", "1 + len(link.others), axes", "len(link.others), axes", "a mean of one too few", "[average:"),
    ("steps/pointwise.py", 'own.get("bias", 0.0) - own["running_mean"] * factor',
     'own.get("bias", 0.0) + own["running_mean"] * factor', "the mean added", "[batchnorm:"),
    ("steps/pointwise.py", 'more = {"slope": float(op.slope)}', "more = {}", "slope dropped", "[leakyrelu:"),
    ("steps/moves.py", "slice(-end, None))].fill, 0)", "slice(-end, None))].fill, 1)", "end margins of ones", "[conv:"),
    ("steps/moves.py", "        first += size\n", "", "every part of a concat in the place of the first", "[concat:"),
    ("layout.py", "return (0, *range(2, axes), 1) if", "return (0, *range(axes - 1, 1, -1), 1) if",
     "spatial axes turned around", "[conv:"),
)

PLAN_NETWORKS = _rows(
    "backends/numpy/plan", "tests/backends/numpy/plan/test_plan_networks.py",
    ("steps/conv.py", "slice(t, None, k)", "slice(0, None, k)", "a pool in a tile sees the first rows alone",
     "test_a_wide_network_agrees"),
    ("steps/conv.py", "some = conv.filters[0, begin:end].T", "some = conv.filters[0, : end - begin].T",
     "every task multiplies the first filters", "test_few_positions_and_many_filters"),
    ("steps/depthwise.py", "weight.reshape(len(weight), -1).T", "weight.reshape(len(weight), -1)[:, ::-1].T",
     "the kernel of a channel turned around", "test_a_network_agrees[separable"),
    ("steps/depthwise.py", "np.add(total, product, out=total)", "np.maximum(total, product, out=total)",
     "the largest product for the sum", "test_a_network_agrees[separable"),
    ("storage.py", "ends.setdefault(home.last, [])", "ends.setdefault(home.first, [])",
     "memory used again while it is needed", "test_a_network_agrees[residual"),
    ("storage.py", "== 1 and not mine.joined:", "== 1:", "a concat written over while its parts are needed",
     "test_a_network_agrees[parts"),
    ("storage.py", "> 1 or unit.inputs[0] in self._units.kept", "> 1", "an output written over through a view of it",
     "test_a_network_agrees[parts"),
    ("units.py", "(Concat, Flatten, Reshape))", "(Flatten, Reshape))", "a chain in a concat's memory",
     "test_a_network_agrees[parts"),
    ("units.py", "and pads_with_zeros(unit.head):", "and True:", "a pool in the tiles of a convolution that has none",
     "test_a_network_agrees[borders"),
    ("steps/reference.py", "if bias_is_link(node):", "if False:", "a bias added twice",
     "test_a_network_agrees[borders"),
)

TORCH = _rows(
    "backends/torch/emit", "tests/backends/torch/test_layers.py",
    ("conv.py", "return tuple(p for pair in reversed(pads) for p in pair)",
     "return tuple(p for pair in pads for p in pair)", "F.pad given the first axis first", "[conv: [pad:"),
    ("conv.py", "for pair in reversed(pads) for p in pair", "for pair in reversed(pads) for p in reversed(pair)",
     "begin and end of the pads swapped", "[conv: [pad:"),
    ("conv.py", 'made.add(per_axis(op.stride), "stride", default=1)',
     'made.add(per_axis(op.stride[::-1]), "stride", default=1)', "height and width of the stride swapped", "[conv:"),
    ("conv.py", 'made.add(per_axis(op.dilation), "dilation", default=1)', "pass", "dilation dropped", "[conv:"),
    ("conv.py", 'made.add(op.groups, "groups", default=1)', "pass", "groups dropped", "[conv:"),
    ("conv.py", 'return made.add(op.bias, "bias", default=True)', "return made", "always a bias", "[conv:"),
    ("conv.py", 'made.add(op.pad_mode, "padding_mode", default="zeros")', "pass", "borders are zeros", "[conv:"),
    ("norm.py", 'made = Arguments().add(op.groups, "num_groups", positional=True, called="groups")\n'
     '    made.add(x.shape[0], "num_channels", positional=True, called="channels")\n'
     '    made.add(op.eps, "eps", default=1e-5)',
     'made = Arguments().add(op.groups, "num_groups", positional=True, called="groups")\n'
     '    made.add(x.shape[0], "num_channels", positional=True, called="channels")', "eps dropped", "[groupnorm:"),
    ("norm.py", 'if op.frozen:\n        return', "if False:\n        return",
     "a frozen batchnorm normalises by the batch", "[batchnorm:"),
    ("norm.py", 'made.add(op.momentum, "momentum", default=0.1)',
     'made.add(1 - op.momentum, "momentum", default=0.1)', "momentum of the old value", "[batchnorm:"),
    ("norm.py", 'made.add(op.k, "k", default=1.0)', "pass", "k of lrn dropped", "[lrn:"),
    ("norm.py", 'made.add(op.beta, "beta", default=0.75)', "pass", "beta of lrn dropped", "[lrn:"),
    ("norm.py", "op.alpha if op.scale == \"mean\" else op.alpha * op.size", "op.alpha",
     "lrn divides alpha by the size where the paper does not", "[lrn:"),
    ("norm.py", '.add(op.eps, "eps", default=1e-12)', "", "eps of l2norm dropped", "[l2norm:"),
    ("pool.py", 'return op.round in ("ceil", "caffe")', "return False", "never rounded up", "[maxpool: [avgpool:"),
    ("pool.py", 'made.add(number == "padded", "count_include_pad", default=True)', "pass",
     "the padding always counts", "[avgpool:"),
    ("pool.py", 'made.add(int(number), "divisor_override")', "pass", "divisor dropped", "[avgpool:"),
    ("activation.py", '"negative_slope", positional=True, called="slope", default=0.01)\n'
     "    return Form(\n        made.layer(\"nn.LeakyReLU\"),\n        \"F.leaky_relu({0}, {slope})\"",
     '"negative_slope", positional=True, called="slope", default=0.01)\n'
     "    return Form(\n        made.layer(\"nn.LeakyReLU\"),\n        \"F.leaky_relu({0})\"", "slope dropped",
     "[leakyrelu:"),
    ("activation.py", '"F.elu({0}, {alpha})"', '"F.elu({0})"', "alpha of elu dropped", "[elu:"),
    ("activation.py", 'slots=(("dim", Slot(op.axis + 1, "dim")),)', 'slots=(("dim", Slot(-1, "dim")),)',
     "softmax always along the last axis", "[softmax: [logsoftmax:"),
    ("dense.py", '"nn.Linear" if op.position == x.rank - 1 else "ChannelLinear"', '"nn.Linear"',
     "fc always along the last axis", "[fc:"),
    ("join.py", 'f"dim={op.axis + 1}"', '"dim=1"', "concat always along the channels", "[concat:"),
    ("reshape.py", "order = tuple(axis + 1 for axis in node.op.order)",
     "order = tuple(node.op.order.index(axis) + 1 for axis in range(len(node.op.order)))",
     "the inverse of a permutation", "[permute:"),
) + _rows(
    "backends/torch/modules", "tests/backends/torch/test_layers.py",
    ("dropout.py", "self.training) * (1 - self.p)", "self.training) * self.p",
     "classic dropout scales by what is dropped", "[dropout:"),
    ("windows.py", "outputs * s < size + begin and", "outputs * s < size + begin + end and",
     "a last window may begin in the padding", "[maxpool: [avgpool:"),
)

ONNX = _rows(
    "backends/onnx/emit", "tests/backends/onnx/test_layers.py",
    ("conv.py", "return [begin for begin, _ in pads] + [end for _, end in pads]",
     "return [p for pair in pads for p in pair]", "pads axis by axis, where ONNX wants all begins first",
     "[conv: [pad:"),
    ("conv.py", "return [begin for begin, _ in pads] + [end for _, end in pads]",
     "return [end for _, end in pads] + [begin for begin, _ in pads]", "begin and end of the pads swapped",
     "[conv: [pad:"),
    ("conv.py", "strides=op.stride,", "strides=op.stride[::-1],", "height and width of the stride swapped", "[conv:"),
    ("conv.py", "dilations=op.dilation,", "", "dilation dropped", "[conv:"),
    ("conv.py", ", group=op.groups", "", "groups dropped", "[conv:"),
    ("conv.py", '"replicate": "edge", "circular": "wrap"', '"replicate": "wrap", "circular": "edge"',
     "borders confused", "[conv: [pad:"),
    ("pool.py", '"count_include_pad": int(counted), "ceil_mode"', '"ceil_mode"', "the padding never counts",
     "[avgpool:"),
    ("pool.py", "layer.number(prod(op.kernel) / op.divisor)", "layer.number(1 / op.divisor)",
     "the mean divided once more", "[avgpool:"),
    ("pool.py", "op.pad if free else op.lowered_pads(layer.x_type), layer.x", "op.pad, layer.x",
     "overhang of `ceil` forgotten", "[maxpool:"),
    ("norm.py", 'layer.weight("running_var"), epsilon=op.eps, momentum', 'layer.weight("running_var"), momentum',
     "eps of batchnorm dropped", "[batchnorm:"),
    ("norm.py", 'alpha = op.alpha * (op.size if op.scale == "sum" else 1)', "alpha = op.alpha",
     "lrn divides alpha by the size where the paper does not", "[lrn:"),
    ("norm.py", '"beta": op.beta, "bias": op.k', '"beta": op.beta', "k of lrn dropped", "[lrn:"),
    ("norm.py", 'layer.on_the_way("Max", norm, layer.number(op.eps))', "norm", "eps of l2norm dropped", "[l2norm:"),
    ("activation.py", ", alpha=layer.op.slope", "", "slope dropped", "[leakyrelu:"),
    ("activation.py", ", alpha=1.0 / 6.0, beta=0.5", "", "hardsigmoid with ONNX's own slope of 0.2", "[hardsigmoid:"),
    ("activation.py", 'approximate="none"', 'approximate="tanh"', "gelu by tanh", "[gelu:"),
    ("activation.py", '"Softmax", layer.x, axis=layer.op.axis + 1', '"Softmax", layer.x',
     "softmax always along the last axis", "[softmax:"),
    ("dense.py", "transB=1", "transB=0", "fc's weight not transposed", "[fc:"),
    ("dense.py", "perm=[order.index(i) for i in range(len(order))]", "perm=order",
     "the axis is not brought back", "[fc: [layernorm:"),
    ("join.py", '"Concat", *layer.inputs, axis=layer.op.axis + 1', '"Concat", *layer.inputs, axis=1',
     "concat always along the channels", "[concat:"),
    ("dropout.py", "layer.number(1.0 - layer.op.p)", "layer.number(layer.op.p)",
     "classic dropout scales by what is dropped", "[dropout:"),
    ("reshape.py", "layer.ints([op.start]), layer.ints([op.stop])", "layer.ints([op.start]), layer.ints([op.stop - 1])",
     "a slice leaves out its last position", "[slice:"),
)

SHAPES = _rows(
    "compiler", "tests/compiler/test_shapes.py",
    ("shapes.py", "return (extent - 1) // 2, (extent - 1) // 2", "return extent // 2, extent // 2",
     "half of an even kernel", "half"),
    ("shapes.py", "return (large, small) if lower else (small, large)", "return (small, large)",
     "same_lower as same", "same"),
    ("shapes.py", "starts_outside = (up - 1) * stride >= size + begin",
     "starts_outside = (up - 1) * stride > size + begin", "a last window may begin at the end padding", "test_"),
    ("shapes.py", "return end + max(0, stride - extent)", "return max(0, stride - extent)",
     "what is left over of the end padding is an error", "test_"),
) + _rows(
    "compiler", "tests/compiler/test_cost.py",
    ("cost.py", "tuple([r + (k - 1) * j for", "tuple([r + (k - 1) for", "a receptive field without the jump", "test_"),
    ("cost.py", "tuple([j * s for j, s in", "tuple([j for j, s in", "a jump without the stride", "test_"),
    ("ops/conv.py", "outputs[0].elements * (inputs[0].shape[0] // self.groups) * math.prod",
     "outputs[0].elements * inputs[0].shape[0] * math.prod", "MACs without the groups", "test_macs"),
    ("ops/norm.py", "return 2 * outputs[0].elements", "return 0", "batchnorm is free", "test_"),
)

WEIGHTS = _rows(
    "compiler/ops", "tests/compiler/ops/test_weights.py",
    ("conv.py", "inner, window = inputs[0].shape[0] // self.groups,", "inner, window = inputs[0].shape[0],",
     "weights without the groups", "conv"),
    ("conv.py", "fan_in=inner * window, fan_out=self.filters * window", "fan_in=inner, fan_out=self.filters",
     "fans without the kernel", "conv"),
)

OPS = _rows(
    "compiler/ops", "tests/compiler/ops/test_cases.py",
    ("reshape.py", "x.with_shape([x.shape[i] for i in self.order]",
     "x.with_shape([x.shape[self.order.index(i)] for i in range(x.rank)]", "the inverse of a permutation", "[permute:"),
    ("join.py", "axis, first = self.axis, inputs[0].shape",
     "axis, first = 0, inputs[0].shape", "concat always along the channels", "[concat:"),
    ("sliding.py", 'if word == "half":\n            return tuple(map(shapes.half_pads, extents))',
     'if word == "half":\n            return tuple(map(shapes.half_pads, kernel))', "`half` without the dilation", "[conv:"),
    ("dense.py", 'shape[self.position] = self.features', 'shape[-1] = self.features',
     "fc always along the last axis", "[fc:"),
)

DEFAULTS = _rows(
    "compiler/ops", "tests/compiler/ops/test_defaults.py",
    ("norm.py", '"the weight of the new batch in the running statistics", default=0.1',
     '"the weight of the new batch in the running statistics", default=0.9', "another default of momentum", "test_"),
    ("norm.py", '"the smallest length that is divided by", default=1e-12',
     '"the smallest length that is divided by", default=1e-5', "another default of l2norm's eps", "test_"),
    ("norm.py", '"is added to the sum", default=1.0', '"is added to the sum", default=2.0', "another default of k", "test_"),
    ("activation.py", '"the factor for negative numbers", default=0.01', '"the factor for negative numbers", default=0.1',
     "another default of the slope", "test_"),
    ("dropout.py", "default=0.5, positional", "default=0.2, positional", "another default of p", "test_"),
    ("pool.py", '"what the sum of a window is divided by",\n        default=Word("padded")',
     '"what the sum of a window is divided by",\n        default=Word("valid")', "another default of the divisor", "test_"),
)
# fmt: on

MISTAKES = (
    *NUMPY,
    *NUMPY_AT_OTHER_SIZES,
    *NUMPY_BLOCKS,
    *KERNELS,
    *PLAN,
    *PLAN_NETWORKS,
    *TORCH,
    *ONNX,
    *SHAPES,
    *WEIGHTS,
    *OPS,
    *DEFAULTS,
)
