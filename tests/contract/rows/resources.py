"""Limits of evaluation, and what would take more memory or time than there is."""

from __future__ import annotations

from tests.contract.base import body, row, spec

#: 10^14 weights: 10^7 x 10^7 in one matrix.
HUGE = spec("model m {\n    input x: [10000000]\n    fc(10000000, bias = false)\n    output y\n}\n")
MANY_IMPORTS = {f"b{i}.cnn": f"let v{i} = {i}\n" for i in range(300)}
CHAIN = {f"c{i}.cnn": f'import "c{i + 1}.cnn" (v{i + 1})\nlet v{i} = v{i + 1}\n' for i in range(40)}

ROWS = [
    row("10^14 weights are checked", "check a.cnn", HUGE, ""),
    row("10^14 weights are counted", "summary a.cnn", HUGE, "", says="100,000,000,000,000"),
    row("10^14 weights are not made", "init a.cnn -o w.safetensors", HUGE, "E450", says="400,000,000,000,000 bytes"),
    row("10^14 weights are not exported", "export a.cnn -o w.onnx", HUGE, "E450"),
    row("10^14 weights are not compared", "verify a.cnn", HUGE, "E450"),
    row("10^14 weights are written as source", "compile a.cnn -b numpy -o w.py",
        HUGE, "", api=False),
    row("10^14 weights as an ONNX file", "compile a.cnn -b onnx -o w.onnx", HUGE, "E450"),
    row("10^14 weights are not trained", "train a.cnn --data digits -o w.safetensors",
        spec("model m {\n    input x: [1, 8, 8]\n    flatten -> fc(10 ** 13) -> fc(10)\n    output y\n}\n"), "E414",
        "a.cnn:3:16"),
    row("an extent of 2^31", "check a.cnn", body("conv(2 ** 31, 1x1)"), "E414", "a.cnn:3:5"),
    row("an input's extent of 2^31", "check a.cnn", body("relu", input=f"x: [{2 ** 31}]"), "E414", "a.cnn:2:5"),
    row("an extent of 2^31 - 1", "check a.cnn",
        spec(f"model m {{\n    input x: [{2 ** 31 - 1}]\n    relu\n}}\n"), ""),
    row("a tensor above 2^48", "check a.cnn", body("relu", input="x: [65536, 65536, 65537]"), "E415", "a.cnn:2:5"),
    row("a tensor of 2^48", "check a.cnn",
        spec("model m {\n    input x: [65536, 65536, 65536]\n    relu\n}\n"), ""),
    row("a weight above 2^48", "check a.cnn", body("conv(2 ** 30, 16x16, pad = 16) -> conv(2 ** 30, 16x16)"), "E415",
        "a.cnn:3:39"),
    row("a raw weight above 2^48", "check a.cnn", body(f"weight w: [{2 ** 30}, {2 ** 20}]", "relu"), "E415",
        "a.cnn:3:5"),
    row("a loop that never ends", "check a.cnn", body("for i in 0..10 ** 15 { let a = i }", "relu"), "E410",
        "a.cnn:3:14"),
    row("a range that is too long", "check a.cnn", body("let a = range(10 ** 15)", "relu"), "E410", "a.cnn:3:13"),
    row("loops in loops", "check a.cnn",
        body("for i in 0..10 ** 4 {", "for j in 0..10 ** 4 {", "let a = i * j", "}", "}", "relu"), "E410",
        "a.cnn:4:5"),
    row("a repeat that never ends", "check a.cnn", body("repeat 10 ** 17 { let a = 3 }", "relu"), "E410", "a.cnn:3:5"),
    row("a comprehension that doubles", "check a.cnn",
        body("let f(n) = if n == 0 then [1] else [x for x in f(n - 1)] + f(n - 1)", "let a = f(40)", "relu"), "E410",
        "a.cnn:3:41"),
    row("a string that doubles", "check a.cnn",
        body('let f(n) = if n == 0 then "a" else f(n - 1) + f(n - 1)', 'expect 1 < 0, "{f(40)}"'), "E210", "a.cnn:3:40"),
    row("a list that is multiplied", "check a.cnn", body("let a = [1] * 10 ** 12", "relu"), "E210", "a.cnn:3:13"),
    row("functions that call each other", "check a.cnn", body("let f(n) = f(n + 1)", "conv(f(0), 1x1)"), "E411", "a.cnn:3:16"),
    row("a block in itself", "check a.cnn", spec("block R { R }\n" + body("R")["a.cnn"]), "E411", "a.cnn:1:11"),  # type: ignore[operator]
    row("blocks that double", "check a.cnn",
        spec("block R(n) {\n    if n > 0 {\n        R(n - 1)\n        R(n - 1)\n    }\n    relu\n}\n"
             "model m {\n    input x: [3]\n    R(40)\n}\n"), "E410",
        "a.cnn:4:9"),
    row("100,001 layers", "check a.cnn", body("repeat 100_001 { relu }"), "E412", "a.cnn:3:5"),
    row("100,001 branches", "check a.cnn", body("add { for i in 0..100_001 { branch { relu } } }"), "E412", "a.cnn:3:11"),
    row("kinds of blocks that double", "check a.cnn", spec("".join(
        f"block B{i} {{\n    B{i - 1}\n    B{i - 1}\n}}\n" if i else "block B0 { relu }\n" for i in range(40))
        + "model m {\n    input x: [3]\n    B39\n}\n"), "E412", "a.cnn:160:5"),
    row("kinds of blocks that double as long as a number is not zero", "check a.cnn", spec("".join(
        f"block B{i}(n) {{\n    if n > 0 {{\n        B{i - 1}(n)\n        B{i - 1}(n)\n    }}\n}}\n" if i
        else "block B0(n) { relu }\n" for i in range(40)) + "model m {\n    input x: [3]\n    B39(1)\n}\n"), "E410",
        "a.cnn:5:9"),
    row("branches that double", "check a.cnn", spec("block R(n) {\n    if n > 0 {\n        add {\n"
        "            branch { R(n - 1) }\n            branch { R(n - 1) }\n        }\n    }\n    relu\n}\n"
        "model m {\n    input x: [3]\n    R(60)\n}\n"), "E410", "a.cnn:5:22"),
    row("blocks in loops in blocks", "check a.cnn", spec("block A { repeat 1000 { relu } }\n"
        "block B { for i in 0..1000 { A } }\nmodel m {\n    input x: [3]\n    B\n}\n"), "E412", "a.cnn:5:5"),
    row("a Fibonacci number", "check a.cnn",
        body("let f(n) = if n < 2 then 1 else f(n - 1) + f(n - 2)", "conv(f(60), 1x1)"), "E410", "a.cnn:3:37"),
    row("a comprehension of 10^9", "check a.cnn",
        body("let a = [i + j + k for i in 0..1000 for j in 0..1000 for k in 0..1000]", "relu"), "E410", "a.cnn:3:14"),
    row("lists that hold themselves twice", "check a.cnn", body("let a0 = [1, 1]",
        *[f"let a{i + 1} = [a{i}, a{i}]" for i in range(150)], "relu"), "E420", "a.cnn:25:15"),
    row("a list of two million numbers as a count", "check a.cnn", body("let a0 = [1, 1]",
        *[f"let a{i + 1} = [a{i}, a{i}]" for i in range(20)], "conv(a20, 1x1)"), "E410", "a.cnn:24:5"),
    row("layers of layers without an end", "check a.cnn",
        body("let a = [leakyrelu(slope = i) for i in 0..10 ** 6]", "relu"), "E410", "a.cnn:3:14"),
    row("a kernel of every size", "check a.cnn",
        spec("model m {\n    input x: [3, 60000, 60000]\n    conv(1000000, 60000x60000)\n}\n"), "E415", "a.cnn:3:5"),
    row("an expectation of 10 million steps", "check a.cnn",
        body("relu", "expect sum([i for i in 0..10 ** 9]) > 0"), "E410", "a.cnn:4:28"),
    row("300 imports", "check a.cnn", {**MANY_IMPORTS, "a.cnn": "".join(
        f'import "b{i}.cnn" (v{i})\n' for i in range(300)) + body("relu")["a.cnn"]},  # type: ignore[operator]
        " ".join(["E416"] * 44), "a.cnn:257:8"),
    row("imports 40 deep", "check a.cnn", {**CHAIN, "c40.cnn": "let v40 = 3\n", "a.cnn":
        'import "c0.cnn" (v0)\n' + body("relu")["a.cnn"]}, "E417", "c31.cnn:1:8"),  # type: ignore[operator]
    row("an output of 10 GiB from NumPy", "verify a.cnn",
        spec("model m {\n    input x: [1, 8]\n    reshape([8])\n    fc(2 ** 30)\n}\n"), "E450"),
    row("an activation of 2^40 in verify", "verify a.cnn",
        spec("model m {\n    input x: [1, 1048576, 1048576]\n    relu\n}\n"), "E450"),
    row("an activation of 2^40 in export", "export a.cnn -o w.onnx",
        spec("model m {\n    input x: [1, 1048576, 1048576]\n    relu\n}\n"), "E450"),
]  # fmt: skip
