"""Networks as people write them, in `tests/nets`, against the same networks written by hand in PyTorch.

Outputs, gradients and running statistics, in inference and in training; files that are formatted,
linted and typed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import cnnc
from cnnc.verification import varied_weights
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.nets import references

FOLDER = Path(__file__).parent / "nets"
NETS = sorted(path.stem for path in FOLDER.glob("*.cnn"))
#: Dropout draws its own numbers on each backend.
RANDOM = {"nin", "classic"}
#: An adaptive pool of a free size has no form in ONNX.
WITHOUT_ONNX = {"spp"}


def graph(name: str) -> Graph:
    return cnnc.load(FOLDER / f"{name}.cnn")


def largest(values: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(value).max(initial=0)) for value in values.values())


def agree(got: dict[str, np.ndarray], wanted: dict[str, np.ndarray], tolerance: float) -> None:
    """Each array to `tolerance` of the largest number of all: a gradient may vanish altogether."""
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=0, atol=tolerance * largest(wanted), err_msg=name)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", NETS)
def test_every_backend_computes_what_was_written_by_hand(name: str, training: bool) -> None:
    if training and name in RANDOM:
        pytest.skip("dropout")
    net = graph(name)
    whole = net.with_training if training else net
    generator = np.random.default_rng(5)
    weights = {key: np.asarray(value, np.float64) for key, value in varied_weights(net, 3).items()}
    inputs = {key: generator.normal(size=(3, *value.shape)) for key, value in net.inputs.items()}
    tensors = {key: torch.tensor(value) for key, value in weights.items()}
    trained = [k for k, w in net.weights.items() if w.trainable and (training or not w.training)]
    for key in trained:
        tensors[key].requires_grad_()
    given = {key: torch.tensor(value, requires_grad=True) for key, value in inputs.items()}

    outputs = getattr(references, name)(references.Weights(tensors, training), given)
    seeds = {key: generator.normal(size=tuple(outputs[key].shape)) for key in whole.outputs}
    torch.autograd.backward(list(outputs.values()), [torch.tensor(seeds[key]) for key in outputs])

    wanted = {key: value.detach().numpy() for key, value in outputs.items()}
    after = {key: value.detach().numpy() for key, value in tensors.items()}
    slopes = {key: tensors[key].grad.numpy() for key in trained}
    for backend in ("numpy", "torch"):
        model = cnnc.runnable(net, backend, weights, "float64")
        agree(model.run(inputs, training=training), wanted, 1e-12)
        agree(model.weights(), after, 1e-12)
        gradients = cnnc.runnable(net, backend, weights, "float64").gradients(
            inputs, seeds, training=training
        )
        # PyTorch has one sixth in single precision in the gradients of hardswish and hardsigmoid.
        agree(dict(gradients.weights), slopes, 1e-8)
        agree(dict(gradients.inputs), {key: value.grad.numpy() for key, value in given.items()}, 1e-8)
    if not training and name not in WITHOUT_ONNX:
        single = cnnc.runnable(net, "onnx", {k: v.astype(np.float32) for k, v in weights.items()})
        agree(single.run({k: v.astype(np.float32) for k, v in inputs.items()}), wanted, 2e-5)


@pytest.mark.parametrize("name", NETS)
def test_formatting_changes_nothing(name: str) -> None:
    text = (FOLDER / f"{name}.cnn").read_text(encoding="utf-8")
    assert cnnc.format(text) == text  # they are kept as `cnnc fmt` writes them


def test_names_longer_than_a_line_still_make_a_file_that_runs() -> None:
    text = """
