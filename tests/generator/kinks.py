"""Where rounding decides a derivative: kinks of activations, ties of maxima."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.graph import Graph
from tests.backends.numpy import torch_layers

Array = NDArray[np.floating[Any]]

KINKS = {
    "relu": (0.0,), "leakyrelu": (0.0,), "prelu": (0.0,), "elu": (0.0,), "selu": (0.0,), "relu6": (0.0, 6.0),
    "hardswish": (-3.0, 3.0), "hardsigmoid": (-3.0, 3.0),
}  # fmt: skip


TIES = ("maxpool", "globalmaxpool", "adaptivemaxpool", "maximum", "reduce")


def near_kinks(
    graph: Graph, weights: Mapping[str, Array], inputs: Mapping[str, Array], training: bool
) -> str:
    """Where rounding decides a derivative: an input of an activation within 1e-9 of its kink, a tie of a maximum.

    Asked only where gradients differ.  Exact zeros count too where rounding may have made them.
    """
    given = {k: torch.from_numpy(v.copy()) for k, v in inputs.items()}
    own = {k: torch.from_numpy(v.astype(np.float64)) for k, v in weights.items()}
    values: dict[Any, torch.Tensor] = {value: given[name] for name, value in graph.inputs.items()}
    found = []
    with torch.no_grad():
        for node in graph.nodes:
            xs = [values[v] if v.weight is None else own[v.weight] for v in node.inputs]
            kinks = KINKS.get(node.op.name, ())
            scale = float(xs[0].abs().max()) if xs[0].numel() else 1.0
            if any(((xs[0] - k).abs() < 1e-9 * max(scale, 1e-3)).any() for k in kinks):
                found.append(node.name)
            if node.op.name in TIES:
                together = torch.cat([x.flatten() for x in xs])
                ordered = together.sort().values
                if len(ordered) > 1 and ((ordered[1:] - ordered[:-1]) < 1e-9 * max(scale, 1e-3)).any():
                    found.append(node.name)
            if node.op.name == "l2norm" and (xs[0].norm(dim=1) < 1e-6).any():
                found.append(node.name)
            layer = torch_layers.LAYERS[node.op.name]
            mode = training and node.op.name != "dropout"
            values[node.output] = layer(node, xs, {n: own[d] for n, d in node.weights.items()}, mode)
    return ", ".join(found)
