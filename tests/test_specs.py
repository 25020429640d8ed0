"""Every file of the zoo: clean, formatted, cited, and sure of its multiply-adds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import cnnc
from compiler.load import is_open, open_spec, shipped
from spec_lang import syntax as ast
from spec_lang.parser import parse
from spec_lang.source import Source

SPECS = Path(__file__).parent.parent / "specs"
FILES = sorted(SPECS.rglob("*.cnn"))
MODELS = [name for name in shipped() if not is_open(name, open_spec(name).module)]


def test_there_is_a_zoo() -> None:
    families = {
        "lenet": "lenet5 lenet5_1998",
        "alexnet": "alexnet alexnet_2012 caffenet",
        "vgg": "vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn",
        "googlenet": "googlenet googlenet_aux googlenet_2014 googlenet_2014_aux",
        "inception": "inception_v3 inception_v3_aux inception_v4",
        "resnet": "resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d"
        " wide_resnet50_2 wide_resnet101_2 resnet18_small",
        "densenet": "densenet121 densenet161 densenet169 densenet201",
        "squeezenet": "squeezenet1_0 squeezenet1_1",
        "mobilenet": "mobilenet_v2 mobilenet_v3_large mobilenet_v3_small",
        "mnasnet": "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3",
        "shufflenet": "shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
        "efficientnet": " ".join(f"efficientnet_b{i}" for i in range(8)),
        "convnext": "convnext_tiny convnext_small convnext_base convnext_large",
    }
    for family, models in families.items():
        assert {one for one in MODELS if shipped()[one].file == f"classification/{family}.cnn"} == set(
            models.split()
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_spec_has_neither_errors_nor_warnings(path: Path) -> None:
    assert [d.message for d in cnnc.check(path)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_spec_is_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert cnnc.format(text) == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_spec_cites_a_paper_with_its_year(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"#.*\b(19|20)\d\d\b", text)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem != "blocks"], ids=lambda path: path.stem
)
def test_what_networks_share_is_imported_and_not_written_again(path: Path) -> None:
    """A convolution with its norm, unless they have labels of their own, and a gate for each channel."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"bias = false\) -> (batchnorm|norm\b|\w*slow)", text)
    assert "globalavgpool" not in text or not re.search(r"multiply\((in, it|it, in)\)", text)
    families = ("efficientnet", "googlenet", "inception", "mnasnet", "mobilenet", "resnet", "shufflenet")
    assert (path.stem in families) == bool(re.search(r'import "blocks.cnn" \([^)]*Conv', text))


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_is_documented_and_asserts_its_macs(name: str) -> None:
    graph = cnnc.load(name)
    assert graph.doc
    module = open_spec(name).module
    model, home, _ = module.model_chain(name)
    asserted = " ".join(s.condition.span.text for s in model.body.statements if isinstance(s, ast.Expect))
    assert "macs" in asserted and "params" in asserted


@pytest.mark.parametrize("name", MODELS)
def test_an_expectation_of_a_shipped_model_can_fail(name: str) -> None:
    """The same file with every published number one higher is refused."""
    graph = cnnc.load(name)
    path = shipped()[name].path
    text = path.read_text(encoding="utf-8")
    for number in (graph.params, graph.macs):
        grouped = f"{number:_}"
        assert grouped in text
        broken = Source("broken.cnn", text.replace(grouped, f"{number + 1:_}"))
        parse(broken)
        from compiler.load import evaluate, open_text

        opened = replace(open_text(broken), model=name)
        assert any(d.code == "E216" for d in evaluate(opened, {}, {}).diagnostics)


def test_the_224_pixel_alexnet_is_refused_on_its_first_layer() -> None:
    with pytest.raises(cnnc.SpecError) as caught:
        cnnc.load("alexnet_2012", size=224)
    (found,) = caught.value.diagnostics
    assert found.code == "E301"
    assert "(224 - 11 + 0) / 4 + 1 = 54.25" in found.message
    assert found.span is not None and found.span.text == "conv(96, 11x11, stride = 4)"
    assert any("pad = 2" in one and "227x227" in one and "round = floor" in one for one in found.help)


def test_the_first_layer_of_the_227_pixel_alexnet_is_as_published() -> None:
    row = next(row for row in cnnc.summary(cnnc.load("alexnet_2012")).rows if row.name == "conv1")
    assert (row.volume, row.params) == ("55x55x96", 34_944)


def test_the_summary_of_vgg16_is_the_lecture_s_table() -> None:
    summary = cnnc.summary(cnnc.load("vgg16"))
    table = [(row.volume, row.memory_text, row.weights_text) for row in summary.rows if row.memory]
    assert table == [
        ("224x224x3", "224*224*3 = 150K", ""),
        ("224x224x64", "224*224*64 = 3.2M", "(3*3*3)*64 = 1,728"),
        ("224x224x64", "224*224*64 = 3.2M", "(3*3*64)*64 = 36,864"),
        ("112x112x64", "112*112*64 = 800K", ""),
        ("112x112x128", "112*112*128 = 1.6M", "(3*3*64)*128 = 73,728"),
        ("112x112x128", "112*112*128 = 1.6M", "(3*3*128)*128 = 147,456"),
        ("56x56x128", "56*56*128 = 400K", ""),
        ("56x56x256", "56*56*256 = 800K", "(3*3*128)*256 = 294,912"),
        ("56x56x256", "56*56*256 = 800K", "(3*3*256)*256 = 589,824"),
        ("56x56x256", "56*56*256 = 800K", "(3*3*256)*256 = 589,824"),
        ("28x28x256", "28*28*256 = 200K", ""),
        ("28x28x512", "28*28*512 = 400K", "(3*3*256)*512 = 1,179,648"),
        ("28x28x512", "28*28*512 = 400K", "(3*3*512)*512 = 2,359,296"),
        ("28x28x512", "28*28*512 = 400K", "(3*3*512)*512 = 2,359,296"),
        ("14x14x512", "14*14*512 = 100K", ""),
        ("14x14x512", "14*14*512 = 100K", "(3*3*512)*512 = 2,359,296"),
        ("14x14x512", "14*14*512 = 100K", "(3*3*512)*512 = 2,359,296"),
        ("14x14x512", "14*14*512 = 100K", "(3*3*512)*512 = 2,359,296"),
        ("7x7x512", "7*7*512 = 25K", ""),
        ("4096", "4096", "7*7*512*4096 = 102,760,448"),
        ("4096", "4096", "4096*4096 = 16,777,216"),
        ("1000", "1000", "4096*1000 = 4,096,000"),
    ]
    assert sum(row.memory for row in summary.rows) == summary.memory == 15_237_608
    assert summary.params == 138_357_544
    assert "15,237,608" in str(summary) and "138,357,544" in str(summary)
