"""Encodings, characters, sizes, depths, lengths: what is wrong before the language begins."""

from __future__ import annotations

from tests.contract.base import SMALL, body, row, spec

DEEP = "(" * 5000

ROWS = [
    # ---- encodings
    row("UTF-16 with a mark", "check a.cnn", {"a.cnn": SMALL.encode("utf-16")}, "E101", "a.cnn:0"),
    row("UTF-16 without a mark", "check a.cnn", {"a.cnn": SMALL.encode("utf-16-be")}, "E102", "a.cnn:1:1"),
    row("Latin-1", "check a.cnn", {"a.cnn": b"# caf\xe9\n" + SMALL.encode()}, "E101", "a.cnn:1:6"),
    row("a lone surrogate", "check a.cnn", {"a.cnn": b"# \xed\xa0\x80\n" + SMALL.encode()}, "E101", "a.cnn:1:3"),
    row("an overlong slash", "check a.cnn", {"a.cnn": b"# \xc0\xaf\n" + SMALL.encode()}, "E101", "a.cnn:1:3"),
    row("a character cut short", "check a.cnn", {"a.cnn": SMALL.encode() + b"# \xe2\x82"}, "E101", "a.cnn:6:3"),
    row("bad bytes behind a mark", "check a.cnn", {"a.cnn": b"\xef\xbb\xbf#\xff\n"}, "E101", "a.cnn:1:2"),
    row("two marks", "check a.cnn", {"a.cnn": b"\xef\xbb\xbf\xef\xbb\xbf" + SMALL.encode()}, "E105", "a.cnn:1:1"),
    row("a mark is fine", "check a.cnn", {"a.cnn": b"\xef\xbb\xbf" + SMALL.encode()}, ""),
    row("a gzip archive", "summary a.cnn", {"a.cnn": b"\x1f\x8b\x08\x00" + bytes(range(100, 200))}, "E101",
        "a.cnn:1:2"),
    row("Latin-1 for fmt", "fmt a.cnn", {"a.cnn": b"# caf\xe9\n" + SMALL.encode()}, "E101", "a.cnn:1:6", api=False),
    row("bytes on standard input", "fmt -", {"in": b"\xff\xfe\x00"}, "E101", "<stdin>:0", stdin="in", api=False),
    # ---- characters
    row("a NUL", "check a.cnn", body("re\0lu"), "E102", "a.cnn:3:7"),
    row("a NUL in a comment", "check a.cnn", spec("# \0\n" + SMALL), "E102", "a.cnn:1:3"),
    row("NULs alone", "check a.cnn", spec("\0" * 1000), "E102", "a.cnn:1:1"),
    row("an escape in a string", "check a.cnn", body('output "\x1b[31m"'), "E102", "a.cnn:3:13"),
    row("a bell in a comment", "check a.cnn", body("relu # \a"), "E102", "a.cnn:3:12"),
    row("a C1 control", "check a.cnn", body("relu # \x9b31m"), "E102", "a.cnn:3:12"),
    row("a bidirectional override in a comment", "check a.cnn", body("relu # \u202e evil"), "E103", "a.cnn:3:12"),
    row("a bidirectional isolate in a string", "check a.cnn", body('expect 1 > 0, "\u2066"'), "E103", "a.cnn:3:20"),
    row("a bidirectional mark in a doc comment", "check a.cnn", spec("## \u200f\n" + SMALL), "E103", "a.cnn:1:4"),
    row("a ligature in a name", "check a.cnn", body("conv(3, 1x1) as \ufb01"), "E104", "a.cnn:3:21"),
    row("a Cyrillic letter in a layer", "check a.cnn", body("r\u0435lu"), "E104", "a.cnn:3:6"),
    row("full-width digits", "check a.cnn", body("conv(\uff14, 1x1)"), "E104", "a.cnn:3:10"),
    row("a superscript digit", "check a.cnn", body("conv(4\u00b2, 1x1)"), "E104", "a.cnn:3:11"),
    row("a zero-width space", "check a.cnn", body("re\u200blu"), "E105", "a.cnn:3:7"),
    row("a line separator", "check a.cnn", body("relu\u2028relu"), "E105", "a.cnn:3:9"),
    row("a non-breaking space", "check a.cnn", body("conv(4,\u00a01x1)"), "E105", "a.cnn:3:12"),
    row("a multiplication sign", "check a.cnn", body("conv(4, 3\u00d73)"), "E105", "a.cnn:3:14"),
    row("curly quotes", "check a.cnn", body("output \u201cy\u201d"), "E105", "a.cnn:3:12"),
    row("an emoji", "check a.cnn", body("\U0001f600"), "E105", "a.cnn:3:5"),
    row("a semicolon", "check a.cnn", body("relu;"), "E105", "a.cnn:3:9"),
    row("a lone carriage return ends a line", "check a.cnn", body("# x\r    rellu"), "E202", "a.cnn:4:5"),
    # ---- emptiness
    row("an empty file", "check a.cnn", spec(""), "E220", "a.cnn"),
    row("a file of spaces", "check a.cnn", spec(" \n\t\n"), "E220", "a.cnn"),
    row("a comment alone", "summary a.cnn", spec("# nothing\n"), "E220", "a.cnn"),
    row("blocks alone for summary", "summary a.cnn", spec("block B { relu }\n"), "E220", "a.cnn"),
    row("blocks alone for check are fine", "check a.cnn", spec("block B { relu }\n"), ""),
    # ---- sizes, depths, lengths
    row("a file beyond 256 KiB", "check a.cnn", spec("#" * (256 * 1024 + 1)), "E401", "a.cnn"),
    row("a file of 256 KiB", "check a.cnn", spec(SMALL + "#" * (256 * 1024 - len(SMALL))), ""),
    row("a file of many gigabytes", "check a.cnn",
        {"a.cnn": lambda path: _sparse(path, 5 << 30)}, "E401", "a.cnn"),
    row("a file of many gigabytes for fmt", "fmt a.cnn",
        {"a.cnn": lambda path: _sparse(path, 5 << 30)}, "E401", "a.cnn", api=False),
    row("too many tokens", "check a.cnn", body("conv(" + "1," * 60_000 + ")"), "E402", "a.cnn:3:99996"),
    row("brackets nested 5,000 deep", "check a.cnn", body(f"conv({DEEP}"), "E403", "a.cnn:3:208"),
    row("braces nested 5,000 deep", "check a.cnn", body("repeat 1 {" * 5000), "E403", "a.cnn:3:2004"),
    row("lists nested 201 deep", "check a.cnn", body("let a = " + "[" * 200 + "]" * 200), "E403", "a.cnn:3:212"),
    row("brackets nested 5,000 deep for fmt", "fmt a.cnn", body(f"conv({DEEP}"), "E403", "a.cnn:3:208"),
    row("closing brackets alone", "check a.cnn", body(")" * 3000), " ".join(["E111"] * 100), "a.cnn:3:5"),
    row("a sum of 60,000 terms", "check a.cnn", body("let a = " + "+".join("1" * 20_000)), "E406", "a.cnn:3:13"),
    row("60,000 signs", "check a.cnn", body("let a = " + "-" * 60_000 + "1"), "E406", "a.cnn:3:59762"),
    row("a tower of powers", "check a.cnn", body("let a = " + "**".join("2" * 3000)), "E406", "a.cnn:3:8257"),
    row("5,000 `not`s", "check a.cnn", body("let a = " + "not " * 5000 + "true"), "E406", "a.cnn:3:19009"),
    row("5,000 subscripts", "check a.cnn", body("let a = it" + "[0]" * 5000), "E406", "a.cnn:3:13"),
    row("5,000 conditions", "check a.cnn", body("let a = " + "if true then 1 else " * 5000 + "2"), "E406",
        "a.cnn:3:94993"),
    row("5,000 `else if`s", "check a.cnn",
        body("if true { relu }" + " else if true { relu }" * 5000), "E406", "a.cnn:3:104483"),
    row("a name of 65 characters", "check a.cnn", body("conv(3, 1x1) as " + "a" * 65), "E404", "a.cnn:3:21"),
    row("a name of 200,000 characters", "check a.cnn", body("a" * 200_000), "E404", "a.cnn:3:5"),
    row("a model's name of 65 characters", "check a.cnn", spec(SMALL.replace(" m ", f" {'m' * 65} ")), "E404",
        "a.cnn:1:7"),
    row("a name of 64 characters is fine", "check a.cnn", body("conv(3, 1x1) as " + "a" * 64), ""),
    row("a string of 200,000 characters", "check a.cnn", body('"' + "a" * 200_000 + '": relu'), "E208", "a.cnn:3:5"),
    row("a label of 10,000 steps", "check a.cnn", body('"' + ".".join("a" * 10_000) + '": relu'), "E208",
        "a.cnn:3:5"),
    row("a string that never ends", "check a.cnn", body('output "y'), "E106", "a.cnn:3:12"),
    row("a string over two lines", "check a.cnn", body('output "y', 'z"'), "E106 E106", "a.cnn:3:12"),
    row("a brace that never closes", "check a.cnn", spec(SMALL[:-2]), "E110", "a.cnn:1:9"),
    row("100 mistakes and more", "check a.cnn", body(*["conv(4 1x1)"] * 1000), " ".join(["E120"] * 100),
        "a.cnn:3:12"),
]  # fmt: skip


def _sparse(path: object, size: int) -> None:
    with open(str(path), "wb") as file:
        file.truncate(size)
