"""Outputs that cannot or must not be written, and command lines that make no sense."""

from __future__ import annotations

import os

from tests.contract import files
from tests.contract.base import SMALL, Content, Row, row
from tests.contract.rows.data import FREE
from tests.contract.rows.paths import fifo, folder, link, unix_socket

HERE: dict[str, Content] = {"a.cnn": SMALL}
IMPORTER = 'import "b.cnn" (B)\n' + SMALL.replace("flatten", "B -> flatten")
#: Verbs that write a file, as command lines that lack the output.
WRITERS = {
    "init": "init a.cnn -o", "compile": "compile a.cnn -b numpy -o", "export": "export a.cnn -o",
    "train": "train a.cnn --data d --epochs 1 -o",
}


def out(verb: str, name: str, output: str, codes: str, **more: Content) -> Row:
    """A verb whose output is not to be written."""
    return row(f"{name} as the output of {verb}", (*WRITERS[verb].split(), output),
               {**HERE, **files.mnist(), **more}, codes, output, api=verb != "compile")


def line(name: str, command: str | tuple[str, ...], codes: str = "E950") -> Row:
    """A command line that makes no sense."""
    return row(name, command, HERE, codes)


ROWS = [
    *(out(verb, "a folder that is not there", "x/y", "E903") for verb in WRITERS),
    *(out(verb, "the spec itself", "a.cnn", "E902") for verb in WRITERS),
    *(out(verb, "a link to the spec", "l", "E902", l=link("a.cnn")) for verb in WRITERS),
    *(out(verb, "a file that the spec imports", "b.cnn", "E902", **{"a.cnn": IMPORTER, "b.cnn": "block B { relu }\n"})
      for verb in WRITERS),
    *(out(verb, "a link to a file that the spec imports", "l", "E902",
          **{"a.cnn": IMPORTER, "b.cnn": "block B { relu }\n", "l": link("b.cnn")}) for verb in WRITERS),
    row("the data as the output", "train a.cnn --data d --epochs 1 -o d/train-images-idx3-ubyte",
        {**HERE, **files.mnist()}, "E902", "d/train-images-idx3-ubyte"),
    row("an image of the data as the output", "train a.cnn --data d --epochs 1 -o d/b/3.png",
        {"a.cnn": FREE, **files.images("a", "b", "c")}, "E902", "d/b/3.png"),
    row("a folder where the last checkpoint goes", "train a.cnn --data d --epochs 1 -o w.safetensors",
        {**HERE, **files.mnist(), "w.last.safetensors": folder}, "E901", "w.last.safetensors"),
    row("two specs to format, one wrong", "fmt a.cnn b.cnn", {"a.cnn": "model m { input x: [3]\n relu }\n",
        "b.cnn": "model m {\n"}, "E110", "b.cnn:1:9", api=False),
    *(out(verb, "a hard link to the spec", "l", "E902", l=lambda path: os.link(path.parent / "a.cnn", path))
      for verb in WRITERS),
    *(out(verb, "a FIFO", "o", "E901", o=fifo) for verb in WRITERS),
    *(out(verb, "a device", "/dev/null", "E901") for verb in WRITERS),
    *(out(verb, "a socket", "o", "E901", o=unix_socket) for verb in WRITERS),
    *(out(verb, "a link to itself", "o", "E900", o=link("o")) for verb in WRITERS),
    *(out(verb, "a name of 300 characters", "o" * 300, "E900") for verb in WRITERS),
    *(out(verb, "a file below a file", "a.cnn/o", "E900") for verb in WRITERS),
    *(out(verb, "a hostile folder", "\x1b[2J\n/o", "E903") for verb in WRITERS),
    *(out(verb, "an empty name", "", "E900") for verb in ("init", "export", "train", "compile")),
    *(out(verb, "a folder", "o", "E901", o=folder) for verb in ("init", "export", "train")),
    row("the weights as the output", "export a.cnn -w w -o w", {**HERE, "w": files.safetensors()}, "E902", "w",
        api=False),
    row("a spec that fmt may not read as text", "fmt /proc/self/mem", {}, "E230", "/proc/self/mem", api=False),
    # ---- command lines
    line("an unknown verb", "chekc a.cnn"),
    line("a verb of escapes", ("\x1b[2J",)),
    line("a verb of another language", ("__init__",)),
    line("an unknown option", "check --jsn a.cnn"),
    line("an option of escapes", ("check", "--\x1b[2J", "a.cnn")),
    line("an unknown short option", "check -q a.cnn"),
    line("an option without a value", "init a.cnn --seed"),
    line("a seed that is no number", "init a.cnn --seed many"),
    line("a seed below zero", "init a.cnn --seed -1"),
    line("a seed of 2^63", f"init a.cnn --seed {2 ** 63}"),
    line("a seed of 10,000 digits", f"init a.cnn --seed {'9' * 10_000}"),
    line("a value for a switch", "check --json=yes a.cnn"),
    line("too many specs", "init a.cnn a.cnn"),
    line("no specs", "check"),
    line("no backend", "compile a.cnn"),
    line("no option for data", "train a.cnn"),
    line("no weights to measure", "eval a.cnn --data d"),
    line("no images", "predict a.cnn -w w"),
    line("a split that is none", "eval a.cnn --data d -w w --split dev"),
    line("no classes at all", "predict a.cnn x.png -w w --top 0"),
    line("epochs that are no number", "train a.cnn --data d --epochs 1.5"),
    line("an unknown code", "explain E30"),
    line("a code of escapes", ("explain", "\x1b[2J")),
    line("a depth below zero", "summary a.cnn --depth -1"),
    line("a depth that is no number", "summary a.cnn --depth all"),
    line("an order that is none", "summary a.cnn --sort mac"),
    line("no images at a time", "summary a.cnn --batch 0"),
    line("one spec to compare", "diff a.cnn"),
    line("three specs to compare", "diff a.cnn a.cnn a.cnn"),
    line("a setting of one side without `=`", "diff a.cnn a.cnn --set-b n", "E951"),
    row("a setting that neither has", "diff a.cnn a.cnn --set n=3", HERE, "E229", "a.cnn"),
    row("a second spec that is not there", "diff a.cnn b.cnn", HERE, "E230", "b.cnn"),
    row("a first spec that is none", "diff b.cnn a.cnn", {**HERE, "b.cnn": b"\x89PNG\r\n\x1a\n"}, "E101", "b.cnn:1:1"),
    row("a second spec with a mistake", "diff a.cnn b.cnn", {**HERE, "b.cnn": "model m {\n    input x: [3]\n    rellu\n}\n"},
        "E202", "b.cnn:3:5"),
    line("a setting without `=`", "summary a.cnn --set n", "E951"),
    line("a setting of escapes", ("summary", "a.cnn", "--set", "\x1b[2J=3"), "E951"),
    row("an unknown backend", "compile a.cnn -b nump", HERE, "E604"),
    row("a backend of escapes", ("compile", "a.cnn", "-b", "\x1b[2J"), HERE, "E604"),
    row("a backend alone to compare", "verify a.cnn -b numpy", HERE, "E615"),
    row("no shipped spec to print", "specs lenet55", HERE, "E221", "lenet55", api=False),
]  # fmt: skip
