"""ONNX's own node cases that are layers of the language, on every backend.

The table says which layer each case is, by hand, so that no emitter's idea of an attribute is
used to check itself.  Left out is what the language refuses (`maxpool_2d_pads` pads more than half
of its kernel) or does not have (even windows of LRN, a PReLU slope along the last axis).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from backends.base import backend
from compiler.declare import Word
from compiler.graph import GraphBuilder
from compiler.ops import OPS
from compiler.ops.base import TensorType

MODULES = (
    "averagepool", "batch_normalization", "concat", "conv", "elu", "flatten", "gelu", "gemm",
    "globalaveragepool", "globalmaxpool", "groupnormalization", "hardswish", "instance_normalization",
    "layernormalization", "leakyrelu", "logsoftmax", "lrn", "maxpool", "mul", "pad", "reducemax",
    "reducemean", "reducesum", "relu", "selu", "sigmoid", "softmax", "softplus", "tanh", "transpose",
)

CONV: Mapping[str, Any] = {"filters": 1, "kernel": 3, "bias": False}
NORM = ("weight", "bias")

#: Case -> layer, arguments, and what the inputs after the flowing ones are.
TABLE: dict[str, tuple[str, Mapping[str, Any], tuple[str, ...]]] = {
    "basic_conv_with_padding": ("conv", {**CONV, "pad": 1}, ("weight",)),
    "basic_conv_without_padding": ("conv", CONV, ("weight",)),
    "conv_with_strides_padding": ("conv", {**CONV, "stride": 2, "pad": 1}, ("weight",)),
    "conv_with_strides_no_padding": ("conv", {**CONV, "stride": 2}, ("weight",)),
    "conv_with_strides_and_asymmetric_padding": (
        "conv", {**CONV, "stride": 2, "pad": ((1, 1), (0, 0))}, ("weight",)),
    "conv_with_autopad_same": ("conv", {**CONV, "stride": 2, "pad": "same_lower"}, ("weight",)),
    "averagepool_2d_precomputed_pads": (
        "avgpool", {"kernel": 5, "stride": 1, "pad": 2, "divisor": "valid"}, ()),
    "averagepool_2d_precomputed_pads_count_include_pad": (
        "avgpool", {"kernel": 5, "stride": 1, "pad": 2}, ()),
    "averagepool_2d_precomputed_strides": ("avgpool", {"kernel": 2, "round": "floor"}, ()),
    "averagepool_2d_precomputed_same_upper": (
        "avgpool", {"kernel": 3, "stride": 2, "pad": "same", "divisor": "valid"}, ()),
    "averagepool_1d_default": ("avgpool", {"kernel": 2, "stride": 1}, ()),
    "averagepool_2d_default": ("avgpool", {"kernel": 2, "stride": 1}, ()),
    "averagepool_3d_default": ("avgpool", {"kernel": 2, "stride": 1}, ()),
    "averagepool_2d_same_upper": (
        "avgpool", {"kernel": 2, "stride": 1, "pad": "same", "divisor": "valid"}, ()),
    "averagepool_2d_same_lower": (
        "avgpool", {"kernel": 2, "stride": 1, "pad": "same_lower", "divisor": "valid"}, ()),
    "averagepool_2d_strides": ("avgpool", {"kernel": 5, "stride": 3}, ()),
    "averagepool_2d_ceil": ("avgpool", {"kernel": 3, "stride": 2, "round": "ceil"}, ()),
    "averagepool_2d_ceil_last_window_starts_on_pad": (
        "avgpool", {"kernel": 3, "stride": 3, "pad": 1, "round": "ceil"}, ()),
    "maxpool_2d_precomputed_pads": ("maxpool", {"kernel": 5, "stride": 1, "pad": 2}, ()),
    "maxpool_2d_precomputed_strides": ("maxpool", {"kernel": 2, "round": "floor"}, ()),
    "maxpool_2d_precomputed_same_upper": ("maxpool", {"kernel": 3, "stride": 2, "pad": "same"}, ()),
    "maxpool_1d_default": ("maxpool", {"kernel": 2, "stride": 1}, ()),
    "maxpool_2d_default": ("maxpool", {"kernel": 2, "stride": 1}, ()),
    "maxpool_3d_default": ("maxpool", {"kernel": 2, "stride": 1}, ()),
    "maxpool_2d_same_upper": ("maxpool", {"kernel": 2, "stride": 1, "pad": "same"}, ()),
    "maxpool_2d_same_lower": ("maxpool", {"kernel": 2, "stride": 1, "pad": "same_lower"}, ()),
    "maxpool_2d_strides": ("maxpool", {"kernel": 5, "stride": 3}, ()),
    "maxpool_2d_ceil": ("maxpool", {"kernel": 3, "stride": 2, "round": "ceil"}, ()),
    "maxpool_2d_ceil_output_size_reduce_by_one": ("maxpool", {"kernel": 1, "stride": 2, "round": "ceil"}, ()),
    "maxpool_2d_dilations": ("maxpool", {"kernel": 2, "stride": 1, "dilation": 2}, ()),
    "maxpool_3d_dilations": ("maxpool", {"kernel": 2, "stride": 1, "dilation": 2}, ()),
    "globalaveragepool": ("globalavgpool", {}, ()),
    "globalaveragepool_precomputed": ("globalavgpool", {}, ()),
    "globalmaxpool": ("globalmaxpool", {}, ()),
    "lrn": ("lrn", {"size": 3, "alpha": 0.0002, "beta": 0.5, "k": 2.0}, ()),
    "lrn_default": ("lrn", {"size": 3}, ()),
    "batchnorm_example": ("batchnorm", {}, (*NORM, "running_mean", "running_var")),
    "batchnorm_epsilon": ("batchnorm", {"eps": 1e-2}, (*NORM, "running_mean", "running_var")),
    "instancenorm_example": ("instancenorm", {"affine": True}, NORM),
    "instancenorm_epsilon": ("instancenorm", {"affine": True, "eps": 1e-2}, NORM),
    "group_normalization_example": ("groupnorm", {"groups": 2}, NORM),
    "group_normalization_epsilon": ("groupnorm", {"groups": 2, "eps": 1e-2}, NORM),
    "layer_normalization_4d_axis3": ("layernorm", {"axis": "last"}, NORM),
    "layer_normalization_2d_axis1": ("layernorm", {}, NORM),
    "layer_normalization_3d_axis2_epsilon": ("layernorm", {"axis": "last", "eps": 0.1}, NORM),
    "gemm_transposeB": ("fc", {"features": 4}, ("weight", "bias")),
    "softmax_example": ("softmax", {}, ()),
    "softmax_axis_1": ("softmax", {}, ()),
    "softmax_axis_2": ("softmax", {"axis": "last"}, ()),
    "softmax_large_number": ("softmax", {}, ()),
    "logsoftmax_axis_1": ("logsoftmax", {}, ()),
    "logsoftmax_axis_2": ("logsoftmax", {"axis": "last"}, ()),
    "logsoftmax_large_number": ("logsoftmax", {}, ()),
    "relu": ("relu", {}, ()),
    "leakyrelu": ("leakyrelu", {"slope": 0.1}, ()),
    "leakyrelu_default": ("leakyrelu", {}, ()),
    "elu": ("elu", {"alpha": 2.0}, ()),
    "elu_default": ("elu", {}, ()),
    "selu_default": ("selu", {}, ()),
    "gelu_default_1": ("gelu", {}, ()),
    "gelu_default_2": ("gelu", {}, ()),
    "hardswish": ("hardswish", {}, ()),
    "sigmoid": ("sigmoid", {}, ()),
    "softplus": ("softplus", {}, ()),
    "tanh": ("tanh", {}, ()),
    "flatten_axis1": ("flatten", {}, ()),
    "transpose_all_permutations_1": ("permute", {"order": (1, 0)}, ()),
    "reduce_mean_do_not_keepdims_random": ("reduce", {"how": "mean", "axis": "channels"}, ("",)),
    "reduce_max_do_not_keepdims_random": ("reduce", {"how": "max", "axis": "channels"}, ("",)),
    "reduce_sum_do_not_keepdims_random": ("reduce", {"how": "sum", "axis": "channels"}, ("",)),
    "reflect_pad": ("pad", {"amount": 1, "mode": "reflect"}, ("",)),
    "edge_pad": ("pad", {"amount": 1, "mode": "replicate"}, ("",)),
    "wrap_pad": ("pad", {"amount": 1, "mode": "circular"}, ("",)),
    "concat_3d_axis_1": ("concat", {}, ()),
    "concat_3d_axis_2": ("concat", {"axis": "last"}, ()),
    "mul": ("multiply", {}, ()),
}

#: Cases whose expected output is written with four digits.
ROUNDED = {"averagepool_2d_ceil_last_window_starts_on_pad": 6e-5}


@pytest.fixture(scope="module")
def cases() -> dict[str, Any]:
    """Name -> case, of the modules that the table uses: all of them would take half a minute."""
    from onnx.backend.test.case import node

    np.random.seed(0)  # the cases draw from the global generator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some divide by zero on purpose
        for module in MODULES:
            importlib.import_module(f"onnx.backend.test.case.node.{module}")
    return {case.name.removeprefix("test_"): case for case in node._NodeTestCases}


def arrays(values: list[Any]) -> list[np.ndarray]:
    return [numpy_helper.to_array(v) if isinstance(v, TensorProto) else np.asarray(v) for v in values]


@pytest.mark.parametrize("target", ["numpy", "torch", "onnx"])
@pytest.mark.parametrize("name", TABLE)
def test_the_case_gives_its_expected_output(name: str, target: str, cases: dict[str, Any]) -> None:
    layer, arguments, others = TABLE[name]
    ((given, expected),) = cases[name].data_sets
    given, expected = arrays(given), arrays(expected)[0]
    flowing, fixed = given[: len(given) - len(others)], given[len(given) - len(others) :]

    builder = GraphBuilder("example")
    values = [builder.input(f"x{i}", TensorType(x.shape[1:])) for i, x in enumerate(flowing)]
    words = {k: Word(v) if isinstance(v, str) else v for k, v in arguments.items()}
    (result,) = builder.apply(OPS[layer], values, path="layer", **words)
    graph = builder.build({"y": result})
    weights = {f"layer.{own}": array.reshape(graph.weights[f"layer.{own}"].shape)
               for own, array in zip(others, fixed, strict=True) if own}
    assert weights.keys() == graph.weights.keys()

    inputs = {f"x{i}": x for i, x in enumerate(flowing)}
    got = backend(target).load(graph, weights, "float32").run(inputs)["y"]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=ROUNDED.get(name, 1e-6))
