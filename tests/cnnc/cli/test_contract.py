"""Exit statuses, where messages go, and that nothing is left behind: what every verb keeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnc.cli import VERBS, failures
from cnnc.cli.failures import Terminated, report
from compiler.load import shipped
from spec_lang.diagnostics import Diagnostic, Error

SMALL = """model small(classes = 3) {
    input image: [1, 8, 8]
    conv(2, 3x3) -> relu -> flatten -> fc(classes)
    output logits
}
"""
FIVE = """model broken {
    input image: [1, 8, 8]
    conv(2, 9x9)
    cnov(2, 3x3)
    relu(slope = 1)
    fc(3)
    output logits
}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.cnn"
    path.write_text(SMALL)
    return path


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_says_what_it_does(run: Callable, verb: str) -> None:
    done = run(verb, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Usage: cnnc {verb}" in done.out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["chekc"], "did you mean `cnnc check`?"),
        (["check", "--jsn", "x.cnn"], "did you mean `--json`?"),
        (["check"], "missing argument"),
        (["compile", "lenet5"], "missing option '--backend'"),
        (["check", "lenet5", "--set", "classes"], "not of the form name=value"),
        (["check", "lenet5", "--set", "=3"], "not of the form name=value"),
        (["check", "lenet5", "--set", "classes=2", "--set", "classes=3"], "twice"),
        (["explain", "EE301"], "did you mean `E301`?"),
        (["init", "lenet5", "--seed", "many"], "not a valid integer"),
    ],
)
def test_a_wrong_command_line_is_2_and_names_the_nearest(
    run: Callable, arguments: list[str], message: str
) -> None:
    done = run(*arguments)
    assert done.status == 2
    assert done.out == ""
    assert message in done.err and done.err.startswith("error[E95"), done.err


