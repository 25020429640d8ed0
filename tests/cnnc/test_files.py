"""Files are written whole or not at all."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cnnc.files import OutputError, target, write_all, write_atomically


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(OutputError) as caught:
        call()
    return caught.value.diagnostics[0].code


@pytest.mark.parametrize(("content", "expected"), [
    (b"abc", b"abc"),
    ("h\u00f6he\n", b"h\xc3\xb6he\n"),
    ([b"a", memoryview(b"bc"), bytearray(b"d")], b"abcd"),
    ((), b""),
])
def test_each_kind_of_content_arrives(tmp_path: Path, content: object, expected: bytes) -> None:
    written = write_atomically(tmp_path / "out", content)  # type: ignore[arg-type]
    assert written.read_bytes() == expected
    assert os.listdir(tmp_path) == ["out"]


def test_the_mode_follows_the_umask_even_over_a_closed_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o600)
    before = os.umask(0o027)
    try:
        write_atomically(path, b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_and_its_target_changes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "file")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_a_dangling_link_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("later")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "later").read_bytes() == b"new"


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    listener = socket.socket(socket.AF_UNIX)
    old = os.getcwd()
    os.chdir(tmp_path)  # the path of a socket must be short
    try:
        listener.bind("socket")
    finally:
        os.chdir(old)
    for name in ("folder", "fifo", "link", "socket"):
        assert refusal(lambda name=name: write_atomically(tmp_path / name, b"x")) == "E901", name
    listener.close()
    assert refusal(lambda: write_atomically("/dev/null", b"x")) == "E901"
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert sorted(os.listdir(tmp_path)) == ["fifo", "folder", "link", "socket"]


@pytest.mark.parametrize(("name", "code"), [
    ("missing/out", "E903"),
    ("file/out", "E900"),
    ("new/", "E901"),
    ("", "E900"),
    ("a\0b", "E900"),
    ("n" * 300, "E900"),
    ("loop", "E900"),
])
def test_a_name_that_cannot_be_written_is_refused(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(lambda: write_atomically(f"{tmp_path}/{name}" if name else "", b"x")) == code
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


def test_a_name_of_the_greatest_length_works(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), b"x")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_the_input_is_not_overwritten_under_any_name(tmp_path: Path) -> None:
    source = tmp_path / "net.cnn"
    source.write_bytes(b"model m { }")
    (tmp_path / "alias").symlink_to("net.cnn")
    os.link(source, tmp_path / "hard")
    others = [tmp_path / "other", source]
    for name in ("net.cnn", "alias", "hard"):
        assert refusal(lambda name=name: target(tmp_path / name, inputs=others)) == "E902"
    assert source.read_bytes() == b"model m { }"


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, chunks())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_the_check_sees_the_whole_content_and_can_stop_it(tmp_path: Path) -> None:
    seen = []

    def check(temporary: Path) -> None:
        assert temporary.parent == tmp_path
        seen.append(temporary.read_bytes())
        assert not (tmp_path / "out").exists()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_atomically(tmp_path / "out", b"content", check=check)
    assert seen == [b"content"]
    assert os.listdir(tmp_path) == []


def test_several_files_come_together_or_not_at_all(tmp_path: Path) -> None:
    def bad() -> Iterator[bytes]:
        raise OSError(28, "No space left on device")
        yield b""

    assert refusal(lambda: write_all({tmp_path / "a": b"1", tmp_path / "b": bad()})) == "E900"
    assert os.listdir(tmp_path) == []
    write_all({tmp_path / "a": b"1", tmp_path / "b": "2"})
    assert (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes() == b"12"
