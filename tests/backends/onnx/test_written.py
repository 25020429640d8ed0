"""What is written for models of many scopes, and for a layer of each kind: as it was read and liked."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
from onnx import helper, numpy_helper

from backends.onnx import OnnxBackend
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.backends.torch.specs import SPECS
from tests.cases import weights_of


def told(graph: Graph) -> str:
    """Nodes with their attributes, and constants that are no weights with their values."""
    content = OnnxBackend().generate(graph, weights_of(graph))[f"{graph.name}.onnx"]
    assert isinstance(content, bytes)
    model = onnx.load_from_string(content).graph
    lines = []
    for node in model.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        given = "".join(f", {name}={_shown(value)}" for name, value in sorted(attributes.items()))
        lines.append(
            f"  {', '.join(node.output)} = {node.op_type}({', '.join(node.input)}{given})  # {node.name}"
        )
    for tensor in model.initializer:
        array = numpy_helper.to_array(tensor)
        if tensor.name not in graph.weights:
            lines.append(
                f"  {tensor.name}: {array.dtype} {list(array.shape)} {_few(array.reshape(-1).tolist())}"
            )
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _few(values: list[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values[:40]) + (" ..." if len(values) > 40 else "")


@pytest.mark.parametrize("name", ["aux", "hostile", "layers", "many", "ranks", "shared"])
def test_a_model_is_written_as_it_was_read_and_liked(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"onnx/{name}.txt", told(load(Source(f"{name}.cnn", SPECS[name]))) + "\n")
