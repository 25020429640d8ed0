"""The generated file as a whole: structure, names, style, and that it stands alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends.torch import TorchBackend
from backends.torch.emit import source as source_module
from backends.torch.emit import source_of
from backends.torch.emit.owned import owned_by_dict, owned_by_module, owned_by_sequential
from backends.torch.runnable import generated, module
from compiler.graph import Graph
from compiler.initial import initial_weights
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy import torch_layers
from tests.backends.torch.specs import SPECS
from tests.cases import CASES, graph_of, weights_of

SHIPPED = ("lenet5", "lenet5_1998", "alexnet_2012", "vgg11_bn")


def graph(name: str) -> Graph:
    return load(Source(f"{name}.cnn", SPECS[name])) if name in SPECS else load(name)


def text(spec: str) -> Graph:
    return load(Source("made.cnn", spec))


def inputs_of(graph: Graph, batch: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(batch, *value.shape)) for name, value in graph.inputs.items()}


def _quick(quick: tuple[str, ...], others: tuple[str, ...]) -> list[object]:
    """Parameters of which all but the quick ones run in the long tests alone."""
    return [*quick, *(pytest.param(name, marks=pytest.mark.long) for name in others if name not in quick)]


def class_names(source: str) -> list[str]:
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


def close(got: Mapping[str, np.ndarray], want: Mapping[str, torch.Tensor]) -> None:
    assert got.keys() == want.keys()
    for name, array in got.items():
        expected = want[name].detach().numpy()
        assert array.shape == expected.shape
        assert float(np.abs(array - expected).max()) <= 1e-9 * max(1.0, float(np.abs(expected).max()))


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_a_model_computes_what_its_graph_says(name: str, training: bool) -> None:
    # What is dropped is random; everything else is compared in both modes.
    spec = re.sub(r"dropout\([^)]*\)", "identity", SPECS[name]) if training else SPECS[name]
    made = text(spec)
    full = made.with_training if training else made
    weights, inputs = weights_of(made.with_training), inputs_of(made)
    given = {name: torch.tensor(array) for name, array in weights.items()}
    wanted = torch_layers.outputs(full, {k: torch.tensor(v) for k, v in inputs.items()}, given, training)
    close(TorchBackend().load(made, weights, "float64").run(inputs, training=training), wanted)


@pytest.mark.parametrize("name", SPECS)
def test_the_names_of_state_are_exactly_those_of_the_spec(name: str) -> None:
    made = graph(name)
    model = generated(made).build_model()
    names = [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
    assert sorted(names) == sorted(made.weights)
    assert {key for key, p in model.named_parameters() if p.requires_grad} == {
        key for key, weight in made.weights.items() if weight.trainable
    }
    # What moves and copies modules meets every name, too.
    model.double().train().eval().float()
    assert not any(part.training for part in model.modules())


@pytest.mark.parametrize("name", SPECS)
def test_weights_are_loaded_strictly_from_arrays_and_tensors(name: str) -> None:
    made = graph(name)
    weights = initial_weights(made, seed=3)
    build = generated(made).build_model
    for given in (weights, {key: torch.from_numpy(array) for key, array in weights.items()}):
        state = build(given).state_dict()
        assert all(np.array_equal(state[key], array) for key, array in weights.items())
    first = next(iter(weights))
    with pytest.raises(RuntimeError, match="Missing key"):
        build({key: array for key, array in weights.items() if key != first})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        build({**weights, "more": weights[first]})
    with pytest.raises(RuntimeError, match="size mismatch"):
        build({**weights, first: np.zeros((1, 2, 3, 4, 5), np.float32)})


@pytest.mark.parametrize(
    "name", _quick(("aux", "hostile", "shared", "stages"), (*SPECS, "lenet5", "lenet5_1998"))
)
def test_torch_compile_takes_the_whole_model_as_one_graph(name: str) -> None:
    made = graph(name)
    model = module(made, initial_weights(made, seed=0))
    inputs = [torch.tensor(array, dtype=torch.float32) for array in inputs_of(made, 1).values()]
    torch._dynamo.reset()
    with torch.no_grad():
        plain, compiled = model(*inputs), torch.compile(model, fullgraph=True, backend="eager")(*inputs)
    if isinstance(plain, torch.Tensor):
        plain, compiled = {"": plain}, {"": compiled}
    assert all(torch.equal(plain[key], compiled[key]) for key in plain)


@pytest.mark.parametrize(
    "name", _quick(("aux", "shared"), ("resnet", "unetpp", "stages", "many", "lenet5_1998"))
)
def test_torch_export_takes_the_model(name: str) -> None:
    made = graph(name)
    model = module(made, initial_weights(made, seed=0))
    inputs = tuple(torch.tensor(array, dtype=torch.float32) for array in inputs_of(made).values())
    exported = torch.export.export(model, inputs)
    plain, again = model(*inputs), exported.module()(*inputs)
    if isinstance(plain, torch.Tensor):
        plain, again = {"": plain}, {"": again}
    assert all(torch.allclose(plain[key], again[key]) for key in plain)
    assert set(exported.state_dict) >= {k for k, w in made.weights.items() if not w.training}


# ---- structure -------------------------------------------------------------------------


def test_instances_of_a_block_share_a_class_with_what_differs_as_arguments() -> None:
    source = source_of(graph("resnet"))
    assert class_names(source) == ["BottleneckDownsample", "Bottleneck", "Tiny"]
    assert "def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:" in source
    assert "BottleneckDownsample(in_channels=32, width=16, stride=2)," in source
    assert "nn.Conv2d(width, 4 * width, 1, bias=False)" in source


def test_a_sequence_is_an_nn_sequential() -> None:
    model = generated(graph("resnet")).build_model()
    assert type(model.layer2) is nn.Sequential and len(model.layer2) == 4
    assert type(model.layer1[0].downsample) is nn.Sequential


def test_heads_of_training_run_in_training_alone() -> None:
    made = graph("aux")
    model = module(made, initial_weights(made.with_training, seed=0))
    image = torch.zeros(2, 3, 15, 19)
    assert list(model(image)) == ["logits"]
    assert list(model.train()(image)) == ["logits", "aux1", "aux2"]


def test_heads_that_are_kept_on_loading_run_in_every_mode() -> None:
    made = load(Source("aux.cnn", SPECS["aux"]), training=True)
    model = module(made, initial_weights(made, seed=0))
    assert sorted(model(torch.zeros(2, 3, 15, 19))) == ["aux1", "aux2", "logits"]


def test_weights_that_only_training_uses_may_be_missing_together() -> None:
    made = graph("aux")
    weights = initial_weights(made, seed=0)
    inference = {key: array for key, array in weights.items() if not made.weights[key].training}
    assert len(inference) < len(weights)
    model = generated(made).build_model(inference)
    assert np.array_equal(model.state_dict()["fc1.weight"], weights["fc1.weight"])
    with pytest.raises(RuntimeError, match="Missing key"):
        generated(made).build_model(
            {key: array for key, array in weights.items() if key != "aux1.fc1.weight"}
        )


def test_a_shared_layer_is_registered_once_and_called_everywhere() -> None:
    model = generated(graph("shared")).build_model()
    assert len([part for part in model.modules() if type(part).__name__ == "RPN"]) == 1
    assert sum(p.numel() for p in model.parameters()) == graph("shared").params


def test_a_chain_in_a_group_is_a_sequence_with_names() -> None:
    made = text("""
