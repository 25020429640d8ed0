"""Published networks, written with every construct that names weights, against what their implementations have.

`networks/facts.json` holds facts alone: names and shapes of weights, numbers of parameters and
multiply-adds, shapes of outputs; `source` says from where.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compiler.load import check, load

HERE = Path(__file__).parent / "networks"
FACTS = json.loads((HERE / "facts.json").read_text())

# fact, file, model
NETWORKS = [
    ("resnet18", "resnet", "resnet18"),
    ("resnet50", "resnet", "resnet50"),
    ("resnet101", "resnet", "resnet101"),
    ("resnext50_32x4d", "resnet", "resnext50_32x4d"),
    ("densenet121", "densenet", "densenet121"),
    ("squeezenet1_1", "squeezenet", "squeezenet1_1"),
    ("mobilenet_v2", "mobilenet", "mobilenet_v2"),
    ("googlenet_aux", "googlenet", "googlenet"),
    ("inception_v3_aux", "inception", "inception_v3"),
    ("cyclegan_discriminator", "discriminators", "cyclegan_discriminator"),
    ("gan_mlp_discriminator", "discriminators", "gan_mlp_discriminator"),
]


@pytest.mark.parametrize("fact, file, model", NETWORKS, ids=[row[0] for row in NETWORKS])
def test_names_shapes_and_counts_are_the_published_ones(fact, file, model):
    want = FACTS[fact]
    graph = load(f"{HERE / file}.cnn:{model}", training=True)
    rows = {row.split()[0]: tuple(map(int, row.split()[1:])) for row in want["weights"]}
    assert {name: weight.shape for name, weight in graph.weights.items()} == rows
    assert graph.params == want["params"]
    assert graph.macs == want["macs"]
    assert {name: list(value.shape) for name, value in graph.outputs.items()} == want["outputs"]


@pytest.mark.parametrize("path", sorted(HERE.glob("*.cnn")), ids=lambda path: path.stem)
def test_nothing_is_wrong_or_suspicious_in_a_file(path):
    assert [str(d.span) + d.message for d in check(path)] == []


def test_one_network_on_three_scales_has_its_weights_once():
    graph = load(HERE / "multiscale.cnn")
    assert graph.params == 427_910  # Farabet et al. 2012: 16, 64 and 256 maps of 7x7 windows
    assert graph.macs == 3_269_750_400
    assert {n: v.shape for n, v in graph.outputs.items()} == {
        "scale1": (256, 60, 80), "scale2": (256, 30, 40), "scale3": (256, 15, 20)}
    assert graph.weights["conv1_uv.weight"].shape == (6, 2, 7, 7)
    assert graph.weights["rest.conv3.255.weight"].shape == (1, 32, 7, 7)
    assert len(graph.weights) == 2 * (2 + 64 + 256)
    uses = [node for node in graph.nodes if node.path == "rest.conv2.7"]
    assert [node.output.shape for node in uses] == [(1, 120, 160), (1, 60, 80), (1, 30, 40)]


def test_without_training_a_graph_has_the_main_head_alone():
    graph = load(HERE / "googlenet.cnn")
    assert list(graph.outputs) == ["logits"]
    assert graph.macs == 1_498_376_192  # torchvision's googlenet without auxiliary heads
    assert graph.params == FACTS["googlenet_aux"]["params"]  # which counts what training holds
    assert {n for n, w in graph.weights.items() if w.training} == {n for n in graph.weights if n.startswith("aux")}
