"""What every data set is, whatever format it comes in: labelled 8-bit images, in two splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.sampling import Stream
from spec_lang.diagnostics import Diagnostic, Error

Image = NDArray[np.uint8]
Labels = NDArray[np.int64]

#: The share of the images that is held out where a data set does not come in two parts.
HELD_OUT = 0.2


class DataError(Error):
    """Data that cannot be read, or that does not fit the model (E7)."""


def wrong(code: str, message: str, place: str = "", *, notes: Sequence[str] = (),
          help: Sequence[str] = ()) -> DataError:
    """The exception with one diagnostic."""
    return DataError(Diagnostic(code, message, place=place, notes=tuple(notes), help=tuple(help)))


class Images(ABC):
    """Images by position: uint8, channels first, RGB or grey.

    `size` is (height, width) where all have the same, else None.
    """

    channels: int
    size: tuple[int, int] | None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> list[Image]:
        """The images (C, H, W) at these positions."""


class ArrayImages(Images):
    """Images in memory: (N, C, H, W)."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.channels = pixels.shape[1]
        self.size = (pixels.shape[2], pixels.shape[3])

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> list[Image]:
        return list(self.pixels[np.asarray(positions, dtype=np.int64)])


class Chosen(Images):
    """Some of the images of another collection."""

    def __init__(self, images: Images, positions: NDArray[np.int64]) -> None:
        self.images, self.positions = images, positions
        self.channels, self.size = images.channels, images.size

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> list[Image]:
        return self.images.take(self.positions[np.asarray(positions, dtype=np.int64)])


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels, which are positions in the data set's `classes`."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set.

    `classes` are the names of the classes, in the order of the labels; `named` says whether they
    are names, or only the numbers that the labels are; `files` are those that it is read from.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    named: bool = True
    notes: tuple[str, ...] = field(default=())
    files: tuple[Path, ...] = ()


def stratified(images: Images, labels: Labels, seed: int) -> tuple[Split, Split]:
    """Two splits in which the classes have the same shares: train, and the held-out fifth.

    Of every class the same share is held out, rounded, but never all of it; which images, the seed says.
    Raises `DataError` E702 where nothing can be held out.
    """
    if not len(labels) or np.bincount(labels).max() < 2:
        raise wrong("E702", "there are too few images to hold some out: a class needs at least two")
    held: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(round(len(members) * HELD_OUT), 1), len(members) - 1)
        order = Stream(seed, f"split/{label}").permutation(len(members))
        held.append(members[order[:count]])
    test = np.sort(np.concatenate(held))
    train = np.setdiff1d(np.arange(len(labels), dtype=np.int64), test)
    return tuple(Split(Chosen(images, p), labels[p]) for p in (train, test))  # type: ignore[return-value]
