"""The generated file mirrors the spec: a class for each block, shared by its instances."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnc
from backends.numpy.emit.module import class_name, module_source
from backends.numpy.runnable import generated_class
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests import instances
from tests.backends.numpy.graphs import inputs_of, weights_of
from tests.backends.torch.specs import SPECS


def written(graph: Graph) -> str:
    """The file without its kernels."""
    return module_source(graph).split("# -- kernels", 1)[0]


def classes(source: str) -> list[str]:
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


def spec(text: str) -> Graph:
    return load(Source("net.cnn", text))


def agree(graph: Graph) -> None:
    """Results and gradients are those of PyTorch."""
    xs, ws = inputs_of(graph), weights_of(graph)
    model, peer = (cnnc.runnable(graph, name, ws, dtype="float64") for name in ("numpy", "torch"))
    y = model.run(xs)["out"]
    np.testing.assert_allclose(y, peer.run(xs)["out"], rtol=0, atol=1e-12)
    ds = {"out": np.random.default_rng(5).standard_normal(y.shape)}
    mine, theirs = model.gradients(xs, ds), peer.gradients(xs, ds)
    for name, gradient in {**theirs.weights, **theirs.inputs}.items():
        got = {**mine.weights, **mine.inputs}[name]
        np.testing.assert_allclose(got, gradient, rtol=0, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("lenet5", ["Lenet5"]),
        ("resnet18", ["Basic", "BasicDownsample", "Resnet18"]),
        ("resnet50", ["BottleneckDownsample", "Bottleneck", "Resnet50"]),
        ("densenet121", ["DenseLayer", "Transition", "Densenet121"]),
        ("densenet201", ["DenseLayer", "Transition", "Densenet201"]),
        ("googlenet", ["ConvBN", "Inception", "Googlenet"]),
    ],
)
def test_instances_of_one_structure_share_a_class(name: str, wanted: list[str]) -> None:
    assert classes(written(load(name))) == wanted


def test_a_file_grows_by_a_line_for_a_block_more() -> None:
    """ResNet-152 has 34 blocks more than ResNet-50; its file is longer by the names of their weights alone."""
    counts = {}
    for name in ("resnet50", "resnet152"):
        graph = load(name)
        lines = written(graph).splitlines()
        counts[name] = len(lines) - len(graph.weights)
        assert counts[name] < 360
    assert abs(counts["resnet152"] - counts["resnet50"]) <= 4


BLOCKS = """block Cell(width, stride = 1, slope = 0.1) {
    conv(width, 3x3, stride = stride, pad = 1) -> leakyrelu(slope)
}
model net {
    input image: [4, 9, 11]
    a: Cell(4, slope = 0.2)
    cells: seq { repeat 3 { Cell(4) } }
    b: Cell(6, stride = 2) as cut
    c: Cell(6) -> add(it, cut)
    output out
}
"""


def test_arguments_are_named_after_the_parameters_of_the_block() -> None:
    source = written(spec(BLOCKS))
    assert classes(source) == ["Cell", "Net"]
    for line in (
        "def __init__(self, path: str, slope: float, stride: int = 1) -> None:",
        'self.a = Cell("a", slope=0.2)',
        'self.cells = [Cell(f"cells.{i}", slope=0.1) for i in range(3)]',
        'self.b = Cell("b", slope=0.1, stride=2)',
        "for block in self.cells:",
        "for block in reversed(self.cells):",
    ):
        assert line in source, source


def test_what_differs_between_instances_reaches_each() -> None:
    """A class that took the numbers of its first instance would compute something else."""
    agree(spec(BLOCKS))


def test_a_run_of_blocks_within_a_block_goes_by_its_path() -> None:
    graph = spec(
        """block Cell(n) { conv(n, 1x1) -> relu }
