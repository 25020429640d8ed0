"""The machinery of the long form: what is a mutant, which tests run for it, what a server answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation import operators
from tests.mutation.direct import first_failure, prepared
from tests.mutation.known import known
from tests.mutation.modules import MODULES, ROOT, files, module_of, own_tests
from tests.mutation.mutants import Edit, is_mutant
from tests.mutation.plan import Traced, chosen_tests, statement
from tests.mutation.trace import functions
from tests.mutation.workplace import Workplace

SOURCE = '''"""A module."""
from __future__ import annotations
from typing import ClassVar


class Layer:
    """A layer."""

    name: ClassVar[str] = "layer"

    def size(self, a: int, b: int | None = None) -> int:
        """Its size."""
        return sum(
            pair(a, b),
        ) if b else self.of(a, rows=2)


def whole(x: list[int]) -> list[int]:
    x.append(1)
    return x[1:]
'''


@pytest.mark.parametrize(
    ("old", "new", "yes"),
    [
        ("sum(", "max(", True),
        ("int | None", "int & None", False),  # an annotation
        ("A layer.", "Another.", False),
        ('"layer"', '"other"', True),
        ("ClassVar[str]", "str", True),
        ("-> int:", "-> str:", False),
        ("x[1:]", "x[", False),  # no Python
        ("if b else", "if a is 1 else", False),  # Python warns of it
    ],
)
def test_a_mutant_is_python_that_runs_otherwise(old: str, new: str, yes: bool) -> None:
    assert SOURCE.count(old) == 1
    assert is_mutant(SOURCE, SOURCE.replace(old, new)) is yes


@pytest.mark.parametrize(
    ("old", "new", "yes"),
    [
        ('frozenset(("a", "b"))', 'frozenset(("b", "a"))', False),
        ('frozenset(("a", "b"))', 'frozenset(("a", "c"))', True),
        ("{1, 2}", "{2, 1}", False),
        ("[1, 2]", "[2, 1]", True),
        ("x is y", "x == y", False),
        ("x is y", "x is not y", True),
        ("x < y", "x <= y", True),
        ("x in (1, 2)", "x in (2, 1)", False),
        ("x in (1, 2)", "x in (1, 3)", True),
        ("@cache\ndef f(): pass", "def f(): pass", False),
        ("@cached_property\ndef f(): pass", "def f(): pass", True),
        ('__all__ = ["a"]', '__all__ = ["b"]', False),
        ('names = ["a"]', 'names = ["b"]', True),
    ],
)
def test_what_makes_no_difference_is_no_mutant(old: str, new: str, yes: bool) -> None:
    assert is_mutant(f"x = 1\n{old}\n", f"x = 1\n{new}\n") is yes


def test_operators_change_calls_and_what_stands_around_them() -> None:
    made = {(e.operator, e.trimmed(SOURCE).shown(SOURCE)) for e in operators.edits("f.py", SOURCE)}
    assert {
        ("another function", "f.py:13: `return sum(` -> `return max(`"),
        ("arguments swapped", "f.py:14: `pair(a, b),` -> `pair(b, a),`"),
        ("nothing returned", "f.py:20: `return x[1:]` -> `return None`"),
        ("statement dropped", "f.py:19: `x.append(1)` -> `pass`"),
        ("another word", "f.py:9: `name: ClassVar[str] = \"layer\"` -> `name: ClassVar[str] = 'layer_'`"),
        ("keyword argument dropped", "f.py:15: `) if b else self.of(a, rows=2)` -> `) if b else self.of(a)`"),
        ("bound of a slice dropped", "f.py:20: `return x[1:]` -> `return x[:]`"),
    } <= made
    assert any(kind == "branches swapped" for kind, _ in made)


def test_every_edit_of_our_own_applies_to_the_text_that_it_names() -> None:
    for edit in operators.edits("f.py", SOURCE):
        assert edit.trimmed(SOURCE).apply(SOURCE) == edit.apply(SOURCE) != SOURCE


def test_cosmic_ray_s_edits_are_those_of_its_operators() -> None:
    pytest.importorskip("cosmic_ray")
    from tests.mutation import tool

    text = "def f(a, b):\n    if a < b and not b:\n        return a + 1\n    elif b:\n        return -a\n"
    made = {e.apply(text) for e in tool.edits("f.py", text)}
    for old, new in (
        ("a < b", "a <= b"),
        ("a + 1", "a - 1"),
        (" and ", " or "),
        ("-a", "+a"),
        ("not b", " b"),
    ):
        assert text.replace(old, new) in {" ".join(m.split(" ")) for m in made}, new
    assert len(made) > 25


def test_the_lines_of_a_statement_are_those_that_run_with_it() -> None:
    assert statement(SOURCE, 14) == range(13, 16)
    assert statement(SOURCE, 11) == range(11, 12)
    assert statement(SOURCE, 19) == range(19, 20)
    assert [name for name, *_ in functions(SOURCE)] == ["Layer.size", "whole"]


def test_the_tests_of_a_line_run_quickest_first_and_those_of_a_declaration_begin_with_the_layer_s() -> None:
    seconds = {"slow": 3.0, "quick": 1.0, "[layer: x]": 2.0, "other": 0.5}
    lines = {f"f.py:{n}": ["slow", "quick", "[layer: x]", "other"][: n - 9] for n in range(10, 16)}
    traced = Traced(seconds, lines)
    inside = Edit("f.py", "", SOURCE.index("sum("), SOURCE.index("sum("), "")
    assert chosen_tests(inside, SOURCE, [], traced) == ["other", "quick", "[layer: x]", "slow"]
    declared = Edit("f.py", "", SOURCE.index('"layer"'), SOURCE.index('"layer"'), "")
    assert chosen_tests(declared, SOURCE, [], traced)[0] == "[layer: x]"
    assert set(chosen_tests(declared, SOURCE, [], traced)) == set(seconds)


def test_what_a_decorator_registers_is_everybodys() -> None:
    source = "from known import emits\n\n\n@emits(True)\ndef made() -> int:\n    return 1\n"
    traced = Traced(dict.fromkeys("abcde", 1.0), {f"f.py:{n}": list("abcd") for n in (4, 5, 6)})
    for word, chosen in (("True", "abcde"), ("1", "abcd")):
        edit = Edit("f.py", "", source.index(word), source.index(word) + 1, "")
        assert chosen_tests(edit, source, [], traced) == list(chosen)


def test_text_that_is_copied_is_known_by_the_function_and_its_line() -> None:
    traced = Traced(dict.fromkeys("abcde", 1.0), {"whole+1": list("abcd"), "f.py:19": ["e"]})
    edit = Edit("f.py", "", SOURCE.index("x.append"), SOURCE.index("x.append"), "")
    assert chosen_tests(edit, SOURCE, ["f.py"], traced) == list("abcde")


def test_a_test_is_called_with_the_parameters_of_its_id_or_left_to_pytest() -> None:
    worked = "tests/compiler/test_shapes.py::test_worked_cases[window0-sizes0]"
    here = "tests/mutation/test_mutants.py"
    assert first_failure([worked], {worked: {"window": 2, "sizes": 2}}) == ""
    assert (
        first_failure([worked], {worked: {"window": 99, "sizes": 99}}) == ""
    )  # no such place: pytest's affair
    call = prepared(
        "tests/compiler/ops/test_cases.py::test_every_row_has_the_shape_that_it_says[x]", {"case": 0}
    )
    assert call is not None and call() is None
    assert prepared(f"{here}::test_a_server_answers_for_mutants_and_leaves_nothing_of_them", {}) is None
    for place, fails in ((0, True), (1, False), (2, True)):
        test = f"{here}::sample_of_a_test[x]"
        assert first_failure([test], {test: {"name": place}}) == (test if fails else "")


@pytest.mark.parametrize("name", {"wrong": 1, "right": 2, "nothing raised": 3})
def sample_of_a_test(name: str) -> None:
    if name == "nothing raised":
        with pytest.raises(ValueError):
            pass
    assert name != "wrong"


def test_every_file_belongs_to_one_module_with_tests() -> None:
    every = [file for module in MODULES for file in files(module)]
    assert len(every) == len(set(every)) > 40
    assert all(own_tests(module) for module in MODULES)
    assert module_of("backends/onnx/emit/conv.py").name == "onnx"


def test_known_survivors_name_lines_that_stand_there() -> None:
    for entry in known().entries:
        lines = [
            " ".join(line.split()) for line in (ROOT / entry.file).read_text(encoding="utf-8").splitlines()
        ]
        for line in entry.line.splitlines():
            assert " ".join(line.split()) in lines, entry
        assert entry.why and entry.mutant != entry.line


def test_a_server_answers_for_mutants_and_leaves_nothing_of_them(tmp_path: Path) -> None:
    for name in ("spec_lang", "compiler", "backends", "cnnc", "specs", "docs", "bench", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "compiler" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n"
    )
    (tmp_path / "compiler" / "one.py").write_text("def f(x):\n    return x + 1\n")
    test = "from compiler.one import f\n\ndef test_f():\n    assert f(1) == 2\n\ndef test_of_nothing():\n    pass\n"
    (tmp_path / "tests" / "test_one.py").write_text(test)
    mutation = tmp_path / "tests" / "mutation"
    mutation.mkdir()
    for file in (ROOT / "tests" / "mutation").glob("*.py"):
        (mutation / file.name).write_bytes(file.read_bytes())
    job = {"paths": ["tests/test_one.py"], "words": ["test_"], "seconds": 5}
    with Workplace(tmp_path) as workplace:
        assert workplace.ask(**job)["code"] == 0
        for body, code, said in (
            ("return x - 1", 1, "tests/test_one.py::test_f"),
            ("while True: pass", None, "ended by SIG"),
            ("import os; os.abort()", None, "ended by SIGABRT"),
            ("return [0] * 10**12", 1, "tests/test_one.py::test_f"),
            ("return", 1, "tests/test_one.py::test_f"),
        ):
            answer = workplace.ask(
                file="compiler/one.py", source=f"def f(x):\n    {body}\n", **{**job, "seconds": 2}
            )
            assert answer["code"] == code and answer["failed"].startswith(said)
        broken = workplace.ask(file="compiler/one.py", source="raise ValueError\n", **job)
        assert broken["code"] == 1 or "cannot be imported" in broken["failed"]
        assert workplace.ask(**{**job, "words": ["test_f"]})["code"] == 0
        assert workplace.ask(**{**job, "words": ["test_no"]})["ran"] == 0
        assert (workplace.copy / "compiler" / "one.py").read_text() == "def f(x):\n    return x + 1\n"
