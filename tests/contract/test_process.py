"""What only a whole process can show: signals, closed pipes, closed streams, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = """model m {
    input x: [1, 8, 8]
    preprocess { rescale(1 / 16) }
    flatten -> fc(10)
    output y
}
train m { epochs = 1000000 }
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "cnnc", *argv]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_stopped_leaves_its_last_checkpoint(number: int, status: int, tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(SPEC)
    process = subprocess.Popen(
        command("train", "a.cnn", "--data", "digits", "--backend", "numpy", "-o", "w.safetensors"), cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stderr is not None and process.stdout is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    assert lines[1].startswith(b"epoch"), lines
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(60) == status and b"Traceback" not in rest, rest
    assert process.stdout.read() == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.cnn", "w.last.safetensors", "w.safetensors"]
    import cnnc
    from cnnc.weights_io import read_weights

    loaded = read_weights(tmp_path / "w.last.safetensors", cnnc.load(tmp_path / "a.cnn"))
    assert loaded.metadata["kind"] == "checkpoint"


@pytest.mark.parametrize("argv", [("check", "lenet5"), ("summary", "lenet5"), ("specs", "lenet5"),
                                  ("compile", "lenet5", "-b", "numpy"), ("check", "lenet5", "--json"),
                                  ("explain",), ("--help",)], ids=" ".join)
def test_a_reader_that_goes_ends_the_command_quietly(argv: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command(*argv), stdout=writer, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60, check=False)
    os.close(writer)
    assert done.stderr == b"" and done.returncode == 0


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", ">/dev/full", "2>/dev/full"])
@pytest.mark.parametrize("argv", ["check lenet5", "check nothing.cnn", "fmt -"])
def test_streams_that_are_closed_or_full_are_no_traceback(closing: str, argv: str, tmp_path: Path) -> None:
    if "/dev/full" in closing and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    done = subprocess.run(["sh", "-c", f"exec {sys.executable} -m cnnc {argv} {closing}"], cwd=tmp_path,
                          stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr, done.stderr
    assert done.returncode in (0, 1, 3), done
    assert list(tmp_path.iterdir()) == []


#: 8 million weights: 33 MB on the disk, long enough to be met while they are written.
LARGE = "model m {\n    input x: [2048]\n    fc(4096, bias = false)\n    output y\n}\n"
WRITERS = {"init": ["init", "a.cnn", "-o", "w"], "onnx": ["compile", "a.cnn", "-b", "onnx", "-o", "w"],
           "export": ["export", "a.cnn", "-o", "w"]}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("before", [b"kept", None])
def test_a_disk_that_is_full_half_way_leaves_the_folder_as_it_was(writer: str, before: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(LARGE)
    if before is not None:
        (tmp_path / "w").write_bytes(before)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = subprocess.run(command(*WRITERS[writer]), cwd=tmp_path, capture_output=True, env=ENVIRONMENT, timeout=120,
                          check=False, preexec_fn=small_disk)
    assert done.returncode == 3 and b"error[E900]" in done.stderr and b"Traceback" not in done.stderr, done.stderr
    assert b"--> w" in done.stderr and done.stdout == b""
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "a.cnn"}
    assert left == ({} if before is None else {"w": before})


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_file_is_written_leaves_the_folder_as_it_was(number: int, status: int, tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(LARGE)
    (tmp_path / "w").write_bytes(b"kept")
    # `fsync` takes its time, and the signal comes before the file has its name.
    code = ("import os, sys, time\nfrom cnnc.cli import main\n"
            "os.fsync = lambda number: (print('writing', flush=True), time.sleep(60))\nsys.exit(main(sys.argv[1:]))")
    process = subprocess.Popen([sys.executable, "-c", code, *WRITERS["init"]], cwd=tmp_path, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"writing\n"
    assert len(list(tmp_path.iterdir())) == 3
    process.send_signal(number)
    said = process.stderr.read()
    assert process.wait(60) == status and b"Traceback" not in said, said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.cnn": LARGE.encode(), "w": b"kept"}


@pytest.mark.parametrize("module", ["torch", "numpy", "click", "json", "os", "lark", "ast"])
def test_a_module_in_the_working_folder_is_not_imported(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text("open('canary', 'w')")
    for argv in (("check", "lenet5"), ("fmt", "--check", "-"), ("compile", "lenet5", "-b", "numpy", "-o", "m.py")):
        done = subprocess.run(command(*argv), cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT,
                              timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "canary").exists()
