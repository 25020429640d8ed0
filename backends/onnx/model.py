"""A graph as an ONNX model: IR 10, opset 21, inference.

Straight from the graph, never traced: nodes in the graph's order under the spec's names, the
batch and free extents as named dimensions, explicit pads, and the spec itself in the metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnx import helper

from backends.onnx.emit import EMITTERS, Emission, Layer
from backends.onnx.emit.preprocess import emit_preprocess
from backends.onnx.wire import Model
from compiler.graph import Graph, Value
from compiler.ops.base import BATCH, TensorType
from compiler.preprocess import ImageType, image_input

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

IR_VERSION = 10
OPSET = 21
#: Keys of the metadata.
SPEC, SPEC_HASH, MODEL, CLASSES, VERSION, PREPROCESSED = (
    "cnnc.spec", "cnnc.spec_sha256", "cnnc.model", "cnnc.classes", "cnnc.version", "cnnc.preprocess")

_FLOAT, _UINT8 = 1, 2


def build(graph: Graph, weights: Mapping[str, NDArray[Any]], *, preprocess: bool = False,
          classes: Sequence[str] | None = None) -> Model:
    """The model with these weights.

    With `preprocess` the image input takes raw pixels (uint8, N x C x H x W, RGB or grey as
    the model has it) and the spec's steps stand in front.  `classes` are labels for the metadata.
    E610 if the file would exceed what the format can hold.
    """
    emission = Emission(graph, weights)
    pixels = emit_preprocess(emission) if preprocess and graph.preprocess else None
    for node in graph.nodes:
        emission.tensors[node.output] = EMITTERS[type(node.op)](Layer(emission, node))
    for name, value in graph.outputs.items():
        made = emission.tensor(value)
        if made != name:  # an input, a raw weight, or the second name of one result
            emission.add("Identity", [made], name)
    names = _Dimensions(graph)
    message = helper.make_graph(
        emission.nodes, graph.name,
        [names.input(name, value, pixels) for name, value in graph.inputs.items()],
        [names.output(name, value) for name, value in graph.outputs.items()],
        value_info=[names.result(tensor, value) for tensor, value in _between(emission).items()],
    )
    model = helper.make_model(
        message, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="cnnc", producer_version=version(), doc_string=graph.doc)
    helper.set_model_props(model, metadata(graph, classes, pixels is not None))
    return Model(model, emission.arrays)


def metadata(graph: Graph, classes: Sequence[str] | None, preprocessed: bool) -> dict[str, str]:
    """The spec's text and hash, what was made of it, and the labels of the classes if known."""
    found = {
        MODEL: graph.name,
        PREPROCESSED: "true" if preprocessed else "false",
        SPEC: graph.source_text,
        SPEC_HASH: hashlib.sha256(graph.source_text.encode()).hexdigest(),
        VERSION: version(),
    }
    if classes is not None:
        found[CLASSES] = json.dumps(list(classes))
    return dict(sorted(found.items()))


def version() -> str:
    """The version of this project."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("cnnc")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "source"


def _between(emission: Emission) -> dict[str, Value]:
    """The layers' results that have a tensor of their own and are no outputs."""
    graph = emission.graph
    found: dict[str, Value] = {}
    for node in graph.nodes:
        tensor = emission.tensors[node.output]
        if tensor not in graph.outputs and tensor not in graph.inputs and tensor not in emission.arrays:
            found.setdefault(tensor, node.output)
    return found


class _Dimensions:
    """Names of the dimensions that are known only when the model runs."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._free = {place: extent for extent, places in graph.free.items() for place in places}
        # A free extent may be called as a row axis is: then it is the row axis that gives way.
        rows = dict.fromkeys(value.type.rows or BATCH for value in graph.inputs.values())
        self._rows = {row: row if row not in graph.free else f"{row}_rows" for row in rows}

    def input(self, name: str, value: Value, pixels: ImageType | None) -> onnx.ValueInfoProto:
        kind, extents = _FLOAT, list(value.shape)
        named = {axis: self._free.get((name, axis), f"{name}_{axis}")
                 for axis, free in enumerate(value.type.free) if free}
        if pixels is not None and value is image_input(self._graph)[1]:
            kind, extents[0] = _UINT8, pixels.channels
            for axis, fixed, word in ((1, pixels.height, "height"), (2, pixels.width, "width")):
                if fixed is None:
                    named.setdefault(axis, f"{name}_{word}")
        shape = [self._row(value.type), *(named.get(axis, extent) for axis, extent in enumerate(extents))]
        return helper.make_tensor_value_info(name, kind, shape)

    def output(self, name: str, value: Value) -> onnx.ValueInfoProto:
        """A free extent of an output follows from the inputs' in ways that ONNX cannot say: its own name."""
        extents = [f"{name}_{axis}" if free else extent
                   for axis, (extent, free) in enumerate(zip(value.shape, value.type.free, strict=True))]
        return helper.make_tensor_value_info(name, _FLOAT, [self._row(value.type), *extents])

    def result(self, tensor: str, value: Value) -> onnx.ValueInfoProto:
        extents = [None if free else extent
                   for extent, free in zip(value.shape, value.type.free, strict=True)]
        return helper.make_tensor_value_info(tensor, _FLOAT, [self._row(value.type), *extents])

    def _row(self, type: TensorType) -> str | None:
        return self._rows.get(type.rows or BATCH)
