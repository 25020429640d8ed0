"""The steps of `preprocess` in front of the graph: raw pixels in, 8-bit, `(N, C, H, W)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.onnx.emit.base import Emission
from compiler.graph import Graph
from compiler.preprocess import (
    GREY,
    Bgr,
    CenterCrop,
    Grayscale,
    ImageType,
    Normalize,
    Rescale,
    Resize,
    Step,
    image_input,
    trace,
)


class Front:
    """The steps so far: the tensor that they made."""

    def __init__(self, emission: Emission, pixels: str) -> None:
        self.emission = emission
        self.base = pixels
        self.tensor = self.add("Cast", pixels, to=1)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = self.emission.fresh(f"{self.base}/{operator}")
        return self.emission.add(operator, inputs, name, **attributes)

    def floats(self, *values: float) -> str:
        """One number, or one per channel."""
        shape = (-1, 1, 1) if len(values) > 1 else ()
        return self.emission.constant(np.array(values, np.float32).reshape(shape), f"{self.base}/numbers")

    def ints(self, *values: int) -> str:
        return self.emission.constant(np.array(values, np.int64), f"{self.base}/ints")


def emit_preprocess(emission: Emission) -> ImageType:
    """Write the steps behind the image input, which then takes pixels; gives the type of the images."""
    name, value = image_input(emission.graph)
    types = trace(emission.graph.preprocess, value.shape[0])
    front = Front(emission, name)
    for step, before in zip(emission.graph.preprocess, types, strict=False):
        front.tensor = STEPS[type(step)](front, step, before)
    emission.tensors[value] = front.tensor
    return pixels_type(emission.graph)


def pixels_type(graph: Graph) -> ImageType:
    """The images that the file takes: their extents are the model's where no step sets them."""
    value = image_input(graph)[1]
    first, *_, last = trace(graph.preprocess, value.shape[0])
    fixed = [None if last_extent is not None or is_free else extent for last_extent, is_free, extent in
             zip((last.height, last.width), value.type.free[1:], value.type.spatial, strict=True)]
    return ImageType(first.channels, *fixed)


def _resize(front: Front, step: Step, before: ImageType) -> str:
    assert isinstance(step, Resize)
    # exclude_outside: weights beyond the border are left out and the rest made to sum to 1, as in Pillow.
    how: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "antialias": 1,
                           "exclude_outside": 1}
    if step.mode == "nearest":
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return front.add("Resize", front.tensor, "", "", front.ints(*step.size), axes=[2, 3], **how)


def _centercrop(front: Front, step: Step, before: ImageType) -> str:
    """Slice; where the image's size is known only when it comes, the margin is computed then."""
    assert isinstance(step, CenterCrop)
    if before.height is not None and before.width is not None:
        begin = [(old - new) // 2 for old, new in zip((before.height, before.width), step.size, strict=True)]
        end = [b + new for b, new in zip(begin, step.size, strict=True)]
        return front.add("Slice", front.tensor, front.ints(*begin), front.ints(*end), front.ints(2, 3))
    size = front.ints(*step.size)
    old = front.add("Shape", front.tensor, start=2, end=4)
    start = front.add("Div", front.add("Sub", old, size), front.ints(2))
    return front.add("Slice", front.tensor, start, front.add("Add", start, size), front.ints(2, 3))


def _rescale(front: Front, step: Step, before: ImageType) -> str:
    assert isinstance(step, Rescale)
    return front.add("Mul", front.tensor, front.floats(step.factor))


def _normalize(front: Front, step: Step, before: ImageType) -> str:
    assert isinstance(step, Normalize)
    return front.add("Div", front.add("Sub", front.tensor, front.floats(*step.mean)), front.floats(*step.std))


def _grayscale(front: Front, step: Step, before: ImageType) -> str:
    parts = front.add("Mul", front.tensor, front.floats(*GREY))
    return front.add("ReduceSum", parts, front.ints(1), keepdims=1)


def _bgr(front: Front, step: Step, before: ImageType) -> str:
    return front.add("Gather", front.tensor, front.ints(2, 1, 0), axis=1)


STEPS: dict[type[Step], Callable[[Front, Step, ImageType], str]] = {
    Resize: _resize,
    CenterCrop: _centercrop,
    Rescale: _rescale,
    Normalize: _normalize,
    Grayscale: _grayscale,
    Bgr: _bgr,
}
