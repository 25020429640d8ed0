"""ONNX files and weights: how long they take to write, what memory, and how the files run."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.interleave import Line, Ratio, against

T = TypeVar("T")

#: What writing may take besides the weights: this, and one tensor.
EXTRA = 16 << 20
#: What is exported in two ways, where it comes with cnnc.
EXPORTED = ("lenet5", "resnet50", "densenet121", "vgg11_bn")


def _written(path: Path, chunks: Any) -> None:
    with open(path, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def export(rounds: int, threads: int) -> Iterator[Line]:
    """writing vgg16's ONNX file over a plain write of its weights, with fsync; its memory; `cnnc export`"""
    import cnnc
    from backends.onnx.model import build
    from cnnc.files import write_atomically

    graph = cnnc.load("vgg16")
    weights = cnnc.initial_weights(graph)
    with tempfile.TemporaryDirectory() as folder:
        plain, file, held = (Path(folder) / name for name in ("plain", "file", "vgg16.safetensors"))
        peer, ours = "write of the weights", "vgg16, ONNX file written"

        def fresh() -> None:
            # To free the blocks of an old file takes a disk as long as to write a new one, now and then.
            for path in (plain, file):
                path.unlink(missing_ok=True)

        found = against(peer, {
            peer: lambda: _written(plain, (array.data for array in weights.values())),
            ours: lambda: write_atomically(file, build(graph, weights).chunks()),
        }, rounds, warm_up=1, before=fresh)
        yield Line("export", ours, peer, found[ours], 1.3)
        for way, memory in (("initial weights", None), ("a safetensors file", held)):
            if memory is not None:
                cnnc.save_weights(memory, weights, graph)
            extra = _in_a_child(_extra_memory, str(file), None if memory is None else str(memory))
            allowed = EXTRA + max(array.nbytes for array in weights.values())
            share = Ratio(extra / allowed, extra / allowed)
            yield Line("export", f"vgg16 from {way}, memory", "16 MiB and the largest tensor", share, 1)
        # From a small process: what starts another hands its own peak on to it.
        words = ["export", "vgg16", "--weights", str(held), "--output", str(file)]
        spent, peak = _in_a_child(_command, words, threads)
        begin = time.perf_counter()
        _written(plain, (array.data for array in weights.values()))
        plainly = time.perf_counter() - begin
        size = sum(array.nbytes for array in weights.values())
    command = "cnnc export vgg16, checked and compared"
    yield Line("export", f"{command}: time", peer, Ratio(spent / plainly, spent / plainly))
    yield Line("export", f"{command}: memory", "the weights", Ratio(peak / size, peak / size))


def _command(words: list[str], threads: int) -> tuple[float, int]:
    """Seconds and peak memory of a whole process."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "cnnc", *words], cwd=Path(__file__).parents[1],
                               stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, f"{' '.join(words)} failed"
    return time.perf_counter() - begin, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _in_a_child(work: Callable[..., T], *arguments: Any) -> T:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _extra_memory(path: str, held: str | None) -> int:
    """Peak memory of `cnnc.export`, its checks left out, beyond what was there before, in bytes."""
    import numpy as np
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    import cnnc
    import cnnc.exporting
    from cnnc.verification import Report

    graph = cnnc.load("vgg16")
    weights = cnnc.initial_weights(graph) if held is None else cnnc.load_weights(held, graph)
    for array in weights.values():
        np.isfinite(array[:1]).all()  # where the file is mapped into memory, its first page is read
    nothing: Any = Report
    cnnc.exporting.checked = lambda *given, **named: nothing  # type: ignore[assignment]
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _status("VmRSS")
    cnnc.export(graph, weights, path)
    return max(0, _status("VmHWM") - before)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def exporters(rounds: int, threads: int) -> Iterator[Line]:
    """writing an ONNX file over torch.onnx.export; latency and nodes of the two files in onnxruntime"""
    import numpy as np
    import onnx
    import onnxruntime
    import torch

    import cnnc
    from backends.onnx.model import build
    from cnnc.comparison import compare
    from cnnc.verification import SINGLE
    from compiler.load import shipped
    from compiler.passes.fold_batchnorm import fold_batchnorm

    torch.set_num_threads(threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    known = shipped()
    for name in [net for net in EXPORTED if net in known]:
        graph = cnnc.load(name)
        weights = cnnc.initial_weights(graph)
        module = cnnc.torch_module(graph, weights).eval()
        shape = (1, *next(iter(graph.inputs.values())).shape)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        with tempfile.TemporaryDirectory() as folder:
            ours_path, peer_path = Path(folder) / "ours.onnx", Path(folder) / "peer.onnx"

            def traced(module: Any = module, x: Any = x, path: Path = peer_path) -> None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    torch.onnx.export(module, (x,), str(path), dynamo=False)

            def streamed(graph: Any = graph, weights: Any = weights, path: Path = ours_path) -> None:
                written, numbers, _ = fold_batchnorm(graph, weights)
                with open(path, "wb") as file:  # as the peer does, without waiting for the disk
                    file.writelines(build(written, numbers).chunks())

            peer, ours = "torch.onnx.export, by tracing", f"{name}, ONNX file written"
            found = against(peer, {peer: traced, ours: streamed}, min(rounds, 5), warm_up=1)
            yield Line("exporters", ours, peer, found[ours], None if name == "lenet5" else 1 / 10)
            sessions = [onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
                        for path in (ours_path, peer_path)]
            runs = [partial(one.run, None, {one.get_inputs()[0].name: np.asarray(x)}) for one in sessions]
            same = compare(name, "output", runs[0]()[0], runs[1]()[0].astype(np.float64), SINGLE)
            assert same.passed, f"{name}: the two files differ by {same.relative:.3g} of the largest number"
            peer, ours = "its file, onnxruntime", f"{name}, our file, onnxruntime"
            found = against(peer, {peer: runs[1], ours: runs[0]}, 5 * rounds)
            yield Line("exporters", ours, peer, found[ours], 1.02)
            mine, theirs = (len(onnx.load(str(path)).graph.node) for path in (ours_path, peer_path))
            yield Line("exporters", f"{name}, nodes", "its nodes", Ratio(mine / theirs, mine / theirs), 1)


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
