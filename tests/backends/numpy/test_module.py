"""The generated file: alone, the same twice, safe with any name, flat, and right about whole graphs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.base import BackendError
from backends.numpy import NumpyBackend
from backends.numpy.include import included, kernels
from compiler.graph import Graph
from tests.backends.numpy import torch_layers
from tests.backends.numpy.graphs import (
    Maker,
    inputs_of,
    named_in_training,
    residual,
    small_classifier,
    weights_of,
    with_head,
)

Array = np.ndarray


def source_of(graph: Graph) -> str:
    ((_, text),) = NumpyBackend().generate(graph).items()
    assert isinstance(text, str)
    return text


def reference(
    graph: Graph, xs: dict[str, Array], ws: dict[str, Array], ds: dict[str, Array]
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """Outputs, gradients of inputs, gradients of weights, by autograd."""
    inputs = {name: torch.tensor(x, requires_grad=True) for name, x in xs.items()}
    weights = {name: torch.tensor(w, requires_grad=graph.weights[name].trainable) for name, w in ws.items()}
    ys = torch_layers.outputs(graph, inputs, weights)
    torch.autograd.backward([ys[name] for name in ds], [torch.tensor(d) for d in ds.values()])
    return (
        {name: y.detach().numpy() for name, y in ys.items()},
        {name: np.zeros(x.shape) if x.grad is None else x.grad.numpy() for name, x in inputs.items()},
        {name: w.grad.numpy() for name, w in weights.items() if w.grad is not None},
    )


def squared() -> Graph:
    m = Maker()
    x = m("tanh", m.input("image", 3, 4))
    return m.graph(y=m("multiply", x, x, m("maximum", x, x)))


def input_as_output() -> Graph:
    m = Maker()
    x = m.input("image", 3, 4)
    return m.graph(copy=m("identity", x), twice=m("add", x, x), again=x)


def two_inputs() -> Graph:
    m = Maker()
    left, right = m.input("left", 3, 4), m.input("right", 3, 4)
    return m.graph(y=m("maximum", m("sigmoid", left), right, m("average", left, right)))


def four_factors() -> Graph:
    m = Maker()
    x = m.input("image", 3, 4)
    xs = [m(layer, x) for layer in ("tanh", "sigmoid", "silu", "gelu")]
    return m.graph(
        y=m("add", m("multiply", *xs, constant=0.5), *xs), z=m("average", *xs), top=m("maximum", *xs)
    )


@pytest.mark.parametrize("make", [residual, squared, input_as_output, two_inputs, four_factors])
def test_gradients_of_values_that_are_used_several_times_add_up(make: Callable[[], Graph]) -> None:
    graph = make()
    xs, ws = inputs_of(graph), weights_of(graph)
    rng = np.random.default_rng(8)
    ds = {name: rng.uniform(-1, 1, (3, *value.shape)) for name, value in graph.outputs.items()}
    ys, d_inputs, d_weights = reference(graph, xs, ws, ds)
    model = NumpyBackend().load(graph, ws, "float64")
    for name, y in model.run(xs).items():
        np.testing.assert_allclose(y, ys[name], rtol=0, atol=1e-12)
    got = model.gradients(xs, ds)
    assert got.weights.keys() == d_weights.keys()
    for name, d in {**d_inputs, **d_weights}.items():
        np.testing.assert_allclose({**got.inputs, **got.weights}[name], d, rtol=0, atol=1e-11)


def test_an_output_without_a_gradient_counts_as_one_of_zeros() -> None:
    graph = residual()
    xs, ws = inputs_of(graph), weights_of(graph)
    d = {"mean": np.ones((3, 12))}
    _, d_inputs, _ = reference(graph, xs, ws, d)
    got = NumpyBackend().load(graph, ws, "float64").gradients(xs, d)
    np.testing.assert_allclose(got.inputs["image"], d_inputs["image"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [with_head, named_in_training])
@pytest.mark.parametrize("training", [False, True])
def test_what_exists_in_training_alone_runs_in_training_alone(
    make: Callable[[], Graph], training: bool
) -> None:
    graph = make()
    xs, ws = inputs_of(graph), weights_of(graph)
    used = graph.with_training if training else graph
    rng = np.random.default_rng(9)
    ds = {name: rng.uniform(-1, 1, (3, *value.shape)) for name, value in used.outputs.items()}
    ys, d_inputs, d_weights = reference(used, xs, ws, ds)
    model = NumpyBackend().load(graph, ws, "float64")
    got = model.run(xs, training=training)
    assert got.keys() == ys.keys()
    for name, y in got.items():
        np.testing.assert_allclose(y, ys[name], rtol=0, atol=1e-12)
    gradients = model.gradients(xs, ds, training=training)
    assert gradients.weights.keys() == d_weights.keys()
    for name, d in {**d_inputs, **d_weights}.items():
        np.testing.assert_allclose({**gradients.inputs, **gradients.weights}[name], d, rtol=0, atol=1e-11)


def test_the_graph_of_training_itself_always_has_its_head() -> None:
    graph = with_head().with_training
    xs, ws = inputs_of(graph), weights_of(graph)
    model = NumpyBackend().load(graph, ws, "float64")
    assert list(model.run(xs)) == list(model.run(xs, training=True)) == ["logits", "aux"]
    with pytest.raises(BackendError, match="aux.fc.weight"):
        NumpyBackend().load(graph, {name: w for name, w in ws.items() if not name.startswith("aux")})


def test_weights_of_training_may_be_missing_until_it_trains() -> None:
    graph = with_head()
    ws = {name: w for name, w in weights_of(graph).items() if not name.startswith("aux")}
    model = NumpyBackend().load(graph, ws, "float64")
    assert list(model.run(inputs_of(graph))) == ["logits"]
    with pytest.raises(BackendError, match="E608.*aux.fc.weight"):
        model.run(inputs_of(graph), training=True)
    with pytest.raises(ValueError, match="needed for training.*aux.fc.weight"):
        model.model.forward(inputs_of(graph)["image"], training=True)


def test_batchnorm_does_not_train_on_one_number() -> None:
    m = Maker()
    graph = m.graph(y=m("batchnorm", m.input("image", 4), path="bn"))
    ws = weights_of(graph)
    model = NumpyBackend().load(graph, ws)
    assert model.run({"image": np.ones((1, 4))})["y"].shape == (1, 4)
    with pytest.raises(BackendError, match="`bn` cannot train on one row"):
        model.run({"image": np.ones((1, 4))}, training=True)
    with pytest.raises(ValueError, match="more than one number per channel"):
        fresh(graph)(ws).forward(np.ones((1, 4)), training=True)


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("cnnc", "compiler", "backends", "spec_lang", "torch", "onnx", "lark"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
import numpy as np
import small_net
weights = dict(np.load("weights.npz"))
model = small_net.SmallNet(weights, np.float64)
y = model.forward(np.load("image.npy"), training=True)
gradients, inputs = model.backward(np.ones_like(y) + np.arange(5))
np.savez("out.npz", y=y, image=inputs["image"], **gradients)
"""


