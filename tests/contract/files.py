"""Files of weights and data for the rows, made by hand so that they can be wrong."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from tests.contract.base import Content

#: What `SMALL` holds: 64 x 3 weights and 3 biases.
TENSORS = {
    "fc1.weight": {"dtype": "F32", "shape": [3, 64], "data_offsets": [0, 768]},
    "fc1.bias": {"dtype": "F32", "shape": [3], "data_offsets": [768, 780]},
}
NUMBERS = struct.pack("<195f", *(i / 100 for i in range(195)))
LARGE = struct.pack("<195f", *[3e38] * 195)


def safetensors(header: Any = TENSORS, data: bytes = NUMBERS, length: int | None = None) -> bytes:
    """A file with this header (an object, or bytes as they are) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def changed(name: str = "fc1.weight", **fields: Any) -> bytes:
    """A file in which a tensor's entry says something else."""
    return safetensors({**TENSORS, name: {**TENSORS[name], **fields}})


def ours(metadata: dict[str, str]) -> Content:
    """A file with our checksum, whatever its metadata says."""

    def make(path: Path) -> None:
        import numpy as np

        from cnnc.weights_io import safetensors as format

        format.write(path, {"fc1.weight": np.zeros((3, 64), "f4"), "fc1.bias": np.zeros(3, "f4")}, metadata)

    return make


def flipped(position: int) -> Content:
    """A file of ours with one bit changed, at this byte (from the end if negative)."""

    def make(path: Path) -> None:
        write = ours({"kind": "weights", "model": "m"})
        assert callable(write)
        write(path)
        content = bytearray(path.read_bytes())
        content[position] ^= 4
        path.write_bytes(content)

    return make


def torch_file(make: str) -> Content:
    """What `torch.save` writes of an expression over `torch`."""

    def write(path: Path) -> None:
        import torch

        torch.save(eval(make, {"torch": torch}), path)

    return write


class Runs:
    """Pickled, it is a call of `os.system` in whoever loads it."""

    def __reduce__(self) -> Any:
        import os

        return os.system, ("touch canary",)


def pickled_code(path: Path) -> None:
    path.write_bytes(pickle.dumps({"fc1.weight": Runs()}, protocol=2))


def archived_code(path: Path) -> None:
    """The same in an archive as PyTorch writes it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"fc1.weight": Runs()}, protocol=2))
        archive.writestr("archive/version", "3\n")


def deflated(path: Path) -> None:
    """A state_dict whose numbers are 64 MiB of zeros, packed a thousandfold."""
    import torch

    plain = io.BytesIO()
    torch.save({"fc1.weight": torch.zeros(1 << 24), "fc1.bias": torch.zeros(3)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))


def nested_list(path: Path) -> None:
    """A pickle of a list 200,000 deep."""
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", deep)
        archive.writestr("archive/version", "3\n")


def pickled(content: bytes) -> Content:
    """An archive as PyTorch writes it, around these bytes of a pickle."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/version", "3\n")

    return make


#: Pairs of pairs of pairs, 30 deep: a kilobyte of pickle, a gigabyte if it is looked at.
LAUGHS = b"\x80\x02]q\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(30)) + b"."


def tarred(path: Path) -> None:
    """What PyTorch wrote before 2017, and would unpack into a folder for temporary files."""
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"))


def escaping(path: Path) -> None:
    pickled(pickle.dumps({}, protocol=2))(path)  # type: ignore[operator]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../canary", "x")


def lying(path: Path) -> None:
    """A state_dict whose pickle says that a storage holds 2^50 numbers."""
    import torch

    plain = io.BytesIO()
    torch.save({"fc1.weight": torch.ones(3, 64), "fc1.bias": torch.ones(3)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert b"K\xc0t" in content
                content = content.replace(b"K\xc0t", b"\x8a\x08" + struct.pack("<q", 2**50) + b"t")
            target.writestr(entry.filename, content)


def idx(*extents: int, data: bytes | None = None, kind: int = 8, magic: bytes = b"\0\0", rank: int | None = None,
        ) -> bytes:
    """An IDX file; `data` are zeros of the right number if not given."""
    size = 1
    for extent in extents:
        size *= extent
    body = bytes(size) if data is None else data
    return magic + bytes([kind, len(extents) if rank is None else rank]) + struct.pack(f">{len(extents)}I", *extents) \
        + body


def mnist(images: bytes | None = None, labels: bytes | None = None, suffix: str = "") -> dict[str, Content]:
    """A folder `d` with training images and labels: 20 images of 8 x 8, of three classes."""
    made = {
        f"d/train-images-idx3-ubyte{suffix}": idx(20, 8, 8) if images is None else images,
        f"d/train-labels-idx1-ubyte{suffix}": idx(20, data=bytes(i % 3 for i in range(20))) if labels is None else labels,
    }
    return dict(made)


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def bomb(size: int) -> bytes:
    """A gzip archive of so many zeros, without making them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(idx(1 << 10, 1 << 10, size >> 20, data=b""))]
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        parts.append(packer.compress(block))
    return b"".join(parts) + packer.flush()


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    """A grey PNG; its pixels are zeros, packed a thousandfold, if not given."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    line = bytes(1 + width)
    body = b"".join(packer.compress(line) for _ in range(height)) + packer.flush() if rows is None else rows
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chatty(path: Path) -> None:
    """A PNG with 200 MB of text, packed a thousandfold."""
    plain = png(8, 8)
    packer = zlib.compressobj(9)
    text = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    chunk = b"zTXta\0\0" + text
    path.write_bytes(plain[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
                     + plain[33:])


def image(mode: str, form: str) -> Content:
    """An image of 8 x 8 as Pillow writes it."""

    def make(path: Path) -> None:
        from PIL import Image

        Image.new(mode, (8, 8)).save(path, form)

    return make


def tiff(width: int, height: int) -> bytes:
    """The header of a TIFF, without any pixels."""
    entries = struct.pack("<HHIIHHIIHHII", 256, 4, 1, width, 257, 4, 1, height, 258, 3, 1, 8)
    return b"II*\0" + struct.pack("<IH", 8, 3) + entries + bytes(4)


def images(*classes: str, count: int = 5, **files: Content) -> dict[str, Content]:
    """A folder `d` with so many images of each class."""
    made: dict[str, Content] = {f"d/{name}/{i}.png": png(8, 8) for name in classes for i in range(count)}
    return made | {f"d/{name}": content for name, content in files.items()}


def onnx_file(**changes: Any) -> Content:
    """The ONNX file of `SMALL` with zeros, changed."""

    def make(path: Path) -> None:
        import numpy as np
        import onnx

        import cnnc

        (path.parent / "a.cnn").exists()
        graph = cnnc.load(path.parent / "a.cnn")
        model = onnx.load_model_from_string(cnnc.generate(graph, "onnx", {
            "fc1.weight": np.zeros((3, 64), "f4"), "fc1.bias": np.zeros(3, "f4")})["m.onnx"])
        for name, change in changes.items():
            change(getattr(model, name))
        path.write_bytes(model.SerializeToString())

    return make