def test_without_a_verb_the_help_goes_to_standard_error(run: Callable) -> None:
    done = run()
    assert done.status == 2 and done.out == "" and "summary" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "there_is_no_such_file.cnn"],
        ["check", "lenet55"],
        ["check", "."],
        ["summary", "lenet5:nobody"],
        ["summary", "lenet5", "--set", "classes=1.5"],
        ["summary", "lenet5", "--set", "classes=1 +"],
        ["summary", "lenet5", "--set", "clases=10"],
        ["compile", "lenet5", "--backend", "nump"],
        ["compile", "lenet5", "--backend", "numpy", "--weights", "nothing.safetensors"],
        ["fmt", "there_is_no_such_file.cnn"],
    ],
)
def test_a_wrong_input_is_1_with_a_coded_diagnostic(run: Callable, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.status == 1
    assert done.out == ""
    assert done.err.startswith("error[E") and "Traceback" not in done.err


def test_a_fifo_is_refused_at_once(run: Callable, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.cnn")
    begin = time.monotonic()
    assert run("check", tmp_path / "pipe.cnn").status == 1
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("verb", [["init"], ["compile", "--backend", "numpy"]])
@pytest.mark.parametrize("output, code", [("missing/out", "E903"), (".", "E901"), ("small.cnn", "E902")])
def test_an_output_that_cannot_be_written_is_3_and_changes_nothing(
    run: Callable,
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: list[str],
    output: str,
    code: str,
) -> None:
    monkeypatch.chdir(small.parent)
    if verb[0] == "compile" and output == ".":
        output, code = "small.py", ""
        (small.parent / "small.py").symlink_to(small)
        code = "E902"
    before = snapshot(small.parent)
    done = run(verb[0], "small.cnn", *verb[1:], "-o", output)
    assert done.status == 3, done.err
    assert f"error[{code}]" in done.err
    assert snapshot(small.parent) == before


def test_json_diagnostics_are_standard_output_and_nothing_else_is(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "five.cnn"
    path.write_text(FIVE)
    done = run("check", path, "--json")
    found = json.loads(done.out)
    assert done.status == 1 and done.err == ""
    assert {d["line"] for d in found} >= {3, 4, 5}
    assert all(d["code"].startswith("E") and d["file"] == str(path) for d in found)


def test_several_files_are_checked_in_one_run(run: Callable, small: Path) -> None:
    done = run("check", small, small.parent / "missing.cnn")
    assert done.status == 1
    assert done.out == f"{small}: no errors\n"
    assert "missing.cnn" in done.err


def test_control_characters_of_an_input_are_shown_escaped(run: Callable, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31mb.cnn"
    path.write_text("model a {\n    \x1b[31m\n}\n")
    done = run("check", path)
    assert done.status == 1 and "\x1b" not in done.err and "\x1b" not in done.out
    path.write_text(SMALL)
    done = run("check", path)
    assert done.status == 0 and "\x1b" not in done.out


class Odd(Exception):
    pass


@pytest.mark.parametrize(
    "problem, status",
    [
        (Error(Diagnostic("E301", "no")), 1),
        (Error(Diagnostic("E900", "no")), 3),
        (Error(Diagnostic("E605", "no")), 3),
        (Error(Diagnostic("E611", "no")), 70),
        (Error(Diagnostic("E612", "no")), 70),
        (OSError(28, "No space left on device"), 3),
        (MemoryError(), 3),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (Odd("what"), 70),
        (RecursionError("deep"), 70),
    ],
)
def test_each_kind_of_failure_has_its_status(
    capsys: pytest.CaptureFixture[str], problem: BaseException, status: int
) -> None:
    assert report(problem) == status
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err and "Traceback" not in captured.err


def test_a_traceback_is_shown_with_debug_alone(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*arguments: object, **more: object) -> None:
        raise Odd("a defect")

    monkeypatch.setattr("compiler.load.check", defect)
    done = run("check", "lenet5")
    assert done.status == 70 and "Traceback" not in done.err and "Odd: a defect" in done.err
    done = run("check", "lenet5", "--debug")
    assert done.status == 70 and "Traceback" in done.err


def test_a_closed_pipe_ends_the_command_quietly() -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "cnnc", "explain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    assert writer.stdout is not None and writer.stderr is not None
    writer.stdout.close()
    errors = writer.stderr.read()
    assert writer.wait(30) == failures.FINE and errors == b""


def test_a_full_device_is_3() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cnnc", "explain", "E301"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert done.returncode == 3 and done.stderr.startswith(b"error[E910]"), done.stderr


SLEEPER = """
import sys, time
import compiler.load
compiler.load.check = lambda *a, **k: (print("ready", flush=True), time.sleep(30))
from cnnc.cli import main
sys.exit(main(["check", "lenet5"]))
"""


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_with_its_status(number: int, status: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    errors = process.stderr.read()
    assert process.wait(30) == status and b"Traceback" not in errors


def test_the_listing_of_the_zoo_names_every_model_with_its_counts(run: Callable) -> None:
    done = run("specs")
    assert done.status == 0
    assert "vgg16" in done.out and "138,357,544" in done.out and "15,470,264,320" in done.out
    assert "TwoGroups" not in done.out  # a family that needs an argument
    assert set(shipped()) >= {line.split()[0] for line in done.out.splitlines()[2:]}


def test_the_file_of_a_shipped_spec_can_be_printed(run: Callable) -> None:
    assert run("specs", "lenet5").out == shipped()["lenet5"].path.read_text(encoding="utf-8")


def test_the_page_of_a_code_is_printed_in_any_case(run: Callable) -> None:
    done = run("explain", "e301")
    assert done.status == 0 and done.out.startswith("E301: ")
    assert "E301" in run("explain").out


def test_explain_prints_the_page_of_a_layer_no_wider_than_the_terminal(
    run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    pages = run("explain", "conv").out, run("explain", "E301").out
    assert pages[0].startswith("conv(filters, kernel") and "pad_mode: what the padding holds" in pages[0]
    for page in pages:
        assert max(map(len, page.splitlines())) <= 72
    assert "did you mean `maxpool`?" in run("explain", "maxpol").err
