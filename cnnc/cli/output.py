"""Lines of text on standard output and standard error."""

from __future__ import annotations

import sys


def out(text: str) -> None:
    """Print text on standard output."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def note(text: str) -> None:
    """Print a line about what happened on standard error; names of files and weights are shown escaped."""
    from spec_lang.render import escape

    print(escape(text), file=sys.stderr)