block Stage(n) { repeat 3 { Cell(n) } }
model net { input image: [2, 3, 4]
    a: Stage(2) -> relu -> b: Stage(2)
    output out }"""
    )
    assert '[Cell(f"{path}.cell{i}") for i in range(1, 4)]' in written(graph)
    agree(graph)


@pytest.mark.parametrize("name", SPECS)
def test_gradients_of_inputs_can_be_left_out(name: str) -> None:
    graph = load(Source(f"{name}.cnn", SPECS[name]))
    model: Any = generated_class(graph)(weights_of(graph), np.float64)
    results = model.forward(*inputs_of(graph).values(), keep=True)
    rng = np.random.default_rng(6)
    if isinstance(results, dict):
        ds: Any = {key: rng.standard_normal(y.shape) for key, y in results.items()}
    else:
        ds = rng.standard_normal(results.shape)
    wanted, inputs = model.backward(ds)
    got, none = model.backward(ds, inputs=False)
    assert none == {} and set(inputs) == set(graph.inputs)
    assert set(got) == set(wanted) == {n for n, w in graph.weights.items() if w.trainable and not w.training}
    for key, gradient in wanted.items():
        np.testing.assert_array_equal(got[key], gradient, err_msg=key)


def test_a_head_that_is_kept_in_the_graph_goes_back_in_inference_too() -> None:
    text = """block Cell(n) { conv(n, 1x1) -> concat(it, in) }
model net { input image: [2, 3, 4]
    conv(3, 1x1)
    training { relu -> Cell(2)
        output side }
    fc: conv(4, 1x1)
    output out }"""
    graph = load(Source("net.cnn", text), training=True)
    assert set(graph.outputs) == {"side", "out"}
    xs, ws = inputs_of(graph), weights_of(graph)
    model, peer = (cnnc.runnable(graph, name, ws, dtype="float64") for name in ("numpy", "torch"))
    ds = {name: np.random.default_rng(5).standard_normal(y.shape) for name, y in model.run(xs).items()}
    mine, theirs = model.gradients(xs, ds), peer.gradients(xs, ds)
    for name, gradient in {**theirs.weights, **theirs.inputs}.items():
        got = {**mine.weights, **mine.inputs}[name]
        np.testing.assert_allclose(got, gradient, rtol=0, atol=1e-11, err_msg=name)


HEAD = """block Cell(n) {{ conv(n, 3x3, pad = 1) -> relu }}
block Head(n) {{ conv(n, 1x1) -> relu -> Cell(n) }}
model net {{
    input image: [3, 6, 7]
    {body}
    output out
}}
"""


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("a: Head(3) -> b: Head(3)", ["Cell", "Head", "Net"]),
        # One set of weights in two places has no path of its own for each.
        ("shared h: Head(3)\n    h -> h", ["Net"]),
        ("weight gain: [3, 1, 1]\n    multiply(it, gain) -> a: Head(3)", ["Cell", "Head", "Net"]),
        ('"stem.0": Head(3)\n    "stem.1": Head(3)', ["Cell", "Head", "Net"]),
    ],
)
def test_a_block_that_cannot_be_told_by_its_path_stays_in_the_class_around_it(
    body: str, wanted: list[str]
) -> None:
    graph = spec(HEAD.format(body=body))
    assert classes(written(graph)) == wanted
    agree(graph)


def test_blocks_of_other_layers_have_classes_of_their_own() -> None:
    graph = spec(
        """block Cell(act) { conv(2, 1x1) -> squash: act }
model net { input image: [2, 3, 4]
    a: Cell(relu) -> b: Cell(sigmoid)
    output out }"""
    )
    assert classes(written(graph)) == ["Cell", "Cell2", "Net"]
    agree(graph)


def test_blocks_nested_as_deep_as_a_spec_allows() -> None:
    text = "block Deep(n) { conv(2, 1x1)\n if n > 0 { Deep(n - 1) } }\nmodel net { input x: [2, 3, 3]\n Deep(%d)\n output out }"
    graph = spec(text % 199)
    xs, ws = inputs_of(graph), weights_of(graph)
    y = cnnc.runnable(graph, "numpy", ws, dtype="float64").run(xs)["out"]
    wanted = xs["x"]
    for name in [name for name in ws if name.endswith(".weight")]:
        bias = ws[name.replace("weight", "bias")][:, None, None]
        wanted = np.einsum("oi,nihw->nohw", ws[name][:, :, 0, 0], wanted) + bias
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12 * max(1, np.abs(wanted).max()))


def test_no_class_takes_the_name_of_another() -> None:
    """Blocks named as the model, a kernel, or a class that the file needs."""
    source = """block Conv(n) {{ conv(n, 1x1) }}
