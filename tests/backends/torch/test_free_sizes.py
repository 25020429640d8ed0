"""Generated files refuse the sizes that a layer cannot take, and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from backends.torch.runnable import generated
from compiler.graph import Graph
from tests.backends.free_sizes import ROWS, compare
from tests.cases import weights_of


def model_of(graph: Graph, weights: Mapping[str, Any]) -> Callable[[Any], Any]:
    model = generated(graph).build_model({name: np.array(array) for name, array in weights.items()})
    model = model.double().eval()

    def run(x: Any) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(x)).numpy()

    return run


@pytest.mark.parametrize("free", ["HW", "H", "W"])
@pytest.mark.parametrize("name", ROWS)
def test_a_file_takes_the_sizes_that_check_allows(name: str, free: str) -> None:
    compare(name, model_of, weights_of, free)
