"""What is generated for the zoo: as short as by hand, clean, alone with torch, and taken by its tools.

Modules are built on the meta device, which knows shapes and no numbers, where numbers are not compared.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import cnnc
from backends.torch.emit import source_of
from backends.torch.runnable import generated
from compiler.load import is_open, load, open_spec, shipped

MODELS = [name for name in shipped() if not is_open(name, open_spec(name).module)]
BY_HAND = Path(__file__).parents[3] / "bench" / "by_hand"
#: Traced in the short form of the tests; all others in the long form.
QUICK = ("alexnet_2012", "resnet18_small", "squeezenet1_1", "mobilenet_v3_small")
TRACED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in MODELS]


def by_hand(name: str) -> ModuleType:
    return importlib.import_module(f"bench.by_hand.{name}")


def classes(name: str) -> list[str]:
    return [node.name for node in ast.parse(source_of(load(name))).body if isinstance(node, ast.ClassDef)]


# ---- beside a file that was written by hand ----------------------------------------------


@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_a_file_is_at_most_a_third_longer_than_by_hand(name: str) -> None:
    ours, theirs = source_of(load(name)), (BY_HAND / f"{name}.py").read_text(encoding="utf-8")
    assert len(ours.splitlines()) <= 1.3 * len(theirs.splitlines())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("resnet18", ["Basic", "BasicDownsample", "Resnet18"]),
        ("resnet50", ["BottleneckDownsample", "Bottleneck", "Resnet50"]),
        ("resnet152", ["BottleneckDownsample", "Bottleneck", "Resnet152"]),
        ("densenet121", ["DenseLayer", "Transition", "Densenet121"]),
        ("densenet201", ["DenseLayer", "Transition", "Densenet201"]),
        ("googlenet", ["ConvBN", "Inception", "Googlenet"]),
        # A weight of the block's own is of another size in each stage.
        ("convnext_small", ["ChannelNorm", "ChannelLinear", "PathDropout", "Block", "ConvnextSmall"]),
    ],
)
def test_instances_of_one_structure_share_a_class(name: str, wanted: list[str]) -> None:
    assert classes(name) == wanted


@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_a_file_computes_what_the_one_by_hand_computes(name: str) -> None:
    graph = load(name)
    weights = cnnc.initial_weights(graph, seed=2)
    theirs = by_hand(name).build_model(weights)
    ours = generated(graph).build_model(weights)
    # One checkpoint fits both.
    assert set(ours.state_dict()) == set(theirs.state_dict())
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for training in (True, False):  # the first moves the running statistics, which the second uses
        with torch.no_grad():
            wanted = theirs.train(training)(x)
            found = ours.train(training)(x)
        assert torch.allclose(found, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))
    for made in (ours, theirs):
        with pytest.raises(ValueError, match=r"image is \(1, 3, 224, 223\), not \(N, 3, 224, 224\)"):
            made(torch.zeros(1, 3, 224, 223))


@pytest.mark.long
def test_files_by_hand_meet_the_same_rules() -> None:
    files = [str(path) for path in sorted(BY_HAND.glob("*.py"))]
    formatted = ["ruff", "format", "--isolated", "--check", str(BY_HAND)]
    for command in (formatted, ["mypy", "--strict", *files]):
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- all of them ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of every network that comes with cnnc."""
    path = tmp_path_factory.mktemp("zoo")
    for name in MODELS:
        (path / f"{name}.py").write_text(source_of(load(name)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "format", "--isolated", "--check"],
        # But for long lines: those of a spec's own description are kept.
        ["ruff", "check", "--isolated", "--select", "E,W,F,I,B,UP,C4,SIM,RUF100", "--ignore", "E501"],
        pytest.param(["mypy", "--strict"], marks=pytest.mark.long),
    ],
    ids=["format", "lint", "types"],
)
def test_every_file_of_the_zoo_is_clean(command: list[str], folder: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *command, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_of_the_zoo_loads_where_there_is_torch_alone(folder: Path) -> None:
    program = """
import importlib, importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cnnc", "compiler", "backends", "spec_lang", "specs", "lark", "numpy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[1])
import torch
for name in sys.argv[2:]:
    with torch.device("meta"):
        model = importlib.import_module(name).build_model()
    print(name, sum(p.numel() for p in model.parameters()))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", program, str(folder), *MODELS],
        capture_output=True,
        text=True,
    )
    found = dict(line.split() for line in done.stdout.splitlines())
    # Heads that only training has are registered, too.
    wanted = {name: str(load(name).with_training.params) for name in MODELS}
    assert found == wanted, done.stderr


#: Tracing does not take `x[:, [0, 4, 5]]` for tensors that have no numbers; for others it does.
WITH_NUMBERS = ("lenet5_1998",)


def _traced(name: str) -> Iterator[tuple[torch.nn.Module, tuple[torch.Tensor, ...]]]:
    """A model and its inputs as in inference; where it has heads for training, as in that, too."""
    graph = load(name)
    with torch.device("cpu" if name in WITH_NUMBERS else "meta"):
        model = generated(graph).build_model()
        inputs = tuple(torch.zeros(2, *value.shape) for value in graph.inputs.values())
    yield model.eval(), inputs
    if graph.with_training.outputs.keys() != graph.outputs.keys():
        yield model.train(), inputs


def _shapes(outputs: Any) -> Any:
    return {k: v.shape for k, v in outputs.items()} if isinstance(outputs, dict) else outputs.shape


@pytest.mark.parametrize("name", TRACED)
def test_torch_compile_takes_a_network_as_one_graph(name: str) -> None:
    for model, inputs in _traced(name):
        torch._dynamo.reset()
        with torch.no_grad():
            compiled = torch.compile(model, fullgraph=True, backend="eager")(*inputs)
            assert _shapes(compiled) == _shapes(model(*inputs))


@pytest.mark.parametrize("name", TRACED)
def test_torch_export_takes_a_network(name: str) -> None:
    for model, inputs in _traced(name):
        exported = torch.export.export(model, inputs)
        assert _shapes(exported.module()(*inputs)) == _shapes(model(*inputs))


# ---- heads for training ----------------------------------------------------------------


def test_auxiliary_heads_of_googlenet_run_in_training_alone_as_in_torchvision() -> None:
    """torchvision's module gives logits, aux_logits2 and aux_logits1 in training, the logits alone otherwise."""
    graph = load("googlenet_aux")
    weights = cnnc.initial_weights(graph.with_training, seed=4)
    model = generated(graph).build_model(weights)
    ran: list[str] = []
    for head in ("aux1", "aux2"):
        getattr(model, head).register_forward_hook(lambda *_, head=head: ran.append(head))
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert list(model.eval()(x)) == ["logits"] and ran == []
        # Every part as in inference, only the model itself in training: the numbers of the record's heads.
        model.training = True
        outputs = model(x)
    assert list(outputs) == ["logits", "aux_logits2", "aux_logits1"] and sorted(ran) == ["aux1", "aux2"]
    reference = cnnc.runnable(load("googlenet_aux", training=True), "numpy", weights).run({"image": x.numpy()})
    assert outputs.keys() == reference.keys()
    for name, wanted in reference.items():
        wanted = torch.from_numpy(wanted)
        assert torch.allclose(outputs[name], wanted, rtol=0, atol=1e-4 * float(wanted.abs().max())), name