block {name}(n) {{ conv(n, 1x1) -> relu }}
model net {{ input x: [2, 4, 4]
    a: {name}(3) -> b: Conv(3)
    output out }}
"""
    for name in ("Net", "Saved", "Part", "Array", "Arrays", "Mapping", "Iterator", "Any", "TypeAlias"):
        graph = spec(source.format(name=name))
        found = classes(module_source(graph))
        assert len(found) == len(set(found)) and class_name(graph) in found
        assert not {"Any", "Array", "Arrays", "Mapping", "Iterator", "TypeAlias"} & set(found)
        agree(graph)


def test_a_parameter_does_not_hide_a_class_that_its_constructor_makes() -> None:
    graph = spec(
        """block inner(n, slope) { conv(n, 1x1) -> leakyrelu(slope) }
block Cell(Inner, range, path) { inner(2, Inner) -> inner(3, range) -> inner(2, path) -> conv(2, 1x1) }
model net { input image: [2, 3, 4]
    conv(2, 1x1) -> a: Cell(0.1, 0.2, 0.5) -> b: Cell(0.3, 0.4, 0.6)
    output out }"""
    )
    assert classes(written(graph)) == ["Inner", "Cell", "Net"]
    agree(graph)


def test_a_block_without_weights_has_a_class_wherever_it_stands() -> None:
    graph = spec(
        """block Pass { sigmoid -> avgpool(3x3, stride = 1, pad = 1) }
block Gate { weight gain: [2, 1, 1]
    multiply(it, gain) -> tanh }
model net { input image: [2, 3, 4]
    Pass -> conv(2, 1x1) -> Pass -> Gate
    output out }"""
    )
    source = written(graph)
    assert classes(source) == ["Pass", "Gate", "Net"]
    assert "d_image = self.pass1.backward(d, w, s, g)" in source
    assert "if inputs:" in source
    agree(graph)


def test_gradients_that_come_together_are_added_one_by_one() -> None:
    graph = spec(
        """block Both(n) { conv(n, 1x1) as a
    conv(n, 1x1) as b
    concat(a, b) -> conv(n, 1x1) -> add(it, a, b) }
model net { input image: [2, 3, 4]
    Both(2) -> Both(2)
    output out }"""
    )
    assert "more, more_2 = concat_backward(" in written(graph)
    agree(graph)


def test_a_value_is_called_as_its_identity_is() -> None:
    graph = spec(
        """model net { input image: [2, 3, 4]
    conv(2, 1x1) -> identity as thing
    add(thing, image)
    output out }"""
    )
    assert " thing = " in written(graph)


def test_files_are_laid_out_as_ruff_does(tmp_path: Path) -> None:
    graphs = [load(Source(f"{name}.cnn", text)) for name, text in SPECS.items()]
    graphs += [instances.graph_of(name) for name in instances.GROUPS]
    for i, graph in enumerate(graphs):
        (tmp_path / f"file{i}.py").write_text(module_source(graph), encoding="utf-8")
    nothing = spec("block B { add(it, in) }\nmodel net { input x: [2, 3]\n relu -> B -> B\n output y }")
    (tmp_path / "untrained.py").write_text(module_source(nothing), encoding="utf-8")
    rules = ["--select", "E,W,F,I,B,UP,C4,SIM,RUF100"]
    for command in (["format", "--diff"], ["check", *rules]):
        words = ["ruff", *command, "--isolated", "--line-length", "110", str(tmp_path)]
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[:3000]


RESERVED = (
    "np", "self", "w", "s", "g", "x", "d", "more", "training", "keep", "inputs", "outputs", "gradients",
    "weights", "saved", "generator", "block", "Part", "Saved", "dtype", "path", "forward", "backward",
)  # fmt: skip


@pytest.mark.parametrize("name", RESERVED)
def test_what_the_methods_use_themselves_is_nobodys_name(name: str) -> None:
    """As an input, a tensor and a layer, in a block and in the model."""
    text = """block Inner(n) { conv(n, 1x1) -> tanh }
block Cell(n) { conv(n, 1x1) as NAME
    Inner(n) -> Inner(n) -> dropout(0.0) -> add(it, NAME) }
