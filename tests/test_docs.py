"""The documentation is run: specs are checked, Python is executed, commands print what the page says.

Code blocks by their first words:
    cnn                 a spec without errors; `cnn file=NAME` also writes it beside the commands that follow
    cnn E301            a spec that is refused (or warned of) with a code that begins so
    python              executed, one namespace a page
    console             lines with `$ ` are commands; what follows is their output, where a line
                        `...` stands for any lines, and `...` within a line for any text
Other blocks are not run.  A page's blocks run in order, in one empty folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnc.cli import main
from compiler.load import check
from spec_lang.source import Source
from tests.mnist import mnist, mnist_slice

ROOT = Path(__file__).parent.parent
#: Pages that need MNIST, as a folder of that name: a slice of it here, the whole in the long tests.
WITH_MNIST = ("tutorial.md",)
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Block:
    page: Path
    line: int
    words: list[str]
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, match.start()) + 1, match[1].split(), match[2])


def run_cnn(block: Block, folder: Path) -> None:
    diagnostics = check(Source(str(block), block.text))
    found = [d for d in diagnostics if d.is_error]
    options = block.words[1:]
    codes = [option for option in options if option[0] in "EW"]
    for code in codes:
        assert any(d.code.startswith(code) for d in diagnostics), f"{block}: no {code} but {diagnostics}"
    assert codes or not found, f"{block}: {[d.message for d in found]}"
    for option in options[len(codes) :]:
        name = option.removeprefix("file=")
        assert name != option, f"{block}: unknown word {option}"
        (folder / name).write_text(block.text, encoding="utf-8")


def run_console(block: Block) -> dict[str, str]:
    command, expected = "", []
    printed: dict[str, str] = {}
    for line in [*block.text.splitlines(), "$ "]:
        if not line.startswith("$ "):
            expected.append(line)
            continue
        if command:
            printed[command] = run_command(block, command)
            compare(block, command, printed[command], expected)
        command, expected = line[2:], []
    return printed


def run_command(block: Block, command: str) -> str:
    words = shlex.split(command)
    assert words[0] == "cnnc", f"{block}: only cnnc is run here: {command}"
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured), contextlib.redirect_stderr(captured):
        main(words[1:])
    return captured.getvalue()


def compare(block: Block, command: str, output: str, expected: list[str]) -> None:
    lines = [re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + "\n" for line in expected]
    pattern = "".join(r"(?:.*\n)*?" if line == ".*\n" else line for line in lines)
    shown = "".join(line.rstrip() + "\n" for line in output.splitlines())
    assert re.fullmatch(pattern, shown), f"{block}: `{command}` prints\n{shown}\nand not\n" + "\n".join(
        expected
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_is_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name in WITH_MNIST:
        mnist_slice(tmp_path / "mnist")
    show_all(page, tmp_path, monkeypatch)


@pytest.mark.long
@pytest.mark.mnist
@pytest.mark.skipif(mnist() is None, reason="no MNIST: set CNNC_MNIST to the folder of its files")
def test_the_tutorial_with_all_of_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mnist()
    assert folder is not None
    shutil.copytree(folder, tmp_path / "mnist")
    printed = show_all(ROOT / "docs" / "tutorial.md", tmp_path, monkeypatch)
    [whole] = [text for command, text in printed.items() if "--data mnist" in command]
    [tuned] = [text for command, text in printed.items() if "--freeze" in command]
    assert "mnist: 60,000 images, 10,000 held out" in whole
    assert accuracy(whole) >= 0.97
    assert accuracy(tuned) >= 0.75


def accuracy(printed: str) -> float:
    found = re.search(r"^test accuracy ([0-9.]+) ", printed, re.MULTILINE)
    assert found is not None
    return float(found[1])


def show_all(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run the blocks of a page; what each command printed."""
    monkeypatch.chdir(tmp_path)
    printed: dict[str, str] = {}
    namespace: dict[str, object] = {"__name__": "__page__"}
    for block in blocks(page):
        match block.words[:1]:
            case ["cnn"]:
                run_cnn(block, tmp_path)
            case ["python"]:
                code = compile("\n" * block.line + block.text, str(page), "exec")
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(code, namespace)
            case ["console"]:
                printed |= run_console(block)
    return printed


def test_the_pages_that_are_made_from_the_source_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, page in generate.PAGES.items():
        written = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert written == page(), f"docs/{name} is out of date: make docs"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(
            r"\]\(([^)#]+?)(?:#[^)]*)?\)", FENCE.sub("", page.read_text(encoding="utf-8"))
        ):
            if not link.startswith(("http:", "https:")):
                assert (page.parent / link).exists(), f"{page.name} links to {link}, which does not exist"


def test_every_page_of_the_documentation_is_linked_from_the_readme_or_another_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in text.replace(f"# {page.name}", ""), f"nothing links to {page.name}"
