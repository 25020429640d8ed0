"""IDX files, as MNIST comes in: a magic number, the extents, and the bytes; perhaps gzipped.

The format is LeCun's: two zero bytes, a byte for the type (8 for unsigned bytes), a byte for the number of
extents, then each extent as four bytes, the most significant first.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnnc.data.base import ArrayImages, DataError, Dataset, Labels, Split, stratified, wrong
from cnnc.reading import open_regular
from compiler.initial import check_memory
from spec_lang.limits import DEFAULT_LIMITS, Limits

#: Below this many bytes nothing is called a bomb: sorted labels compress a thousandfold.
HARMLESS = 1 << 20
_FILE = re.compile(r"(?:.*[-_.])?(train|t10k|test)[-_.](images|labels)[-_.]idx([13])(?:[-_.]ubyte)?(?:\.gz)?")


def files(folder: Path) -> dict[tuple[str, str], Path]:
    """The IDX files of a folder by part (`train`, `test`) and content (`images`, `labels`)."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match is not None:
            part = "train" if match[1] == "train" else "test"
            # Unpacked files come first in sorted order, and win over packed ones beside them.
            found.setdefault((part, match[2]), path)
    return found


def load(folder: Path, seed: int = 0, limits: Limits = DEFAULT_LIMITS) -> Dataset:
    """A folder with `train-images-idx3-ubyte` and its companions, each perhaps with `.gz`.

    Without the `t10k` files a stratified fifth is held out by the seed.  Raises `DataError`
    E701 and E708, E453.
    """
    found = files(folder)
    train = _part(folder, found, "train", limits)
    if ("test", "images") in found or ("test", "labels") in found:
        test = _part(folder, found, "test", limits)
        if train.images.size != test.images.size:
            raise wrong("E701", f"training images are {_size(train)}, test images {_size(test)}", str(folder))
    else:
        train, test = stratified(train.images, train.labels, seed)
    count = int(max(train.labels.max(), test.labels.max())) + 1
    return Dataset(folder.name, train, test, tuple(str(label) for label in range(count)), named=False,
                   files=tuple(found.values()))


def _size(split: Split) -> str:
    assert split.images.size is not None
    return "x".join(map(str, split.images.size))


def _part(folder: Path, found: dict[tuple[str, str], Path], part: str, limits: Limits) -> Split:
    for content, rank in (("images", 3), ("labels", 1)):
        if (part, content) not in found:
            name = f"{'train' if part == 'train' else 't10k'}-{content}-idx{rank}-ubyte"
            raise wrong("E701", f"the folder has no `{name}`", str(folder))
    pixels = read(found[part, "images"], 3, limits)
    labels: Labels = read(found[part, "labels"], 1, limits).astype(np.int64)
    if len(pixels) != len(labels):
        raise wrong("E708", f"{len(pixels):,} images and {len(labels):,} labels", str(found[part, "labels"]))
    if not pixels.size:
        raise wrong("E701", "there are no images, or images without a pixel", str(found[part, "images"]))
    return Split(ArrayImages(pixels[:, None]), labels)


def read(path: Path, rank: int, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file of this many extents.

    Raises `DataError` E701 for a file that is not what its header says, E452 and E453 for
    one that is too large.
    """
    shown = str(path)
    file, size = open_regular(path, limits.allocation_bytes, DataError, "E700")
    with file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return _read(file, size, size, rank, shown, limits)
        most = min(max(limits.decompression_ratio * size, HARMLESS), limits.decompressed_bytes)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(unpacked, None, most, rank, shown, limits)
        except (OSError, EOFError, zlib.error):
            raise wrong("E701", "the gzip archive is damaged or cut short", shown) from None


def _read(file: BufferedReader | BinaryIO | gzip.GzipFile, size: int | None, most: int, rank: int, shown: str,
          limits: Limits) -> NDArray[np.uint8]:
    """`size` is the file's where it is known; `most` is what may come out of it."""
    first = file.read(4)
    if len(first) < 4 or first[:2] != b"\0\0":
        raise wrong("E701", "not an IDX file: it does not begin with two zero bytes", f"{shown}:0")
    if first[2] != 8:
        raise wrong("E701", f"the IDX type is {first[2]}, and only 8 (unsigned bytes) is read", f"{shown}:2")
    if first[3] != rank:
        raise wrong("E701", f"the IDX file has {first[3]} extents, not {rank}", f"{shown}:3")
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise wrong("E701", "the IDX file ends within its header", f"{shown}:{4 + len(header)}")
    shape = tuple(int.from_bytes(header[4 * axis : 4 * axis + 4], "big") for axis in range(rank))
    count = math.prod(shape)
    start = 4 + 4 * rank
    extents = "x".join(map(str, shape))
    if size is not None and size - start != count:
        raise wrong("E701", f"the IDX header says {extents} = {count:,} bytes, and {size - start:,} follow",
                    f"{shown}:4")
    if count + start > most:
        raise wrong("E453", f"the archive would inflate to {count + start:,} bytes, beyond {most:,}", shown)
    check_memory(count, "the images", limits)
    data = file.read(count)
    if len(data) != count or file.read(1):
        held = f"{len(data):,}" if len(data) != count else "more"
        raise wrong("E701", f"the IDX header says {extents} = {count:,} bytes, and {held} follow",
                    f"{shown}:4")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
