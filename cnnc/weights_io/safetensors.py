"""The safetensors format, read and written.

A file is eight bytes with the header's length, the header (JSON: name -> dtype, shape, begin and end
of the data), and the data.  Nothing in it can run.  The header is checked whole before any of
it is used.  Our own files add to the format's metadata a checksum over everything they hold,
because the format has none: a flipped bit would load as another number.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnc.files import write_atomically
from cnnc.reading import open_regular
from cnnc.weights_io.entries import Entry, WeightsFile
from compiler.initial import check_memory
from compiler.weights import WeightsError
from spec_lang.diagnostics import Diagnostic
from spec_lang.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The format's own limit.
MAX_HEADER = 100_000_000
MAX_NAME = 2048
#: Our metadata.  Any key with this prefix marks a file as ours, which then needs the checksum.
PREFIX = "cnnc."
CHECKSUM = PREFIX + "sha256"
VERSION = PREFIX + "format"
FORMAT = "1"

#: The format's name of a type -> (bytes of a number, our name for the type).
TYPES = {
    "F64": (8, "float64"), "F32": (4, "float32"), "F16": (2, "float16"), "BF16": (2, "bfloat16"),
    "F8_E4M3": (1, "float8_e4m3"), "F8_E5M2": (1, "float8_e5m2"), "F8_E8M0": (1, "float8_e8m0"),
    "C64": (8, "complex64"), "BOOL": (1, "bool"),
    "I64": (8, "int64"), "I32": (4, "int32"), "I16": (2, "int16"), "I8": (1, "int8"),
    "U64": (8, "uint64"), "U32": (4, "uint32"), "U16": (2, "uint16"), "U8": (1, "uint8"),
}
_WRITTEN = {ours: theirs for theirs, (_, ours) in TYPES.items()}


def write(path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]],
          metadata: Mapping[str, str] | None = None, *,
          inputs: Sequence[str | os.PathLike[str]] = ()) -> None:
    """Write arrays under their names, whole or not at all; the same bytes for the same content.

    `metadata` gets the prefix `cnnc.` and, beside it, the format's version and the checksum.  Raises
    `OutputError`.
    """
    import numpy as np

    arrays = {name: np.asarray(a, order="C") for name, a in tensors.items()}
    arrays = {name: a.astype(a.dtype.newbyteorder("<"), copy=False) for name, a in arrays.items()}
    ours = {PREFIX + key: value for key, value in (metadata or {}).items()} | {VERSION: FORMAT}
    described = {name: (_WRITTEN[a.dtype.name], a.shape) for name, a in arrays.items()}
    ours[CHECKSUM] = checksum({n: (*described[n], _bytes(a)) for n, a in arrays.items()}, ours)
    header: dict[str, Any] = {"__metadata__": dict(sorted(ours.items()))}
    end = 0
    for name, (dtype, shape) in described.items():
        begin, end = end, end + arrays[name].nbytes
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)  # so that the data starts at a multiple of eight

    def chunks() -> Iterator[bytes | memoryview]:
        yield struct.pack("<Q", len(text)) + text
        for array in arrays.values():
            yield _bytes(array)

    write_atomically(path, chunks(), inputs=inputs)


def _bytes(array: NDArray[Any]) -> memoryview:
    import numpy as np

    return array.reshape(-1).view(np.uint8).data


def checksum(content: Mapping[str, tuple[str, Sequence[int], memoryview]],
             metadata: Mapping[str, str]) -> str:
    """SHA-256, in hexadecimal, over metadata, names, types, shapes and bytes, each with its length."""
    digest = hashlib.sha256()

    def add(text: str) -> None:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(struct.pack("<Q", len(encoded)) + encoded)

    for key, value in sorted(metadata.items()):
        if key != CHECKSUM:
            add(key)
            add(value)
    for name, (dtype, shape, data) in sorted(content.items()):
        add(name)
        add(dtype)
        digest.update(struct.pack(f"<Q{len(shape)}Q", len(shape), *shape))
        digest.update(struct.pack("<Q", data.nbytes))
        digest.update(data)
    return digest.hexdigest()


def read(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> WeightsFile:
    """A safetensors file, checked; its numbers are in memory once.

    Raises:
        WeightsError: E515 no readable regular file, E450 to E452 too large, E516 a header that
            is not as it should be (with the byte), E517 a checksum that differs.
    """
    shown = os.fspath(path)
    file, size = open_regular(path, limits.allocation_bytes, WeightsError, "E515")
    with file:
        length, header = _header(file.read(min(size, 8)), file, size, shown)
        metadata, described = _checked(header, size - 8 - length, length, shown)
        check_memory(size, "the file", limits)
        data = bytearray(size - 8 - length)
        if file.readinto(data) != len(data):
            raise _damaged("it became shorter while it was read", shown, size)
    view = memoryview(data)
    ours = {key: value for key, value in metadata.items() if key.startswith(PREFIX)}
    notes: tuple[str, ...] = ()
    if ours:
        content = {n: (dtype, shape, view[begin:end]) for n, (dtype, shape, begin, end) in described.items()}
        if metadata.get(CHECKSUM) != checksum(content, metadata):
            raise WeightsError(Diagnostic(
                "E517", "the file is damaged: its content does not have the checksum that it carries",
                place=shown))
        if metadata.get(VERSION) != FORMAT:
            raise WeightsError(Diagnostic(
                "E516", "the file was written by another version of cnnc, in a format unknown to this one",
                place=shown))
    elif described:
        notes = ("the file carries no checksum, so damage to its numbers cannot be noticed",)
    entries = {name: Entry(shape, TYPES[dtype][1], _reader(view[begin:end], dtype, shape))
               for name, (dtype, shape, begin, end) in described.items()}
    return WeightsFile(shown, entries, {k.removeprefix(PREFIX): v for k, v in ours.items()}, notes)


def _damaged(reason: str, shown: str, byte: int) -> WeightsError:
    return WeightsError(Diagnostic("E516", f"not a sound safetensors file: {reason}",
                                   place=f"{shown}:{byte}"))


def _header(first: bytes, file: Any, size: int, shown: str) -> tuple[int, Any]:
    """The header's length and its JSON."""
    if len(first) < 8:
        raise _damaged("it ends before the length of its header", shown, len(first))
    [length] = struct.unpack("<Q", first)
    if length > min(MAX_HEADER, size - 8):
        raise _damaged(f"it says that its header has {length:,} bytes, and it has {size:,} in all", shown, 0)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            raise ValueError("a name is there twice")
        return made

    def no_constant(_: str) -> None:
        raise ValueError("it holds a number that is not finite")

    try:
        text = file.read(length).decode("utf-8")
        return length, json.loads(text, object_pairs_hook=pairs, parse_constant=no_constant)
    except UnicodeDecodeError as problem:
        raise _damaged("its header is not UTF-8", shown, 8 + problem.start) from None
    except json.JSONDecodeError as problem:
        raise _damaged("its header is not JSON", shown, 8 + len(text[: problem.pos].encode())) from None
    except RecursionError:
        raise _damaged("its header is nested too deep", shown, 8) from None
    except ValueError as problem:
        reason = "a name is there twice" if "twice" in str(problem) else "its header holds an absurd number"
        raise _damaged(reason, shown, 8) from None


