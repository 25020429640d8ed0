"""Writing a model in protobuf's wire format, piece by piece, straight from the arrays.

The graph without its weights goes through onnx's own classes, which keeps it honest; the
weights are tensors whose `raw_data` is the memory of the arrays, so that there is never a
second copy of them.  Field numbers are those of onnx.proto (IR version 10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.base import BackendError
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

#: One protobuf message: 2 GiB less one byte.
LARGEST = 2**31 - 1

_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_TYPES = {"float32": 1, "int64": 7}


@dataclass(frozen=True)
class Model:
    """A model that is not yet bytes: onnx's message without initialisers, and the arrays beside it."""

    message: onnx.ModelProto
    arrays: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        if self.size > LARGEST:
            raise BackendError(Diagnostic(
                "E610", f"the ONNX file would have {self.size:,} bytes; the format ends at {LARGEST:,}",
                notes=(f"weights: {sum(a.nbytes for a in self.arrays.values()):,} bytes",)))

    @property
    def size(self) -> int:
        """Bytes of the file."""
        head, graph, tensors = self._parts()
        body = len(graph) + sum(len(header) + array.nbytes for header, array in tensors)
        return len(head) + len(_key(_MODEL_GRAPH, 2)) + len(_varint(body)) + body

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The file, weights as views of the arrays."""
        head, graph, tensors = self._parts()
        body = len(graph) + sum(len(header) + array.nbytes for header, array in tensors)
        yield head + _key(_MODEL_GRAPH, 2) + _varint(body) + graph
        for header, array in tensors:
            yield header
            if array.nbytes:
                yield array.reshape(-1).view(np.uint8).data

    def content(self) -> bytes:
        """The file in one piece."""
        return b"".join(self.chunks())

    def _parts(self) -> tuple[bytes, bytes, list[tuple[bytes, NDArray[Any]]]]:
        # The graph is the only field that is cut out: everything else of the model stands before it.
        import onnx

        graph = self.message.graph.SerializeToString(deterministic=True)
        head = onnx.ModelProto()
        for field, value in self.message.ListFields():
            if field.name == "graph":
                continue
            if isinstance(value, (int, str, bytes)):
                setattr(head, field.name, value)
            else:
                getattr(head, field.name).extend(value)
        tensors = [(_tensor_header(name, array), array) for name, array in self.arrays.items()]
        return head.SerializeToString(deterministic=True), graph, tensors


def stored(array: NDArray[Any]) -> NDArray[Any]:
    """The array as a file holds it: little-endian float32 or int64, C order; itself where it is so."""
    wanted = "<i8" if array.dtype.kind in "iu" else "<f4"
    return np.asarray(array, dtype=wanted, order="C")


def _tensor_header(name: str, array: NDArray[Any]) -> bytes:
    """An initialiser up to its raw data: the data itself must follow."""
    dims = b"".join(_key(_TENSOR_DIMS, 0) + _varint(extent) for extent in array.shape)
    encoded = name.encode()
    inner = (dims + _key(_TENSOR_TYPE, 0) + _varint(_TYPES[array.dtype.name])
             + _key(_TENSOR_NAME, 2) + _varint(len(encoded)) + encoded
             + _key(_TENSOR_RAW, 2) + _varint(array.nbytes))
    return _key(_GRAPH_INITIALIZER, 2) + _varint(len(inner) + array.nbytes) + inner


def _key(field: int, kind: int) -> bytes:
    """Field number and wire type (0 varint, 2 length-delimited)."""
    return _varint(field << 3 | kind)


def _varint(number: int) -> bytes:
    """Seven bits a byte, least significant first, the top bit set on all but the last."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
