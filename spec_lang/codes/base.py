"""The page of a code."""

from __future__ import annotations

from spec_lang.frozen import frozen


@frozen
class Code:
    """One diagnostic code.

    `title` is two to six words; `text` explains the rule in a paragraph or two of Markdown;
    `wrong` and `right` are smallest specs (or empty, where the mistake is not in a spec): the
    tests compile both and see this code, and no code.
    """

    name: str
    title: str
    text: str
    wrong: str = ""
    right: str = ""
