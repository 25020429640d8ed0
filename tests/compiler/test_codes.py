"""Every page of a code: its wrong spec gives the code, its right one nothing."""

from __future__ import annotations

import pytest

from compiler.load import check
from spec_lang.codes import CODES
from spec_lang.source import Source

PAGES = [code for code in CODES.values() if code.wrong]


@pytest.mark.parametrize("code", PAGES, ids=lambda code: code.name)
def test_the_wrong_spec_gives_the_code(code):
    assert code.name in {d.code for d in check(Source("wrong.cnn", code.wrong))}


@pytest.mark.parametrize("code", [c for c in PAGES if c.right], ids=lambda code: code.name)
def test_the_right_spec_gives_nothing(code):
    assert [d.message for d in check(Source("right.cnn", code.right))] == []
