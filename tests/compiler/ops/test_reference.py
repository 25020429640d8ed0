"""The layer reference: it is fresh, and says everything that a declaration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.ops import FAMILIES, OPS
from compiler.ops.base import Op, WeightedOp
from compiler.ops.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "layers.md"


def test_the_page_is_what_the_declarations_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m compiler.ops.reference > docs/layers.md"
    )


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_every_layer_has_a_section_with_all_that_it_takes(op: type[Op]) -> None:
    section = reference().split(f"\n### `{op.name}`\n")[1].split("\n### ")[0]
    assert f"`{op.signature()}`" in section
    for a in op.args():
        assert a.name == "frozen" or f"| `{a.name}`" in section
        assert a.doc and not a.doc.endswith(".")
    assert "PyTorch" in section and "ONNX" in section


def test_names_are_unique_and_families_are_whole() -> None:
    listed = [op for layers in FAMILIES.values() for op in layers]
    assert len(listed) == len(OPS) == len({op.name for op in listed})
    assert all(OPS[op.name] is op for op in listed)


def test_every_layer_with_weights_can_be_frozen() -> None:
    assert {op.name for op in OPS.values() if any(a.name == "frozen" for a in op.args())} == {
        op.name for op in OPS.values() if issubclass(op, WeightedOp)
    }
    assert all(op.args()[-1].name == "frozen" for op in OPS.values() if op.weighted)
