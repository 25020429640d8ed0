"""The steps of `preprocess` in NumPy, against Pillow and PyTorch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from backends.base import BackendError
from cnnc.preprocess import STEPS, apply
from compiler.declare import Fault, Given, Word
from compiler.graph import Graph, GraphBuilder
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.preprocess import PREPROCESS, Step, bind_step, fault_in

RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (2, 3, 37, 61)).astype(np.uint8)


def step(name: str, *values: Any, **named: Any) -> Step:
    words = {k: Word(v) if isinstance(v, str) else v for k, v in named.items()}
    return bind_step(name, [*(Given(None, v) for v in values), *(Given(k, v) for k, v in words.items())])


def model(shape: tuple[int, ...], *steps: Step, free: bool = False) -> Graph:
    builder = GraphBuilder("m")
    kind = TensorType(shape, (False, free, free))
    x = builder.input("image", kind, free={"H": 1, "W": 2} if free else {})
    (y,) = builder.apply(OPS["relu"], [x], path="relu1")
    return replace(builder.build({"out": y}), preprocess=steps)


@pytest.mark.parametrize("size", [(8, 8), (20, 91), (37, 61), (50, 13), (1, 1), (224, 224), (36, 60)])
def test_bilinear_is_that_of_pillow_and_of_pytorch_with_antialias(size: tuple[int, int]) -> None:
    made = apply(model((3, *size), step("resize", size)), PIXELS, "float64")
    torch_made = F.interpolate(torch.from_numpy(PIXELS.astype(np.float64)), size=size, mode="bilinear",
                               antialias=True, align_corners=False).numpy()
    assert np.abs(made - torch_made).max() < 1e-10
    for plane, expected in zip(made.reshape(-1, *size), PIXELS.reshape(-1, 37, 61), strict=True):
        image = Image.fromarray(expected.astype(np.float32))
        pillow = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
        assert np.abs(plane - pillow).max() < 1e-4


@pytest.mark.parametrize("size", [(8, 8), (20, 91), (50, 13), (1, 1), (74, 122)])
def test_nearest_is_that_of_pytorch(size: tuple[int, int]) -> None:
    made = apply(model((3, *size), step("resize", size, mode="nearest")), PIXELS)
    expected = F.interpolate(torch.from_numpy(PIXELS.astype(np.float32)), size=size, mode="nearest").numpy()
    assert np.array_equal(made, expected)


def test_one_number_resizes_to_a_square() -> None:
    assert step("resize", 9) == step("resize", (9, 9))


def test_the_whole_chain_by_hand() -> None:
    steps = (step("centercrop", (10, 21)), step("bgr"), step("rescale", 1 / 255),
             step("normalize", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)))
    made = apply(model((3, 10, 21), *steps), PIXELS, "float64")
    cut = PIXELS[:, :, 13:23, 20:41] / 255  # of margins of 27 and 40, the odd one at the end
    expected = np.stack([(cut[:, 2] - 0.4) / 0.2, (cut[:, 1] - 0.5) / 0.3, (cut[:, 0] - 0.6) / 0.4], 1)
    assert np.abs(made - expected).max() < 1e-12


def test_grayscale_is_the_l_mode_of_pillow() -> None:
    made = apply(model((1, 37, 61), step("grayscale")), PIXELS)
    pillow = np.asarray(Image.fromarray(np.moveaxis(PIXELS[0], 0, -1)).convert("L"))
    assert np.abs(made[0, 0] - pillow).max() <= 0.51  # Pillow rounds


def test_one_mean_serves_all_channels() -> None:
    made = apply(model((3, 37, 61), step("normalize", mean=2.0, std=4.0)), PIXELS, "float64")
    assert np.array_equal(made, (PIXELS - 2.0) / 4.0)


def test_free_extents_take_any_size() -> None:
    assert apply(model((3, 10, 10), step("rescale", 0.5), free=True), PIXELS).shape == (2, 3, 37, 61)


def test_without_steps_pixels_become_floats() -> None:
    made = apply(model((3, 37, 61)), PIXELS)
    assert made.dtype == np.float32
    assert np.array_equal(made, PIXELS)


@pytest.mark.parametrize(("steps", "shape", "images"), [
    ((step("resize", 8),), (3, 8, 8), PIXELS[0]),
    ((step("resize", 8),), (3, 8, 8), PIXELS[:, :1]),
    ((step("grayscale"),), (1, 37, 61), PIXELS[:, :1]),
    ((step("rescale", 0.1),), (3, 8, 8), PIXELS),
    ((step("centercrop", 40),), (3, 40, 40), PIXELS),
    ((step("resize", 8),), (3, 8, 8), PIXELS[:, :, :0]),
    ((step("resize", 8),), (3, 8, 8), PIXELS.astype("U3")),
])
def test_images_that_do_not_fit_are_refused(steps: tuple[Step, ...], shape: tuple[int, ...],
                                            images: np.ndarray) -> None:
    with pytest.raises(BackendError) as caught:
        apply(model(shape, *steps), images)
    assert caught.value.diagnostics[0].code == "E606"


@pytest.mark.parametrize(("steps", "shape", "position", "code"), [
    ((step("resize", 8),), (3, 8, 9), 0, "E382"),
    ((step("resize", 8), step("rescale", 1.0)), (3, 9, 9), 1, "E382"),
    ((step("resize", 8),), (64,), 0, "E382"),
    ((step("resize", 8), step("centercrop", 9)), (3, 9, 9), 1, "E381"),
    ((step("rescale", 1.0), step("normalize", mean=(1, 2), std=1)), (3, 9, 9), 1, "E381"),
    ((step("normalize", mean=(1, 2, 3), std=(1, 2)),), (3, 9, 9), 0, "E381"),
    ((step("bgr"),), (1, 9, 9), 0, "E381"),
    ((step("grayscale"), step("grayscale")), (1, 9, 9), 1, "E381"),
    ((step("grayscale"),), (3, 9, 9), 0, "E382"),
    ((step("grayscale"), step("bgr")), (3, 9, 9), 1, "E381"),
])
def test_steps_that_cannot_work_are_found_at_their_place(steps: tuple[Step, ...], shape: tuple[int, ...],
                                                         position: int, code: str) -> None:
    found = fault_in(steps, shape)
    assert found is not None
    assert (found[0], found[1].code) == (position, code)


@pytest.mark.parametrize(("steps", "shape"), [
    ((step("resize", (8, 9)),), (3, 8, 9)),
    ((step("rescale", 1.0),), (1, 8, 9)),
    ((step("grayscale"), step("resize", 8), step("normalize", mean=1.0, std=2.0)), (1, 8, 8)),
    ((), (64,)),
])
def test_steps_that_work_have_no_fault(steps: tuple[Step, ...], shape: tuple[int, ...]) -> None:
    assert fault_in(steps, shape) is None


@pytest.mark.parametrize(("name", "given", "code"), [
    ("rescal", (), "E380"),
    ("resize", (), "E311"),
    ("resize", (Given(None, 0),), "E312"),
    ("resize", (Given(None, 8), Given("mode", Word("cubic"))), "E312"),
    ("normalize", (Given("mean", 0.5), Given("std", 0.0)), "E312"),
    ("rescale", (Given("by", 2.0),), "E310"),
])
def test_a_step_with_wrong_arguments_is_refused(name: str, given: tuple[Given, ...], code: str) -> None:
    with pytest.raises(Fault) as caught:
        bind_step(name, given)
    assert caught.value.code == code


def test_every_declared_step_is_computed() -> None:
    assert set(STEPS) == set(PREPROCESS.values())
