"""Numbers, shapes and settings: arithmetic that has no result, extents that cannot be, wrong values."""

from __future__ import annotations

from tests.contract.base import SMALL, body, row, spec

MODEL = "model m(n = 4, k = 3x3, flag = true, name = half, sizes = [1, 2]) {\n    input x: [3, 16, 16]\n" \
        "    conv(n, k, pad = half)\n    output y\n}\n"


def setting(value: str, name: str = "n") -> tuple[str, ...]:
    return ("summary", "a.cnn", "--set", f"{name}={value}")


ROWS = [
    # ---- literals
    row("an integer of 19 digits", "check a.cnn", body(f"conv({'9' * 19}, 1x1)"), "E405", "a.cnn:3:10"),
    row("an integer of 100,000 digits", "check a.cnn", body(f"conv({'9' * 100_000}, 1x1)"), "E405", "a.cnn:3:10"),
    row("a float of 100,000 digits", "check a.cnn", body(f"dropout(0.{'9' * 100_000})"), "E312", "a.cnn:3:13"),
    row("an exponent beyond floats", "check a.cnn", body("dropout(1e999)"), "E107", "a.cnn:3:13"),
    row("an exponent of 100,000 digits", "check a.cnn", body(f"dropout(1e{'9' * 100_000})"), "E107", "a.cnn:3:13"),
    row("a size of many digits", "check a.cnn", body(f"conv(4, {'9' * 30}x3)"), "E405", "a.cnn:3:13"),
    row("hexadecimal", "check a.cnn", body("conv(0xff, 1x1)"), "E107", "a.cnn:3:10"),
    row("an underscore at the end", "check a.cnn", body("conv(4_, 1x1)"), "E107", "a.cnn:3:10"),
    # ---- arithmetic
    row("a division by zero", "check a.cnn", body("conv(8 // 0, 1x1)"), "E211", "a.cnn:3:15"),
    row("a remainder by zero", "check a.cnn", body("conv(8 % 0, 1x1)"), "E211", "a.cnn:3:14"),
    row("a float division by zero", "check a.cnn", body("dropout(1 / 0)"), "E211", "a.cnn:3:17"),
    row("zero to a negative power", "check a.cnn", body("dropout(0 ** -1)"), "E211", "a.cnn:3:13"),
    row("the root of a negative number", "check a.cnn", body("dropout(sqrt(-1))"), "E211", "a.cnn:3:13"),
    row("a negative base to a broken power", "check a.cnn", body("dropout((-8) ** 0.5)"), "E211", "a.cnn:3:13"),
    row("a power beyond floats", "check a.cnn", body("dropout(10.0 ** 400)"), "E211", "a.cnn:3:13"),
    row("a product beyond floats", "check a.cnn", body("dropout(1e200 * 1e200)"), "E211", "a.cnn:3:13"),
    row("infinity less infinity", "check a.cnn", body("dropout(1e308 * 10 - 1e308 * 10)"), "E211", "a.cnn:3:13"),
    row("the floor of something too large", "check a.cnn", body("conv(int(1e300 * 1e300), 1x1)"), "E211",
        "a.cnn:3:14"),
    row("an integer of more than 512 bits", "check a.cnn", body("conv(2 ** 600, 1x1)"), "E413", "a.cnn:3:10"),
    row("a power of powers", "check a.cnn", body("let a = 9 ** 9 ** 9 ** 9"), "E413", "a.cnn:3:18"),
    row("a huge shift by multiplication", "check a.cnn",
        body("let f(n) = if n == 0 then 2 else f(n - 1) * f(n - 1)", "conv(f(12), 1x1)"), "E413", "a.cnn:3:38"),
    row("a large integer as a float", "check a.cnn", body("dropout(2 ** 511 / 3)"), "E312", "a.cnn:3:13"),
    row("a broken count", "check a.cnn", body("conv(3.5, 1x1)"), "E312", "a.cnn:3:10"),
    row("a truth as a count", "check a.cnn", body("conv(true, 1x1)"), "E312", "a.cnn:3:10"),
    row("no filters", "check a.cnn", body("conv(0, 1x1)"), "E312", "a.cnn:3:10"),
    row("filters below nothing", "check a.cnn", body("conv(-4, 1x1)"), "E312", "a.cnn:3:10"),
    row("a string as a count", "check a.cnn", body('conv("4", 1x1)'), "E312", "a.cnn:3:10"),
    row("an index far outside", "check a.cnn", body("conv([1, 2][10 ** 30], 1x1)"), "E212", "a.cnn:3:17"),
    row("an index before the first", "check a.cnn", body("conv([1, 2][-3], 1x1)"), "E212", "a.cnn:3:17"),
    row("a product as a kernel", "check a.cnn", body("conv(4, 3*3)"), "E316", "a.cnn:3:13"),
    # ---- shapes
    row("a window that does not fit", "check a.cnn", body("conv(4, 17x17)"), "E302", "a.cnn:3:5"),
    row("an extent of zero", "check a.cnn", body("relu", input="x: [3, 0, 16]"), "E210", "a.cnn:2:18"),
    row("an extent below zero", "check a.cnn", body("relu", input="x: [3, -1, 16]"), "E210", "a.cnn:2:18"),
    row("a broken extent", "check a.cnn", body("relu", input="x: [3, 1.5, 16]"), "E210", "a.cnn:2:18"),
    row("groups that do not divide", "check a.cnn", body("conv(4, 1x1, groups = 2)"), "E304", "a.cnn:3:18"),
    row("sides of a join that differ", "check a.cnn",
        body("conv(4, 3x3) as a", "x -> conv(4, 5x5) as b", "add(a, b)"), "E306", "a.cnn:5:5"),
    row("a feature map in front of fc", "check a.cnn", body("fc(3)"), "E305", "a.cnn:3:5"),
    row("an axis that is not there", "check a.cnn", body("softmax(axis = depth)"), "E312", "a.cnn:3:13"),
    row("a reshape of another size", "check a.cnn", body("reshape([5, 5])"), "E320", "a.cnn:3:13"),
    row("a stride of zero", "check a.cnn", body("conv(4, 3x3, stride = 0)"), "E312", "a.cnn:3:18"),
    row("a pad of 10^17", "check a.cnn", body(f"conv(4, 3x3, pad = {10 ** 17})"), "E414", "a.cnn:3:5"),
    row("a probability above one", "check a.cnn", body("dropout(1.5)"), "E312", "a.cnn:3:13"),
    # ---- settings
    row("a setting that is no expression", setting("1 +"), spec(MODEL), "E120", "--set n:1:4", api=False),
    row("a setting that divides by zero", setting("1 // 0"), spec(MODEL), "E211", "--set n:1:6", api=False),
    row("a setting of another kind", setting('"x"'), spec(MODEL), "E213", "--set n:1:1", api=False),
    row("a setting of many brackets", setting("(" * 5000), spec(MODEL), "E403", "--set n:1:201", api=False),
    row("a setting that is huge", setting("9" * 50), spec(MODEL), "E405", "--set n:1:1", api=False),
    row("a setting with a NUL-like escape", setting("\x1b[31m"), spec(MODEL), "E102 E110 E107", "--set n:1:1", api=False),
    row("a setting with a line break", setting("1\n2"), spec(MODEL), "E120", "--set n:1:1", api=False),
    row("a setting that is unknown", setting("3", "m"), spec(MODEL), "E229", "a.cnn"),
    row("a setting that calls", setting("__import__(1)"), spec(MODEL), "E201", "--set n:1:1", api=False),
    row("a setting of a word that is none", setting("hlaf", "name"), spec(MODEL), "E201", "--set name:1:1",
        api=False),
    row("a setting without a value", setting(""), spec(MODEL), "E951"),
    row("a setting without a name", ("summary", "a.cnn", "--set", "=3"), spec(MODEL), "E951"),
    row("a setting whose name is no name", ("summary", "a.cnn", "--set", "a b=3"), spec(MODEL), "E951"),
    row("a setting with a Unicode name", ("summary", "a.cnn", "--set", "\ufb01=3"), spec(MODEL), "E951"),
    row("a setting given twice", ("summary", "a.cnn", "--set", "n=3", "--set", "n=4"), spec(MODEL), "E951"),
    row("a setting for a model without any", ("summary", "a.cnn", "--set", "n=3"), spec(SMALL), "E229", "a.cnn"),
]  # fmt: skip
