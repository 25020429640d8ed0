"""The families of the zoo with other parameters: names, shapes and counts are those of torchvision's own variants.

The numbers were computed with torchvision 0.28.0, whose classes take the same parameters.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

import cnnc
from cnnc.cli import main

SPEC = """import "classification/resnet.cnn" (ResNet, Basic, Bottleneck)
import "classification/efficientnet.cnn" (EfficientNet)

model tiny = ResNet(Basic, [1, 1, 1, 1])
model grouped = ResNet(Bottleneck(groups = 2, per_group = 8), [1, 1, 2, 1], classes = 7)
model efficient = EfficientNet(0.5, 0.4, 97, 97, 0.1, classes = 7)
"""
#: Model, its parameters, number of parameters, begin of the sha256 of the sorted lines `name HxWx...`.
VARIANTS: list[tuple[str, dict[str, Any], int, str]] = [
    (":tiny", {}, 5_418_792, "750006b15e876c29"),
    (":grouped", {}, 3_580_039, "d786a1e3447a8de4"),
    (":efficient", {}, 661_607, "3b0798a61de4c928"),
    ("resnet18", {"classes": 7}, 11_180_103, "cd7c55877631a506"),
    ("mobilenet_v2", {"factor": 0.35, "classes": 7}, 405_095, "5c040bb61d659560"),
    ("mobilenet_v2", {"factor": 1.4}, 6_108_776, "124523328616c37f"),
    ("mobilenet_v3_small", {"classes": 7}, 1_525_031, "7292ac92286e0bd3"),
    ("DenseNet", {"depths": [2, 3], "growth": 12, "classes": 7}, 40_171, "289b550f6c6851dc"),
    ("MnasNet", {"factor": 0.35, "classes": 7}, 516_199, "87b9ddb1e1d7081e"),
    ("ShuffleNetV2", {"widths": [24, 48, 96], "last": 64, "classes": 7}, 47_239, "4ab6876261813726"),
    (
        "ConvNeXt",
        {"depths": [1, 2, 3, 1], "widths": [24, 48, 96, 192], "drop": 0.1, "resized": 230, "classes": 7},
        692_767,
        "7a8b59bce4e657c7",
    ),
    ("VGG", {"depths": [1, 1, 1, 1, 1], "norm": True, "classes": 7}, 123_488_263, "4db5b824d585391e"),
    ("squeezenet1_0", {"classes": 7}, 739_015, "824a2c765be0dede"),
    ("alexnet", {"classes": 7}, 57_032_519, "a5ecba981eb9d028"),
    ("googlenet", {"classes": 7}, 5_607_079, "80f85d81eeaf47d3"),
    ("googlenet_aux", {"classes": 7}, 9_951_413, "dc2f18a796f0c5c6"),
    ("inception_v3_aux", {"classes": 7}, 24_362_990, "ffb59c75c23494ff"),
]


@pytest.mark.parametrize("name, given, params, digest", VARIANTS, ids=lambda value: str(value).strip(":"))
def test_a_variant_has_the_weights_of_torchvision_s(
    name: str, given: dict[str, Any], params: int, digest: str, tmp_path: Path
) -> None:
    path = tmp_path / "variants.cnn"
    path.write_text(SPEC, encoding="utf-8")
    graph = cnnc.load(f"{path}{name}" if name.startswith(":") else name, **given)
    lines = sorted(f"{key} {'x'.join(map(str, weight.shape))}" for key, weight in graph.weights.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest().startswith(digest)
    assert graph.params == params


@pytest.mark.parametrize(
    "name",
    ["googlenet", "googlenet_aux", "googlenet_2014_aux", "inception_v3_aux", "densenet121", "alexnet_2012"],
)
def test_with_other_classes_the_outputs_of_inference_and_of_training_have_as_many(name: str) -> None:
    graph, training = cnnc.load(name, classes=7), cnnc.load(name, classes=7, training=True)
    assert {value.shape for value in training.outputs.values()} == {(7,)}
    heads = len(training.outputs) - len(graph.outputs)
    assert heads == {"googlenet_aux": 2, "googlenet_2014_aux": 2, "inception_v3_aux": 1}.get(name, 0)
    assert (training.macs > graph.macs) == (heads > 0)
    assert training.params == graph.params, "the weights of heads count either way"


def test_a_family_is_given_a_block_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "ResNet", "--set", "unit=Basic", "--set", "depths=[1, 1, 1, 1]"]) == 0
    assert "5,418,792" in capsys.readouterr().out


def test_a_narrower_network_is_as_large_as_its_layers_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Of ResNet-18 the 3x3 convolutions, the projections, the stem and the layer at the end, by hand."""
    assert main(["summary", "resnet18_small", "--set", "width=16", "--set", "classes=7"]) == 0
    w = [16, 32, 64, 128]
    convs = 9 * 16 + 4 * 9 * 16 * 16
    norms = 2 * 16 * 5
    for before, width in zip(w, w[1:], strict=False):
        convs += 9 * before * width + 3 * 9 * width * width + before * width
        norms += 2 * width * 5
    assert f"{convs + norms + 128 * 7 + 7:,}" in capsys.readouterr().out
