"""Warnings are silenced by a comment on their line; errors never are."""

from __future__ import annotations

import pytest

from spec_lang.diagnostics import Diagnostic
from spec_lang.parser import parse
from spec_lang.silence import audible, silenced
from spec_lang.source import Source, Span

ROWS = [
    ("W202", "# allow W202", True),
    ("W202", "# allow W201, W202", True),
    ("W202", "#allow W202 because the paper does", True),
    ("W202", "# allow W201", False),
    ("W202", "# disallow W202", False),
    ("W202", "# W202", False),
    ("W202", "", False),
    ("E202", "# allow E202", False),
]


@pytest.mark.parametrize(("code", "comment", "expected"), ROWS)
def test_a_comment_on_the_line(code, comment, expected):
    file = parse(Source("t", f"model m {{\n    relu {comment}\n    tanh\n}}\n"))
    here, below = (file.source.text.index(word) for word in ("relu", "tanh"))
    on_line = Diagnostic(code, "message", Span(file.source, here, here + 4))
    other = Diagnostic(code, "message", Span(file.source, below, below + 4))
    assert silenced(file, on_line) is expected
    assert silenced(file, other) is False
    assert audible([file], [on_line, other]) == ([other] if expected else [on_line, other])


def test_a_warning_about_another_file_is_not_silenced():
    text = "model m { relu }  # allow W202\n"
    file, other = parse(Source("a", text)), parse(Source("b", text))
    warning = Diagnostic("W202", "message", Span(other.source, 0, 5))
    assert not silenced(file, warning)
    assert silenced(other, warning)
    assert audible([file, other], [warning, Diagnostic("W100", "no place")]) == [
        Diagnostic("W100", "no place")
    ]