_Described = dict[str, tuple[str, tuple[int, ...], int, int]]


def _checked(header: Any, available: int, length: int, shown: str) -> tuple[dict[str, str], _Described]:
    """The metadata, and name -> (dtype, shape, begin, end), in the order of the data."""
    if not isinstance(header, dict):
        raise _damaged("its header is not an object", shown, 8)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damaged("its metadata is not text", shown, 8)
    described: _Described = {}
    for position, (name, entry) in enumerate(header.items()):
        which = f"tensor {position} of its header"
        if len(name) > MAX_NAME:
            raise _damaged(f"the name of {which} has {len(name)} characters", shown, 8)
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise _damaged(f"{which} has not exactly dtype, shape and data_offsets", shown, 8)
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in TYPES:
            raise _damaged(f"{which} has an unknown type", shown, 8)
        if not _naturals(shape) or len(shape) > 64:
            raise _damaged(f"{which} has a shape that is none", shown, 8)
        if not _naturals(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= available:
            raise _damaged(f"{which} lies outside the file", shown, 8)
        if math.prod(shape) * TYPES[dtype][0] != offsets[1] - offsets[0]:
            raise _damaged(f"{which} has {offsets[1] - offsets[0]:,} bytes, its shape and type say otherwise",
                           shown, 8 + length + offsets[0])
        described[name] = (dtype, tuple(shape), offsets[0], offsets[1])
    end = 0
    for _, _, begin, stop in sorted(described.values(), key=lambda d: (d[2], d[3])):
        if begin != end:
            kind = "tensors overlap" if begin < end else "there is a gap between tensors"
            raise _damaged(kind, shown, 8 + length + begin)
        end = stop
    if end != available:
        raise _damaged(f"there are {available - end:,} bytes after the last tensor", shown, 8 + length + end)
    return metadata, described


def _naturals(value: Any) -> bool:
    """Whether it is a list of whole numbers from 0 that fit 63 bits."""
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 2**63 for v in value)


def _reader(data: memoryview, dtype: str, shape: tuple[int, ...]) -> Any:
    def numbers() -> NDArray[Any]:
        import numpy as np

        if dtype == "BF16":  # the upper half of a float32
            high = np.frombuffer(data, dtype="<u2").astype(np.uint32) << np.uint32(16)
            return high.view(np.float32).reshape(shape)
        found = np.frombuffer(data, dtype=np.dtype(TYPES[dtype][1]).newbyteorder("<"))
        native = found.astype(found.dtype.newbyteorder("="), copy=False).reshape(shape)
        return native.astype(np.float32) if dtype == "F16" else native

    return numbers
