"""Blocks that hold one layer each, with other arguments in every instance: what a class has to be told.

A spec has an instance of `Cell` for each of a layer's cases (see `tests.cases`) that take the same input.  A factor
per channel stands before each, so that what flows into a block has a gradient of its own.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch

from backends.base import Backend
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy import torch_layers
from tests.cases import CASES, Feed, LayerCase, call_of, extents_of


def _groups() -> Mapping[str, tuple[Feed, tuple[str, ...]]]:
    """Layer and input -> the input, and the layer as it is written in each instance."""
    found: dict[tuple[str, Feed], dict[str, LayerCase]] = defaultdict(dict)
    for case in CASES:
        if case.op.arity == 1 and len(case.feeds) == 1 and not case.feeds[0].raw and case.feeds[0].shape:
            found[case.op.name, case.feeds[0]].setdefault(call_of(case), case)
    return {
        f"{name} of {'free ' * feed.free}{'x'.join(map(str, feed.shape))}": (feed, tuple(calls))
        for (name, feed), calls in found.items()
        if len(calls) > 1
    }


GROUPS = _groups()


def text_of(name: str, sequences: bool = False) -> str:
    """The spec of a group: a block for each layer, or with `sequences` a `seq`."""
    feed, calls = GROUPS[name]
    lines = ["block Cell(layer) { made: layer }", "model cells {", f"    input image: [{extents_of(feed)}]"]
    for i, call in enumerate(calls):
        one = f"cell{i}: seq {{ scale -> {call} }}" if sequences else f"scale -> cell{i}: Cell({call})"
        lines += [f"    image -> {one}", f"    output y{i}"]
    return "\n".join([*lines, "}", ""])


def graph_of(name: str, sequences: bool = False) -> Graph:
    return load(Source("cells.cnn", text_of(name, sequences)))


def inputs_of(graph: Graph) -> dict[str, np.ndarray]:
    """Numbers that no two layers of the table tie on."""
    rng = np.random.default_rng(7)
    return {name: rng.uniform(-1, 1, (2, *value.shape)) for name, value in graph.inputs.items()}


def weights_of(graph: Graph) -> dict[str, np.ndarray]:
    """Numbers for every weight; those of batchnorm as they are after some training."""
    rng = np.random.default_rng(8)
    return {
        name: rng.uniform(0.5, 1.5, weight.shape)
        if weight.role == "running_var"
        else rng.uniform(-1, 1, weight.shape)
        for name, weight in graph.weights.items()
    }


def classes(source: str) -> str:
    """The classes of the blocks, with what is made of them."""
    tree, lines = ast.parse(source), source.splitlines()
    shown = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Cell"):
            end = node.end_lineno
            if node.name == "Cells":  # the model: what stands in its constructor
                made = [ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.Assign)]
                shown += ["", *(f"    {line}" for line in made if "= Cell" in line or "= [Cell" in line)]
            else:
                shown += ["", *lines[node.lineno - 1 : end]]
    return "\n".join(shown).strip("\n")


def agree(name: str, backend: Backend, sequences: bool = False) -> None:
    """Results and gradients of a group are those of PyTorch's own layers."""
    graph = graph_of(name, sequences)
    xs, ws = inputs_of(graph), weights_of(graph)
    inputs = {key: torch.tensor(x, requires_grad=True) for key, x in xs.items()}
    weights = {key: torch.tensor(w, requires_grad=graph.weights[key].trainable) for key, w in ws.items()}
    wanted = torch_layers.outputs(graph, inputs, weights)
    rng = np.random.default_rng(9)
    ds = {key: rng.uniform(-1, 1, tuple(y.shape)) for key, y in wanted.items()}
    torch.autograd.backward([wanted[key] for key in ds], [torch.tensor(d) for d in ds.values()])
    model = backend.load(graph, ws, "float64")
    for key, y in model.run(xs).items():
        np.testing.assert_allclose(y, wanted[key].detach().numpy(), rtol=0, atol=1e-12, err_msg=key)
    got = model.gradients(xs, ds)
    for key, weight in weights.items():
        if weight.grad is not None:
            np.testing.assert_allclose(got.weights[key], weight.grad, rtol=0, atol=1e-11, err_msg=key)
    np.testing.assert_allclose(got.inputs["image"], inputs["image"].grad, rtol=0, atol=1e-11)
