"""The examples by which the language was designed, and the mistakes that it is there to catch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compiler.load import check, load
from spec_lang.source import Source
from tests.compiler.evaluate.helpers import paths

FACTS = json.loads((Path(__file__).parent / "networks" / "facts.json").read_text())

LENET = """## LeNet-5, LeCun et al. 1998, as it is taught today: the first CNN, for handwritten digits.
model lenet5(classes = 10) {
    input image: [1, 32, 32]

    conv(6, 5x5)  -> relu -> maxpool(2x2)      # 28x28, then 14x14; its weights are conv1.weight and conv1.bias
    conv(16, 5x5) -> relu -> maxpool(2x2)
    flatten
    fc(120) -> relu
    fc(84)  -> relu
    fc(classes)
    output logits

    expect params == 61_706 and macs == 416_520
}
"""

TRAINED = """model lenet5(classes = 10) {
    input image: [1, 32, 32]
    preprocess { resize(32x32) -> rescale(1 / 255) -> normalize(mean = [0.1307], std = [0.3081]) }
    init { conv = he(normal)  fc = xavier(uniform)  "fc3" = normal(0.01) }     # a bare word is a layer, a string a path; the last match wins
    conv(6, 5x5)  -> relu -> maxpool(2x2)
    conv(16, 5x5) -> relu -> maxpool(2x2)
    flatten -> fc(120) -> relu -> fc(84) -> relu -> fc(classes)
    output logits
}
"""

RESNET = """block Bottleneck(width, stride = 1, groups = 1, per_group = 64) {
    let inner = width * per_group * groups // 64
    add {
        branch {
            conv1: conv(inner, 1x1, bias = false) -> bn1: batchnorm -> relu
            conv2: conv(inner, 3x3, stride = stride, pad = half, groups = groups, bias = false) -> bn2: batchnorm -> relu
            conv3: conv(4 * width, 1x1, bias = false) -> bn3: batchnorm
        }
        branch {
            if stride != 1 or in.channels != 4 * width {
                downsample: seq { conv(4 * width, 1x1, stride = stride, bias = false) -> batchnorm }
            }
        }
    }
    relu
}

model ResNet(unit, layers, classes = 1000) {
    input image: [3, 224, 224]
    conv1: conv(64, 7x7, stride = 2, pad = half, bias = false) -> bn1: batchnorm -> relu -> maxpool(3x3, stride = 2, pad = half)
    for (i, n) in zip(1..5, layers) {
        "layer{i}": seq {
            for j in 0..n { unit(64 * 2 ** (i - 1), stride = if i > 1 and j == 0 then 2 else 1) }
        }
    }
    globalavgpool -> flatten -> fc: fc(classes)
    output logits
}
model resnet50 = ResNet(Bottleneck, [3, 4, 6, 3])
model resnext50_32x4d = ResNet(Bottleneck(groups = 32, per_group = 4), [3, 4, 6, 3])
"""


@pytest.mark.parametrize("text", [LENET, TRAINED, RESNET], ids=["lenet5", "lenet5 with sections", "resnet"])
def test_nothing_is_wrong_or_suspicious(text):
    assert check(Source("a.cnn", text)) == []


def test_lenet():
    graph = load(Source("a.cnn", LENET))
    assert paths(graph) == "conv1 conv2 fc1 fc2 fc3"
    assert graph.doc.startswith("LeNet-5, LeCun et al. 1998")
    rules = {n: w.initialiser.rule for n, w in load(Source("a.cnn", TRAINED)).weights.items() if n.endswith("weight")}
    assert rules == {"conv1.weight": "he", "conv2.weight": "he", "fc1.weight": "xavier", "fc2.weight": "xavier", "fc3.weight": "normal"}


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d"])
def test_a_resnet_has_the_names_of_published_checkpoints(name):
    text = RESNET if name == "resnext50_32x4d" else RESNET.replace("model resnext50", "model other")[: RESNET.rindex("model")]
    graph = load(Source("a.cnn", text))
    assert [" ".join([n, *map(str, w.shape)]) for n, w in sorted(graph.weights.items())] == sorted(FACTS[name]["weights"])
    assert (graph.params, graph.macs) == (FACTS[name]["params"], FACTS[name]["macs"])


# what it shows, lines, code, line, column
TYPOS = [
    ("`output` above `softmax`", ["flatten -> fc(4)", "output", "softmax"], None, 4, 5),
    ("`as` above `relu`", ["conv(4, 3x3) as", "relu"], None, 3, 18),
    ("a label above its layer", ["stem:", "conv(4, 3x3)"], None, 3, 5),
    ("conv(64, 3, 3)", ["conv(64, 3, 3)"], "E314", 3, 17),
    ("conv(64, 3*3)", ["conv(64, 3*3)"], "E316", 3, 14),
    ("a join that drops the flow", ["relu as skip -> conv(3, 1x1)", "-> concat(skip)"], "E205", 4, 8),
    ("a group for a seq", ["layer1: { conv(4, 1x1) -> conv(4, 1x1) }"], "W202", 3, 5),
    ("`let y = act` above `(3)`", ["let y = relu", "(3)"], None, 4, 5),
    ("a tensor that reaches no output", ["conv(4, 1x1) as a", "x -> conv(5, 1x1)"], "E206", 3, 5),
]


@pytest.mark.parametrize("lines, code, line, column", [t[1:] for t in TYPOS], ids=[t[0] for t in TYPOS])
def test_a_typo_does_not_become_another_network(lines, code, line, column):
    text = "model m {\n    input x: [3, 16, 16]\n" + "".join(f"    {one}\n" for one in lines) + "}\n"
    found = check(Source("a.cnn", text))
    assert len(found) == 1, [d.message for d in found]
    assert found[0].code == code or (code is None and found[0].code.startswith("E1"))
    assert found[0].span.line in (line, line - 1, line + 1) if code is None else (found[0].span.line, found[0].span.column) == (line, column)


def test_five_different_mistakes_are_five_errors():
    text = """model m(classes = 10) {
    input image: [3, 32, 32]
    conv(64, 3, 3) -> relu
    image -> conv(filters, 3x3) -> rellu
    image -> conv(16, 11x11, stride = 4) -> relu
    image -> maxpool(2x2, strides = 2) -> flatten -> fc(classes)
    output logits
}
"""
    found = check(Source("a.cnn", text))
    assert [(d.code, d.span.line, d.span.column) for d in found] == [
        ("E314", 3, 17), ("E201", 4, 19), ("E202", 4, 36), ("E301", 5, 14), ("E310", 6, 27)]
    assert all(d.help and d.message for d in found)
