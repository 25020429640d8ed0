"""Writes the pages that are made from the source: errors.md, generated.md and layers.md, beside this file.

    python docs/generate.py           # or: make docs

A test compares them with what this makes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cnnc
from compiler.ops.reference import reference
from spec_lang.codes import CODES

HERE = Path(__file__).parent

FAMILIES = {
    "E1": "Text and syntax",
    "E2": "Names, flow and imports",
    "E3": "Shapes and arguments",
    "E4": "Limits",
    "E5": "Weights",
    "E6": "Backends and ONNX",
    "E7": "Data",
    "E8": "Training",
    "E9": "Output and command line",
    "W": "Warnings",
}


def errors() -> str:
    """Every diagnostic code with its page."""
    parts = [
        "# Messages",
        "",
        "Every message has a code, a place, one sentence with the numbers filled in, and, where there is",
        "one, a fix that can be pasted. `cnnc explain E301` prints the page of a code. Codes with W are",
        "warnings: they stop nothing. This page is written by `docs/generate.py`.",
        "",
    ]
    for family, title in FAMILIES.items():
        codes = [code for name, code in sorted(CODES.items()) if name.startswith(family)]
        if not codes:
            continue
        parts += [f"## {title}", ""]
        for code in codes:
            parts += [f"### {code.name}: {code.title}", "", code.text.strip(), ""]
            for words, example in ((f"cnn {code.name}", code.wrong), ("cnn", code.right)):
                # What a page cannot show (a control character) is told by its text alone.
                if example and example.replace("\n", "").isprintable():
                    parts += [
                        "Refused:"
                        if words != "cnn" and code.name[0] == "E"
                        else "Warned of:"
                        if words != "cnn"
                        else "Right:",
                        "",
                        f"```{words}",
                        example.strip("\n"),
                        "```",
                        "",
                    ]
    return "\n".join(parts)


def generated() -> str:
    """What `cnnc compile` writes for networks of the zoo."""
    parts = [
        "# Generated sources",
        "",
        "What `cnnc compile` writes, shown as it is. No file imports cnnc; weights come in as a mapping from",
        "name to array, and the names are those of the spec. Two runs give the same bytes. This page is made",
        "by `docs/generate.py`.",
        "",
    ]
    for title, name, backend in (
        ("LeNet-5 in PyTorch", "lenet5", "torch"),
        ("LeNet-5 in NumPy", "lenet5", "numpy"),
        ("ResNet-18 in PyTorch", "resnet18", "torch"),
        ("ResNet-18 in NumPy", "resnet18", "numpy"),
    ):
        files = cnnc.generate(cnnc.load(name), backend)
        ((file, text),) = files.items()
        assert isinstance(text, str)
        parts += [
            f"## {title}",
            "",
            f"`cnnc compile {name} --backend {backend}` writes `{file}`:",
            "",
            "```py",
            text.rstrip("\n"),
            "```",
            "",
        ]
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {"errors.md": errors, "generated.md": generated, "layers.md": reference}


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
