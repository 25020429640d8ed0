"""Every case of the layer table, through onnxruntime in float32, against PyTorch in float64."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
import pytest

from backends.onnx import OnnxBackend
from backends.onnx.emit import EMITTERS
from compiler.graph import Graph
from compiler.ops import OPS
from tests.backends.onnx.reference import reference
from tests.cases import CASES, LayerCase, graph_of, inputs_of, weights_of

EPS = float(np.finfo(np.float32).eps)
_REDUCING = {"conv", "fc", "rbf", "avgpool", "globalavgpool", "adaptiveavgpool", "reduce", "average"}


def tolerance(case: LayerCase, graph: Graph, inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray],
              exact: np.ndarray) -> np.ndarray:
    """8 eps max(1, |y|) element by element; for a sum of K products, 4 sqrt(K) eps sum |a||b|."""
    plain: np.ndarray = 8 * EPS * np.maximum(1.0, np.abs(exact))
    if case.op.name not in _REDUCING:
        return plain
    node = graph.nodes[0]
    magnitude = reference(case, node, {k: np.abs(v) for k, v in inputs.items()},
                          {k: np.abs(v) for k, v in weights.items()})
    if case.op.name == "rbf":  # the terms are (x - c)^2, of at most (|x| + |c|)^2
        magnitude = reference(case, node, inputs, weights) * 4
    terms = prod(graph.weights[node.weights["weight"]].shape[1:]) if "weight" in node.weights else max(
        1, node.inputs[0].type.elements // max(1, node.output.type.elements))
    return np.maximum(4 * np.sqrt(max(terms, 4)) * EPS * magnitude, 2 * EPS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_onnxruntime_agrees_with_pytorch(case: LayerCase) -> None:
    graph = graph_of(case)
    weights = weights_of(graph)
    backend = OnnxBackend()
    backend.check(graph)
    content = backend.generate(graph, weights)["example.onnx"]
    assert isinstance(content, bytes)

    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    stripped = onnx.load_from_string(content)
    del stripped.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(stripped, check_type=True, strict_mode=True, data_prop=True)
    (output,) = inferred.graph.output
    extents = [d.dim_value if d.HasField("dim_value") else None for d in output.type.tensor_type.shape.dim]
    free = graph.outputs["y"].type.free
    assert extents == [None, *(None if f else n for n, f in zip(graph.outputs["y"].shape, free, strict=True))]

    runnable = backend.load(graph, weights)
    for batch, spatial in [(2, None), (1, None), *((3, size) for size in case.also)]:
        inputs = inputs_of(case, batch, seed=batch, spatial=spatial)
        exact = reference(case, graph.nodes[0], inputs, weights, nominal=spatial is None)
        got = runnable.run(inputs)["y"]
        assert got.dtype == np.float32
        assert got.shape == exact.shape
        error = np.abs(got.astype(np.float64) - exact)
        bound = tolerance(case, graph, inputs, weights, exact) if spatial is None else (
            1e-5 * np.maximum(1.0, np.abs(exact).max()))
        assert (error <= bound).all(), f"worst {(error / bound).max():.2f} times the bound"


def test_every_layer_has_an_emitter_and_every_emitter_a_layer() -> None:
    assert {op.name for op in EMITTERS} == set(OPS)
    assert OnnxBackend().covers() == frozenset(OPS.values())


def test_every_layer_has_a_case() -> None:
    assert {case.op.name for case in CASES} == set(OPS)
