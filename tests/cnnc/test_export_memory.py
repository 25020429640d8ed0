"""Writing an ONNX file holds no second copy of the weights."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
#: Five tensors of 16 MiB each.
SPEC = """model wide {
    input image: [2048]
    repeat 5 { fc(2048, bias = false) -> relu }
    output out
}
"""
EXTRA, TENSOR, WEIGHTS = 16 * MIB, 16 * MIB, 80 * MIB


def peak(way: str, folder: str) -> int:
    """Bytes beyond what is there when the weights are, while a file is written one way or the other."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401

    import cnnc
    import cnnc.exporting
    from backends.onnx.model import build
    from cnnc.files import write_atomically
    from spec_lang.source import Source

    graph = cnnc.load(Source("wide.cnn", SPEC))
    weights = cnnc.initial_weights(graph)
    if way == "safetensors":
        cnnc.save_weights(f"{folder}/w.safetensors", weights, graph)
        del weights
        weights = cnnc.load_weights(f"{folder}/w.safetensors", graph)
        for array in weights.values():
            array.sum()  # where the file is mapped into memory, it is read
    passed: Any = "checked elsewhere"
    cnnc.exporting.checked = lambda *given, **named: passed  # type: ignore[assignment]
    path = f"{folder}/wide.onnx"
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = status("VmRSS")
    if way == "copied":
        write_atomically(path, build(graph, weights).content())
    else:
        assert cnnc.export(graph, weights, path) is passed
    assert Path(path).stat().st_size > WEIGHTS
    return status("VmHWM") - before


def status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak is read from /proc")
@pytest.mark.parametrize("way", ["initial", "safetensors", "copied"])
def test_export_takes_no_more_than_a_tensor_beside_the_weights(way: str, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        used = pool.apply(peak, (way, str(tmp_path)))
    if way == "copied":
        assert used > EXTRA + TENSOR, "a copy is not seen, so this measures nothing"
    else:
        assert used <= EXTRA + TENSOR, f"{used / MIB:.0f} MiB"
