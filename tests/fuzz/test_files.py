"""Files of weights and data with headers of any content: what they hold, or an error with a code."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnc
from cnnc.data import idx
from cnnc.onnx_file import verify_file
from cnnc.weights_io import read, read_weights
from spec_lang.codes import CODES
from spec_lang.source import Source
from tests.contract import files
from tests.contract.base import SMALL
from tests.fuzz.effort import effort

NUMBERS = st.one_of(st.integers(-4, 900), st.sampled_from([2**31, 2**63, 2**64, 10**30, 0.5, True, None, "3"]))
ENTRY = st.fixed_dictionaries({}, optional={
    "dtype": st.one_of(st.sampled_from(["F32", "F64", "BF16", "I8", "BOOL", "F8_E4M3", "f32", ""]), NUMBERS),
    "shape": st.one_of(st.lists(NUMBERS, max_size=4), NUMBERS),
    "data_offsets": st.one_of(st.lists(NUMBERS, max_size=3), NUMBERS),
    "extra": NUMBERS,
})
HEADER = st.dictionaries(st.sampled_from(["fc1.weight", "fc1.bias", "__metadata__", "", "a\x1b", "\ud800"]), st.one_of(
    ENTRY, st.dictionaries(st.text(max_size=3), st.one_of(st.text(max_size=3), NUMBERS), max_size=2)), max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


@pytest.fixture(scope="module")
def graph() -> Any:
    from compiler.load import load as load_graph

    return load_graph(Source("small.cnn", SMALL))


def met(call: Any) -> None:
    """It works, or raises our exception with known codes and text that a terminal can show."""
    try:
        call()
    except cnnc.Error as error:
        assert error.diagnostics and all(d.code in CODES and d.code != "E999" for d in error.diagnostics)
        assert all(c.isprintable() or c == "\n" for c in str(error))


@effort(200)
@given(header=HEADER, size=st.integers(0, 900))
def test_a_header_of_weights(path: Path, graph: Any, header: Any, size: int) -> None:
    path.write_bytes(files.safetensors(json.dumps(header).encode(), bytes(size)))
    met(lambda: read_weights(path, graph))


@effort(200)
@given(data=st.data())
def test_a_file_of_weights_that_was_damaged(path: Path, graph: Any, data: st.DataObject) -> None:
    content = bytearray(files.safetensors())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 170))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(bytes(content))
    met(lambda: read_weights(path, graph))


@effort(100)
@given(content=st.binary(max_size=60), first=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", struct.pack("<Q", 8) + b"{"]))
def test_any_bytes_as_weights(path: Path, content: bytes, first: bytes) -> None:
    path.write_bytes(first + content)
    met(lambda: read(path))


@effort(100)
@given(data=st.data())
def test_a_pytorch_file_that_was_damaged(path: Path, graph: Any, data: st.DataObject) -> None:
    make = files.torch_file("{'fc1.weight': torch.ones(3, 64), 'fc1.bias': torch.ones(3)}")
    assert callable(make)
    make(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    met(lambda: read_weights(path, graph))


@effort(200)
@given(magic=st.binary(min_size=0, max_size=4), extents=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1)),
       max_size=4), content=st.binary(max_size=80), packed=st.booleans(), sound=st.booleans())
def test_a_header_of_idx(path: Path, magic: bytes, extents: list[int], content: bytes, packed: bool, sound: bool) -> None:
    head = b"\0\0\x08" + bytes([len(extents)]) if sound else magic
    made = head + struct.pack(f">{len(extents)}I", *extents) + content
    path.write_bytes(gzip.compress(made) if packed else made)
    met(lambda: idx.read(path, 3))


@effort(60)
@given(data=st.data())
def test_an_onnx_file_that_was_damaged(path: Path, graph: Any, data: st.DataObject) -> None:
    weights = cnnc.initial_weights(graph)
    made = cnnc.generate(graph, "onnx", weights)["m.onnx"]
    assert isinstance(made, bytes)
    content = bytearray(made)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    met(lambda: verify_file(graph, weights, path))
