"""The safetensors format: round trips, the library as the peer, and files that are not sound."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnc.weights_io import safetensors as ours
from compiler.weights import WeightsError
from spec_lang.limits import Limits

TENSORS = {
    "conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
    "scalar": np.array(1.5, dtype=np.float64),
    "empty": np.empty((0, 3), dtype=np.float32),
    "state:step": np.array([7], dtype=np.int64),
    "state:mask": np.array([True, False]),
    "state:random": np.arange(5, dtype=np.uint8),
}


def numbers(path, **more):
    return {name: entry.read() for name, entry in ours.read(path, **more).entries.items()}


def same(left, right):
    return left.keys() == right.keys() and all(
        np.array_equal(left[n], right[n])
        and left[n].dtype == right[n].dtype
        and left[n].shape == right[n].shape
        for n in left
    )


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "a.safetensors"
    ours.write(path, TENSORS, {"model": "lenet5", "classes": '["a", "ü"]'})
    found = ours.read(path)
    assert same({n: e.read() for n, e in found.entries.items()}, TENSORS)
    assert (found.metadata["model"], found.metadata["classes"]) == ("lenet5", '["a", "ü"]')
    assert found.notes == ()


def test_the_library_reads_what_we_write(tmp_path):
    path = tmp_path / "a.safetensors"
    ours.write(path, TENSORS, {"model": "lenet5"})
    assert same(safetensors.numpy.load_file(path), TENSORS)


def test_we_read_what_the_library_writes_and_note_that_it_has_no_checksum(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file(TENSORS, path, metadata={"format": "np"})
    assert same(numbers(path), TENSORS)
    assert "no checksum" in ours.read(path).notes[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_float_type_is_read_exactly(tmp_path, dtype):
    path = tmp_path / "a.safetensors"
    tensor = torch.tensor([1 / 3, -0.0, 6e4, 1e-7, float("inf"), float("nan")]).to(dtype)
    safetensors.torch.save_file({"x": tensor}, path)
    found = ours.read(path).entries["x"]
    assert found.dtype == str(dtype).removeprefix("torch.")
    assert np.array_equal(found.read(), tensor.double().numpy(), equal_nan=True)


def test_two_runs_write_the_same_bytes_whatever_the_memory_layout(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    ours.write(first, TENSORS, {"b": "2", "a": "1"})
    fortran = {name: np.array(array, order="F") for name, array in TENSORS.items()}
    ours.write(second, fortran, {"a": "1", "b": "2"})
    assert first.read_bytes() == second.read_bytes()


def test_every_single_bit_that_flips_is_noticed_or_harmless(tmp_path):
    path, broken = tmp_path / "a", tmp_path / "b"
    small = {"w": np.array([1.0, 2.0], dtype=np.float32)}
    ours.write(path, small, {"model": "m"})
    sound = path.read_bytes()
    refused = 0
    for bit in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        broken.write_bytes(damaged)
        try:
            assert same(numbers(broken), small), f"bit {bit} went unnoticed"
        except WeightsError:
            refused += 1
    assert refused > 0.98 * 8 * len(sound)


@pytest.mark.parametrize(("content", "says"), [
    (b"", "before the length"),
    (b"\x10\0\0\0", "before the length"),
    (raw({}, length=1 << 40), "in all"),
    (raw({}, length=3), "in all"),
    (raw({}, length=2**64 - 1), "in all"),
    (raw(b"\xff\xfe{}"), "UTF-8"),
    (raw(b"{} x"), "not JSON"),
    (raw(b"[" * 100_000), "nested"),
    (raw(b"[]"), "not an object"),
    (raw(b'{"a": NaN}'), "absurd"),
    (raw(b'{"a": ' + b"9" * 5000 + b"}"), "absurd"),
    (raw(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],'
         b'"data_offsets":[0,0]}}'), "twice"),
    (raw({"__metadata__": {"a": 1}}), "not text"),
    (raw({"__metadata__": [1]}), "not text"),
    (raw({"w": [1]}), "not exactly"),
    (raw({"w": {"dtype": "F32", "shape": [2]}}, bytes(8)), "not exactly"),
    (raw({"w": {**entry(), "more": 1}}, bytes(8)), "not exactly"),
    (raw({"w": entry("F31")}, bytes(8)), "unknown type"),
    (raw({"w": entry(["F32"])}, bytes(8)), "unknown type"),
    (raw({"w": entry(shape=(-2,))}, bytes(8)), "shape that is none"),
    (raw({"w": entry(shape=(2.0,))}, bytes(8)), "shape that is none"),
    (raw({"w": entry(shape=(True, 2))}, bytes(8)), "shape that is none"),
    (raw({"w": entry(shape=(2**63,))}, bytes(8)), "shape that is none"),
    (raw({"w": entry(shape=(1,) * 65 + (2,))}, bytes(8)), "shape that is none"),
    (raw({"w": entry(shape=(2**62, 2**62))}, bytes(8)), "say otherwise"),
    (raw({"w": entry(shape=(3,))}, bytes(8)), "say otherwise"),
    (raw({"w": entry(offsets=(0, 16))}, bytes(8)), "outside the file"),
    (raw({"w": entry(offsets=(8, 0))}, bytes(8)), "outside the file"),
    (raw({"w": entry(offsets=(0, 8, 8))}, bytes(8)), "outside the file"),
    (raw({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "overlap"),
    (raw({"a": entry(), "b": entry()}, bytes(8)), "overlap"),
    (raw({"a": entry(offsets=(4, 12))}, bytes(12)), "gap"),
    (raw({"a": entry()}, bytes(9)), "after the last"),
    (raw({"x" * 3000: entry()}, bytes(8)), "3000 characters"),
    (raw({"__metadata__": {"cnnc.format": "1"}, "w": entry()}, bytes(8)), "checksum"),
])
def test_a_file_that_is_not_sound_is_refused_with_the_byte(tmp_path, content, says):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        ours.read(path)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code in ("E516", "E517") and says in diagnostic.message
    assert diagnostic.place.startswith(str(path))


def test_a_file_of_a_later_format_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a"
    monkeypatch.setattr(ours, "FORMAT", "2")
    ours.write(path, {"w": np.zeros(2, np.float32)})
    monkeypatch.undo()
    with pytest.raises(WeightsError) as caught:
        ours.read(path)
    assert caught.value.diagnostics[0].code == "E516"


@pytest.mark.parametrize("kind", ["nothing", "folder", "fifo", "device"])
def test_only_regular_files_are_read_and_nothing_blocks(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    with pytest.raises(WeightsError) as caught:
        ours.read(path)
    assert caught.value.diagnostics[0].code == "E515"


def test_a_sparse_file_of_sixteen_gigabytes_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "x"
    with open(path, "wb") as file:
        file.write(raw({"w": entry()}))
        file.truncate(10 * 1024**3)
    with pytest.raises(WeightsError) as caught:
        ours.read(path)
    assert caught.value.diagnostics[0].code == "E516"


@pytest.mark.parametrize("over", [0, 1])
def test_a_file_at_the_limit_is_read_and_one_beyond_is_not(tmp_path, over):
    path = tmp_path / "x"
    ours.write(path, {"w": np.zeros(2, np.float32)})
    limits = Limits(allocation_bytes=path.stat().st_size - over)
    if over:
        with pytest.raises(WeightsError) as caught:
            ours.read(path, limits)
        assert caught.value.diagnostics[0].code == "E452"
    else:
        assert len(ours.read(path, limits).entries) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
LIKELY = st.fixed_dictionaries({
    "dtype": st.sampled_from(["F32", "F64", "I64", "BF16"]) | JSON,
    "shape": st.lists(st.integers(-1, 4), max_size=3) | JSON,
    "data_offsets": st.lists(st.integers(-1, 16), min_size=2, max_size=2) | JSON,
})


@settings(max_examples=150, deadline=None)
@given(header=st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), LIKELY | JSON, max_size=3) | JSON,
       data=st.binary(max_size=16))
def test_whatever_the_header_says_the_file_is_read_or_refused(tmp_path_factory, header, data):
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(raw(header, data))
    try:
        for found in ours.read(path).entries.values():
            assert found.read().shape == found.shape
    except WeightsError as refused:
        assert refused.diagnostics[0].code in ("E516", "E517")
