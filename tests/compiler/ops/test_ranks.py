"""How many axes a layer takes, for every layer and every number of axes."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.declare import Fault, Position, Word
from compiler.ops import OPS
from compiler.ops.base import TensorType

ANY = range(0, 7)
#: Layer -> the ranks that it takes (without the batch), and arguments that it needs.
RANKS: dict[str, tuple[range, dict[str, Any]]] = {
    "conv": (range(2, 5), {"filters": 2, "kernel": 1}),
    "maxpool": (range(2, 5), {"kernel": 1}),
    "avgpool": (range(2, 5), {"kernel": 1}),
    "globalavgpool": (range(2, 5), {}),
    "globalmaxpool": (range(2, 5), {}),
    "adaptiveavgpool": (range(2, 5), {"size": 1}),
    "adaptivemaxpool": (range(2, 5), {"size": 1}),
    "fc": (range(1, 2), {"features": 3}),
    "rbf": (range(1, 2), {"centers": Position(1)}),
    "batchnorm": (range(1, 5), {}),
    "instancenorm": (range(2, 5), {}),
    "groupnorm": (range(1, 7), {"groups": 1}),
    "layernorm": (range(1, 7), {}),
    "l2norm": (range(1, 7), {}),
    "lrn": (range(2, 7), {"size": 3}),
    "scale": (range(1, 7), {}),
    "prelu": (range(1, 7), {}),
    "softmax": (range(1, 7), {}),
    "logsoftmax": (range(1, 7), {}),
    "flatten": (range(1, 7), {}),
    "select": (range(1, 7), {"channels": (0,)}),
    "channelshuffle": (range(2, 7), {"groups": 2}),
    "slice": (range(1, 7), {"axis": Word("channels"), "start": 0, "stop": 1}),
    "reduce": (range(1, 7), {"how": Word("max"), "axis": Word("last")}),
    "pad": (range(2, 5), {"amount": 1}),
    "concat": (range(1, 7), {}),
}
WITH_OTHERS: tuple[tuple[str, range, dict[str, Any]], ...] = (
    ("fc", range(1, 7), {"features": 3, "axis": Word("last")}),
    ("prelu", ANY, {"shared": True}),
    ("dropout", ANY, {}),
    ("dropout", range(1, 7), {"spatial": True}),
    ("dropout", ANY, {"mode": Word("path")}),
    ("instancenorm", range(2, 5), {"affine": True}),
    ("layernorm", range(1, 7), {"affine": False}),
    ("add", ANY, {}),
    ("multiply", ANY, {}),
    ("maximum", ANY, {}),
    ("average", ANY, {}),
    ("identity", ANY, {}),
    *((name, ANY, {}) for name in ("relu", "relu6", "leakyrelu", "elu", "selu", "gelu", "silu", "mish")),
    *((name, ANY, {}) for name in ("hardswish", "hardsigmoid", "sigmoid", "tanh", "softplus")),
)
ROWS = (*((name, *row) for name, row in RANKS.items()), *WITH_OTHERS)


@pytest.mark.parametrize(("layer", "ranks", "arguments"), ROWS, ids=lambda v: str(v))
def test_a_layer_takes_these_numbers_of_axes_and_no_others(
    layer: str, ranks: range, arguments: dict[str, Any]
) -> None:
    op = OPS[layer]
    for rank in ANY:
        x = TensorType((2, 3, 4, 5, 2, 3)[:rank])
        inputs = [x, x] if op.arity is None else [x]
        if layer == "rbf":
            inputs = [x, TensorType((4, 2), rows=None)]
        try:
            (y,) = op.apply_to(inputs, **arguments).infer(inputs)
        except Fault as fault:
            assert rank not in ranks, fault.message
            expected = {"E308", "E312"} | ({"E305"} if layer == "fc" and rank > 1 else set())
            assert fault.code in expected
        else:
            assert rank in ranks, (rank, y)


def test_every_layer_is_listed() -> None:
    assert set(OPS) - {name for name, *_ in ROWS} == {"reshape", "permute"}  # as many axes as they are told