model m {
    input x: [3, 8, 9]
    stem: { c: conv(4, 3x3) -> b: batchnorm -> relu }
    output y
}
""")
    model = generated(made).build_model()
    assert type(model.stem) is nn.Sequential
    assert [name for name, _ in model.stem.named_children()] == ["c", "b", "relu1"]


def test_a_group_takes_what_it_uses_from_outside_and_gives_all_that_is_used() -> None:
    made = text("""
model m {
    input x: [3, 8, 9]
    conv(4, 1x1) as skip
    g: { conv(4, 1x1) as mid
         relu
         add(it, skip) }
    concat(it, mid)
    output y
}
""")
    source = source_of(made)
    assert "def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:" in source
    weights, inputs = weights_of(made), inputs_of(made)
    wanted = torch_layers.outputs(
        made,
        {k: torch.tensor(v) for k, v in inputs.items()},
        {k: torch.tensor(v) for k, v in weights.items()},
    )
    close(TorchBackend().load(made, weights, "float64").run(inputs), wanted)


# ---- sizes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shapes", "message"),
    [
        ("resnet", [(2, 3, 33, 48)], r"the input image is \(2, 3, 33, 48\), not \(N, 3, 33, 47\)"),
        ("resnet", [(3, 33, 47)], r"the input image is \(3, 33, 47\)"),
        (
            "unetpp",
            [(2, 3, 15, 24)],
            r"maxpool1 does not fit an input of \(2, 4, 15, 24\): \(15 - 2 \+ 0\) / 2",
        ),
        ("unetpp", [(2, 3, 16, 26)], r"maxpool2 does not fit"),
        ("unetpp", [(2, 1, 16, 24)], r"not \(N, 3, any, any\)"),
        ("stages", [(2, 3, 29, 40)], r"^maxpool1 does not fit"),
        ("pyramid", [(2, 3, 32, 40), (3, 1, 32, 40)], r"differ in their number of rows: \[2, 3\]"),
        ("pyramid", [(2, 3, 34, 40), (2, 1, 34, 40)], r"d2.maxpool1 does not fit"),
        ("pyramid", [(2, 3, 36, 40), (2, 1, 32, 40)], r"the inputs differ in H: \(36, 32\)"),
    ],
)
def test_a_size_that_does_not_work_is_refused_by_name(
    name: str, shapes: list[tuple[int, ...]], message: str
) -> None:
    model = generated(graph(name)).build_model().eval()
    with pytest.raises(ValueError, match=message):
        model(*[torch.zeros(shape) for shape in shapes])


def test_a_join_of_free_sizes_never_stretches_one_of_them() -> None:
    made = text("""