def test_the_file_runs_where_there_is_only_numpy(tmp_path: Path) -> None:
    graph = small_classifier()
    xs, ws = inputs_of(graph), weights_of(graph)
    for name, text in NumpyBackend().generate(graph).items():
        (tmp_path / name).write_text(str(text), encoding="utf-8")
    np.savez(tmp_path / "weights.npz", **ws)
    np.save(tmp_path / "image.npy", xs["image"])
    (tmp_path / "use.py").write_text(BLOCKED, encoding="utf-8")
    env = {name: given for name, given in os.environ.items() if name.startswith("OPENBLAS_")}
    env["OMP_NUM_THREADS"] = "1"  # its products of matrices round as they do here
    subprocess.run([sys.executable, "use.py"], cwd=tmp_path, check=True, env=env)
    out = dict(np.load(tmp_path / "out.npz"))
    got = (
        NumpyBackend()
        .load(graph, ws, "float64")
        .gradients(xs, {"probabilities": np.ones((3, 5)) + np.arange(5)}, training=True)
    )
    np.testing.assert_array_equal(out["image"], got.inputs["image"])
    for name, gradient in got.weights.items():
        np.testing.assert_array_equal(out[name], gradient)


def test_two_runs_give_the_same_bytes() -> None:
    command = (
        "import sys; from tests.backends.numpy.graphs import residual; "
        "from backends.numpy import NumpyBackend; "
        "sys.stdout.write(NumpyBackend().generate(residual())['residual.py'])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", command],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in "12"
    ]
    assert runs[0] == runs[1] == source_of(residual()).encode()


