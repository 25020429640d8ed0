"""The commands: one function per line of the goals, which measures and gives its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from bench.files import export, exporters, initial
from bench.interleave import Line, against
from bench.language import check, parse, start, summary, zoo
from bench.training import generated, train_step

#: Network and batch -> how many times PyTorch's time a forward pass in NumPy may take.
FORWARD = {
    ("lenet5", 1): 0.9, ("alexnet", 1): 1.5, ("vgg16", 1): 1.2, ("vgg16", 8): 1.05, ("resnet50", 1): 1.25,
}


def _inputs(graph: Any, batch: int) -> dict[str, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal((batch, *value.shape)).astype(np.float32)
        for name, value in graph.inputs.items()
    }


def forward(rounds: int, threads: int) -> Iterator[Line]:
    """one forward pass in NumPy and onnxruntime over eager PyTorch"""
    import torch

    import cnnc
    from backends.onnx import OnnxBackend

    torch.set_num_threads(threads)
    for (name, batch), goal in FORWARD.items():
        graph = cnnc.load(name)
        weights = cnnc.initial_weights(graph)
        inputs = _inputs(graph, batch)
        models = {
            "torch": cnnc.runnable(graph, "torch", weights),
            "numpy": cnnc.runnable(graph, "numpy", weights, planned=True),
            "onnxruntime": OnnxBackend().load(graph, weights, threads=threads),
        }
        found = against("torch", {of: partial(model.run, inputs) for of, model in models.items()}, rounds)
        what = f"{name}, batch {batch}"
        yield Line("forward", f"{what}, NumPy", "torch eager", found["numpy"], goal)
        yield Line("forward", f"{what}, onnxruntime", "torch eager", found["onnxruntime"])


def reference(rounds: int, threads: int) -> Iterator[Line]:
    """one forward pass in NumPy over ONNX's reference evaluator"""
    import onnx
    from onnx.reference import ReferenceEvaluator

    import cnnc

    for name in ("lenet5", "alexnet"):
        graph = cnnc.load(name)
        weights = cnnc.initial_weights(graph)
        inputs = _inputs(graph, 1)
        (content,) = cnnc.generate(graph, "onnx", weights).values()
        evaluator = ReferenceEvaluator(onnx.load_from_string(content))
        model = cnnc.runnable(graph, "numpy", weights, planned=True)
        peer, ours = "ONNX ReferenceEvaluator", f"{name}, batch 1, NumPy"
        candidates = {peer: partial(evaluator.run, None, inputs), ours: partial(model.run, inputs)}
        for calls, which in ((1, ""), (3, ", third call in a row")):
            found = against(peer, candidates, min(rounds, 5), warm_up=1, calls=calls)
            yield Line("reference", ours + which, peer, found[ours], 1 / 15)


COMMANDS: dict[str, Callable[[int, int], Iterable[Line]]] = {
    run.__name__: run for run in
    (check, zoo, start, parse, summary, forward, reference, train_step, generated, export, exporters, initial)
}
