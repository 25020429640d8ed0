"""Folders of images, a class per sub-folder: `cats/001.jpg`, or `train/cats/001.jpg` and `test/cats/...`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnc.data.base import DataError, Dataset, Image, Images, Split, stratified, wrong
from cnnc.reading import open_regular
from spec_lang.limits import DEFAULT_LIMITS, Limits

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
#: Pillow's readers for them, and no other (some start programs).
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
TEST_FOLDERS = ("test", "val", "valid", "validation")
#: Bytes of an image file.
MAX_FILE = 1 << 30


class FileImages(Images):
    """Images in files, read when they are asked for."""

    def __init__(self, paths: Sequence[Path], channels: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self.paths = tuple(paths)
        self.channels = channels
        self.size = None
        self.limits = limits

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> list[Image]:
        return [read_image(self.paths[int(position)], self.channels, self.limits) for position in positions]


def load(folder: Path, channels: int, seed: int = 0, limits: Limits = DEFAULT_LIMITS) -> Dataset:
    """A folder of images, as grey (1 channel) or RGB (3).

    With `train/` and one of `test/`, `val/`, `valid/`, `validation/` these are the splits;
    otherwise a stratified fifth is held out by the seed.  Classes are sorted by name.

    Raises `DataError` E702.
    """
    if (folder / "train").is_dir():
        held = [name for name in TEST_FOLDERS if (folder / name).is_dir()]
        classes, paths, labels = _classes(folder / "train")
        if held:
            names, test_paths, test_labels = _classes(folder / held[0])
            unknown = [name for name in names if name not in classes]
            if unknown:
                raise wrong("E702", f"class `{unknown[0]}` is in `{held[0]}` and not in `train`", str(folder))
            mapped = np.array([classes.index(name) for name in names], dtype=np.int64)[test_labels]
            return Dataset(folder.name, Split(FileImages(paths, channels, limits), labels),
                           Split(FileImages(test_paths, channels, limits), mapped), classes,
                           files=(*paths, *test_paths))
    else:
        classes, paths, labels = _classes(folder)
    train, test = stratified(FileImages(paths, channels, limits), labels, seed)
    return Dataset(folder.name, train, test, classes, files=tuple(paths))


def _classes(folder: Path) -> tuple[tuple[str, ...], list[Path], NDArray[np.int64]]:
    """Class names, files, and each file's class."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise wrong("E702", "the folder has no sub-folders, and each class needs one", str(folder),
                    help=(f"{folder.name}/cats/001.jpg", f"{folder.name}/train/cats/001.jpg"))
    for name in names:
        if not name.isprintable() and any("\ud800" <= c <= "\udfff" for c in name):
            raise wrong("E702", f"the name of class `{name}` is not UTF-8", str(folder / name))
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        members = sorted(
            path for path in (folder / name).rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file())
        if not members:
            raise wrong("E702", f"class `{name}` has no images", str(folder / name),
                        notes=(f"images end in {', '.join(SUFFIXES)}",))
        paths += members
        labels += [label] * len(members)
    return tuple(names), paths, np.array(labels, dtype=np.int64)


def read_image(path: str | Path, channels: int, limits: Limits = DEFAULT_LIMITS) -> Image:
    """One image file as (C, H, W), grey or RGB; more bits than 8 are cut to the upper 8.

    Raises `DataError`: E700 no readable file, E454 more pixels than the limit, E707 no image.
    """
    try:
        from PIL import Image as pillow
    except ImportError:
        raise wrong("E709", "Pillow is needed to read images, and is not installed",
                    help=('pip install "cnnc[train]"',)) from None
    shown = str(path)
    file, _ = open_regular(path, MAX_FILE, DataError, "E700")
    try:
        with file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pillow.open(file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > limits.image_pixels:
                    raise _too_large(width * height, shown, limits)
                pixels = _pixels(image, channels)
    except DataError:
        raise
    except pillow.DecompressionBombError:
        raise _too_large(None, shown, limits) from None
    except Exception:
        # Pillow's readers complain in as many types as there are formats.
        raise wrong("E707", "not an image that can be read, or a damaged one", shown) from None
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _too_large(pixels: int | None, shown: str, limits: Limits) -> DataError:
    count = f"{pixels:,}" if pixels is not None else "far too many"
    return wrong("E454", f"the image has {count} pixels, and the limit is {limits.image_pixels:,}", shown)


def _pixels(image: Any, channels: int) -> NDArray[np.uint8]:
    from PIL import Image as pillow

    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would clip at 255
        image = pillow.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels")
    return np.array(image.convert("L" if channels == 1 else "RGB"), dtype=np.uint8)