model net { input NAME: [2, 3, 4]
    conv(2, 1x1) -> a: Cell(2) -> b: Cell(2) as t
    "NAME": conv(2, 1x1) -> batchnorm -> multiply(it, t) -> maximum(it, NAME)
    training { relu
        output side }
    output out }"""
    graph = spec(text.replace("NAME", name))
    agree(graph)
    model: Any = generated_class(graph)(weights_of(graph), np.float64)
    ys = model.forward(*inputs_of(graph).values(), training=True)
    assert set(ys) == {"out", "side"}
    assert set(model.backward({key: np.ones_like(y) for key, y in ys.items()})[1]) == {name}


def test_a_result_of_training_does_not_hide_the_results() -> None:
    graph = spec(
        """model net { input image: [2, 3, 4]
    conv(2, 1x1) as t
    training { relu as outputs
        output side }
    output out }"""
    )
    model: Any = generated_class(graph)(weights_of(graph), np.float64)
    ys = model.forward(*inputs_of(graph).values(), training=True)
    np.testing.assert_array_equal(ys["side"], np.maximum(ys["out"], 0))


@pytest.mark.parametrize("name", ["array", "arrays", "mapping", "iterator", "saved", "part"])
def test_a_model_is_not_called_as_what_its_file_needs(name: str) -> None:
    graph = spec(f"model {name} {{ input image: [2, 3, 4]\n conv(2, 1x1)\n output out }}")
    assert class_name(graph) != name.capitalize()
    agree(graph)


ATTRIBUTES = (
    "SHAPES", "STATISTICS", "TRAINING_ONLY", "backward", "dtype", "forward", "generator", "path", "weights",
    "_saved", "__init__", "cell",
)  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_block_does_not_take_an_attribute_of_its_class(name: str) -> None:
    graph = spec(
        """block Inner(n) { conv(n, 1x1) -> batchnorm -> dropout(0.0) }
block Cell(n) { "NAME": Inner(n) -> relu -> "x.NAME": Inner(n) }
model net { input image: [2, 3, 4]
    conv(2, 1x1) -> "NAME": Cell(2) -> b: Cell(2) as t
    training { c: Cell(2)
        output side }
    t
    output out }""".replace("NAME", name)
    )
    agree(graph)
    model: Any = generated_class(graph)(weights_of(graph), np.float64)
    ys = model.forward(*inputs_of(graph).values(), training=True)
    weights, _ = model.backward({key: np.ones_like(y) for key, y in ys.items()})
    assert set(weights) == {key for key, weight in graph.weights.items() if weight.trainable}


def test_a_model_of_blocks_without_weights_hands_none_on() -> None:
    graph = spec("block Pass { sigmoid }\nmodel net { input image: [2, 3, 4]\n Pass -> tanh -> Pass\n output out }")
    agree(graph)


def test_a_remark_says_where_an_extent_is_free() -> None:
    graph = spec(
        """block Cell(n) { relu -> tanh }
model net { input image: [2, H = 6, 4]
    input other: [2, 5, 4]
    image -> scale -> a: Cell(3)
    output y
    other -> scale -> b: Cell(3)
    output z }"""
    )
    source = written(graph)
    assert classes(source) == ["Cell", "Net"] and "# [N, 2, ~H, 4]" in source


@pytest.mark.parametrize(
    ("blocks", "body"),
    [
        ("block Cell(n) { x: conv(n, 1x1) }", "Cell(2) -> conv(3, 1x1)"),
        ("block Cell(n) { conv(n, 1x1) -> x_in: add(it, in) }", "conv(2, 1x1) -> Cell(2) -> conv(3, 1x1)"),
        (
            "block Inner(n) { shape: sigmoid -> conv(n, 1x1) }\n"
            "block Cell(n) { avgpool(2x2, stride = 1) -> x: Inner(n) }",
            "conv(2, 1x1) -> Cell(2) -> conv(3, 1x1)",
        ),
    ],
)
def test_what_a_block_keeps_of_its_input_meets_no_layer_of_that_name(blocks: str, body: str) -> None:
    agree(spec(f"{blocks}\nmodel net {{ input image: [2, 3, 4]\n {body}\n output out }}"))


def test_a_block_of_two_gradients_gives_none_where_none_is_wanted() -> None:
    graph = spec(
        "block Join(o) { add(it, o) -> conv(2, 1x1) }\n"
        "model net { input p: [2, 3, 4]\n p -> tanh as q\n p -> Join(q)\n output out }"
    )
    agree(graph)
    model: Any = generated_class(graph)(weights_of(graph), np.float64)
    y = model.forward(*inputs_of(graph).values(), keep=True)
    wanted, got = (model.backward(np.ones_like(y), inputs=inputs)[0] for inputs in (True, False))
    assert got.keys() == wanted.keys() and all((got[key] == wanted[key]).all() for key in got)


def test_a_result_between_two_blocks_is_a_result() -> None:
    graph = spec(
        """block Cell(n) { conv(n, 1x1) -> tanh }
