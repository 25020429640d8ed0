"""The steps in front of an exported graph give what `cnnc.preprocess` gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from backends.onnx.emit.preprocess import STEPS
from backends.onnx.model import build
from backends.onnx.runnable import run, session
from cnnc.preprocess import apply
from compiler.declare import Given, Word
from compiler.graph import Graph, GraphBuilder
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.preprocess import PREPROCESS, Step, bind_step


def step(name: str, *values: Any, **named: Any) -> Step:
    words = {k: Word(v) if isinstance(v, str) else v for k, v in named.items()}
    return bind_step(name, [*(Given(None, v) for v in values), *(Given(k, v) for k, v in words.items())])


def model(shape: tuple[int, ...], *steps: Step, free: bool = False) -> Graph:
    builder = GraphBuilder("m")
    x = builder.input("image", TensorType(shape, (False, free, free)), free={"H": 1, "W": 2} if free else {})
    (y,) = builder.apply(OPS["multiply"], [x], path="half", constant=0.5)
    return replace(builder.build({"out": y}), preprocess=steps)


NORMALIZE = step("normalize", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

CASES = {
    "shrunk": ((3, 32, 28), (step("resize", (32, 28)),), (67, 72), (40, 28)),
    "enlarged": ((3, 32, 28), (step("resize", (32, 28)),), (16, 20), (31, 27)),
    "shrunk one way and enlarged the other": ((1, 32, 28), (step("resize", (32, 28)),), (64, 16), (16, 64)),
    "nearest": ((3, 32, 28), (step("resize", (32, 28), mode="nearest"),), (67, 72), (16, 20)),
    "the usual chain": ((3, 28, 27), (step("resize", 32), step("centercrop", (28, 27)),
                                      step("rescale", 1 / 255), NORMALIZE), (67, 72), (33, 29)),
    "a crop of images of any size": ((3, 10, 21), (step("centercrop", (10, 21)),), (37, 61), (10, 22)),
    "grey, from colour": ((1, 32, 32), (step("grayscale"), step("resize", 32),
                                        step("normalize", mean=0.1307, std=0.3081)), (28, 28), (50, 41)),
    "blue first": ((3, 9, 14), (step("bgr"), step("normalize", mean=(104, 117, 123), std=1.0)),
                   (9, 14), (9, 14)),
}


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_makes_of_pixels_what_numpy_makes(name: str) -> None:
    shape, steps, *sizes = CASES[name]
    graph = model(shape, *steps)
    content = build(graph, {}, preprocess=True).content()
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    loaded = session(content)
    (pixels,) = loaded.get_inputs()
    assert (pixels.name, pixels.type) == ("image", "tensor(uint8)")
    rng = np.random.default_rng(3)
    channels = 3 if shape[0] == 3 or "colour" in name else 1
    for batch, size in zip((2, 1), sizes, strict=True):
        images = rng.integers(0, 256, (batch, channels, *size), np.uint8)
        expected = 0.5 * apply(graph, images, "float64")
        got = run(loaded, {"image": images})["out"]
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 1e-5 * max(np.abs(expected).max(), 255 / 2 / 0.229 / 255)


def test_free_extents_stay_free_behind_steps_that_set_none() -> None:
    graph = model((3, 9, 14), step("rescale", 0.5), free=True)
    loaded = session(build(graph, {}, preprocess=True).content())
    assert loaded.get_inputs()[0].shape == ["batch", 3, "H", "W"]
    images = np.full((1, 3, 4, 5), 8, np.uint8)
    assert np.array_equal(run(loaded, {"image": images})["out"], np.full((1, 3, 4, 5), 2.0))


def test_every_declared_step_has_an_emitter() -> None:
    assert set(STEPS) == set(PREPROCESS.values())