model m {
    input a: [3, H = 8, W = 9]
    input b: [3, H2 = 8, W2 = 9]
    "part.sum": add(a, b)
    output y
}
""")
    model = generated(made).build_model()
    assert model(torch.zeros(1, 3, 5, 6), torch.zeros(1, 3, 5, 6)).shape == (1, 3, 5, 6)
    with pytest.raises(ValueError, match=r"part.sum joins tensors that differ along axis 2: \[5, 1\]"):
        model(torch.zeros(1, 3, 5, 6), torch.zeros(1, 3, 1, 6))


def test_caffe_pooling_of_a_free_size_refuses_a_window_that_sees_nothing() -> None:
    made = text("model m {\n input x: [2, W = 31]\n maxpool(1, stride = 2, round = caffe)\n output y\n}\n")
    model = generated(made).build_model()
    assert model(torch.zeros(1, 2, 9)).shape == (1, 2, 5)
    with pytest.raises(ValueError, match="maxpool1 has a window that sees nothing"):
        model(torch.zeros(1, 2, 32))


# ---- names -----------------------------------------------------------------------------


def test_the_list_of_pytorchs_own_names_is_that_of_the_installed_version() -> None:
    def own(made: nn.Module) -> set[str]:
        return set(dir(made))

    assert all(owned_by_module(name) for name in own(nn.Module()))
    assert all(owned_by_sequential(name) for name in own(nn.Sequential()))
    assert all(owned_by_dict(name) for name in own(nn.ModuleDict()))
    assert not any(map(owned_by_module, ("conv1", "weight", "bias", "layer1", "features")))


@pytest.mark.parametrize(
    "label",
    [
        "type",
        "half",
        "float",
        "training",
        "eval",
        "forward",
        "train",
        "T_destination",
        "__init__",
        "_modules",
        "__class__",
        "0",
        "3x3",
        "a-b",
        "None",
        "match",
        "self",
        "torch",
        "nn",
        "F",
        "state_dict",
        "register_buffer",
        "append",
        "Tensor",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        '"{0}": conv(2, 1x1)',
        '"{0}": seq {{ conv(2, 1x1) -> relu }}',
        's: seq {{ "{0}": conv(2, 1x1)\n relu }}',
        '"{0}": B',
        '"{0}.{0}": conv(2, 1x1)',
        '"{0}.0": conv(2, 1x1)\n "{0}.1": batchnorm',
    ],
)
def test_any_label_names_its_weights(label: str, form: str) -> None:
    made = text(
        "block B { c: conv(2, 1x1) }\nmodel m {\n input x: [2, 3, 4]\n "
        + form.format(label)
        + "\n output y\n}\n"
    )
    model = module(made, initial_weights(made, seed=0))
    names = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
    assert names == set(made.weights)
    model.train().eval().double()
    assert model(torch.zeros(1, 2, 3, 4, dtype=torch.float64)).shape == (1, 2, 3, 4)


def test_foreign_text_cannot_leave_a_docstring_or_comment() -> None:
    spec = '''## Doc with """ and \\ and \u2028 and a quote"
