"""Every layer with every option in the planned mode against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.numpy import NumpyBackend
from backends.numpy.plan import PlannedRunnable
from tests.backends.numpy import torch_layers
from tests.backends.numpy.plan.kit import LAYOUTS, close, poison, tiny_tiles
from tests.cases import CASES, LayerCase, graph_of, inputs_of, weights_of


def wanted(case: LayerCase, inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray]) -> np.ndarray:
    """PyTorch's result."""
    xs = {name: torch.tensor(array) for name, array in inputs.items()}
    ws = {name: torch.tensor(array) for name, array in weights.items()}
    return torch_layers.outputs(graph_of(case), xs, ws)["y"].numpy()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_planned_layer_is_pytorchs_in_float64(case: LayerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(case)
    weights = weights_of(graph)
    sizes = [inputs_of(case, batch, spatial=spatial) for batch in (2, 1) for spatial in (None, *case.also)]
    answers = [wanted(case, inputs, weights) for inputs in sizes]
    for small in (False, True):
        if small:
            tiny_tiles(monkeypatch)
        for layout in LAYOUTS.values():
            model = PlannedRunnable(graph, weights, "float64", layout=layout, threads=2 if small else 1)
            for inputs, answer in [*zip(sizes, answers, strict=True), (sizes[0], answers[0])]:
                close(model.run(inputs)["y"], answer, 1e-10)
                poison(model)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_planned_layer_stays_in_float32(case: LayerCase) -> None:
    graph, inputs = graph_of(case), inputs_of(case)
    weights = weights_of(graph)
    exact = NumpyBackend().load(graph, weights, "float64").run(inputs)["y"]
    for layout in LAYOUTS.values():
        got = PlannedRunnable(graph, weights, layout=layout).run(inputs)["y"]
        assert got.dtype == np.float32
        close(got, exact, 2e-5)
