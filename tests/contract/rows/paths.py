"""Imports and paths: what is no file, lies elsewhere, goes in circles, or cannot be read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.contract.base import SMALL, Content, body, row

BLOCK = "block B { relu }\n"


def importing(path: str, name: str = "B", **files: Content) -> dict[str, Content]:
    """A spec that imports a name from a path."""
    text = body("relu")["a.cnn"]
    assert isinstance(text, str)
    return {"a.cnn": f'import "{path}" ({name})\n{text}', **files}


def link(target: str) -> Content:
    return lambda path: os.symlink(target, path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    # A socket's path may have some 100 characters, so it is made where it is short.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


AT = "a.cnn:1:8"

ROWS = [
    # ---- imports
    row("an import that is not there", "check a.cnn", importing("b.cnn"), "E217", AT),
    row("an import of an absolute path", "check a.cnn", importing("/etc/passwd.cnn"), "E217", AT),
    row("an import of the folder above", "check s/a.cnn",
        {"b.cnn": BLOCK, **{"s/" + n: c for n, c in importing("../b.cnn").items()}}, "E217", "s/a.cnn:1:8"),
    row("an import of the folder above by a detour", "check s/a.cnn",
        {"b.cnn": BLOCK, "s/t/c.cnn": BLOCK, **{"s/" + n: c for n, c in importing("t/../../b.cnn").items()}}, "E217",
        "s/a.cnn:1:8"),
    row("an import by a link that leads out", "check s/a.cnn",
        {"b.cnn": BLOCK, "s/b.cnn": link("../b.cnn"), **{"s/" + n: c for n, c in importing("b.cnn").items()}}, "E217",
        "s/a.cnn:1:8"),
    row("an import by a folder's link that leads out", "check s/a.cnn",
        {"o/b.cnn": BLOCK, "s/i": link("../o"), **{"s/" + n: c for n, c in importing("i/b.cnn").items()}}, "E217",
        "s/a.cnn:1:8"),
    row("an import of an import that leads out", "check s/a.cnn",
        {"b.cnn": BLOCK, "s/c.cnn": 'import "../b.cnn" (B)\nlet v = 3\n',
         **{"s/" + n: c for n, c in importing("c.cnn", "v").items()}}, "E217", "s/c.cnn:1:8"),
    row("an import by a link within is fine", "check a.cnn",
        {**importing("b.cnn"), "c.cnn": BLOCK, "b.cnn": link("c.cnn")}, ""),
    row("an import through a FIFO", "check a.cnn", {**importing("b.cnn"), "b.cnn": fifo}, "E217", AT),
    row("an import of a device", "check a.cnn", {**importing("b.cnn"), "b.cnn": link("/dev/zero")}, "E217", AT),
    row("an import of a folder", "check a.cnn", {**importing("b.cnn"), "b.cnn": folder}, "E217", AT),
    row("an import of a socket", "check a.cnn", {**importing("b.cnn"), "b.cnn": unix_socket}, "E217", AT),
    row("an import by a link to itself", "check a.cnn", {**importing("b.cnn"), "b.cnn": link("b.cnn")}, "E217", AT),
    row("an import of the file itself", "check a.cnn", importing("a.cnn", "m"), "E218", AT),
    row("imports in a circle", "check a.cnn",
        {**importing("b.cnn", "v"), "b.cnn": 'import "c.cnn" (v)\n', "c.cnn": 'import "b.cnn" (v)\n'}, "E218",
        "c.cnn:1:8"),
    row("an import in a circle by a link", "check a.cnn",
        {**importing("b.cnn", "m"), "b.cnn": link("a.cnn")}, "E218", AT),
    row("an import that is no spec", "check a.cnn", {**importing("b.txt"), "b.txt": BLOCK}, "E217", AT),
    row("an import of nothing", "check a.cnn", importing(""), "E217", AT),
    row("an import of a NUL", "check a.cnn", importing("b\0.cnn"), "E102", "a.cnn:1:10"),
    row("an import of a long name", "check a.cnn", importing("b" * 300 + ".cnn"), "E217", AT),
    row("an import of a very long path", "check a.cnn", importing("b/" * 4000 + "b.cnn"), "E217", AT),
    row("an import of an address", "check a.cnn", importing("http://example.org/b.cnn"), "E217", AT),
    row("an import with escapes in it", "check a.cnn", importing("{__import__('os')}.cnn"), "E217", AT),
    row("an import that lacks the name", "check a.cnn", {**importing("b.cnn", "C"), "b.cnn": BLOCK}, "E219",
        "a.cnn:1:17"),
    row("an import of a name twice", "check a.cnn", {**importing("b.cnn", "B, B"), "b.cnn": BLOCK}, "E226",
        "a.cnn:1:20"),
    row("an import with mistakes", "check a.cnn", {**importing("b.cnn"), "b.cnn": "block B { relu;\n}\n"}, "E105",
        "b.cnn:1:15"),
    row("an import that is not UTF-8", "check a.cnn", {**importing("b.cnn"), "b.cnn": b"# \xff\n"}, "E101", "b.cnn:1:3"),
    row("an import that is too large", "check a.cnn", {**importing("b.cnn"), "b.cnn": "#" * (256 * 1024 + 1)}, "E401",
        AT),
    # ---- the spec itself
    row("a spec that is not there", "check b.cnn", {}, "E230", "b.cnn"),
    row("a spec in a folder that is not there", "summary x/b.cnn", {}, "E230", "x/b.cnn"),
    row("a spec below a file", "check a.cnn/b.cnn", {"a.cnn": SMALL}, "E230", "a.cnn/b.cnn"),
    row("a folder as a spec", "check a.cnn", {"a.cnn": folder}, "E230", "a.cnn"),
    row("the working folder as a spec", "check .", {}, "E230", "."),
    row("a FIFO as a spec", "check a.cnn", {"a.cnn": fifo}, "E230", "a.cnn"),
    row("a FIFO as a spec for fmt", "fmt a.cnn", {"a.cnn": fifo}, "E230", "a.cnn", api=False),
    row("a device as a spec", "check /dev/zero", {}, "E230", "/dev/zero"),
    row("a terminal as a spec", "check /dev/tty", {}, "E230", "/dev/tty"),
    row("a socket as a spec", "check a.cnn", {"a.cnn": unix_socket}, "E230", "a.cnn"),
    row("a link to itself as a spec", "check a.cnn", {"a.cnn": link("a.cnn")}, "E230", "a.cnn"),
    row("a link to nothing as a spec", "check a.cnn", {"a.cnn": link("b.cnn")}, "E230", "a.cnn"),
    row("a spec of a very long name", ("check", "a" * 300 + ".cnn"), {}, "E230", "a" * 300 + ".cnn"),
    row("a spec of a very long path", ("check", "a/" * 3000 + "b.cnn"), {}, "E230", "a/" * 3000 + "b.cnn"),
    row("a model in a file that is not there", "summary b.cnn:m", {}, "E230", "b.cnn"),
    row("a spec of two, one is not there", "check a.cnn b.cnn", {"a.cnn": SMALL}, "E230", "b.cnn", api=False,
        prints=True),
    row("a file of the system", "check /etc/hostname", {}, "E134", "/etc/hostname:1:1"),
    row("the memory of the process", "check /proc/self/mem", {}, "E230", "/proc/self/mem"),
]  # fmt: skip
