"""Folders of images, and single images, with Pillow as the writer."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from cnnc.data import DataError, folders
from cnnc.data.folders import read_image
from spec_lang.limits import Limits

RNG = np.random.default_rng(5)
COLOUR = RNG.integers(0, 256, (9, 14, 3)).astype(np.uint8)


def picture(path, value=0, size=(9, 14)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def diagnostic(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    return caught.value.diagnostics[0]


def test_a_folder_per_class_is_split_by_the_seed_with_classes_in_order_of_name(tmp_path):
    for label, name in enumerate(["zebra", "ant", "cat"]):
        for number in range(10):
            picture(tmp_path / name / f"{number}.png", value=10 * label + number)
    data = folders.load(tmp_path, 3)
    assert data.classes == ("ant", "cat", "zebra") and data.named
    assert (len(data.train), len(data.test)) == (24, 6)
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]
    values = {
        int(i.flat[0]) for split in (data.train, data.test) for i in split.images.take(range(len(split)))
    }
    assert values == set(range(30))
    for image, label in zip(data.test.images.take(range(6)), data.test.labels, strict=True):
        assert int(image.flat[0]) // 10 == {0: 1, 1: 2, 2: 0}[int(label)]


@pytest.mark.parametrize("held", ["test", "val", "valid", "validation"])
def test_a_split_that_is_there_is_used(tmp_path, held):
    for part, name, value in [
        ("train", "a", 1),
        ("train", "b", 2),
        ("train", "c", 3),
        (held, "c", 4),
        (held, "a", 5),
    ]:
        picture(tmp_path / part / name / "x.png", value)
    data = folders.load(tmp_path, 3)
    assert data.train.labels.tolist() == [0, 1, 2]
    assert data.test.labels.tolist() == [0, 2]
    assert [int(i.flat[0]) for i in data.test.images.take([0, 1])] == [5, 4]


@pytest.mark.parametrize(("files", "says"), [
    ([], "no sub-folders"),
    (["x.png"], "no sub-folders"),
    (["a/readme.txt"], "no images"),
    (["a/1.png", "b/notes.txt"], "class `b` has no images"),
    (["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"], "class `c` is in `test`"),
    (["a/1.png", "b/1.png"], "too few"),
])
def test_a_folder_that_is_no_data_set_is_refused(tmp_path, files, says):
    for name in files:
        if name.endswith(".png"):
            picture(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("x")
    found = diagnostic(folders.load, tmp_path, 3)
    assert found.code == "E702" and says in found.message


def test_hidden_and_foreign_files_are_passed_by(tmp_path):
    for name in ("a/1.png", "a/2.PNG", "b/1.png", "b/2.png", "b/.hidden.png", ".git/x.png"):
        picture(tmp_path / "kept.png")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((tmp_path / "kept.png").read_bytes())
    data = folders.load(tmp_path, 3)
    assert data.classes == ("a", "b") and len(data.train) + len(data.test) == 4


@pytest.mark.parametrize("suffix", ["png", "bmp", "ppm", "tif", "webp"])
def test_an_image_is_read_in_every_lossless_format(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(COLOUR).save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(read_image(path, 3), COLOUR.transpose(2, 0, 1))
    grey = read_image(path, 1)
    assert grey.shape == (1, 9, 14) and np.array_equal(
        grey[0], np.asarray(Image.fromarray(COLOUR).convert("L"))
    )


def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path):
    path = tmp_path / "x.jpg"
    Image.fromarray(COLOUR).save(path)
    assert np.array_equal(read_image(path, 3), np.asarray(Image.open(path)).transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_grey_or_rgb(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    if mode == "I;16":
        Image.fromarray(COLOUR[:, :, 0].astype(np.uint16) * 257).save(path)
        assert np.array_equal(read_image(path, 1)[0], COLOUR[:, :, 0])
    else:
        Image.fromarray(COLOUR).convert(mode).save(path)
    assert read_image(path, 3).shape == (3, 9, 14) and read_image(path, 1).shape == (1, 9, 14)


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(30), b"%!PS-Adobe-3.0 EPSF-3.0\n"]
)
def test_a_file_that_is_no_image_is_refused_and_not_quoted(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    assert diagnostic(read_image, tmp_path / "x.png", 3).code == "E707"


def test_an_image_that_is_cut_short_is_refused(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(content[: len(content) // 2])
    assert diagnostic(read_image, tmp_path / "x.png", 3).code == "E707"


@pytest.mark.parametrize("over", [0, 1])
def test_an_image_at_the_limit_of_pixels_is_read_and_one_beyond_is_an_error(tmp_path, over):
    Image.fromarray(COLOUR).save(tmp_path / "x.png")
    limits = Limits(image_pixels=9 * 14 - over)
    if over:
        found = diagnostic(read_image, tmp_path / "x.png", 3, limits)
        assert found.code == "E454" and "126 pixels" in found.message
    else:
        assert read_image(tmp_path / "x.png", 3, limits).shape == (3, 9, 14)


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "x.bmp")
    content = bytearray((tmp_path / "x.bmp").read_bytes())
    content[18:26] = side.to_bytes(4, "little") * 2
    (tmp_path / "x.bmp").write_bytes(content)
    assert diagnostic(read_image, tmp_path / "x.bmp", 1).code == "E454"


@pytest.mark.parametrize("kind", ["nothing", "folder", "fifo"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "x.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    assert diagnostic(read_image, path, 3).code == "E700"