model m {
    input x: [2, 3, 4]
    conv(2, 1x1)
    output "a/b"
}
'''
    made = load(Source('bad"""\nimport os\n# name\r\nraise SystemExit.cnn', spec.replace("\u2028", " ")))
    source = source_of(made)
    tree = ast.parse(source)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"torch", "torch.nn.functional"}
    assert not any(isinstance(node, ast.Raise) for node in tree.body)


# ---- style, and standing alone ---------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the files that these tests know of, in one folder."""
    path = tmp_path_factory.mktemp("generated")
    for name in (*SPECS, *SHIPPED):
        (path / f"{name}.py").write_text(source_of(graph(name)), encoding="utf-8")
    for number, case in enumerate(CASES):
        (path / f"case_{number}.py").write_text(source_of(graph_of(case)), encoding="utf-8")
    return path


def test_every_file_is_formatted_and_has_nothing_to_lint(folder: Path) -> None:
    for command in (["format", "--check", "--line-length", "88"], ["check", "--isolated"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, str(folder)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_every_file_is_typed(folder: Path) -> None:
    files = [str(path) for path in sorted(folder.glob("*.py"))]
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_runs_where_there_is_torch_alone(folder: Path) -> None:
    program = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cnnc", "compiler", "backends", "spec_lang", "lark", "numpy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[1])
import torch, lenet5_1998, shared
model = lenet5_1998.build_model()
again = lenet5_1998.build_model(model.state_dict())
x = torch.ones(2, 1, 32, 32)
assert torch.equal(model.eval()(x), again.eval()(x))
assert list(shared.build_model()(torch.ones(2, 3, 17, 20))) == ["p", "q", "r", "s"]
assert not {"numpy", "cnnc", "backends"} & sys.modules.keys()
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", program, str(folder)], capture_output=True, text=True
    )
    assert done.stdout == "done\n", done.stderr


def test_two_runs_in_other_processes_give_the_same_bytes() -> None:
    program = (
        "import hashlib\nfrom compiler.load import load\nfrom backends.torch import TorchBackend\n"
        "made = TorchBackend().generate(load('alexnet_2012'))\n"
        "print(hashlib.sha256(made['alexnet_2012.py'].encode()).hexdigest())\n"
        "import sys\nassert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("name", ["lenet5", *SPECS])
def test_the_source_is_the_one_that_was_read_and_liked(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"torch/{name}.py", source_of(graph(name)))


# ---- size ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "repeat 1200 { conv(2, 1x1) }",
        "body: seq { repeat 1200 { conv(2, 1x1) } }",
        "for i in 0..600 { B(2) }",
        "add { for i in 0..600 { branch { conv(2, 1x1) } } }",
        "concat { for i in 0..600 { branch { conv(2, 1x1) -> relu } } }",
        "R(190)",
        "a: " + "seq { " * 90 + "conv(2, 1x1)\n" + "} " * 90,
    ],
    ids=["chain", "sequence", "blocks", "sum", "concat", "recursion", "nesting"],
)
def test_large_and_deep_graphs_are_written_and_run(body: str) -> None:
    made = text(
        "block B(n) { conv(n, 1x1) -> relu }\n"
        "block R(n) { g: { h: { conv(2, 1x1)\n relu\n if n > 0 { R(n - 1) } } } }\n"
        "model m {\n input x: [2, 2, 3]\n" + body + "\n output y\n}\n"
    )
    weights = {key: array * 0.5 for key, array in weights_of(made).items()}
    inputs = inputs_of(made, 1)
    wanted = torch_layers.outputs(
        made,
        {k: torch.tensor(v) for k, v in inputs.items()},
        {k: torch.tensor(v) for k, v in weights.items()},
    )
    model = TorchBackend().load(made, weights, "float64")
    close(model.run(inputs), wanted)
    assert model.weights().keys() == weights.keys()


# ---- names of files and of single members -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("small", "small.py"),
        ("torch", "torch_model.py"),
        ("typing", "typing_model.py"),
        ("cnnc", "cnnc_model.py"),
    ],
)
def test_a_file_hides_no_module_that_others_import(name: str, file: str) -> None:
    spec = f"model {name} {{ input x: [2, 3, 3]\n conv(2, 1x1) }}"
    assert list(TorchBackend().generate(text(spec))) == [file]


@pytest.mark.parametrize(
    "label",
    ["deep.only", "training.x", "x.training", "forward.x", "x.forward", "type", "a.b.c", "0.x", "x.0"],
)
def test_a_label_that_stands_alone_names_its_weights(label: str) -> None:
    """One member of a group, whichever of its steps is a name of PyTorch's or of Python's."""
    made = text(f'model net {{ input x: [2, 3, 3]\n "{label}": conv(2, 1x1)\n output y }}')
    weights = initial_weights(made, seed=1)
    model = generated(made).build_model(weights)
    assert set(model.state_dict()) == {f"{label}.weight", f"{label}.bias"}
    x = torch.ones(1, 2, 3, 3)
    wanted = torch.conv2d(
        x, torch.as_tensor(weights[f"{label}.weight"]), torch.as_tensor(weights[f"{label}.bias"])
    )
    torch.testing.assert_close(model(x), wanted)


@pytest.mark.parametrize(
    ("layer", "checked"),
    [
        ("conv(4, 1x1)", False),
        ("conv(4, 3x3, pad = 1)", False),  # a window fits even an extent of 1
        ("conv(4, 3x3)", True),
        ("conv(4, 4x4, pad = 1)", True),
        ("maxpool(2x2, stride = 2, round = ceil)", False),
        ("maxpool(3x3, stride = 2, round = ceil)", True),
    ],
)
def test_a_free_size_is_looked_at_where_it_might_not_fit(layer: str, checked: bool) -> None:
    made = text(f"model net {{ input x: [2, H = 12, W = 12]\n {layer}\n output y }}")
    assert ("check_fits(" in source_of(made)) is checked, source_of(made)


@pytest.mark.parametrize(
    ("layer", "checked"),
    [
        ("groupnorm(2)", False),
        ("groupnorm(4)", True),
        ("instancenorm", True),
        ("layernorm(affine = false)", False),
    ],
)
def test_a_norm_of_a_free_size_needs_several_numbers(layer: str, checked: bool) -> None:
    made = text(f"model net {{ input x: [4, H = 12, W = 12]\n {layer}\n output y }}")
    assert ("check_several(" in source_of(made)) is checked, source_of(made)


# ---- what becomes a parameter, a sequence, a name -----------------------------------------


def parameters(source: str) -> list[str]:
    """The parameters of the first class as they are written, without `self`."""
    (first, *_) = [
        n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name != "PaddedConv2d"
    ]
    (made,) = [n for n in first.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    plain = made.args.args[1:]
    given = [None] * (len(plain) - len(made.args.defaults)) + list(made.args.defaults)
    return [
        f"{one.arg}: {ast.unparse(one.annotation or one)}" + (f"={ast.unparse(default)}" if default else "")
        for one, default in zip(plain, given, strict=True)
    ]


@pytest.mark.parametrize(
    ("block", "instances", "wanted", "inside"),
    [
        ("B(width) { conv(4 * width, 1x1) -> conv(3, 1x1) }", ("B(2)", "B(5)"), ["width: int"], "4 * width"),
        ("B(slope) { leakyrelu(slope) }", ("B(1)", "B(0.5)"), ["slope: float"], "self.slope"),
        ("B(a) { elu(a) }", ("B(2)", "B(0.5)"), ["a: float"], "self.a"),
        (
            "B(k) { conv(3, k, pad = half) }",
            ("B(1)", "B(3)"),
            ["k: int", "padding: int=0"],
            "padding=padding",
        ),
        ("B(p, q) { dropout(p) -> conv(q, 1x1) }", ("B(0.1, 3)", "B(0.2, 3)"), ["p: float"], "nn.Dropout(p)"),
        (
            "B(k) { conv(3, k, pad = half, bias = false) }",
            ("B(1x3)", "B(3x1)"),
            ["k: tuple[int, int]", "padding: tuple[int, int]"],
            "3, k,",
        ),
        ("B(b) { conv(3, 1x1, bias = b) }", ("B(true)", "B(false)"), ["b: bool=True"], "bias=b"),
    ],
)
def test_a_parameter_goes_by_the_name_that_the_block_has_for_it(
    block: str, instances: tuple[str, str], wanted: list[str], inside: str
) -> None:
    first, second = instances
    made = text(
        f"block {block}\nmodel net {{ input x: [3, 4, 5]\n relu -> a: {first}\n conv(3, 1x1) -> b: {second}\n"
        " output y }"
    )
    source = source_of(made)
    assert parameters(source) == wanted and inside in source, source
    agrees(made)


def agrees(made: Graph) -> None:
    """The file computes what PyTorch's functions compute."""
    rng = np.random.default_rng(4)
    weights = {name: rng.uniform(-1, 1, weight.shape) for name, weight in made.weights.items()}
    xs = {name: torch.tensor(rng.uniform(-1, 1, (2, *v.shape))) for name, v in made.inputs.items()}
    model = generated(made).build_model(weights).double().eval()
    model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()}, strict=False)
    wanted = torch_layers.outputs(made, xs, {name: torch.tensor(w) for name, w in weights.items()})
    got = model(*xs.values())
    shown = got if isinstance(got, dict) else {next(iter(wanted)): got}
    for name, y in wanted.items():
        torch.testing.assert_close(shown[name], y)


@pytest.mark.parametrize(
    ("body", "sequence"),
    [
        ("s: seq { conv(3, 1x1) -> relu }", True),
        ("s: seq { conv(3, 1x1) as t -> relu -> add(it, t) }", False),
        ("s: seq { conv(3, 1x1) as t -> relu }\n add(it, t)", False),
        ("conv(3, 1x1) as t\n s: seq { relu -> add(it, t) }", False),
        ("weight gain: [3, 1, 1]\n s: seq { relu -> multiply(it, gain) }", False),
    ],
)
def test_a_chain_alone_is_a_sequence(body: str, sequence: bool) -> None:
    made = text(f"model net {{ input x: [3, 4, 5]\n {body}\n output y }}")
    assert ("nn.Sequential(" in source_of(made)) is sequence, source_of(made)
    agrees(made)


@pytest.mark.parametrize(("terms", "lines"), [(2, 1), (4, 1), (5, 4)])
def test_a_long_sum_is_written_a_term_a_line(terms: int, lines: int) -> None:
    given = ", ".join(["x"] * terms)
    for join, sign in (("add", " + "), ("multiply", " * "), ("average", " + ")):
        made = text(f"model net {{ input x: [3, 4, 5]\n {join}({given})\n output y }}")
        forward = source_of(made).partition("def forward")[2].partition("return")[0]
        assert sum(sign in line for line in forward.splitlines()) == lines, forward
        agrees(made)


def test_a_local_is_named_by_its_label_and_no_longer_than_a_line_bears() -> None:
    name = "a_" + "very_" * 8 + "long_name"
    made = text(
        f"model net {{ input x: [3, 4, 5]\n conv(3, 1x1) as {name}\n relu -> add(it, {name})\n output y }}"
    )
    assert f"        {name[:24]} = " in source_of(made)
    made = text(
        "model net { input x: [3, 4, 5]\n s: seq { conv(3, 1x1) -> add(x, it) }\n add(it, x)\n output y }"
    )
    agrees(made)


def test_a_model_of_very_many_weights_is_loaded_name_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MANY", 1)
    made = text("model net { input x: [3, 4, 5]\n conv(3, 1x1) -> batchnorm\n output y }")
    code: dict[str, Any] = {}
    exec(compile(source_of(made), "<made>", "exec"), code)
    weights = initial_weights(made, seed=1)
    state = code["build_model"](weights).state_dict()
    for name, array in weights.items():
        np.testing.assert_array_equal(state[name].numpy(), array)
    with pytest.raises(RuntimeError, match=r"missing or left over: \['conv1.bias'\]"):
        code["build_model"]({name: array for name, array in weights.items() if name != "conv1.bias"})
    with pytest.raises(RuntimeError, match=r"conv1.bias is \[4\], not \[3\]"):
        code["build_model"]({**weights, "conv1.bias": np.zeros(4, np.float32)})


def test_helpers_start_as_layers_that_change_nothing() -> None:
    made = text("model net { input x: [3, 4, 5]\n scale(bias = true) -> l2norm\n output y }")
    state = generated(made).build_model().state_dict()
    assert {name: set(value.tolist()) for name, value in state.items()} == {
        "scale1.weight": {1.0}, "scale1.bias": {0.0}, "l2norm1.weight": {1.0}
    }  # fmt: skip


@pytest.mark.parametrize("shape", ["6", "6, 4", "6, 4, 5", "6, 2, 3, 4"])
def test_spatial_dropout_drops_whole_channels_at_every_rank(shape: str) -> None:
    made = text(f"model net {{ input x: [{shape}]\n dropout(0.5, spatial = true)\n output y }}")
    model = generated(made).build_model()
    x = torch.ones(40, *made.inputs["x"].shape)
    assert torch.equal(model.eval()(x), x)
    torch.manual_seed(1)
    dropped = model.train()(x).reshape(40, 6, -1)
    assert {(0.0,), (2.0,)} == {tuple(set(row)) for image in dropped.tolist() for row in image}
    assert dropped[:, :, 0].std() > 0.5


@pytest.mark.parametrize(
    ("shape", "other", "noted"),
    [
        ("4", "6", "(N, C)"),
        ("4, 8", "6, 9", "(N, C, L)"),
        ("4, 8, 9", "6, 9, 5", "(N, C, H, W)"),
        ("4, 8, 9, 5", "6, 9, 3, 7", "(N, C, D, H, W)"),
    ],
)
def test_an_extent_that_differs_between_instances_goes_by_a_letter(
    shape: str, other: str, noted: str
) -> None:
    made = text(
        f"block B {{ relu -> tanh }}\nmodel net {{ input a: [{shape}]\n input b: [{other}]\n"
        " a -> B\n output y\n b -> B\n output z }"
    )
    assert f"# {noted}\n" in source_of(made), source_of(made)
    agrees(made)


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [("zeros", 0, 0), ("ones", 1, 1), ("constant(2.5)", 2.5, 2.5), ("normal(0.1)", -9, 9)],
)
def test_a_raw_weight_starts_as_its_rule_says(rule: str, low: float, high: float) -> None:
    made = text(
        f"model net {{ input x: [3, 4, 5]\n weight w: [3, 1, 1](init = {rule})\n multiply(x, w)\n output y }}"
    )
    start = generated(made).build_model().state_dict()["w"]
    assert start.shape == (3, 1, 1) and low <= start.min() and start.max() <= high
    assert (low == high) == bool(start.std() == 0)


def test_layers_that_are_alike_are_each_called_by_their_own_name() -> None:
    made = text("model net { input x: [3, H = 9, W = 9]\n conv(3, 3x3) -> conv(3, 3x3)\n output y }")
    source = source_of(made)
    assert 'check_fits(x, "conv1"' in source and 'check_fits(x, "conv2"' in source


@pytest.mark.parametrize(
    ("layer", "checked"),
    [
        ("conv(3, 3x3, pad = 1, pad_mode = reflect)", True),
        ("conv(3, 3x3, pad = [(0, 0), (1, 1)], pad_mode = reflect)", False),  # the height alone is free
        ("conv(3, 3x3, pad = 1, pad_mode = circular)", False),
        ("conv(3, 5x5, pad = 2, pad_mode = circular)", True),
        ("conv(3, 5x5, pad = 2, pad_mode = replicate)", False),
        ("pad(2, mode = reflect)", True),
    ],
)
def test_a_border_is_looked_at_where_there_might_be_too_little_to_mirror(layer: str, checked: bool) -> None:
    made = text(f"model net {{ input x: [3, H = 9, 9]\n {layer}\n output y }}")
    assert ("check_border(" in source_of(made)) is checked, source_of(made)


@pytest.mark.parametrize("trained", ["true", "false"])
def test_one_number_for_a_raw_weight_fills_its_shape(trained: str) -> None:
    made = text(
        "block Gate(v) { weight g: [4, 1, 1](value = v)\n multiply(it, g) }\n"
        f"model net {{ input x: [3, 4, 5]\n weight k: [4, 1, 1](value = 2, trainable = {trained})\n"
        " conv(4, 1x1) -> multiply(it, k) -> a: Gate(0.5) -> b: Gate(3)\n output y }"
    )
    model = generated(made).build_model()
    state = model.state_dict()
    for name, number in (("k", 2), ("a.g", 0.5), ("b.g", 3)):
        assert state[name].shape == (4, 1, 1) and set(state[name].flatten().tolist()) == {number}
    assert sum(p.numel() for p in model.parameters()) == made.params
    generated(made).build_model(initial_weights(made, seed=0))
    agrees(made)


@pytest.mark.parametrize(
    ("layer", "checked"),
    [
        ("maxpool(2x2, stride = 3, round = caffe)", True),
        ("maxpool(2x2, stride = (3, 2), round = caffe)", True),
        ("maxpool(2x2, stride = (2, 3), round = caffe)", False),  # the height alone is free
        ("maxpool(2x2, stride = 2, round = caffe)", False),
        ("maxpool(2x2, stride = 3, round = ceil)", False),
    ],
)
def test_a_window_that_caffe_alone_has_is_looked_for(layer: str, checked: bool) -> None:
    made = text(f"model net {{ input x: [3, H = 10, 10]\n {layer}\n output y }}")
    assert ("check_seen(" in source_of(made)) is checked, source_of(made)


@pytest.mark.parametrize(
    ("layer", "other"),
    [
        ("conv(3, 3x3)", "maxpool(2x2)"),
        ("conv(3, 3x3, pad = 1, bias = false)", "maxpool(2x2)"),
        ("conv(3, 4x4, pad = 1)", "maxpool(2x2, round = floor)"),
    ],
)
def test_a_shared_convolution_is_looked_at_where_it_is_applied(layer: str, other: str) -> None:
    made = text(
        f"model net {{ input x: [3, H = 12, W = 12]\n shared c: {layer}\n x -> c -> {other} -> c\n output y }}"
    )
    assert source_of(made).count('check_fits(x, "c"') == (0 if "3x3, pad" in layer else 2)
    agrees(made)


def test_a_shared_layer_of_vectors_serves_maps_too() -> None:
    made = text(
        "model net { input v: [4]\n input x: [4, 5, 6]\n shared f: fc(3, bias = false, axis = channels)\n"
        " v -> f\n output y\n x -> f\n output z }"
    )
    agrees(made)


def test_a_type_stands_alone_where_the_line_is_long() -> None:
    names = [f"{letter * 24}" for letter in "abcd"]
    body = "\n ".join(f"x -> conv(3, 1x1) as {name}" for name in names)
    made = text(
        f"model net {{ input x: [3, 4, 5]\n {body}\n add({', '.join(names)}) as {'e' * 24}\n output z }}"
    )
    source = source_of(made)
    assert re.search(r"^ +\w+: Tensor$", source, re.M), source
    agrees(made)
