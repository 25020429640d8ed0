"""Text that tries to become code never does: generated files hold what the emitters write, and nothing else."""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnc
from compiler.graph import Graph
from tests.cases import CASES, graph_of
from tests.contract import hostile
from tests.contract.conftest import Ask

#: What the emitters use of Python's grammar, in all of their files together.
NODES = frozenset(re.findall(r"\w+", """
    Add And AnnAssign Assign Attribute AugAssign BinOp BitAnd BitOr BitXor BoolOp Call ClassDef Compare Constant Continue Dict
    DictComp Div Eq Expr FloorDiv For FormattedValue FunctionDef GeneratorExp Gt GtE If IfExp Import ImportFrom In
    Invert Is     IsNot JoinedStr LShift Lambda List ListComp Load Lt LtE MatMult Mod Module Mult Name Not NotEq NotIn Or Pass Pow
    Raise RShift Return Set SetComp Slice Starred Store Sub Subscript Tuple USub UnaryOp While With Yield alias arg
    arguments comprehension keyword withitem
"""))
IMPORTS = {
    "numpy": {"__future__.annotations", "collections.abc.Mapping", "collections.abc.Iterator",
              "collections.abc.Sequence", "typing.Any", "typing.TypeAlias", "numpy"},
    "torch": {"__future__.annotations", "collections.OrderedDict", "collections.abc.Mapping",
              "collections.abc.Sequence", "typing.Any", "torch", "torch.Tensor", "torch.nn", "torch.nn.functional",
              "torch.nn.modules.batchnorm._BatchNorm", "torch.nn.modules.instancenorm._InstanceNorm"},
}
#: Builtins that the emitters call; among them is nothing that runs, opens or imports.
BUILTINS = frozenset(re.findall(r"\w+", """
    KeyError TypeError ValueError RuntimeError abs all any bool dict enumerate float getattr int isinstance len list map max
    min object property range repr reversed round set setattr slice sorted staticmethod str sum super tuple type zip
"""))
PRIVATE = frozenset({"__init__", "_parameters", "_buffers", "_modules", "_saved", "__dict__", "__setattr__", "__setitem__", "__class__", "__name__"})


def sampled(rows: Sequence[Any], every: int) -> list[Any]:
    """All rows as parameters; one of so many is run always, the others in long runs."""
    return [pytest.param(row, id=ascii(str(row))[1:-1], marks=() if position % every == 0 else pytest.mark.long)
            for position, row in enumerate(rows)]


def refused(text: str, backend: str) -> list[str]:
    """What stands in a generated file that no emitter writes."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        kind = type(node).__name__
        if kind not in NODES:
            found.append(kind)
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name not in IMPORTS[backend]]
        if isinstance(node, ast.ImportFrom):
            found += [a.name for a in node.names if f"{node.module}.{a.name}" not in IMPORTS[backend]]
        if isinstance(node, ast.Name) and hasattr(builtins, node.id) and node.id not in BUILTINS:
            found.append(node.id)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr not in PRIVATE:
            found.append(node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            # For labels that PyTorch's modules have a meaning of their own for.
            if not isinstance(node.args[1], ast.Constant):
                found.append(ast.unparse(node))
    return found


def shows_only_text(text: str) -> bool:
    """Whether the payload is in comments and strings, or in a name made of its letters, and all is printable."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if "canary" in token.string and token.type not in (tokenize.COMMENT, tokenize.STRING, tokenize.NAME):
            return False
    return all(c.isprintable() or c == "\n" for c in text)


def sources(graph: Graph) -> dict[str, str]:
    """Backend -> its source file."""
    made = {}
    for backend in ("numpy", "torch"):
        for content in cnnc.generate(graph, backend).values():
            assert isinstance(content, str)
            made[backend] = content
    return made


def agree(graph: Graph) -> bool:
    """Whether both files run, and compute the same."""
    rng = np.random.default_rng(0)
    weights = cnnc.initial_weights(graph)
    inputs = {name: rng.standard_normal((2, *value.shape)) for name, value in graph.inputs.items()}
    first, second = (cnnc.runnable(graph, name, weights, "float64").run(inputs) for name in ("numpy", "torch"))
    return list(first) == list(second) and all(np.allclose(first[n], second[n], atol=1e-10) for n in first)


def clean(graph: Graph) -> None:
    for backend, text in sources(graph).items():
        assert refused(text, backend) == []
        assert shows_only_text(text)


@pytest.mark.parametrize("payload", hostile.PAYLOADS)
def test_text_of_a_spec_stays_text(payload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.cnn").write_text(hostile.spec(payload))
    graph = cnnc.load("a.cnn")
    clean(graph)
    assert agree(graph)
    content = cnnc.generate(graph, "onnx", cnnc.initial_weights(graph))["m.onnx"]
    assert isinstance(content, bytes) and graph.source_text.encode() in content
    formatted = cnnc.format(hostile.spec(payload))
    assert [line.strip() for line in formatted.splitlines() if line.strip().startswith("#")]
    assert not Path("canary").exists()


@pytest.mark.parametrize("name", sampled(hostile.FILE_NAMES, 2))
def test_the_name_of_a_spec_stays_a_name(name: str, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(hostile.spec("x"))
    clean(cnnc.load(path))
    for argv, status in (
        (["check", "--", name], 0), (["check", "--set", "n=1 // 0", "--", name], 1), (["fmt", "--check", "--", name], 1),
        (["compile", "-b", "torch", "-o", f"{name[:180]}.py", "--", name], 0),
    ):
        done = ask({"argv": argv, "cwd": str(tmp_path)})
        assert done["status"] == status, (argv, done["err"])
        assert done["acts"] == [] and "Traceback" not in done["err"]
        assert all(c.isprintable() or c == "\n" for c in done["out"] + done["err"])
    assert not (tmp_path / "canary").exists()


#: Words of the language itself, which name nothing.
RESERVED = ("and", "else", "if", "in", "not", "or")


@pytest.mark.parametrize("name", sampled([name for name in hostile.NAMES if name not in RESERVED], 5))
def test_every_name_that_python_has_a_meaning_for_is_a_name(name: str, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.cnn").write_text(hostile.named(name))
    graph = cnnc.load("a.cnn")
    clean_names(graph, name)
    assert agree(graph)
    assert f"x.{name}.weight" in graph.weights and f"{name}.{name}.weight" in graph.weights
    module = cnnc.torch_module(graph, cnnc.initial_weights(graph))
    kept = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    assert kept == set(graph.weights)


def clean_names(graph: Graph, name: str) -> None:
    for backend, text in sources(graph).items():
        # The name itself may be an identifier, where it is none of Python's.
        assert [one for one in refused(text, backend) if one not in (name, f"{name}_")] == []


@pytest.mark.parametrize("case", sampled(CASES, 8))
def test_a_layer_is_written_with_what_emitters_use(case: Any) -> None:
    clean(graph_of(case))