HOSTILE = [
    "__class__",
    "Mapping",
    "O",
    '"""\nraise SystemExit(9)\n"""',
    "a\rimport os",
    "x'; import os #",
    "\\",
    "{x}",
    "ﬁ",
    "class",
    "self",
    "np",
    "relu",
    "conv",
    "s",
    "d",
    "\u202e\x1b[31m",
    "",
    "0",
    "-*- coding: utf-7 -*-",
    "__import__('os')",
    "a, b",
    '"',
]


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name) for name in HOSTILE])
def test_a_hostile_name_stays_a_name(name: str) -> None:
    m = Maker(name)
    x = m(
        "relu",
        m("conv", m.input(name, 2, 5, 5), path=f"{name}.c", filters=2, kernel=3, called=name),
        called=name,
    )
    x = m("dropout", x, path=f"{name}.d")
    graph = m.graph(y=m("concat", x, m("conv", x, path=name or "e", filters=2, kernel=1, called=name)))
    graph = replace(
        graph,
        outputs={name: graph.outputs["y"]},
        source_name=f"/specs/{name}.cnn",
        doc=name,
        source_text=name,
    )
    ((file, text),) = NumpyBackend().generate(graph).items()
    assert isinstance(text, str)
    assert Path(file).name == file and file.removesuffix(".py").isidentifier()
    tree = ast.parse(text.encode())
    assert not {n.name for n in tree.body if isinstance(n, ast.ClassDef)} & {"Mapping", "O"}
    modules = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(n) for n in modules] == [
        "from __future__ import annotations",
        "from collections.abc import Iterator, Mapping",
        "from typing import Any, TypeAlias",
        "import numpy as np",
    ]
    assert not [
        n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in ("SystemExit", "__import__", "os")
    ]
    ws, xs = weights_of(graph), inputs_of(graph)
    model = NumpyBackend().load(graph, ws, "float64")
    inputs, weights = {name: torch.tensor(xs[name])}, {n: torch.tensor(w) for n, w in ws.items()}
    wanted = torch_layers.outputs(graph, inputs, weights)[name]
    np.testing.assert_allclose(model.run(xs)[name], wanted.numpy(), rtol=0, atol=1e-12)
    assert model.gradients(xs, {name: np.ones(wanted.shape)}).weights.keys() == ws.keys()


@pytest.mark.parametrize("name", ["numpy", "random", "typing", "torch", "ast", "onnx", "onnxruntime", "cnnc"])
def test_a_file_does_not_hide_a_module_that_others_import(name: str) -> None:
    m = Maker(name)
    assert list(NumpyBackend().generate(m.graph(y=m("relu", m.input("image", 3))))) == [f"{name}_model.py"]


def test_a_long_chain_stays_flat_and_compiles_quickly() -> None:
    m = Maker()
    x = m.input("image", 2)
    for i in range(20_000):
        x = m("add", x, path=f"add{i}", constant=1.0)
    graph = m.graph(y=x)
    start = time.process_time()
    model = NumpyBackend().load(graph, {}, "float64")
    assert time.process_time() - start < 20
    np.testing.assert_array_equal(model.run({"image": np.zeros((1, 2))})["y"], [[20_000.0, 20_000.0]])
    np.testing.assert_array_equal(
        model.gradients({"image": np.zeros((1, 2))}, {"y": np.ones((1, 2))}).inputs["image"], [[1.0, 1.0]]
    )


@pytest.mark.parametrize("join", ["add", "multiply", "maximum", "average", "concat"])
def test_a_join_of_very_many_branches_stays_flat(join: str) -> None:
    m = Maker()
    x = m.input("image", 2)
    count = 5_000 if join in ("add", "average", "concat") else 300
    branches = [m("add", x, path=f"b{i}", constant=i / count) for i in range(count)]
    graph = m.graph(y=m(join, *branches))
    image = np.array([[1.0, 0.9]])
    model = NumpyBackend().load(graph, {}, "float64")
    parts = np.stack([image + i / count for i in range(count)])
    combine = {
        "add": np.sum,
        "multiply": np.prod,
        "maximum": np.max,
        "average": np.mean,
        "concat": np.hstack,
    }[join]
    wanted = combine(parts) if join == "concat" else combine(parts, axis=0)
    np.testing.assert_allclose(model.run({"image": image})["y"], wanted, rtol=1e-10)
    d = model.gradients({"image": image}, {"y": np.ones(wanted.shape)}).inputs["image"]
    slope = {"add": count, "concat": count}.get(join, 1)
    np.testing.assert_allclose(
        d, wanted * (1 / parts).sum(0) if join == "multiply" else np.full((1, 2), slope), rtol=1e-9
    )


