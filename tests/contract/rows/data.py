"""Data sets: IDX files and folders of images that are not what they say."""

from __future__ import annotations

from pathlib import Path

from tests.contract import files
from tests.contract.base import SMALL, Content, Row, row
from tests.contract.rows.paths import fifo, link

TEN = SMALL.replace("fc(3)", "fc(10)")
#: It takes images of any size.
FREE = SMALL.replace("    flatten", "    preprocess { resize(8x8) -> rescale(1 / 255) }\n    flatten")
RGB = "model m {\n    input x: [3, 8, 8]\n    flatten -> fc(3)\n    output y\n}\n"


def data(name: str, content: dict[str, Content], codes: str, place: str = "d", spec: str = SMALL, **more: object) -> Row:
    """A data set in the folder `d`, trained on."""
    return row(name, "train a.cnn --data d --epochs 1 -o w.safetensors", {"a.cnn": spec, **content}, codes, place,
               **more)  # type: ignore[arg-type]


def images(name: str, content: bytes, codes: str, place: str = "d/train-images-idx3-ubyte") -> Row:
    return data(name, files.mnist(images=content), codes, place)


IMAGE = "d/train-images-idx3-ubyte"
LABEL = "d/train-labels-idx1-ubyte"

ROWS = [
    data("no data", {}, "E700"),
    data("data that is a file", {"d": b"x"}, "E700"),
    data("data that is a FIFO", {"d": fifo}, "E700"),
    row("data of an unknown name", "train a.cnn --data digit -o w.safetensors", {"a.cnn": SMALL}, "E700", "digit"),
    row("data of an empty name", ("train", "a.cnn", "--data", "", "-o", "w.safetensors"), {"a.cnn": SMALL}, "E700"),
    row("data of a hostile name", ("train", "a.cnn", "--data", "\x1b[2J\n", "-o", "w.safetensors"), {"a.cnn": SMALL},
        "E700", "\x1b[2J\n"),
    row("data of a very long name", ("train", "a.cnn", "--data", "d" * 5000, "-o", "w.safetensors"), {"a.cnn": SMALL},
        "E700", "d" * 5000),
    data("an empty folder of data", {"d": lambda path: path.mkdir()}, "E702"),
    # ---- IDX
    images("an IDX file of another magic", files.idx(20, 8, 8, magic=b"\1\0"), "E701", f"{IMAGE}:0"),
    images("an IDX file of floats", files.idx(20, 8, 8, kind=13), "E701", f"{IMAGE}:2"),
    images("an IDX file of two extents", files.idx(20, 64), "E701", f"{IMAGE}:3"),
    images("an IDX file of 255 extents", files.idx(20, 8, 8, rank=255), "E701", f"{IMAGE}:3"),
    images("an IDX header cut short", files.idx(20, 8, 8)[:10], "E701", f"{IMAGE}:10"),
    images("an empty IDX file", b"", "E701", f"{IMAGE}:0"),
    images("IDX pixels cut short", files.idx(20, 8, 8)[:-1], "E701", f"{IMAGE}:4"),
    images("IDX pixels left over", files.idx(20, 8, 8) + b"\0", "E701", f"{IMAGE}:4"),
    images("IDX extents of 2^96", files.idx(2**32 - 1, 2**32 - 1, 2**32 - 1, data=b""), "E701", f"{IMAGE}:4"),
    images("IDX extents of zero", files.idx(20, 0, 0), "E701", IMAGE),
    data("IDX extents of zero to resize", files.mnist(files.idx(20, 0, 0)), "E701", IMAGE, FREE),
    data("no images at all", files.mnist(files.idx(0, 8, 8), files.idx(0)), "E701", IMAGE),
    data("fewer labels than images", files.mnist(labels=files.idx(19)), "E708", LABEL),
    data("images without labels", {IMAGE: files.idx(20, 8, 8)}, "E701"),
    data("labels beyond the classes", files.mnist(labels=files.idx(20, data=bytes(i % 4 for i in range(20)))), "E704"),
    data("images of another size", files.mnist(files.idx(20, 9, 8)), "E706"),
    data("grey images for colour of another size", files.mnist(files.idx(20, 9, 8)), "E706", spec=RGB),
    data("a damaged archive", files.mnist(files.packed(files.idx(20, 8, 8))[:-9], files.packed(files.idx(20)),
                                          suffix=".gz"), "E701", f"{IMAGE}.gz"),
    data("images that inflate", files.mnist(files.bomb(64 << 20), files.packed(files.idx(20)), suffix=".gz"),
         "E453", f"{IMAGE}.gz"),
    data("an archive of an archive", files.mnist(files.packed(files.packed(files.idx(20, 8, 8))),
                                                 files.packed(files.idx(20)), suffix=".gz"), "E701", f"{IMAGE}.gz:0"),
    data("a FIFO as an IDX file", {**files.mnist(), IMAGE: fifo}, "E700", IMAGE),
    data("a device as an IDX file", {**files.mnist(), IMAGE: link("/dev/zero")}, "E700", IMAGE),
    data("an IDX file of many gigabytes", {**files.mnist(), IMAGE: lambda path: _sparse(path)}, "E452", IMAGE),
    # ---- folders of images
    data("a text as an image", files.images("a", "b", "c", **{"a/9.png": b"hello"}), "E707", "d/a/9.png", FREE),
    data("an image cut short", files.images("a", "b", "c", **{"a/9.png": files.png(8, 8)[:48]}), "E707", "d/a/9.png", FREE),
    data("an image whose pixels are short", files.images("a", "b", "c", **{"a/9.png": files.png(8, 8, b"x")}), "E707",
         "d/a/9.png", FREE),
    data("an image of 10^10 pixels", files.images("a", "b", "c", **{"a/9.png": files.png(100_000, 100_000, b"")}),
         "E454", "d/a/9.png", FREE),
    data("an image of no pixels", files.images("a", "b", "c", **{"a/9.png": files.png(0, 0, b"")}), "E707",
         "d/a/9.png", FREE),
    data("a script as an image", files.images("a", "b", "c", **{"a/9.png": b"%!PS\n(touch canary) system\n"}), "E707",
         "d/a/9.png", FREE),
    data("an image of another size", files.images("a", "b", "c", **{"a/9.png": files.png(9, 8)}), "E706"),
    data("an empty class", {**files.images("a", "b"), "d/c": lambda path: path.mkdir()}, "E702", "d/c"),
    data("one class of three", files.images("a"), "E704"),
    data("more classes than outputs", files.images(*"abcd"), "E704"),
    data("one image of each class", files.images("a", "b", "c", count=1), "E702", ""),
    data("an image that is a FIFO", {**files.images("a", "b", "c"), "d/a/9.png": fifo}, "", "", FREE, prints=True),
    data("a class folder of escapes", {**files.images("a", "b"), "d/\x1b[2J/x.txt": b""}, "E702", "d/\x1b[2J"),
    data("a class whose name is no text", {**files.images("a", "b"), "d/\udce9/1.png": files.png(8, 8)}, "E702",
         "d/\udce9", FREE),
    data("an image of floats", files.images("a", "b", "c", **{"a/9.tif": files.image("F", "TIFF")}), "E707",
         "d/a/9.tif", FREE),
    data("an image with 200 MB of text", files.images("a", "b", "c", **{"a/9.png": files.chatty}), "E707",
         "d/a/9.png", FREE),
    data("an image that leads to another file", files.images("a", "b", "c", **{"a/9.png": link("/etc/passwd")}), "E707",
         "d/a/9.png", FREE),
    data("an image of many gigabytes", files.images("a", "b", "c", **{"a/9.png": lambda path: _sparse(path)}), "E452",
         "d/a/9.png", FREE),
    data("a TIFF of 10^10 pixels", files.images("a", "b", "c", **{"a/9.tif": files.tiff(100_000, 100_000)}), "E707",
         "d/a/9.tif", FREE),
    data("a link to itself among images", {**files.images("a", "b", "c"), "d/a/b": link("../a")}, "", "", FREE, prints=True),
    # ---- models that are no classifiers
    row("two outputs to train", "train a.cnn --data digits -o w.safetensors", {"a.cnn":
        "model m {\n    input x: [1, 8, 8]\n    flatten -> fc(10)\n    output y\n    relu\n    output z\n}\n"}, "E820", "a.cnn:3:16"),
    row("a feature map to train", "train a.cnn --data digits -o w.safetensors", {"a.cnn":
        "model m {\n    input x: [1, 8, 8]\n    conv(10, 1x1)\n}\n"}, "E820", "a.cnn:3:5"),
    row("two channels to train", "train a.cnn --data digits -o w.safetensors", {"a.cnn":
        "model m {\n    input x: [2, 8, 8]\n    flatten -> fc(10)\n}\n"}, "E703"),
    row("training on a backend that infers", "train a.cnn --data digits -b onnx -o w.safetensors", {"a.cnn": TEN},
        "E603"),
    row("training on no backend", "train a.cnn --data digits -b jax -o w.safetensors", {"a.cnn": TEN}, "E604"),
    row("training for no epochs", "train a.cnn --data digits --epochs 0 -o w.safetensors", {"a.cnn": TEN}, "E801"),
    row("batches of nothing", "train a.cnn --data digits --batch -1 -o w.safetensors", {"a.cnn": TEN}, "E801"),
    row("training that diverges", "train a.cnn --data digits -o w.safetensors --epochs 2", {"a.cnn": TEN +
        "train m { optimizer = sgd(lr = 1e38, momentum = 0.99) }\n"}, "E804"),
    row("training with Adam that diverges", "train a.cnn --data digits -o w.safetensors --epochs 2", {"a.cnn": TEN +
        "train m { optimizer = adam(lr = 1e38) }\n"}, "E804"),
    row("a learning rate below float32", "train a.cnn --data digits -o w.safetensors", {"a.cnn": TEN +
        "train m { optimizer = sgd(lr = 1e-300) }\n"}, "E312", "a.cnn:6:27"),
    row("a deviation below float32", "export a.cnn --preprocess -o w.onnx", {"a.cnn": SMALL.replace("    flatten",
        "    preprocess { normalize(mean = [0], std = [1e-320]) }\n    flatten")}, "E312", "a.cnn:3:40"),
    row("a deviation that overflows", "export a.cnn --preprocess -o w.onnx", {"a.cnn": SMALL.replace("    flatten",
        "    preprocess { normalize(mean = [0], std = [2e-38]) }\n    flatten")}, "E617", ""),
    row("a learning rate beyond float32", "train a.cnn --data digits -o w.safetensors", {"a.cnn": TEN +
        "train m { optimizer = sgd(lr = 1e300) }\n"}, "E312", "a.cnn:6:27"),
    row("going on from weights", "train a.cnn --data d --resume w.safetensors -o v.safetensors",
        {"a.cnn": SMALL, **files.mnist(), "w.safetensors": files.safetensors()}, "E806", "w.safetensors"),
    row("going on, and beginning with weights",
        "train a.cnn --data d --weights w.safetensors --resume x.safetensors -o v.safetensors",
        {"a.cnn": SMALL, **files.mnist(), "w.safetensors": files.safetensors()}, "E803", "x.safetensors"),
    row("going on from nothing", "train a.cnn --data d --resume w.safetensors -o v.safetensors",
        {"a.cnn": SMALL, **files.mnist()}, "E515", "w.safetensors"),
    row("going on from a checkpoint that says nothing", "train a.cnn --data d --resume w.safetensors -o v.safetensors",
        {"a.cnn": SMALL, **files.mnist(), "w.safetensors": files.ours({"kind": "checkpoint"})}, "E516",
        "w.safetensors"),
    row("going on from a checkpoint of nonsense", "train a.cnn --data d --resume w.safetensors -o v.safetensors",
        {"a.cnn": SMALL, **files.mnist(), "w.safetensors": files.ours(
            {"kind": "checkpoint", "identity": "[]", "progress": '{"history": 3}'})}, "E516", "w.safetensors"),
    # ---- measuring and predicting
    row("predicting with class names that are no list", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "x.png": files.png(8, 8), "w.safetensors": files.ours({"kind": "weights", "classes": "{"})},
        "E516", "w.safetensors"),
    row("predicting with class names that are nested", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "x.png": files.png(8, 8), "w.safetensors": files.ours(
            {"kind": "weights", "classes": "[" * 100_000})}, "E516", "w.safetensors"),
    row("predicting of classes of escapes", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "x.png": files.png(8, 8), "w.safetensors": files.ours(
            {"kind": "weights", "classes": '["\\u001b[2J", "\\n", "\\r"]'})}, ""),
    row("measuring without data", "eval a.cnn --data d -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors()}, "E700", "d"),
    row("measuring on other classes", "eval a.cnn --data d -w w.safetensors",
        {"a.cnn": FREE, **files.images("a", "b", "c"), "w.safetensors": files.ours(
            {"kind": "weights", "classes": '["a", "b", "\\u001b[31m"]'})}, "E705", "d", api=False),
    row("predicting of nothing", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors()}, "E700", "x.png"),
    row("predicting of a folder", "predict a.cnn . -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors()}, "E700", "."),
    row("predicting of a FIFO", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors(), "x.png": fifo}, "E700", "x.png"),
    row("predicting of a text", "predict a.cnn a.cnn -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors()}, "E707", "a.cnn"),
    row("predicting of an image that inflates", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors(), "x.png": files.png(20_000, 20_000)}, "E454", "x.png"),
    row("predicting of an image of another size", "predict a.cnn x.png -w w.safetensors",
        {"a.cnn": SMALL, "w.safetensors": files.safetensors(), "x.png": files.png(9, 8)}, "E606", "x.png"),
]  # fmt: skip


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(20 << 30)
