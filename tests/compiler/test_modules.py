"""Imports: what is found, what is refused, how far they may go."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from compiler.load import check, load
from spec_lang.diagnostics import SpecError
from spec_lang.limits import DEFAULT_LIMITS
from spec_lang.source import Source

MODEL = "model m {\n    input x: [3, 8, 8]\n    A\n}\n"


@pytest.fixture
def folder(tmp_path):
    """A function that writes files into a folder of its own and gives the path of the first."""
    root = tmp_path / "root"

    def write(**files: str):
        for name, text in files.items():
            path = root / (name.replace("__", "/") + ".cnn")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root / (next(iter(files)).replace("__", "/") + ".cnn")

    return write


def found(path, **options) -> list[tuple[str, str, int, int]]:
    """(code, file, line, column) of everything that a check finds."""
    return [(d.code, d.span.source.name.rpartition("/")[2], d.span.line, d.span.column) if d.span else (d.code, d.place, 0, 0)
            for d in check(path, **options)]


def shape(path) -> tuple[int, ...]:
    assert check(path) == []
    return list(load(path).outputs.values())[0].shape


def test_an_import_brings_blocks_constants_and_functions(folder):
    path = folder(main='import "parts.cnn" (A, width, f)\nblock B { A -> conv(f(width), 1x1) }\n' + MODEL.replace("    A", "    B"),
                  parts="let width = 5\nlet f(n) = 2 * n\nblock A { conv(width, 1x1) }\n")
    assert shape(path) == (10, 8, 8)


def test_an_imported_block_sees_its_own_file_alone(folder):
    path = folder(main='import "parts.cnn" (A)\nlet breadth = 7\n' + MODEL, parts="let breadth = 5\nblock Helper { conv(breadth, 1x1) }\nblock A { Helper }\n")
    assert shape(path) == (5, 8, 8)
    path = folder(main='import "parts.cnn" (A)\nlet breadth = 7\n' + MODEL, parts="block A { conv(breadth, 1x1) }\n")
    assert found(path) == [("E201", "parts.cnn", 1, 16)]


def test_imports_are_relative_to_their_own_file(folder):
    path = folder(main='import "sub/a.cnn" (A)\n' + MODEL, sub__a='import "b.cnn" (B)\nimport "../c.cnn" (C)\nblock A { B -> C }\n', sub__b="block B { relu }\n", c="block C { conv(6, 1x1) }\n")
    assert shape(path) == (6, 8, 8)


def test_imports_may_be_handed_on(folder):
    path = folder(main='import "a.cnn" (A)\n' + MODEL, a='import "b.cnn" (A)\n', b="block A { conv(6, 1x1) }\n")
    assert shape(path) == (6, 8, 8)


def test_variants_reach_across_files(folder):
    path = folder(main='import "family.cnn" (Family, some)\nmodel mine = some(k = 5x5)\nmodel other = Family(9)\n',
                  family='import "widths.cnn" (narrow)\nmodel Family(n, k = 3x3) {\n    input x: [3, 8, 8]\n    conv(n, k, pad = half)\n}\nmodel some = Family(narrow)\ntrain Family {\n    epochs = narrow\n}\n',
                  widths="let narrow = 4\n")
    assert load(f"{path}:mine").outputs["output"].shape == (4, 8, 8)
    assert load(f"{path}:mine").weights["conv1.weight"].shape == (4, 3, 5, 5)
    assert load(f"{path}:other").settings.epochs == 4
    assert load(f"{path}:some").arguments["n"] == 4
    assert check(path) == []


def test_shipped_specs_can_be_imported(folder):
    path = folder(main='import "classification/vgg.cnn" (VGG)\nmodel tiny = VGG([1, 1, 1, 1, 1], classes = 3)\n')
    assert load(path).outputs["out"].shape == (3,)
    text = Source("text", 'import "classification/vgg.cnn" (VGG)\nmodel tiny = VGG([1, 1, 1, 1, 1], classes = 3)\n')
    assert load(text).outputs["out"].shape == (3,)


def test_a_file_beside_wins_over_a_shipped_one(folder):
    path = folder(main='import "classification/vgg.cnn" (A)\n' + MODEL, classification__vgg="block A { conv(6, 1x1) }\n")
    assert shape(path) == (6, 8, 8)


def test_one_file_imported_twice_is_read_once(folder):
    path = folder(main='import "a.cnn" (A)\nimport "b.cnn" (B)\n' + MODEL.replace("    A", "    A -> B"), a='import "c.cnn" (C)\nblock A { C }\n', b='import "c.cnn" (C)\nblock B { C }\n', c="block C { conv(4, 1x1) }\n")
    assert shape(path) == (4, 8, 8)
    assert found(path, limits=replace(DEFAULT_LIMITS, imported_files=3)) == []


# what it shows, first line of the main file, codes with columns on line 1
REFUSED = [
    ("a file that is not there", 'import "none.cnn" (A)', "E217", 8),
    ("an absolute path", 'import "/etc/passwd" (A)', "E217", 8),
    ("a path out of the folder", 'import "../outside.cnn" (A)', "E217", 8),
    ("a path out of the folder and in again", 'import "../../../../../../etc/hosts.cnn" (A)', "E217", 8),
    ("a link that leads out", 'import "link.cnn" (A)', "E217", 8),
    ("a folder that is a link out", 'import "links/outside.cnn" (A)', "E217", 8),
    ("a folder", 'import "folder.cnn" (A)', "E217", 8),
    ("a fifo", 'import "fifo.cnn" (A)', "E217", 8),
    ("a name that is no spec", 'import "text.txt" (A)', "E217", 8),
    ("an empty name", 'import "" (A)', "E217", 8),
    ("a name that is not defined there", 'import "parts.cnn" (A, §Bb)', "E219", 24),
    ("itself", 'import "main.cnn" (A)', "E218", 8),
    ("a circle", 'import "circle.cnn" (A)', "E218", None),
    ("a name that is taken", 'import "parts.cnn" (A, §m)', "E226", 24),
    ("a name twice", 'import "parts.cnn" (A, §A)', "E226", 24),
    ("a file that is not text", 'import "bytes.cnn" (A)', "E101", None),
    ("a file with errors of its own", 'import "broken.cnn" (A)', "E1", None),
]


@pytest.mark.parametrize("line, code, column", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_imports_that_are_refused_once(folder, tmp_path, line, code, column):
    path = folder(main=line.replace("§", "") + "\n" + MODEL, parts="block A { relu }\nlet m = 3\n", circle='import "main.cnn" (m)\nblock A { relu }\n', broken="block A {{ relu }\n")
    root = path.parent
    (tmp_path / "outside.cnn").write_text("block A { relu }\n")
    (root / "link.cnn").symlink_to(tmp_path / "outside.cnn")
    (root / "links").symlink_to(tmp_path)
    (root / "folder.cnn").mkdir()
    (root / "bytes.cnn").write_bytes(b"block A { \xff }\n")
    (root / "text.txt").write_text("block A { relu }\n")
    os.mkfifo(root / "fifo.cnn")
    got = [one for one in found(path) if not one[0].startswith("W")]
    if code == "E226" and ", m" in line.replace("§", ""):
        assert [one[0] for one in got] == ["E226"]
    elif code == "E1":
        assert got and all(one[0].startswith("E1") and one[1] == "broken.cnn" for one in got)
    else:
        assert [one[0] for one in got] == [code]
    if column is not None:
        assert got[0][1:] == ("main.cnn", 1, column)
    with pytest.raises(SpecError):
        load(path)


def test_a_link_within_the_folder_is_fine(folder):
    path = folder(main='import "link.cnn" (A)\n' + MODEL, real__a="block A { conv(4, 1x1) }\n")
    (path.parent / "link.cnn").symlink_to(path.parent / "real" / "a.cnn")
    assert shape(path) == (4, 8, 8)


def test_a_failed_import_silences_what_uses_its_names(folder):
    path = folder(main='import "none.cnn" (A, n, f, M)\nmodel m {\n    input x: [n, 8, 8]\n    A(n) -> conv(f(n), 1x1)\n    shared h: A\n    h -> h\n}\nmodel v = M(3)\nmodel w = v(n)\n')
    assert [one[0] for one in found(path)] == ["E217"]
    with pytest.raises(SpecError) as caught:
        load(f"{path}:w")
    assert [d.code for d in caught.value.diagnostics] == ["E217"]


def test_a_mistake_in_an_imported_block_is_told_where_it_is(folder):
    path = folder(main='import "parts.cnn" (A)\n' + MODEL, parts="let n = 3\nblock A {\n    conv(n, 99x99)\n}\n")
    ((code, file, line, column),) = found(path)
    assert (file, line, column) == ("parts.cnn", 3, 5)
    (diagnostic,) = check(path)
    assert diagnostic.notes[-1].startswith("in `A`, applied on line 4 of") and diagnostic.notes[-1].endswith("main.cnn")


def test_a_comment_silences_a_warning_in_an_imported_file_too(folder):
    warned = "block A(pad = 0) {\n    conv(4, 1x1, pad = pad)\n}\n"
    path = folder(main='import "parts.cnn" (A)\n' + MODEL, parts=warned)
    assert found(path) == [("W201", "parts.cnn", 1, 9)]
    path = folder(main='import "parts.cnn" (A)\n' + MODEL, parts=warned.replace("{\n", "{    # allow W201\n", 1))
    assert found(path) == []


def test_the_number_of_files_is_bounded(folder):
    names = [f"f{i}" for i in range(9)]
    files = {name: f"block {name.upper()} {{ relu }}\n" for name in names}
    main = "".join(f'import "{name}.cnn" ({name.upper()})\n' for name in names) + MODEL.replace("    A", "    F0")
    path = folder(main=main, **files)
    assert found(path, limits=replace(DEFAULT_LIMITS, imported_files=9)) == []
    assert found(path, limits=replace(DEFAULT_LIMITS, imported_files=8)) == [("E416", "main.cnn", 9, 8)]


def test_the_depth_of_imports_is_bounded(folder):
    files = {f"f{i}": f'import "f{i + 1}.cnn" (A)\n' for i in range(5)} | {"f5": "block A { conv(4, 1x1) }\n"}
    path = folder(main='import "f0.cnn" (A)\n' + MODEL, **files)
    assert found(path, limits=replace(DEFAULT_LIMITS, import_depth=6)) == []
    assert [one[0] for one in found(path, limits=replace(DEFAULT_LIMITS, import_depth=5))] == ["E417"]


def test_an_import_beyond_the_size_of_a_file_is_refused(folder):
    path = folder(main='import "big.cnn" (A)\n' + MODEL, big="# " + "x" * 300_000 + "\nblock A { relu }\n")
    assert found(path) == [("E401", "main.cnn", 1, 8)]


def test_the_first_file_may_be_a_link(folder, tmp_path):
    path = folder(main='import "parts.cnn" (A)\n' + MODEL, parts="block A { conv(4, 1x1) }\n")
    link = tmp_path / "elsewhere.cnn"
    link.symlink_to(path)
    assert shape(link) == (4, 8, 8)