def test_lines_fit_a_page() -> None:
    for graph in (residual(), small_classifier(), with_head()):
        methods = source_of(graph).split("# -- kernels")[0]
        assert max(map(len, methods.splitlines())) <= 125


def test_a_file_holds_the_kernels_that_it_uses_and_no_others() -> None:
    m = Maker()
    text = source_of(m.graph(y=m("relu", m.input("image", 3))))
    functions = {n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)}
    assert {"relu", "relu_backward"} <= functions
    assert not functions & {"conv", "maxpool", "padded", "softmax", "dropout"}


@pytest.mark.parametrize("name", list(kernels()))
def test_a_kernel_comes_with_all_that_it_needs(name: str) -> None:
    text = "from __future__ import annotations\nfrom collections.abc import Iterator, Mapping\n"
    text += "import numpy as np\nArray = np.ndarray\n" + "\n".join(k.source for k in included([name]))
    tree = ast.parse(text)
    known = {"np", "Iterator", "Mapping", "Array", *dir(__builtins__), *vars(__import__("builtins"))}
    known |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    known |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    known |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    assert {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} <= known
    exec(compile(tree, name, "exec"), {})


def fresh(graph: Graph) -> type:
    space: dict[str, type] = {}
    exec(compile(source_of(graph), "generated", "exec"), space)
    return next(v for v in space.values() if isinstance(v, type) and hasattr(v, "SHAPES"))


WRONG_WEIGHTS: list[tuple[Callable[[dict[str, Array]], None], str]] = [
    (lambda w: w.__delitem__("head.bias"), r"missing: head.bias \[5\]"),
    (lambda w: w.update({"extra": np.zeros(2)}), "unexpected: extra"),
    (lambda w: w.update({"head.bias": np.zeros((5, 1))}), r"mis-shaped: head.bias is \[5, 1\], not \[5\]"),
    (lambda w: w.update({"head.bias": np.array(["a"] * 5)}), "not numbers: head.bias"),
]


@pytest.mark.parametrize(
    ("spoil", "message"), WRONG_WEIGHTS, ids=["missing", "unexpected", "mis-shaped", "not numbers"]
)
def test_wrong_weights_are_named(spoil: Callable[[dict[str, Array]], None], message: str) -> None:
    graph = small_classifier()
    weights = weights_of(graph)
    spoil(weights)
    with pytest.raises(ValueError, match=message):
        fresh(graph)(weights)


@pytest.mark.parametrize("shape", [(9, 8), (1, 2, 9), (1, 2, 8, 9), (1, 3, 9, 8), (1, 2, 9, 8, 1)])
def test_a_wrong_input_shape_is_refused(shape: tuple[int, ...]) -> None:
    graph = small_classifier()
    with pytest.raises(ValueError, match=r"image is \[.*\], not \[N, 2, 9, 8\]"):
        fresh(graph)(weights_of(graph)).forward(np.zeros(shape))
    with pytest.raises(BackendError, match="E606"):
        NumpyBackend().load(graph, weights_of(graph)).run({"image": np.zeros(shape)})


def test_backward_without_what_it_needs_says_so() -> None:
    graph = small_classifier()
    model = fresh(graph)(weights_of(graph))
    y = model.forward(inputs_of(graph)["image"])
    with pytest.raises(ValueError, match="keep=True"):
        model.backward(y)
    model.forward(inputs_of(graph)["image"], keep=True)
    with pytest.raises(ValueError, match=r"gradient of probabilities is \[3\], not \[3, 5\]"):
        model.backward(np.ones(3))


def test_inference_keeps_nothing() -> None:
    graph = small_classifier()
    model = fresh(graph)(weights_of(graph))
    model.forward(inputs_of(graph)["image"])
    assert len(model._saved) == 0


def test_the_given_weights_are_not_changed_by_training() -> None:
    graph = small_classifier()
    weights = weights_of(graph)
    before = {name: w.copy() for name, w in weights.items()}
    model = fresh(graph)(weights, np.float64)
    model.forward(inputs_of(graph)["image"], training=True)
    assert (model.weights["stem.bn.running_mean"] != before["stem.bn.running_mean"]).all()
    for name, w in weights.items():
        np.testing.assert_array_equal(w, before[name])


