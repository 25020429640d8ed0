"""E4: limits."""

from __future__ import annotations

from spec_lang.codes.base import Code


def _model(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"model m {{\n    input x: [3, 16, 16]\n{body}\n}}\n"


_RIGHT = _model("relu")

CODES: tuple[Code, ...] = (
    # ---- text
    Code("E401", "File too large", "A spec is at most 256 KiB of text."),
    Code(
        "E402", "Too many tokens",
        "A spec has at most 100,000 words, numbers, strings and marks.  A loop says more with less.",
    ),
    Code(
        "E403", "Nested too deep",
        "At most 200 brackets and braces, counted together, are open at one place.",
        _model("conv(" + "(" * 200 + "4" + ")" * 200 + ", 1x1)"), _model("conv(((4)), 1x1)"),
    ),
    Code(
        "E404", "Name too long",
        "A name has at most 64 characters, since names of weights are made of several.",
        _model(f"{'a' * 65}: conv(4, 1x1)"), _model("a: conv(4, 1x1)"),
    ),
    Code(
        "E405", "Integer too long",
        "An integer literal has at most 18 digits, so that it fits 64 bits.",
        _model(f"let n = {'9' * 19}", "relu"), _model(f"let n = {'9' * 18}", "conv(n // n, 1x1)"),
    ),
    Code(
        "E406", "Expression too deep",
        "At most 250 operators, calls and subscripts nest within one expression, and as many conditions in "
        "a ladder of `else if`.  A list and a loop over it say the same.",
        _model("conv(" + " + ".join("1" * 252) + ", 1x1)"), _model("conv(1 + 1, 1x1)"),
    ),
    # ---- memory and files
    Code("E450", "more to allocate than the limit", """
What was asked for would take more memory than 16 GiB, or than the limit that was set.  Counting is
not limited by this: `cnnc check` and `cnnc summary` work for models of any size.
"""),
    Code("E451", "not enough free memory", """
What was asked for would take more memory than is free on this machine.  Nothing was allocated.
"""),
    Code("E452", "file too large", """
The file is larger than what would be read into memory at once.
"""),
    Code("E453", "archive that inflates too much", """
A compressed file would become more than 100 times as large, or more than 4 GiB.  Such files
are made to fill a memory; unpack it yourself if you trust it.
"""),
    Code("E454", "image with too many pixels", """
The image has more than 89,478,485 pixels (Pillow's limit, here an error).
"""),
)
