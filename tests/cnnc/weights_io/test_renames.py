"""Tables of rules that rename."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnc.weights_io.renames import MAX_TABLE, read_renames
from compiler.weights import WeightsError


def table(folder: Path, content: bytes) -> Path:
    path = folder / "names.txt"
    path.write_bytes(content)
    return path


def test_a_table_has_a_rule_a_line_and_comments(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf# from elsewhere\r\na.b = c  # a comment\r\n\r\n\t=x\nlast=  \n"
    rules = read_renames(table(tmp_path, content))
    assert [(rule.old, rule.new) for rule in rules] == [("a.b", "c"), ("", "x"), ("last", "")]
    assert [rule.span.line for rule in rules if rule.span is not None] == [2, 4, 5]
    assert read_renames(table(tmp_path, b"")) == ()


def test_lines_that_are_no_rules_are_told_with_their_places(tmp_path: Path) -> None:
    path = table(tmp_path, b"a = b\n  a -> b\n# a\nfc\n")
    with pytest.raises(WeightsError) as caught:
        read_renames(path)
    assert [(d.code, str(d.span), d.span.text) for d in caught.value.diagnostics if d.span is not None] == [
        ("E519", f"{path}:2:3", "a -> b"),
        ("E519", f"{path}:4:1", "fc"),
    ]


@pytest.mark.parametrize(
    "content, code", [(b"a = \xff\n", "E519"), (b"a" * (MAX_TABLE + 1), "E452"), (None, "E519")], ids=["bytes", "long", "none"]
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "missing.txt" if content is None else table(tmp_path, content)
    with pytest.raises(WeightsError) as caught:
        read_renames(path)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert caught.value.diagnostics[0].place.startswith(str(path))
