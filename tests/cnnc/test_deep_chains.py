"""The tolerance of networks that are very deep."""

from __future__ import annotations

import pytest

import cnnc
from cnnc.verification import SINGLE, longest_chain, single
from compiler.load import load
from spec_lang.source import Source


def chain(body: str) -> Source:
    return Source("a.cnn", f"model m {{\n    input x: [4, 6, 6]\n    {body}\n    output y\n}}\n")


@pytest.mark.parametrize(("body", "depth"), [
    ("relu", 1),
    ("repeat 700 { relu }", 700),
    ("add { for i in 0..50 { branch { relu -> tanh } } }", 3),  # side by side they are not one behind another
])
def test_the_longest_chain_is_what_lies_one_behind_another(body: str, depth: int) -> None:
    graph = load(chain(body))
    assert longest_chain(graph) == depth


@pytest.mark.parametrize(("layers", "tolerance"), [(1, 2e-5), (1000, 2e-5), (1001, 2e-5 + 2**-24), (3000, 2e-5 + 2000 * 2**-24)])
def test_only_layers_beyond_a_thousand_may_add_to_the_tolerance(layers: int, tolerance: float) -> None:
    assert single(load(chain(f"repeat {layers} {{ relu }}"))) == tolerance


@pytest.mark.parametrize("name", ["resnet152", "densenet201", "efficientnet_b7"])  # the deepest of each kind
def test_networks_of_the_zoo_have_the_fixed_tolerance(name: str) -> None:
    assert single(load(name).with_training) == SINGLE == 2e-5


def test_thousands_of_rounded_layers_are_no_mistake() -> None:
    report = cnnc.verify(load(chain("repeat 1500 { relu -> tanh }")))
    assert report.passed
    # Without the allowance this would not be a test of it.
    assert max(one.relative for one in report.comparisons if one.what.startswith("onnx")) > 2 * SINGLE
