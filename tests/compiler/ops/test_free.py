"""Extents that are free: what a layer takes of them, and what is free in its result.

A free extent of a result is one that changes when the free extents of the inputs do.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from compiler.declare import Fault, Position, Word
from compiler.ops import OPS
from compiler.ops.base import TensorType

FLOOR = {"round": Word("floor")}
CHANNELS, HEIGHT, WIDTH = {"axis": Word("channels")}, {"axis": Word("height")}, {"axis": Word("width")}

# layer, arguments, which of channels, height and width it takes free
ROWS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("conv", {"filters": 2, "kernel": 3, "stride": (1, 2), **FLOOR}, "HW"),
    ("conv", {"filters": 2, "kernel": 3, "stride": (1, 2), "round": Word("ceil")}, "H"),
    ("conv", {"filters": 2, "kernel": 3, "stride": (2, 1), "pad": Word("same")}, "W"),
    ("conv", {"filters": 2, "kernel": 3, "stride": (2, 1), "pad": Word("half"), **FLOOR}, "HW"),
    ("conv", {"filters": 2, "kernel": 3, "pad": Word("same_lower"), **FLOOR}, "HW"),
    ("maxpool", {"kernel": 2, "stride": (1, 2), **FLOOR}, "CHW"),
    ("avgpool", {"kernel": 2, "stride": (1, 2), "round": Word("ceil")}, "CHW"),
    ("maxpool", {"kernel": 2, "stride": (2, 1), "pad": Word("same")}, "CW"),
    ("globalavgpool", {}, "CHW"),
    ("globalmaxpool", {}, "CHW"),
    ("adaptiveavgpool", {"size": 2}, "CHW"),
    ("adaptivemaxpool", {"size": 2}, "CHW"),
    ("fc", {"features": 3, **CHANNELS}, "HW"),
    ("fc", {"features": 3, "axis": Word("last")}, "CH"),
    ("batchnorm", {}, "HW"),
    ("instancenorm", {}, "CHW"),
    ("instancenorm", {"affine": True}, "HW"),
    ("groupnorm", {"groups": 2}, "HW"),
    ("layernorm", {}, "HW"),
    ("layernorm", {"axis": Word("last")}, "CH"),
    ("layernorm", {"affine": False}, "CHW"),
    ("l2norm", {}, "HW"),
    ("lrn", {"size": 3}, "CHW"),
    ("scale", {}, "HW"),
    ("prelu", {}, "HW"),
    ("prelu", {"shared": True}, "CHW"),
    ("relu", {}, "CHW"),
    ("softmax", {}, "CHW"),
    ("logsoftmax", HEIGHT, "CHW"),
    ("dropout", {"spatial": True}, "CHW"),
    ("dropout", {"mode": Word("path")}, "CHW"),
    ("flatten", {}, "CHW"),
    ("reshape", {"shape": (-1,)}, ""),
    ("permute", {"order": (2, 0, 1)}, "CHW"),
    ("select", {"channels": (1, 0)}, "HW"),
    ("channelshuffle", {"groups": 2}, "HW"),
    ("slice", {**CHANNELS, "start": 1, "stop": 3}, "HW"),
    ("slice", {**HEIGHT, "start": 0, "stop": 3}, "CW"),
    ("slice", {**WIDTH, "start": 2, "stop": 5}, "CH"),
    ("reduce", {"how": Word("max"), **CHANNELS}, "CHW"),
    ("reduce", {"how": Word("sum"), **WIDTH}, "CHW"),
    ("pad", {"amount": ((1, 0), (2, 1))}, "CHW"),
    ("identity", {}, "CHW"),
)


def types(free: tuple[bool, ...], more: int) -> TensorType:
    """A map of 4 by 9 by 14 whose free extents are `more` larger."""
    return TensorType(tuple(n + more * f for n, f in zip((4, 9, 14), free, strict=True)), free)


@pytest.mark.parametrize(("layer", "arguments", "takes"), ROWS, ids=lambda v: str(v))
def test_a_layer_takes_these_extents_free_and_says_what_becomes_of_them(
    layer: str, arguments: dict[str, Any], takes: str
) -> None:
    for free in product((False, True), repeat=3):
        x, larger = types(free, 0), types(free, 12)
        allowed = all(letter in takes for letter, f in zip("CHW", free, strict=True) if f)
        try:
            (y,) = OPS[layer].apply_to([x], **arguments).infer([x])
        except Fault as fault:
            assert (fault.code, allowed) == ("E309", False), fault.message
            continue
        assert allowed, free
        (z,) = OPS[layer].apply_to([larger], **arguments).infer([larger])
        assert y.free == z.free == tuple(a != b for a, b in zip(y.shape, z.shape, strict=True))
        assert y.rows == x.rows


# layer, shapes of the inputs (None: what is not free), arguments
JOINS: tuple[tuple[str, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]], ...] = (
    # shapes, and the axes of each that are free
    ("add", ((4, 9, 14), (4, 9, 14)), ((1, 2), (1, 2))),
    ("add", ((4, 2, 14), (4, 2, 14)), ((1,), (1,))),
    ("multiply", ((4, 9, 14), (4, 1, 1)), ((1, 2), ())),
    ("multiply", ((4, 1, 1), (4, 9, 14)), ((), (2,))),
    ("maximum", ((4, 9, 14), (4, 9, 14)), ((1,), (1,))),
    ("average", ((4, 9, 14), (4, 9, 14)), ((2,), (2,))),
    ("concat", ((4, 9, 14), (3, 9, 14)), ((1, 2), (1, 2))),
    ("concat", ((4, 9, 14), (4, 9, 14)), ((0,), ())),
    ("concat", ((4, 9, 14), (4, 9, 14)), ((), (0,))),
)


@pytest.mark.parametrize(("layer", "shapes", "free"), JOINS)
def test_what_is_free_in_a_join_is_free_in_its_result(
    layer: str, shapes: tuple[tuple[int, ...], ...], free: tuple[tuple[int, ...], ...]
) -> None:
    def inputs(more: int) -> list[TensorType]:
        return [
            TensorType(
                tuple(n + more * (axis in axes) for axis, n in enumerate(shape)),
                tuple(axis in axes for axis in range(len(shape))),
            )
            for shape, axes in zip(shapes, free, strict=True)
        ]

    results = []
    for more in (0, 5):
        given = inputs(more)
        (y,) = OPS[layer].apply_to(given).infer(given)
        results.append(y)
    y, z = results
    assert y.free == z.free == tuple(a != b for a, b in zip(y.shape, z.shape, strict=True))


@pytest.mark.parametrize("name", ["adaptiveavgpool", "adaptivemaxpool"])
def test_a_pool_to_the_size_of_another_is_as_free_as_that(name: str) -> None:
    for free in ((False, False, True), (False, True, True), (True, True, False)):
        inputs = [types((False, True, True), 0), types(free, 0)]
        (y,) = OPS[name].apply_to(inputs, like=Position(1)).infer(inputs)
        assert y.free == (False, *free[1:])
