"""E3: shapes and arguments."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = ()
