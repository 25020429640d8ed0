"""Blocks with classes of their own compute, bit for bit, what the same file computes with all of it in one class."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from backends.numpy.emit import classes
from backends.numpy.emit.module import class_name, module_source
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy.graphs import inputs_of, weights_of
from tests.backends.torch.specs import SPECS
from tests.generator.random_spec import random_spec

#: Blocks in places where a class is hard to call; `Cell` trains, `Pass` does not.
PLACES = {
    # a sum of three gradients, of which a block gives two
    "used around a block": """a: Cell(4) as t
    concat(t, image, t, t) -> Cell(3) -> add(it, it) -> Cell(4)""",
    "of the image twice": """a: Cell(4) as t
    image -> b: Cell(4) -> multiply(it, t, image)""",
    "without weights": """Pass -> Cell(4) as t
    image -> Pass -> Pass -> concat(it, t) -> Pass""",
    "a residual block beside a skip": """Cell(4) as t
    Twice(4) -> add(it, t)""",
    "a result that gives its size alone": """Two(4) as (p, q)
    p -> maxpool(3x3, stride = 1) -> adaptiveavgpool(like = q) -> Cell(3)""",
    "a run in a head behind": """Cell(4) as t
    Cell(3) as u
    t
    training { a: seq { repeat 3 { Cell(4) } }
        output head }
    u -> Cell(2)""",
    "a block in a head behind": """Cell(4) as t
    Cell(3) as u
    t
    training { Outer(2)
        output head }
    u -> Cell(2)""",
    "a run whose middle is wanted": """a: seq { Cell(4) -> Cell(4) as t -> Cell(4) }
    concat(it, t)""",
    "a run that ends in an output": """a: seq { repeat 3 { Cell(4) } } -> output side
    a2: seq { repeat 3 { Cell(4) } }""",
    "several results": """Two(3) as (p, q)
    p -> Cell(2) as r
    q -> Two(2) as (s, _)
    concat(p, q, r, s)""",
    "blocks in blocks": """Outer(4) -> b: Outer(4) -> add(it, image)""",
    "raw weights in a block": """Gate -> Cell(4) -> Gate -> concat(it, image)""",
    "heads": """Cell(4) as t
    training { Cell(3) -> Pass
        output head }
    t
    training { relu -> Outer(2)
        output other }
    t -> Cell(3)""",
    "weights of the model beside a block": """multiply(it, gain) -> Cell(4) -> multiply(it, gain) -> identity as named
    named -> Pass -> add(it, named)""",
}
BLOCKS = """block Cell(n) { conv(n, 3x3, pad = 1) -> tanh }
block Pass { sigmoid -> avgpool(3x3, stride = 1, pad = 1) }
block Two(n) { conv(n, 1x1) as t
    output one
    t -> tanh -> conv(n, 1x1)
    output two }
block Gate { weight gate: [4, 1, 1]
    multiply(it, gate) -> tanh }
block Twice(n) { conv(n, 1x1) -> add(it, in) }
block Outer(n) { Cell(n) -> Pass as t
    Cell(n) -> add(it, t) -> conv(n, 1x1) }
model net {
    input image: [4, 5, 6]
    weight gain: [4, 1, 1]
    """


def spec_of(name: str) -> str:
    if name.startswith("random"):
        return random_spec(int(name.split()[1]), 40).text
    if name in SPECS:
        return SPECS[name]
    body = PLACES[name] if "gain" in PLACES[name] else f"multiply(it, gain)\n    {PLACES[name]}"
    return f"{BLOCKS}{body}\n    output out\n}}\n"


def answers(graph: Graph) -> dict[str, Any]:
    """All that a file computes: results, gradients and statistics, in inference and in training."""
    source = module_source(graph)
    module = types.ModuleType("made")
    exec(compile(source, "<made>", "exec"), module.__dict__)
    found: dict[str, Any] = {}
    for training in (False, True):
        model = getattr(module, class_name(graph))(weights_of(graph), np.float64)
        xs = inputs_of(graph)
        results = model.forward(*xs.values(), training=training, keep=True)
        several = isinstance(results, dict)
        shown = results if several else {"": results}
        rng = np.random.default_rng(6)
        ds = {key: rng.standard_normal(y.shape) for key, y in shown.items()}
        given = ds if several else ds[""]
        weights, inputs = model.backward(given)
        alone, none = model.backward(given, inputs=False)
        assert none == {}
        for what, arrays in (
            ("result", shown), ("weight", weights), ("input", inputs), ("alone", alone), ("after", model.weights)
        ):  # fmt: skip
            found |= {f"{what} {key} {'in training' * training}": array for key, array in arrays.items()}
        assert set(alone) == set(weights)
    return found


@pytest.mark.parametrize("name", [*PLACES, *SPECS, *(f"random {seed}" for seed in range(900, 930))])
def test_blocks_change_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load(Source("net.cnn", spec_of(name)))
    got = answers(graph)
    monkeypatch.setattr(classes, "_ROUNDS", 0)
    assert module_source(graph).split("# -- kernels")[0].count("\nclass ") == 1
    wanted = answers(graph)
    assert set(got) == set(wanted)
    for key, array in wanted.items():
        np.testing.assert_array_equal(got[key], array, err_msg=key)
