"""The steps of `preprocess` in NumPy: images in, what the model takes out.

Images are `(N, C, H, W)` with values from 0 to 255, as files hold them, uint8 or float, RGB or
grey.  This is the reference for the same steps in front of an exported ONNX graph.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendError
from compiler.graph import Graph
from compiler.preprocess import (
    GREY,
    Bgr,
    CenterCrop,
    Grayscale,
    Normalize,
    Rescale,
    Resize,
    Step,
    image_input,
    source_channels,
)
from spec_lang.diagnostics import Diagnostic

Array = NDArray[np.floating[Any]]


def apply(graph: Graph, images: NDArray[Any], dtype: str = "float32") -> Array:
    """What the model's image input takes, for images as they are in files.

    Args:
        graph: the model; without steps the images come back as floats.
        images: (N, C, H, W), 0 to 255, with the channels that the first step wants (3 before
            `grayscale`, else the model's), all of one size.

    Raises `BackendError` E606 where the images, or what the steps make of them, do not fit the model.
    """
    name, value = image_input(graph)
    wanted = source_channels(graph.preprocess, value.shape[0])
    is_images = images.ndim == 4 and 0 not in images.shape[2:] and images.dtype.kind in "fiu"
    if not is_images or images.shape[1] != wanted:
        raise _misfit(f"`{name}` takes images (N, {wanted}, H, W), not {images.shape} of {images.dtype}")
    made: Array = images.astype(dtype)
    for step in graph.preprocess:
        made = STEPS[type(step)](step, made)
    fits = all(have == want or free for have, want, free in
               zip(made.shape[1:], value.shape, value.type.free, strict=True))
    if not fits:
        raise _misfit(f"pre-processing makes {made.shape[1:]} of an image {images.shape[1:]}, "
                      f"and `{name}` is {value.type}", "`resize` in `preprocess` brings images to one size")
    return np.ascontiguousarray(made)


@lru_cache(maxsize=64)
def bilinear_weights(size: int, out: int) -> NDArray[np.float64]:
    """The matrix (out, size) of an antialiased bilinear resize of one axis; every row sums to 1.

    Output i lies at c = (i + 1/2) * size / out of the input; pixel j at j + 1/2 weighs
    max(0, 1 - |j + 1/2 - c| / s) with s = max(1, size / out), as in Pillow and in PyTorch
    with `antialias=True`.
    """
    scale = size / out
    support = max(1.0, scale)
    centres = (np.arange(out) + 0.5) * scale
    distances = np.abs(np.arange(size) + 0.5 - centres[:, None])
    weights = np.maximum(0.0, 1.0 - distances / support)
    normalised: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    normalised.flags.writeable = False
    return normalised


def _resize(step: Step, images: Array) -> Array:
    assert isinstance(step, Resize)
    for axis, out in zip((2, 3), step.size, strict=True):
        size = images.shape[axis]
        if size == out:
            continue
        if step.mode == "nearest":
            images = np.take(images, np.arange(out) * size // out, axis=axis)
        else:
            matrix = bilinear_weights(size, out).astype(images.dtype)
            images = np.moveaxis(np.moveaxis(images, axis, -1) @ matrix.T, -1, axis)
    return images


def _centercrop(step: Step, images: Array) -> Array:
    assert isinstance(step, CenterCrop)
    (height, width), (new_height, new_width) = images.shape[2:], step.size
    if new_height > height or new_width > width:
        raise _misfit(f"an image of {height}x{width} is smaller than `centercrop({new_height}x{new_width})`",
                      "`resize` before `centercrop`")
    top, left = (height - new_height) // 2, (width - new_width) // 2
    return images[:, :, top : top + new_height, left : left + new_width]


def _rescale(step: Step, images: Array) -> Array:
    assert isinstance(step, Rescale)
    return images * images.dtype.type(step.factor)


def _normalize(step: Step, images: Array) -> Array:
    assert isinstance(step, Normalize)
    mean, std = (np.asarray(values, images.dtype).reshape(-1, 1, 1) for values in (step.mean, step.std))
    return (images - mean) / std


def _grayscale(step: Step, images: Array) -> Array:
    weights = np.asarray(GREY, images.dtype).reshape(-1, 1, 1)
    grey: Array = (images * weights).sum(axis=1, keepdims=True)
    return grey


def _bgr(step: Step, images: Array) -> Array:
    return images[:, ::-1]


STEPS: dict[type[Step], Callable[[Step, Array], Array]] = {
    Resize: _resize,
    CenterCrop: _centercrop,
    Rescale: _rescale,
    Normalize: _normalize,
    Grayscale: _grayscale,
    Bgr: _bgr,
}


def _misfit(message: str, help: str = "") -> BackendError:
    return BackendError(Diagnostic("E606", message, help=(help,) if help else ()))