FREE: list[tuple[str, dict[str, object], tuple[int, int], str]] = [
    ("conv", {"filters": 2, "kernel": 3, "stride": 2}, (10, 9), "layer1 does not fit"),
    ("maxpool", {"kernel": 2}, (8, 7), "layer1 does not fit"),
    ("avgpool", {"kernel": 3, "stride": 1}, (2, 9), "layer1: its window of 3"),
    (
        "conv",
        {"filters": 2, "kernel": 3, "pad": 2, "pad_mode": "reflect"},
        (2, 9),
        "layer1 pads a size of 2 by 2",
    ),
    (
        "conv",
        {"filters": 2, "kernel": 3, "pad": 3, "pad_mode": "circular"},
        (2, 9),
        "layer1 pads a size of 2 by 3",
    ),
    ("pad", {"amount": 3, "mode": "circular"}, (2, 9), "layer1 pads a size of 2 by 3"),
    (
        "maxpool",
        {"kernel": 1, "stride": 3, "round": "caffe"},
        (9, 9),
        "layer1 has a window that sees no input",
    ),
    ("instancenorm", {}, (1, 1), "layer1 would normalise"),
]


@pytest.mark.parametrize(("layer", "arguments", "size", "message"), FREE)
def test_a_free_size_that_a_layer_cannot_take_is_refused_by_its_name(
    layer: str, arguments: dict[str, object], size: tuple[int, int], message: str
) -> None:
    m = Maker()
    nominal = (16, 16) if arguments.get("round") == "caffe" or layer == "maxpool" else (9, 9)
    x = m.input("image", 2, *nominal, free=("H", "W"))
    graph = m.graph(y=m(layer, x, path="layer1", **arguments))
    image = np.zeros((1, 2, *size))
    with pytest.raises(ValueError, match=message):
        fresh(graph)(weights_of(graph)).forward(image)
    with pytest.raises(BackendError, match="layer1"):
        NumpyBackend().load(graph, weights_of(graph)).run({"image": image})


@pytest.mark.parametrize("join", ["add", "multiply", "maximum", "average", "concat"])
def test_sides_of_a_join_that_come_apart_are_refused(join: str) -> None:
    m = Maker()
    x = m.input("image", 2, 8, 8, free=("H", "W"))
    half = m("maxpool", x, kernel=2, stride=2, round="floor")
    other = m("conv", x, filters=2, kernel=2, stride=2, pad=((0, 1), (0, 1)), round="floor")
    graph = m.graph(y=m(join, half, other, path="meet"))
    model = fresh(graph)(weights_of(graph))
    assert model.forward(np.zeros((1, 2, 6, 4))).shape[2:] == (3, 2)
    with pytest.raises(ValueError, match="meet cannot join"):
        model.forward(np.zeros((1, 2, 7, 4)))


def test_inputs_with_different_rows_are_refused() -> None:
    graph = two_inputs()
    with pytest.raises(ValueError, match="left has 2, right has 1"):
        fresh(graph)({}).forward(np.zeros((2, 3, 4)), np.zeros((1, 3, 4)))


def test_an_empty_batch_gives_empty_results() -> None:
    graph = small_classifier()
    model = NumpyBackend().load(graph, weights_of(graph), "float64")
    assert model.run({"image": np.zeros((0, 2, 9, 8))})["probabilities"].shape == (0, 5)


def test_what_is_kept_beside_a_result_does_not_meet_a_layer_of_that_name() -> None:
    m = Maker()
    x = m("dropout", m.input("image", 3, 4), path="d", p=0.5)
    x = m("tanh", x, path="d.factor")
    x = m("dropout", x, path="d.factor.factor", p=0.5)
    graph = m.graph(y=m("tanh", x, path="image"))
    model = NumpyBackend().load(graph, {}, "float64")
    xs = {"image": np.random.default_rng(0).uniform(0.5, 1, (2, 3, 4))}
    d = model.gradients(xs, {"y": np.ones((2, 3, 4))}).inputs["image"]
    inner = np.tanh(xs["image"])
    np.testing.assert_allclose(d, (1 - np.tanh(inner) ** 2) * (1 - inner**2), rtol=1e-12)


def test_without_gradients_of_inputs_those_of_weights_are_the_same() -> None:
    m = Maker()
    x = m.input("image", 2, 3, 4)
    graph = m.graph(y=m("concat", x, m("batchnorm", x)))
    model = fresh(graph)(weights_of(graph), np.float64)
    y = model.forward(inputs_of(graph)["image"].astype(np.float64), keep=True)
    wanted, _ = model.backward(np.ones_like(y))
    got, _ = model.backward(np.ones_like(y), inputs=False)
    assert list(got) == list(wanted) == ["batchnorm1.weight", "batchnorm1.bias"]
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array)
