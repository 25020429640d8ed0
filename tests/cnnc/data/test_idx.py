"""IDX files and folders of them."""

from __future__ import annotations

import gzip
import os
import struct

import numpy as np
import pytest

from cnnc.data import DataError, idx
from spec_lang.limits import Limits

RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 256, (60, 5, 7)).astype(np.uint8)
LABELS = (np.arange(60) % 4).astype(np.uint8)


def packed(array, kind=8):
    header = bytes([0, 0, kind, array.ndim]) + b"".join(struct.pack(">I", extent) for extent in array.shape)
    return header + array.tobytes()


def folder(path, *, suffix="", pack=lambda content: content, test=True, dots=False):
    def name(part, content, rank):
        return f"{part}-{content}{'.' if dots else '-'}idx{rank}-ubyte{suffix}"

    path.mkdir(exist_ok=True)
    for part, share in (("train", slice(0, 40)), ("t10k", slice(40, 60))):
        if part == "train" or test:
            (path / name(part, "images", 3)).write_bytes(pack(packed(IMAGES[share])))
            (path / name(part, "labels", 1)).write_bytes(pack(packed(LABELS[share])))
    return path


def code(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.place
    return diagnostic.code


@pytest.mark.parametrize("how", [
    {}, {"suffix": ".gz", "pack": gzip.compress}, {"dots": True}], ids=["plain", "gzipped", "dots"])
def test_a_folder_of_idx_files_is_read(tmp_path, how):
    data = idx.load(folder(tmp_path / "set", **how))
    assert data.name == "set" and data.classes == ("0", "1", "2", "3") and not data.named
    for split, share in ((data.train, slice(0, 40)), (data.test, slice(40, 60))):
        assert split.images.channels == 1 and split.images.size == (5, 7)
        assert np.array_equal(np.stack(split.images.take(range(len(split)))), IMAGES[share, None])
        assert np.array_equal(split.labels, LABELS[share]) and split.labels.dtype == np.int64


def test_without_test_files_a_fifth_of_each_class_is_held_out_by_the_seed(tmp_path):
    path = folder(tmp_path / "set", test=False)
    first, again, other = (idx.load(path, seed) for seed in (0, 0, 1))
    assert np.bincount(first.test.labels).tolist() == [2, 2, 2, 2] and len(first.train) == 32
    taken = [np.stack(d.test.images.take(range(8))) for d in (first, again, other)]
    assert np.array_equal(taken[0], taken[1]) and not np.array_equal(taken[0], taken[2])


def broken_image(change):
    good = bytearray(packed(IMAGES))
    change(good)
    return bytes(good)


def patched(at, *values):
    def change(content):
        content[at : at + len(values)] = bytes(values)
    return broken_image(change)


@pytest.mark.parametrize(("content", "wanted"), [
    (b"", "E701"), (b"\0\0", "E701"), (packed(IMAGES)[:10], "E701"),
    (patched(0, 1), "E701"), (patched(2, 13), "E701"), (patched(3, 1), "E701"), (patched(3, 255), "E701"),
    (patched(7, 61), "E701"), (patched(7, 59), "E701"), (patched(4, 255, 255, 255, 255), "E701"),
    (packed(IMAGES)[:-1], "E701"), (packed(IMAGES) + b"x", "E701"),
    (packed(IMAGES.astype(np.int32), kind=12), "E701"),
])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_is_not_what_its_header_says_is_refused(tmp_path, content, wanted, zipped):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(content) if zipped else content)
    if zipped and content == patched(4, 255, 255, 255, 255):
        wanted = "E453"  # the header of an archive is a promise of what would come out
    assert code(idx.read, path, 3) == wanted


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip after all"])
def test_a_damaged_archive_is_refused(tmp_path, damage):
    good = bytearray(gzip.compress(packed(IMAGES)))
    if damage == "cut":
        good = good[: len(good) // 2]
    elif damage == "flipped":
        good[-6] ^= 1  # the checksum
    else:
        good = bytearray(b"\x1f\x8b") + packed(IMAGES)
    path = tmp_path / "x"
    path.write_bytes(good)
    assert code(idx.read, path, 3) == "E701"


def test_an_archive_that_inflates_a_thousandfold_is_refused(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(packed(np.zeros((3000, 100, 100), np.uint8))))
    assert code(idx.read, path, 3) == "E453"


def test_sorted_labels_compress_well_and_are_read(tmp_path):
    path = tmp_path / "x"
    labels = np.repeat(np.arange(10, dtype=np.uint8), 6000)
    path.write_bytes(gzip.compress(packed(labels)))
    assert path.stat().st_size * 100 < 60_000
    assert np.array_equal(idx.read(path, 1), labels)


@pytest.mark.parametrize("over", [0, 1])
def test_the_absolute_limit_of_what_comes_out_holds(tmp_path, over):
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(packed(IMAGES)))
    limits = Limits(decompressed_bytes=len(packed(IMAGES)) - over)
    if over:
        assert code(idx.read, path, 3, limits) == "E453"
    else:
        assert idx.read(path, 3, limits).shape == IMAGES.shape


def test_images_and_labels_that_differ_in_number_are_refused(tmp_path):
    path = folder(tmp_path / "set")
    (path / "train-labels-idx1-ubyte").write_bytes(packed(LABELS[:39]))
    assert code(idx.load, path) == "E708"


@pytest.mark.parametrize(
    "gone",
    [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
    ],
)
def test_a_folder_that_lacks_a_companion_is_refused(tmp_path, gone):
    path = folder(tmp_path / "set")
    (path / gone).unlink()
    assert code(idx.load, path) == "E701"


def test_test_images_of_another_size_are_refused(tmp_path):
    path = folder(tmp_path / "set")
    (path / "t10k-images-idx3-ubyte").write_bytes(packed(IMAGES[40:, :, :6]))
    assert code(idx.load, path) == "E701"


def test_an_empty_file_of_images_is_refused(tmp_path):
    path = folder(tmp_path / "set")
    (path / "train-images-idx3-ubyte").write_bytes(packed(IMAGES[:0]))
    (path / "train-labels-idx1-ubyte").write_bytes(packed(LABELS[:0]))
    assert code(idx.load, path) == "E701"


def test_a_fifo_in_place_of_a_file_is_refused_and_does_not_block(tmp_path):
    path = folder(tmp_path / "set")
    (path / "train-images-idx3-ubyte").unlink()
    os.mkfifo(path / "train-images-idx3-ubyte")
    assert code(idx.load, path) == "E700"
