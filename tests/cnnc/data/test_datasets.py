"""Data sets by name or folder, whether they fit a model, and images as the model takes them."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from cnnc import preprocess
from cnnc.data import DataError, Prepared, digits, open_data, prepare
from compiler.load import load
from spec_lang.source import Source


def model(channels=1, size=8, classes=10, steps="", extra=""):
    section = f"preprocess {{ {steps} }}\n" if steps else ""
    return load(
        Source(
            "test.cnn",
            f"""model m(classes = {classes}) {{ input image: [{channels}, {size}, {size}]
    {section}{extra}flatten -> fc(classes)
}}""",
        )
    )


def diagnostic(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    return caught.value.diagnostics[0]


def test_the_digits_are_scikit_learns_as_8_bit_images_with_a_stratified_fifth_held_out():
    data, bundle = digits.load(0), load_digits()
    assert (len(data.train), len(data.test)) == (1438, 359)
    shares = np.bincount(data.test.labels) / np.bincount(bundle.target)
    assert abs(shares - 0.2).max() < 0.005
    images = np.stack(data.test.images.take(range(len(data.test))))
    assert images.shape == (359, 1, 8, 8) and images.dtype == np.uint8 and images.max() == 255
    # Every image is one of scikit-learn's, under its label, and none is in both parts.
    known = {array.astype(np.uint8).tobytes(): label
             for array, label in zip(np.rint(bundle.images * 255 / 16), bundle.target, strict=True)}
    assert all(known[i.tobytes()] == label for i, label in zip(images, data.test.labels, strict=True))
    train = {i.tobytes() for i in data.train.images.take(range(len(data.train)))}
    assert sum(i.tobytes() in train for i in images) <= 1797 - len(known)


def test_the_seed_chooses_what_is_held_out():
    one, same, other = digits.load(0), digits.load(0), digits.load(1)
    assert np.array_equal(one.test.images.take([0, 100])[1], same.test.images.take([0, 100])[1])
    assert not all(np.array_equal(a, b) for a, b in zip(
        one.test.images.take(range(50)), other.test.images.take(range(50)), strict=True))


@pytest.mark.parametrize(("name", "says"), [
    ("digts", "digits"), ("no/such/folder", "digits"), ("", "digits"), ("a\0b", "")])
def test_data_that_is_not_there_is_refused(name, says):
    found = diagnostic(open_data, name, model())
    assert found.code == "E700" and says in "".join(found.help)


def test_a_file_is_no_data_set(tmp_path):
    (tmp_path / "x").write_text("x")
    assert diagnostic(open_data, tmp_path / "x", model()).code == "E700"


def picture_set(path, size=(8, 8), names=("a", "b"), grey=False):
    for number, name in enumerate(names):
        (path / name).mkdir()
        for i in range(5):
            pixels = np.full(size if grey else (*size, 3), 40 * number + i, np.uint8)
            Image.fromarray(pixels).save(path / name / f"{i}.png")
    return path


@pytest.mark.parametrize(("graph", "code", "help"), [
    (model(), None, ""),
    (model(size=32, steps="resize(32x32) -> rescale(1 / 255)"), None, ""),
    (model(size=32), "E706", "preprocess { resize(32x32) -> rescale(1 / 255) }"),
    (model(size=32, steps="rescale(1 / 255)"), "E706", "begin `preprocess` with `resize(32x32)`"),
    (model(size=6, steps="centercrop(6x6)"), None, ""),
    (model(classes=9), "E704", "--set classes=10"),
    (model(classes=11), "E704", "--set classes=10"),
    (model(channels=3), None, ""),
    (model(channels=2), "E703", ""),
    (model(channels=1, steps="grayscale"), None, ""),
])
def test_the_digits_are_checked_against_the_model(graph, code, help):
    if code is None:
        data = open_data("digits", graph)
        assert Prepared(data.train, graph).take([0, 1]).shape == (2, *graph.inputs["image"].shape)
    else:
        found = diagnostic(open_data, "digits", graph)
        assert found.code == code and help in "".join(found.help)


def test_images_of_any_size_need_a_resize_and_the_error_says_so(tmp_path):
    found = diagnostic(open_data, picture_set(tmp_path, size=(9, 7)), model(3, 8, 2))
    assert found.code == "E706" and found.help == ("preprocess { resize(8x8) -> rescale(1 / 255) }",)


def test_a_folder_is_read_in_the_channels_of_the_model_and_brought_to_its_size(tmp_path):
    path = picture_set(tmp_path, size=(9, 7))
    for graph in (model(3, 8, 2, "resize(8x8)"), model(1, 8, 2, "resize(8x8)"),
                  model(1, 8, 2, "resize(8x8) -> grayscale")):
        batch = Prepared(open_data(path, graph).train, graph).take([0, 5])
        assert batch.shape == (2, *graph.inputs["image"].shape) and batch.dtype == np.float32
        assert batch[1].mean() - batch[0].mean() == pytest.approx(40, abs=5)


def test_a_grey_data_set_serves_a_model_of_three_channels_with_equal_channels():
    graph = model(3)
    batch = Prepared(open_data("digits", graph).train, graph).take(range(5))
    assert (
        np.array_equal(batch[:, 0], batch[:, 1]) and np.array_equal(batch[:, 0], batch[:, 2]) and batch.any()
    )


def test_images_are_the_same_whether_kept_in_memory_or_made_batch_by_batch(monkeypatch):
    graph = model(size=12, steps="resize(12x12) -> rescale(1 / 255) -> normalize(mean = [0.3], std = [0.5])")
    data = open_data("digits", graph)
    kept = Prepared(data.test, graph).take([5, 3, 300])
    monkeypatch.setattr(prepare, "CACHE_BYTES", 0)
    assert np.array_equal(kept, Prepared(data.test, graph).take([5, 3, 300]))
    pixels = np.stack(data.test.images.take([5, 3, 300]))
    assert np.array_equal(kept, preprocess.apply(graph, pixels))


def mnist() -> Path | None:
    given = os.environ.get("CNNC_MNIST")
    beside = Path(__file__).parents[3].parent / "shared" / "data" / "mnist"
    return Path(given) if given else beside if beside.is_dir() else None


@pytest.mark.mnist
@pytest.mark.skipif(mnist() is None, reason="no MNIST: set CNNC_MNIST to the folder of its files")
def test_mnist_is_what_it_is_known_to_be():
    folder = mnist()
    assert folder is not None
    graph = model(size=28)
    data = open_data(folder, graph)
    assert (len(data.train), len(data.test), len(data.classes)) == (60_000, 10_000, 10)
    packed = folder / "train-images-idx3-ubyte.gz"
    if packed.exists():
        digest = hashlib.md5(gzip.decompress(packed.read_bytes()), usedforsecurity=False).hexdigest()
        assert digest == "6bbc9ace898e44ae57da46a324031adb"
    pixels = np.stack(data.train.images.take(range(60_000))) / np.float32(255)
    assert pixels.mean() == pytest.approx(0.13066, abs=1e-4) and pixels.std() == pytest.approx(
        0.30811, abs=1e-4
    )
