"""Starting, reading and counting, against the import of Lark, Lark's own tree and torchinfo."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.interleave import Line, against

#: Text to be parsed: the specs that come with cnnc, so often that they are some 100 KiB.
PARSED_BYTES = 100_000
IMPORTING = """import "blocks.cnn" (Bottleneck)

model imported {
    input image: [3, 64, 64]
    repeat 4 { Bottleneck(16, 1) }
    output out
}
"""
BOTTLENECK = """block Bottleneck(width, stride = 1) {
    add {
        branch {
            conv(width, 1x1, bias = false) -> batchnorm -> relu
            conv(width, 3x3, stride = stride, pad = 1, bias = false) -> batchnorm -> relu
            conv(4 * width, 1x1, bias = false) -> batchnorm
        }
        branch {
            if stride != 1 or in.channels != 4 * width {
                conv(4 * width, 1x1, stride = stride, bias = false) -> batchnorm
            }
        }
    }
    relu
}
"""


def residual(depths: Sequence[int], width: int, size: int) -> str:
    """A net of residual bottlenecks, so many of them in each stage; [3, 8, 36, 3], 64, 224: ResNet-152."""
    return BOTTLENECK + f"""
model deep {{
    input image: [3, {size}, {size}]
    conv({width}, 7x7, stride = 2, pad = 3, bias = false) -> batchnorm -> relu
    maxpool(3x3, stride = 2, pad = 1)
    for (i, depth) in zip(0..{len(depths)}, {list(depths)}) {{
        Bottleneck({width} * 2 ** i, if i == 0 then 1 else 2)
        repeat depth - 1 {{ Bottleneck({width} * 2 ** i) }}
    }}
    globalavgpool -> flatten
    fc(10)
    output out
}}
"""


def _process(*words: str, folder: str | None = None) -> Callable[[], object]:
    """A process with the bytecode that an installation has: the warm-up rounds write what is missing."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return partial(subprocess.run, words, stdout=subprocess.DEVNULL, check=True, cwd=folder, env=environment)


def check(rounds: int, threads: int) -> Iterator[Line]:
    """a whole `cnnc check` process over one that does `import lark`"""
    python, script = sys.executable, str(Path(sys.executable).with_name("cnnc"))
    home = str(Path(__file__).parents[1])
    # Lark imports interegular, a tool for those who change the grammar, where it is installed.
    alone = "import sys; sys.modules['interegular'] = None; import lark"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "blocks.cnn").write_text(BOTTLENECK, encoding="utf-8")
        (Path(folder) / "imported.cnn").write_text(IMPORTING, encoding="utf-8")
        deep = residual([2, 2, 2, 2], 16, 64)
        (Path(folder) / "deep.cnn").write_text(deep, encoding="utf-8")
        ours = {
            "cnnc check lenet5": _process(script, "check", "lenet5"),
            "python -m cnnc check lenet5": _process(python, "-m", "cnnc", "check", "lenet5", folder=home),
            "cnnc check vgg16": _process(script, "check", "vgg16"),
            "cnnc check --strict, a file with an import":
                _process(script, "check", "--strict", "imported.cnn", folder=folder),
            "cnnc check, a file of 95 layers": _process(script, "check", "deep.cnn", folder=folder),
        }
        peer, bare = "import lark", "import lark, interegular apart"
        found = against(
            peer, {peer: _process(python, "-c", peer), bare: _process(python, "-c", alone), **ours}, rounds
        )
    for name in ours:
        yield Line("check", name, peer, found[name], 1.9)
    first = next(iter(ours))
    yield Line("check", first, bare, found[first].over(found[bare]), 1.9)


def zoo(rounds: int, threads: int) -> list[Line]:
    """a `cnnc check` process over the whole zoo, over three that do `import torch`"""
    from compiler.load import is_open, open_spec, shipped

    python, script = sys.executable, str(Path(sys.executable).with_name("cnnc"))
    names = [name for name in shipped() if not is_open(name, open_spec(name).module)]  # as `cnnc specs` does
    importing = _process(python, "-c", "import torch")
    peer, ours = "three times import torch", f"cnnc check of the {len(names)} networks of the zoo"
    found = against(peer, {
        peer: lambda: [importing() for _ in range(3)],
        ours: _process(script, "check", *names),
    }, min(rounds, 5), warm_up=1)
    return [Line("zoo", ours, peer, found[ours], 1)]


def start(rounds: int, threads: int) -> Iterator[Line]:
    """whole `cnnc check` and `cnnc summary` processes over an empty Python"""
    python, script = sys.executable, str(Path(sys.executable).with_name("cnnc"))
    ours = {
        "cnnc check lenet5": _process(script, "check", "lenet5"),
        "cnnc summary lenet5": _process(script, "summary", "lenet5"),
        "cnnc --version": _process(script, "--version"),
        "import torch": _process(python, "-c", "import torch"),
    }
    peer = "python -c pass"
    found = against(peer, {peer: _process(python, "-c", "pass"), **ours}, rounds)
    for name in ours:
        yield Line("start", name, peer, found[name])


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


def summary(rounds: int, threads: int) -> Iterator[Line]:
    """evaluation and summary over torchinfo's summary of the same net"""
    import torch

    from compiler.load import shipped
    from spec_lang.source import Source

    torch.set_num_threads(threads)
    nets: dict[str, tuple[Any, float | None]] = {
        "vgg16": ("vgg16", 1 / 30),
        "ResNet-152": (Source("deep.cnn", residual([3, 8, 36, 3], 64, 224)), 1 / 10),
        # So small that its forward pass takes next to nothing: what is left is torchinfo's own work.
        "a tiny net of 515 layers": (Source("deep.cnn", residual([3, 8, 36, 3], 4, 32)), None),
    }
    nets |= {name: (name, 1 / 10) for name in ("resnet152", "densenet201") if name in shipped()}
    for name, (target, goal) in nets.items():
        yield from _summarised(name, target, goal, rounds)


def _summarised(name: str, target: Any, goal: float | None, rounds: int) -> Iterator[Line]:
    """A text is parsed each time; of a shipped network both with its files parsed already and without."""
    import torchinfo

    import cnnc
    from compiler import modules

    graph = cnnc.load(target)
    module = cnnc.torch_module(graph, cnnc.initial_weights(graph)).eval()
    size = (1, *next(iter(graph.inputs.values())).shape)
    counted = torchinfo.summary(module, input_size=size, verbose=0).total_params
    assert counted == graph.params, f"torchinfo counts {counted} parameters in {name}, not {graph.params}"

    def anew() -> None:
        modules.forget_parsed()
        cnnc.summary(cnnc.load(target))

    peer, ours = "torchinfo.summary", f"load and summary of {name}"
    parsed = f"{ours}, parsed before"
    candidates = {peer: lambda: torchinfo.summary(module, input_size=size, verbose=0), ours: anew}
    if isinstance(target, str):
        candidates[parsed] = lambda: cnnc.summary(cnnc.load(target))
    found = against(peer, candidates, rounds)
    yield Line("summary", ours, peer, found[ours], goal)
    if parsed in candidates:
        yield Line("summary", parsed, peer, found[parsed], goal)
