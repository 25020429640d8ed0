"""W: warnings."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code(
        "W201",
        "A layer's name is taken",
        "A name of the user's is also the name of a layer.  The user's "
        "wins from there on, which may surprise a reader.",
        "model m(scale = 2) {\n    input x: [3, 8, 8]\n    conv(scale, 1x1)\n}\n",
        "model m(factor = 2) {\n    input x: [3, 8, 8]\n    conv(factor, 1x1)\n}\n",
    ),
    Code(
        "W202",
        "A group without labels",
        "In a group (`name: { ... }`) members are named after their "
        "layers.  Where nothing with weights has a label, a `seq`, which names its members by their "
        "position, was probably meant.",
        "model m {\n    input x: [3, 8, 8]\n    stem: { conv(4, 3x3) -> conv(4, 3x3) }\n}\n",
        "model m {\n    input x: [3, 8, 8]\n    stem: seq { conv(4, 3x3) -> conv(4, 3x3) }\n}\n",
    ),
    Code(
        "W301",
        "A window leaves a remainder",
        "Only with `check --strict`: the window does not divide its "
        "padded input evenly.  No real row or column is lost that another size would have seen, or `round` "
        "says that it may be.",
    ),
)