model net { input image: [2, 3, 4]
    conv(2, 1x1) -> Cell(2) -> identity
    output mid
    Cell(2) -> Cell(2)
    output out }"""
    )
    xs, ws = inputs_of(graph), weights_of(graph)
    mine, theirs = (cnnc.runnable(graph, name, ws, dtype="float64").run(xs) for name in ("numpy", "torch"))
    for name in ("mid", "out"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=0, atol=1e-12)


def test_a_parameter_with_underscores_is_one_to_python_too() -> None:
    agree(
        spec(
            "block Cell(__slope) { conv(2, 1x1) -> leakyrelu(__slope) }\n"
            "model net { input image: [2, 3, 4]\n conv(2, 1x1) -> a: Cell(0.1) -> b: Cell(0.2)\n output out }"
        )
    )


def test_a_block_that_stays_in_place_keeps_no_other_there() -> None:
    graph = spec(
        """block Good(n) { conv(n, 1x1) -> tanh }
block Odd(o) { add(it, o) -> conv(2, 1x1) -> add(it, o) }
model net { input image: [2, 3, 4]
    conv(2, 1x1) as t
    s: seq { repeat 9 { Good(2) } }
    Odd(t) -> add(it, t)
    output out }"""
    )
    assert "Good" in classes(written(graph))
    agree(graph)


def test_a_file_has_no_kernel_that_nothing_calls() -> None:
    for text in (
        "block B { add(it, in) }\nmodel net { input image: [2, 3, 4]\n conv(2, 1x1) -> B -> B\n output out }",
        "block C(n) { conv(n, 1x1) as t -> tanh -> concat(t, it) -> conv(n, 1x1)\n add(it, in) }\n"
        "model net { input image: [2, 3, 4]\n C(2)\n output out }",
    ):
        source = module_source(spec(text))
        kernels = [n.name for n in ast.parse(source).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        used = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        assert set(kernels) - used <= {"Net"}, set(kernels) - used


def test_lists_of_two_classes_have_a_variable_each() -> None:
    graph = spec(
        """block A(n) { conv(n, 1x1) -> tanh }
block B(n) { conv(n, 1x1) -> sigmoid }
model net { input image: [2, 3, 4]
    conv(2, 1x1)
    a: seq { repeat 3 { A(2) } }
    b: seq { repeat 3 { B(2) } }
    output out }"""
    )
    source = written(graph)
    assert "for block in self.a" in source and "for block_of_b in reversed(self.b" in source, source
    agree(graph)


def test_lists_are_told_apart_by_their_numbers() -> None:
    graph = spec(
        """block A(n) { conv(n, 1x1) -> tanh }
block B(n) { conv(n, 1x1) }
model net { input image: [2, 3, 4]
    conv(2, 1x1)
    s: seq { repeat 3 { A(2) }
        repeat 2 { B(2) }
        repeat 3 { A(2) } }
    output out }"""
    )
    source = written(graph)
    for name in ("self.s_0_2 = ", "self.s_3_4 = ", "self.s_5_7 = "):
        assert name in source, source
    agree(graph)


def test_arguments_that_agree_by_chance_are_two() -> None:
    graph = spec(
        """block Cell(k) { conv(2, 3x3, stride = k, pad = k) }
block Other(layer) { made: layer }
model net { input image: [2, 9, 9]
    relu -> scale -> a: Cell(1) -> b: Cell(2)
    scale -> c: Other(maxpool(3, stride = 1, pad = 1)) -> d: Other(maxpool(4, stride = 2, pad = 2, round = floor))
    output out }"""
    )
    source = written(graph)
    assert "stride=self.k, pad=self.k" in source  # the block says that they are one
    assert "stride=self.stride, pad=self.pad" in source, source
    agree(graph)
