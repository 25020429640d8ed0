"""PyTorch's `.pth` and `.pt` files, read with `weights_only=True` and never otherwise.

That flag keeps code from running, but is no limit on resources: it accepts compressed entries
that inflate a thousandfold, and tensors of a terabyte that all lie on one number.  So the
archive is looked at before it is opened, and the tensors before they are used.
"""

from __future__ import annotations

import argparse
import os
import warnings
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnnc.reading import open_regular
from cnnc.weights_io.entries import Entry, WeightsFile
from compiler.weights import WeightsError
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

#: Under which key a training script may keep the weights in a larger dictionary.  The averaged ones come
#: first, as timm takes them: it is they that were measured.
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model_state", "model")
#: Entries of an archive; a state_dict has one a tensor.
MAX_ENTRIES = 1_000_000
#: Bytes of the pickle, which holds names and shapes, not numbers.
MAX_PICKLE = 256 * 1024**2


def read(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> WeightsFile:
    """A file that `torch.save` wrote: a `state_dict`, alone or under one of `WRAPPERS`.

    Raises:
        WeightsError: E515 no readable regular file, or no weights in it; E452 and E453 too large,
            or inflating too much; E518 a tensor that is more than its storage holds; E605
            PyTorch is not installed.
    """
    shown = os.fspath(path)
    file, size = open_regular(path, limits.allocation_bytes, WeightsError, "E515")
    with file:
        archived = zipfile.is_zipfile(file)
        file.seek(0)
        if archived:
            _check_archive(file, size, shown, limits)
        elif file.read(1) != b"\x80":  # PyTorch would unpack the tar archives of before 2017 on the disk
            raise _no_weights("it is damaged, or no such file at all", shown)
        elif size > MAX_PICKLE + limits.decompressed_bytes:
            raise _too_large(f"{size:,} bytes", shown)
        file.seek(0)
        loaded = _load(file, shown)
    notes = ["PyTorch's files carry no checksum that is checked, so damage to its numbers cannot be noticed"]
    state = loaded
    if isinstance(loaded, Mapping):
        keys = [key for key in WRAPPERS if isinstance(loaded.get(key), Mapping)]
        if keys:
            state = loaded[keys[0]]
            others = "".join(f", not those under `{key}`" for key in keys[1:])
            notes.append(f"the weights are those under `{keys[0]}` in the file{others}")
    return WeightsFile(shown, _entries(state, shown, limits), {}, tuple(notes))


def _too_large(what: str, shown: str) -> WeightsError:
    return WeightsError(Diagnostic("E453", f"the archive would inflate to too much: {what}", place=shown))


def _check_archive(file: Any, size: int, shown: str, limits: Limits) -> None:
    """Refuse an archive whose entries are more than the file can be expected to hold."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except Exception:
        # zipfile's complaints about a damaged directory come as many types.
        raise WeightsError(Diagnostic("E515", "not a sound PyTorch file: its archive is damaged",
                                      place=shown)) from None
    if len(entries) > MAX_ENTRIES:
        raise _too_large(f"{len(entries):,} entries", shown)
    total = sum(entry.file_size for entry in entries)
    if total > size:  # something is compressed, or entries share bytes
        if total > limits.decompressed_bytes:
            raise _too_large(f"{total:,} bytes, and the limit is {limits.decompressed_bytes:,}", shown)
        ratio = limits.decompression_ratio
        if total > ratio * size or any(e.file_size > ratio * max(e.compress_size, 1) for e in entries):
            raise _too_large(f"{total:,} bytes out of {size:,}, and the limit is a factor of {ratio}", shown)
    for entry in entries:
        if entry.filename.endswith(".pkl") and entry.file_size > MAX_PICKLE:
            raise _too_large(f"{entry.file_size:,} bytes of names", shown)


def _load(file: Any, shown: str) -> Any:
    try:
        import torch
    except ImportError:
        raise WeightsError(Diagnostic(
            "E605", "PyTorch is needed to read its files, and is not installed", place=shown,
            help=('pip install "cnnc[torch]", or convert the file to safetensors elsewhere',))) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Training scripts keep their options beside the weights, as an object that only holds values.
            with torch.serialization.safe_globals([argparse.Namespace]):
                return torch.load(file, map_location="cpu", weights_only=True)
    except Exception:
        # Whatever it holds is not shown: it may have been made to be shown.
        raise _no_weights("it is damaged, or holds something other than tensors", shown) from None


def _no_weights(why: str, shown: str) -> WeightsError:
    return WeightsError(Diagnostic(
        "E515", f"not a PyTorch file of weights: {why}",
        place=shown, notes=("code in such files is never run, so whole pickled models cannot be read",),
        help=("save the weights alone: torch.save(model.state_dict(), path)",)))


def _entries(state: Any, shown: str, limits: Limits) -> dict[str, Entry]:
    import torch

    if not isinstance(state, Mapping):
        raise WeightsError(Diagnostic("E515", "the file holds no dictionary of weights", place=shown,
                                      help=("torch.save(model.state_dict(), path)",)))
    entries: dict[str, Entry] = {}
    total = 0
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            what = f"`{name[:100]}`" if isinstance(name, str) else "something"
            raise WeightsError(Diagnostic(
                "E515", f"the file holds more than weights: {what} is not a tensor", place=shown,
                help=("torch.save(model.state_dict(), path)",)))
        dtype = _type_of(tensor)
        if dtype in ("float16", "bfloat16", "float32", "float64"):
            _check_strides(name, tensor, shown)
            total += tensor.numel() * 8
        shape = () if dtype == "nested" else tuple(tensor.shape)
        entries[name] = Entry(shape, dtype, _reader(tensor))
    if total > 2 * limits.allocation_bytes:
        raise WeightsError(Diagnostic(
            "E452", f"the tensors have {total // 8:,} numbers in all, beyond the limit of"
            f" {limits.allocation_bytes:,} bytes", place=shown))
    return entries


def _type_of(tensor: torch.Tensor) -> str:
    """`float32`; for what is no plain array of numbers, what it is."""
    import torch

    if tensor.is_quantized:
        return "quantised"
    if tensor.is_nested:
        return "nested"
    if tensor.layout is not torch.strided:
        return "sparse"
    if tensor.device.type != "cpu":
        return f"without numbers ({tensor.device.type})"
    return str(tensor.dtype).removeprefix("torch.")


def _check_strides(name: str, tensor: torch.Tensor, shown: str) -> None:
    """Refuse a tensor that is larger than the numbers that are there for it."""
    if tensor.numel() == 0:
        return
    axes = zip(tensor.shape, tensor.stride(), strict=True)
    span = 1 + sum((extent - 1) * stride for extent, stride in axes)
    held = tensor.untyped_storage().nbytes() // tensor.element_size() - tensor.storage_offset()
    if tensor.numel() > span or span > held:
        raise WeightsError(Diagnostic(
            "E518", f"`{name[:100]}` has {tensor.numel():,} numbers, and the file holds {min(span, held):,}",
            place=shown))


def _reader(tensor: torch.Tensor) -> Any:
    def numbers() -> NDArray[Any]:
        import torch

        plain = tensor.detach()
        if plain.dtype in (torch.float16, torch.bfloat16):
            plain = plain.float()
        made: NDArray[Any] = plain.contiguous().numpy()
        return made

    return numbers
