"""E1: text and syntax."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = ()
