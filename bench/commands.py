"""One function per line of the goals: it measures and gives its lines."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.interleave import Line, against

#: Network and batch -> how many times PyTorch's time a forward pass in NumPy may take.
FORWARD = {("lenet5", 1): 0.9, ("alexnet", 1): 1.5, ("vgg16", 1): 1.2, ("vgg16", 8): 1.05}
#: Text to be parsed: the specs that come with cnnc, so often that they are some 100 KiB.
PARSED_BYTES = 100_000


def _process(*words: str) -> Callable[[], object]:
    # Bytecode is there before anything is timed: the warm-up rounds write it.
    return partial(subprocess.run, [sys.executable, *words], stdout=subprocess.DEVNULL, check=True)


def _inputs(graph: Any, batch: int) -> dict[str, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal((batch, *value.shape)).astype(np.float32)
        for name, value in graph.inputs.items()
    }


def check(rounds: int, threads: int) -> list[Line]:
    """a whole `cnnc check` process over one that does `import lark`"""
    peer, ours = "import lark", "cnnc check lenet5"
    processes = {peer: _process("-c", peer), ours: _process("-m", "cnnc", "check", "lenet5")}
    found = against(peer, processes, rounds)
    return [Line("check", ours, peer, found[ours], 1.9)]


def summary(rounds: int, threads: int) -> list[Line]:
    """evaluation and summary of vgg16 over torchinfo's summary of the same net"""
    import torch
    import torchinfo

    import cnnc

    torch.set_num_threads(threads)
    graph = cnnc.load("vgg16")
    module = cnnc.torch_module(graph, cnnc.initial_weights(graph)).eval()
    size = (1, *next(iter(graph.inputs.values())).shape)
    peer, ours = "torchinfo.summary", "load and summary of vgg16"
    found = against(peer, {
        peer: lambda: torchinfo.summary(module, input_size=size, verbose=0),
        ours: lambda: cnnc.summary(cnnc.load("vgg16")),
    }, rounds)
    return [Line("summary", ours, peer, found[ours], 1 / 30)]


def parse(rounds: int, threads: int) -> list[Line]:
    """text to typed AST over Lark's own tree with positions, on the same grammar"""
    from lark import Lark

    import specs
    from spec_lang import tables
    from spec_lang.parser import parse as ours_parse
    from spec_lang.source import Source

    folder = Path(specs.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.cnn")))
    text *= PARSED_BYTES // len(text) + 1
    grammar = tables.GRAMMAR.read_text(encoding="utf-8")
    goals = list(tables.GOALS)
    lark = Lark(grammar, parser="lalr", lexer="contextual", start=goals, propagate_positions=True)
    peer, ours = "Lark's tree with positions", f"parse of {len(text) // 1000} kB"
    found = against(peer, {
        peer: lambda: lark.parse(text, start="file"),
        ours: lambda: ours_parse(Source("specs.cnn", text)),
    }, rounds)
    return [Line("parse", ours, peer, found[ours], 1.3)]


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
        found = against(peer, {
            peer: lambda evaluator=evaluator, inputs=inputs: evaluator.run(None, inputs),
            ours: partial(model.run, inputs),
        }, min(rounds, 5), warm_up=1)
        yield Line("reference", ours, peer, found[ours], 1 / 15)


def train_step(rounds: int, threads: int) -> list[Line]:
    """a training step of lenet5 at batch 64 in NumPy (SGD with momentum) over eager PyTorch"""
    import numpy as np
    import torch

    import cnnc
    from backends.logits import logits_graph
    from backends.numpy.train import NumpyTrainer
    from compiler.training import TrainSettings

    torch.set_num_threads(threads)
    graph = logits_graph(cnnc.load("lenet5"))
    weights = cnnc.initial_weights(graph)
    (images,) = _inputs(graph, 64).values()
    labels = np.random.default_rng(1).integers(0, 10, 64)
    trainer = NumpyTrainer(graph, weights, TrainSettings(), 0)
    module = cnnc.torch_module(graph, weights).train()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    x, wanted = torch.from_numpy(images), torch.from_numpy(labels)

    def peer_step() -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(x), wanted).backward()
        optimiser.step()

    peer, ours = "torch eager", "lenet5, batch 64, NumPy"
    found = against(peer, {peer: peer_step, ours: lambda: trainer.step(images, labels, 0.01)}, 5 * rounds)
    return [Line("train_step", ours, peer, found[ours], 1.2)]


def export(rounds: int, threads: int) -> list[Line]:
    """writing vgg16's ONNX file over a plain write of its weights, both with fsync"""
    import cnnc
    from backends.onnx.model import build

    graph = cnnc.load("vgg16")
    weights = cnnc.initial_weights(graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"

        def written(chunks: Any) -> None:
            with open(path, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())

        peer, ours = "write of the weights", "vgg16, streamed ONNX file"
        found = against(peer, {
            peer: lambda: written(array.data for array in weights.values()),
            ours: lambda: written(build(graph, weights).chunks()),
        }, rounds, warm_up=1)
    return [Line("export", ours, peer, found[ours], 1.3)]


def initial(rounds: int, threads: int) -> list[Line]:
    """initial weights of vgg16 over PyTorch's normal numbers, as many of them"""
    import torch

    import cnnc

    torch.set_num_threads(threads)
    graph = cnnc.load("vgg16")
    peer, ours = "torch.randn", "vgg16, initial weights"
    found = against(peer, {
        peer: lambda: torch.randn(graph.params),
        ours: lambda: cnnc.initial_weights(graph),
    }, min(rounds, 3), warm_up=1)
    return [Line("initial", ours, peer, found[ours])]


COMMANDS: dict[str, Callable[[int, int], Iterable[Line]]] = {
    run.__name__: run for run in (check, summary, parse, forward, reference, train_step, export, initial)
}
