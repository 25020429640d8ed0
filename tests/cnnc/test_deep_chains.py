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
    assert single(graph) == max(SINGLE, depth * 2.0**-24)


def test_a_network_of_the_zoo_has_the_fixed_tolerance() -> None:
    assert single(load("resnet50")) == SINGLE


def test_thousands_of_rounded_layers_are_no_mistake() -> None:
    report = cnnc.verify(load(chain("repeat 1500 { relu -> tanh }")))
    assert report.passed
    assert max(one.tolerance for one in report.comparisons) < 1e-3
