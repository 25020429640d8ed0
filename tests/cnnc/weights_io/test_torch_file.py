"""PyTorch's files: what is read, and what is refused before it costs anything."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from cnnc.weights_io import torch_file
from compiler.weights import WeightsError
from spec_lang.limits import Limits

STATE = OrderedDict(
    [("conv1.weight", torch.arange(24.0).reshape(2, 3, 4) / 7), ("bias", torch.tensor([0.5, 2.0]))]
)


def refused(path, limits=None):
    with pytest.raises(WeightsError) as caught:
        torch_file.read(path, *([limits] if limits else []))
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.place.startswith(str(path))
    return diagnostic


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_a_state_dict_is_read_alone_or_in_a_wrapper(tmp_path, wrapper, zipped):
    path = tmp_path / "a.pth"
    torch.save(STATE if wrapper is None else {wrapper: STATE, "epoch": 3}, path,
               _use_new_zipfile_serialization=zipped)
    found = torch_file.read(path)
    assert list(found.entries) == list(STATE)
    for name, entry in found.entries.items():
        assert (entry.shape, entry.dtype) == (tuple(STATE[name].shape), "float32")
        assert np.array_equal(entry.read(), STATE[name].numpy())
    assert any(wrapper in note for note in found.notes) if wrapper else len(found.notes) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_are_read_exactly(tmp_path, dtype):
    path = tmp_path / "a.pth"
    torch.save({"x": torch.tensor([1 / 3, 6e4]).to(dtype)}, path)
    entry = torch_file.read(path).entries["x"]
    assert entry.dtype == str(dtype).removeprefix("torch.")
    assert np.array_equal(entry.read(), torch.tensor([1 / 3, 6e4]).to(dtype).double().numpy())


def test_a_transposed_view_and_a_parameter_are_read_as_they_look(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"x": torch.arange(6.0).reshape(2, 3).T, "p": torch.nn.Parameter(torch.ones(2))}, path)
    entries = torch_file.read(path).entries
    assert np.array_equal(entries["x"].read(), np.arange(6.0).reshape(2, 3).T)
    assert np.array_equal(entries["p"].read(), [1, 1])


@pytest.mark.parametrize(("tensor", "dtype"), [
    (torch.ones(2, dtype=torch.int64), "int64"), (torch.ones(2, dtype=torch.bool), "bool"),
    (torch.ones(2, dtype=torch.complex64), "complex64"), (torch.eye(2).to_sparse(), "sparse"),
    (None, "quantised"),
])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_types_that_are_no_floats_are_named(tmp_path, tensor, dtype):
    path = tmp_path / "a.pth"
    if tensor is None:  # made here, since PyTorch warns that it will go
        tensor = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    torch.save({"x": tensor}, path)
    assert torch_file.read(path).entries["x"].dtype == dtype


class Bomb:
    """Runs code when it is unpickled by anything that lets it."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_code_in_a_file_never_runs_and_is_not_quoted(tmp_path, zipped):
    path, canary = tmp_path / "a.pth", tmp_path / "canary"
    torch.save({"x": Bomb(canary)}, path, _use_new_zipfile_serialization=zipped)
    diagnostic = refused(path)
    assert diagnostic.code == "E515" and not canary.exists()
    assert "mkdir" not in diagnostic.message + "".join(diagnostic.notes + diagnostic.help)


def test_a_whole_pickled_model_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "a.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    assert "state_dict" in refused(path).help[0]


def test_a_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps({"x": 1}, protocol=2))
    assert refused(path).code == "E515"


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ([torch.ones(2)], "no dictionary"),
        (torch.ones(2), "no dictionary"),
        ({"x": 1}, "`x` is not a tensor"),
        ({1: torch.ones(1)}, "more than weights"),
        ({"state_dict": {"x": [torch.ones(1)]}}, "`x` is not a tensor"),
    ],
)
def test_something_other_than_a_dictionary_of_tensors_is_refused(tmp_path, held, says):
    path = tmp_path / "a.pth"
    torch.save(held, path)
    diagnostic = refused(path)
    assert diagnostic.code == "E515" and says in diagnostic.message


@pytest.mark.parametrize("tensor", [
    torch.ones(1).expand(2**20, 2**20),
    torch.ones(100).as_strided((60, 60), (1, 0)),
    torch.ones(100).as_strided((60, 41), (1, 1)),
], ids=["stride 0", "one stride 0", "overlapping"])
def test_a_tensor_that_is_larger_than_its_numbers_is_refused(tmp_path, tensor):
    path = tmp_path / "a.pth"
    torch.save({"fc.weight": tensor}, path)
    diagnostic = refused(path)
    assert (
        diagnostic.code == "E518"
        and "`fc.weight`" in diagnostic.message
        and f"{tensor.numel():,}" in diagnostic.message
    )


def repacked(source, target, compression):
    """The same archive with its entries compressed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))


@pytest.mark.parametrize("count", [2_000_000, 20_000_000])
def test_an_archive_that_inflates_a_thousandfold_is_refused(tmp_path, count):
    torch.save({"x": torch.zeros(count)}, tmp_path / "plain.pth")
    repacked(tmp_path / "plain.pth", tmp_path / "bomb.pth", zipfile.ZIP_DEFLATED)
    diagnostic = refused(tmp_path / "bomb.pth")
    assert diagnostic.code == "E453" and f"{4 * count // 1_000_000:,}"[0] in diagnostic.message


def test_an_archive_that_inflates_moderately_is_read(tmp_path):
    numbers = torch.arange(5000.0)
    torch.save({"x": numbers}, tmp_path / "plain.pth")
    repacked(tmp_path / "plain.pth", tmp_path / "packed.pth", zipfile.ZIP_DEFLATED)
    assert np.array_equal(torch_file.read(tmp_path / "packed.pth").entries["x"].read(), numbers.numpy())


@pytest.mark.parametrize("over", [0, 1])
def test_the_absolute_limit_of_what_comes_out_holds(tmp_path, over):
    torch.save({"x": torch.arange(5000.0)}, tmp_path / "plain.pth")
    repacked(tmp_path / "plain.pth", tmp_path / "packed.pth", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(tmp_path / "packed.pth") as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    limits = Limits(decompressed_bytes=total - over)
    if over:
        assert refused(tmp_path / "packed.pth", limits).code == "E453"
    else:
        assert len(torch_file.read(tmp_path / "packed.pth", limits).entries) == 1


def test_a_list_that_is_nested_two_hundred_thousand_deep_is_refused_or_passed_by(tmp_path):
    nested: list = []
    for _ in range(200_000):
        nested = [nested]
    # pickle cannot write this by itself: the opcodes are spelled out.
    path = tmp_path / "a.pth"
    torch.save({"x": torch.ones(2)}, path)
    deep = b"\x80\x02}" + b"X\x01\0\0\0y" + b"]" * 200_001 + b"a" * 200_000 + b"s."
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "deep.pth", "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, deep if entry.filename.endswith("data.pkl") else old.read(entry))
    assert refused(tmp_path / "deep.pth").code == "E515"


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "a.pth"
    torch.save(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    assert refused(path).code == "E515"


def test_without_pytorch_the_error_says_what_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    torch.save(STATE, path)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert refused(path).code == "E605"
