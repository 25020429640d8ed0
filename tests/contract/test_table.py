"""Every bad input of the table: code, place, exit status, time, memory, and that nothing changes or leaks."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.contract.base import Row
from tests.contract.conftest import Ask
from tests.contract.rows import ROWS

MEMORY = 512 * 1024**2
_CODE = re.compile(r"^error\[(E\d{3})\]: ", re.MULTILINE)
_PLACE = re.compile(r"^error\[E\d{3}\].*\n +--> (.*)$", re.MULTILINE)

#: Two busy cores count up to half as much time again for the same work.
SLOWER = 1.5


def test_the_table_is_as_large_as_it_should_be() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 120


def prepare(row: Row, folder: Path) -> Path:
    """The folder with the row's files."""
    for name, content in row.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def snapshot(folder: Path) -> dict[str, Any]:
    """Everything below a folder: kinds, modes and contents (of sparse giants the size)."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content: Any = None
        if stat.S_ISLNK(state.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(state.st_mode):
            content = path.read_bytes() if state.st_size < 1 << 26 else state.st_size
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_mtime_ns, content)
    return found


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name, marks=pytest.mark.long if row.long else ()) for row in ROWS])
def test_a_bad_input_is_met_by_the_contract(row: Row, ask: Ask, tmp_path: Path) -> None:
    folder = prepare(row, tmp_path)
    before = snapshot(folder)
    stdin = str(folder / row.stdin) if row.stdin else ""
    done = ask({"argv": row.argv, "cwd": str(folder), "stdin": stdin, "patience": 2 * row.seconds + 10})
    err = done["err"]
    assert not done["hung"] and "Traceback" not in err, err
    codes = tuple(_CODE.findall(err))
    places = _PLACE.findall(err)
    assert (codes, places[0] if places else "", done["status"]) == (row.codes, shown(row.place), row.status), err
    if row.status:
        assert row.prints or done["out"] == "", done["out"]
        assert snapshot(folder) == before
    assert row.says in done["out"] + err
    assert all(c.isprintable() or c == "\n" for c in done["out"] + err), err
    assert done["acts"] == []
    assert done["cpu"] <= SLOWER * row.seconds and done["memory"] <= MEMORY, (done["cpu"], done["memory"])
    if row.seconds > 2:
        return  # the same twice more would take its time
    if row.api:
        same_through_the_api(row, ask, folder)
    if row.argv[0] == "check" and row.status < 2 and len(row.name) % 3 == 0:  # a third of them
        same_as_json(row, ask, folder, done["status"])


def same_through_the_api(row: Row, ask: Ask, folder: Path) -> None:
    before = snapshot(folder)
    done = ask({"argv": row.argv, "cwd": str(folder), "api": True, "patience": 2 * row.seconds + 10})
    said = done["said"]
    assert done["status"] == 0, done["err"]
    assert sorted(said["codes"]) == sorted(row.codes), said
    assert said["place"] == row.place or not row.codes, said
    if row.codes and row.argv[0] != "check":
        about_spec = row.codes[0] < "E450"
        assert said["kind"] == "SpecError" or not about_spec, said
    if row.codes:
        assert snapshot(folder) == before
    assert done["acts"] == [] and done["out"] == ""


def same_as_json(row: Row, ask: Ask, folder: Path, status: int) -> None:
    done = ask({"argv": [*row.argv, "--json"], "cwd": str(folder), "patience": 2 * row.seconds + 10})
    found = json.loads(done["out"])
    assert (done["status"], done["err"]) == (status, "")
    assert done["out"].isascii() and all(c.isprintable() or c == "\n" for c in done["out"])
    assert tuple(d["code"] for d in found if d["severity"] == "error") == row.codes


def shown(place: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in place)