block Deep(n) {
    if n > 0 {
        maximum { branch { groupnorm(1) } branch { relu as a_name -> layernorm } branch { dropout(0.1) } }
        batchnorm
        Deep(n - 1)
    }
}
model m { input x: [2, 5, 3]
    Deep(18)
}
"""
    net = load(Source("m.cnn", text))
    assert cnnc.verify(net, backends=["numpy", "torch"]).passed
    model = cnnc.runnable(net, "numpy", cnnc.initial_weights(net, seed=0), "float64")
    x = np.ones((2, 2, 5, 3))
    assert model.gradients({"x": x}, {"output": x}).inputs["x"].shape == x.shape


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every network in both frameworks."""
    path = tmp_path_factory.mktemp("generated")
    for name in NETS:
        for backend in ("numpy", "torch"):
            (path / backend).mkdir(exist_ok=True)
            (text,) = cnnc.generate(graph(name), backend).values()
            (path / backend / f"{name}_net.py").write_text(str(text), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "backend, length", [("torch", "88"), ("torch", "100"), ("torch", "110"), ("numpy", "110")]
)
def test_generated_files_are_as_ruff_formats_them(generated: Path, backend: str, length: str) -> None:
    command = ["ruff", "format", "--isolated", "--check", "--line-length", length, str(generated / backend)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_files_have_nothing_to_lint(generated: Path) -> None:
    rules = "E,W,F,I,B,UP,C4,SIM,RUF100"
    command = ["ruff", "check", "--isolated", "--line-length", "110", "--select", rules, str(generated)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_generated_files_are_typed(generated: Path) -> None:
    for backend in ("numpy", "torch"):
        files = [str(path) for path in sorted((generated / backend).glob("*.py"))]
        command = [sys.executable, "-m", "mypy", "--strict", *files]
        done = subprocess.run(command, capture_output=True, text=True, cwd=generated)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- free sizes that a layer cannot honour ----------------------------------------------

REFUSED = [
    ("here: conv(2, 5x5)", (3, 9), "window"),
    ("here: conv(2, 5x5, stride = 2, round = floor)", (4, 9), "window"),
    ("here: conv(2, 3x3, dilation = 4)", (8, 10), "window"),
    ("here: conv(2, 7x7, pad = half, pad_mode = reflect)", (3, 9), "at most 2"),
    ("here: conv(2, 7x7, pad = half, pad_mode = circular)", (2, 9), "at most 2"),
    ("here: conv(2, 3x4, pad = same, pad_mode = reflect)", (9, 2), "at most 1"),
    ("here: pad([(0, 3), (1, 1)], mode = reflect)", (3, 9), "at most 2"),
    ("here: pad(3, mode = circular)", (9, 2), "at most 2"),
    ("here: maxpool(2x2)", (1, 4), ""),
    ("here: maxpool(2x2)", (5, 4), ""),
    ("here: maxpool(4x4, stride = 2, round = ceil)", (1, 6), ""),
    ("here: avgpool(3x3, stride = 1)", (2, 6), "window"),
    ("here: maxpool(2x2, stride = 1, pad = 1, dilation = 4, round = floor)", (3, 8), "sees n"),
    ("here: instancenorm", (1, 1), "by itself"),
    ("here: groupnorm(2)", (1, 1), "by itself"),
    ("block here { groupnorm(2) }", (1, 1), "by itself"),
]


@pytest.mark.parametrize("layer, size, words", REFUSED, ids=lambda value: str(value).replace(" ", ""))
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_file_that_runs_alone_names_the_layer_that_a_free_size_does_not_fit(
    backend: str, layer: str, size: tuple[int, int], words: str
) -> None:
    block, body = (layer, "here") if layer.startswith("block") else ("", layer)
    text = f"{block}\nmodel m {{\n    input x: [2, H = 12, W = 14]\n    {body}\n    output y\n}}\n"
    net = load(Source("m.cnn", text))
    weights = cnnc.initial_weights(net, seed=0)
    (source,) = cnnc.generate(net, backend).values()
    space: dict[str, object] = {"__name__": "alone"}
    exec(compile(source, "m.py", "exec", dont_inherit=True), space)
    with pytest.raises(ValueError, match=f"here.*{words}"):
        if backend == "torch":
            space["build_model"](weights).eval()(torch.zeros(1, 2, *size))  # type: ignore[operator]
        else:
            space["M"](weights).forward(np.zeros((1, 2, *size), np.float32))  # type: ignore[operator]


@pytest.mark.parametrize("layer", [layer for layer, _, _ in REFUSED], ids=lambda v: str(v).replace(" ", ""))
def test_a_fixed_size_is_checked_once_and_not_again_at_run_time(layer: str) -> None:
    block, body = (layer, "here") if layer.startswith("block") else ("", layer)
    text = f"{block}\nmodel m {{\n    input x: [2, 12, 14]\n    {body}\n    output y\n}}\n"
    (source,) = cnnc.generate(load(Source("m.cnn", text)), "torch").values()
    assert "if x.shape[1:] != (2, 12, 14):" in str(source)
    assert not any(f"def check_{what}(" in str(source) for what in ("fits", "exact", "border", "several"))


SHARED_EXTENTS = """
model m {
    input a: [2, H = 8, W = 6]
    input b: [3, W = 6, H = 8]
    a -> globalavgpool -> flatten as p
    b -> globalmaxpool -> flatten as q
    concat(p, q)
    output y
}
"""


def test_an_extent_of_one_name_is_one_number_wherever_it_stands() -> None:
    net = load(Source("m.cnn", SHARED_EXTENTS))
    assert net.free == {"H": (("a", 1), ("b", 2)), "W": (("a", 2), ("b", 1))}
    fine, wrong = ((1, 2, 9, 5), (1, 3, 5, 9)), ((1, 2, 9, 5), (1, 3, 5, 8))
    for backend in ("numpy", "torch", "onnx"):
        model = cnnc.runnable(net, backend, {})
        assert model.run(dict(zip("ab", map(np.zeros, fine), strict=True)))["y"].shape == (1, 5)
        with pytest.raises(cnnc.Error, match="H = 8 where another has 9"):
            model.run(dict(zip("ab", map(np.zeros, wrong), strict=True)))
    assert cnnc.verify(net).passed


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_file_that_runs_alone_refuses_two_sizes_of_one_name(backend: str) -> None:
    (source,) = cnnc.generate(load(Source("m.cnn", SHARED_EXTENTS)), backend).values()
    space: dict[str, object] = {"__name__": "alone"}
    exec(compile(source, "m.py", "exec", dont_inherit=True), space)
    with pytest.raises(ValueError, match="differ in H: .*9, 8"):
        if backend == "torch":
            space["build_model"]().eval()(torch.zeros(1, 2, 9, 5), torch.zeros(1, 3, 5, 8))  # type: ignore[operator]
        else:
            space["M"]({}).forward(np.zeros((1, 2, 9, 5)), np.zeros((1, 3, 5, 8)))  # type: ignore[operator]


def test_the_dimensions_of_an_onnx_file_have_the_names_of_the_extents() -> None:
    import onnx

    (content,) = cnnc.generate(load(Source("m.cnn", SHARED_EXTENTS)), "onnx", {}).values()
    made = onnx.load_from_string(content)
    shapes = [[d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in made.graph.input]
    assert shapes == [["batch", 2, "H", "W"], ["batch", 3, "W", "H"]]
