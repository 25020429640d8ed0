"""Codes in the sources and pages that explain them are the same."""

from __future__ import annotations

import ast
from pathlib import Path

from spec_lang.codes import CODES

ROOT = Path(__file__).resolve().parents[2]


def used() -> set[str]:
    """Every string that is a code in the packages, but for the pages themselves."""
    found = set()
    for package in ("spec_lang", "compiler", "backends", "cnnc"):
        for path in (ROOT / package).rglob("*.py"):
            if "codes" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = node.value
                    if len(text) == 4 and text[0] in "EW" and text[1:].isdigit():
                        found.add(text)
    return found


def test_every_code_has_a_page_and_every_page_is_of_a_code() -> None:
    assert used() == set(CODES)


def test_no_file_of_pages_is_left_out() -> None:
    import importlib

    modules = [path.stem for path in (ROOT / "spec_lang" / "codes").glob("*.py") if path.stem not in ("__init__", "base")]
    pages = [code for name in modules for code in importlib.import_module(f"spec_lang.codes.{name}").CODES]
    assert sorted(code.name for code in pages) == sorted(CODES)
