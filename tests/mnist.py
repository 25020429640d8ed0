"""Where MNIST is, and a small folder of its kind for the tests that are to be short."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from cnnc.data import idx
from cnnc.data.base import Images
from cnnc.data.digits import load as digits

#: Images for training and for testing in a slice.
SLICE = (256, 64)


def mnist() -> Path | None:
    """The folder of its four files, None where there is none."""
    given = os.environ.get("CNNC_MNIST")
    beside = Path(__file__).parents[1].parent / "shared" / "data" / "mnist"
    return Path(given) if given else beside if beside.is_dir() else None


def mnist_slice(folder: Path) -> None:
    """Make a folder with the first images of MNIST; without it, of the bundled digits, enlarged to 28x28."""
    folder.mkdir()
    there = mnist()
    data = idx.load(there) if there is not None else digits()
    for part, split, count in zip(("train", "t10k"), (data.train, data.test), SLICE, strict=True):
        pixels = enlarged(split.images, count)
        labels = np.asarray(split.labels[:count], np.uint8)
        for content, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{part}-{content}-ubyte").write_bytes(header + array.tobytes())


def enlarged(images: Images, count: int) -> np.ndarray:
    """The first images as uint8 (N, 28, 28)."""
    pixels = np.stack(images.take(range(count)))[:, 0]
    times = 28 // pixels.shape[1]
    pixels = pixels.repeat(times, 1).repeat(times, 2)
    left = (28 - pixels.shape[1]) // 2
    return np.pad(pixels, ((0, 0), (left, left), (left, left)))
