"""Text that tries to become code never does: generated files hold what the emitters write, and nothing else."""

from __future__ import annotations

import ast
import builtins
import io
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnc
from backends.inspection import BUILTINS, FORMS, IMPORTS, checked, foreign
from compiler.graph import Graph
from tests.cases import CASES, graph_of
from tests.contract import hostile
from tests.contract.conftest import Ask

PRIVATE = frozenset({"__init__", "_parameters", "_buffers", "_modules", "_saved", "__dict__", "__setattr__", "__setitem__", "__class__", "__name__"})


def sampled(rows: Sequence[Any], every: int) -> list[Any]:
    """All rows as parameters; one of so many is run always, the others in long runs."""
    return [pytest.param(row, id=ascii(str(row))[1:-1], marks=() if position % every == 0 else pytest.mark.long)
            for position, row in enumerate(rows)]


def refused(text: str, backend: str) -> list[str]:
    """What stands in a generated file that no emitter writes: as the product sees it, and more strictly."""
    found = foreign(text, backend)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and hasattr(builtins, node.id) and node.id not in BUILTINS:
            found.append(node.id)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr not in PRIVATE:
            found.append(node.attr)
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


#: Source that no emitter writes, and what is noticed of it.
INTRUDERS = {
    "import os": "os", "from os import system": "os.system", "from . import x": "None.x", "import numpy.ctypeslib": "numpy.ctypeslib",
    "import numpy as np, sys": "sys", "open('canary', 'w')": "open", "eval('1')": "eval", "exec('1')": "exec",
    "__import__('os')": "__import__", "x = print": "print", "().__class__.__bases__": "__bases__", "del x": "Delete",
    "try: pass\nexcept Exception: pass": "Try", "global x": "Global", "assert x": "Assert", "async def f(): pass": "AsyncFunctionDef",
    "(x := 1)": "NamedExpr", "def f(): nonlocal x": "Nonlocal", "match x:\n    case 1: pass": "Match",
    "lambda: (yield from x)": "YieldFrom", "while x: break": "Break", "getattr(x, y)": "getattr(x, y)",
    "breakpoint()": "breakpoint", "@staticmethod\ndef f(): return globals()": "globals", "f'{input()}'": "input",
}


@pytest.mark.parametrize("source", INTRUDERS, ids=ascii)
@pytest.mark.parametrize("backend", IMPORTS)
def test_what_no_emitter_writes_is_noticed(source: str, backend: str) -> None:
    assert INTRUDERS[source] in foreign(source, backend)
    with pytest.raises(RuntimeError, match="no emitter writes"):
        checked(source, backend)


def test_the_lists_hold_nothing_that_runs_or_opens() -> None:
    assert not BUILTINS & {"eval", "exec", "compile", "open", "input", "globals", "locals", "vars", "breakpoint", "__import__"}
    assert {"Delete", "Try", "Global", "Nonlocal", "Await", "NamedExpr"}.isdisjoint(FORMS)
    assert all(name.split(".")[0] in ("__future__", "collections", "typing", backend)
               for backend, names in IMPORTS.items() for name in names)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_foreign_source_is_not_given_away(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"numpy": "backends.numpy.runnable.module_source", "torch": "backends.torch.source_of"}[backend]
    monkeypatch.setattr(place, lambda graph: "import os\n")
    with pytest.raises(RuntimeError, match="os"):
        cnnc.generate(cnnc.load("lenet5"), backend)


#: Names with a meaning for Python's own objects, which the product must not take for an attack.
SPECIAL = ("__globals__", "__subclasses__", "__mro__", "__bases__", "__code__", "__builtins__", "__reduce__", "__getattribute__",
           "__del__", "__call__", "__slots__", "__new__", "__annotations__", "__doc__", "__file__", "__loader__", "__all__")


@pytest.mark.parametrize("name", SPECIAL)
def test_special_names_are_names(name: str) -> None:
    from compiler.load import load
    from spec_lang.source import Source

    graph = load(Source("a.cnn", hostile.named(name)))
    assert sources(graph) and agree(graph)
