"""E4, second part: the limits of evaluation, imports and tensors."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code(
        "E410",
        "Too many steps",
        "Evaluation is bounded (10 million steps): a loop or a recursion is far too long, or does not end.",
    ),
    Code(
        "E411",
        "Nested too deep",
        "Blocks and functions may call each other 200 calls deep.",
        "block R { R }\nmodel m {\n    input x: [3, 8, 8]\n    R\n}\n",
        "block R(n) {\n    relu\n    if n > 0 { R(n - 1) }\n}\nmodel m {\n    input x: [3, 8, 8]\n    "
        "R(5)\n}\n",
    ),
    Code(
        "E412", "Too many layers", "After all loops and blocks are expanded, a model may have 100,000 layers."
    ),
    Code(
        "E413",
        "Too large an integer",
        "An integer at compile time has at most 512 bits.",
        "model m {\n    input x: [3, 8, 8]\n    conv(2 ** 600, 1x1)\n}\n",
        "model m {\n    input x: [3, 8, 8]\n    conv(2 ** 6, 1x1)\n}\n",
    ),
    Code(
        "E414",
        "Too large an extent",
        "One extent of a tensor is at most 2^31 - 1.",
        "model m {\n    input x: [3, 8, 8]\n    conv(2 ** 31, 1x1)\n}\n",
        "model m {\n    input x: [3, 8, 8]\n    conv(2 ** 3, 1x1)\n}\n",
    ),
    Code(
        "E415",
        "Too large a tensor",
        "One tensor has at most 2^48 elements.",
        "model m {\n    input x: [65536, 65536, 65537]\n    relu\n}\n",
        "model m {\n    input x: [65536, 65536, 65536]\n    relu\n}\n",
    ),
    Code("E416", "Too many imported files", "A spec reads at most 256 files, directly and through others."),
    Code("E417", "Imports nested too deep", "A chain of imports is at most 32 files long."),
    Code(
        "E418",
        "Names too long in all",
        "The paths of all layers together take at most 50 million characters: very long labels, or very deep "
        "nesting, repeated very often.",
    ),
    Code(
        "E419",
        "Too many errors",
        "After 50 errors the rest of a model is not looked at: the first ones are likely to explain it.",
    ),
    Code(
        "E420",
        "Too large a value",
        "A value at compile time is nested at most 64 deep, and has at most 10 million elements, counted as "
        "often as they occur.",
        "let nest(n, x) = if n == 0 then x else nest(n - 1, [x])\nlet a = nest(70, 1)\n"
        "model m {\n    input x: [3, 8, 8]\n    relu\n}\n",
        "let nest(n, x) = if n == 0 then x else nest(n - 1, [x])\nlet a = nest(7, 1)\n"
        "model m {\n    input x: [3, 8, 8]\n    relu\n}\n",
    ),
)
