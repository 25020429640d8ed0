"""What is written for models that are hard to write, and for a layer of each kind: as it was read and liked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backends.numpy.emit.module import module_source
from compiler.load import load
from spec_lang.source import Source
from tests.backends.torch.specs import SPECS


@pytest.mark.parametrize("name", ["aux", "hostile", "layers", "many", "shared"])
def test_a_model_is_written_as_it_was_read_and_liked(name: str, golden: Callable[[str, str], None]) -> None:
    source = module_source(load(Source(f"{name}.cnn", SPECS[name])))
    golden(f"numpy/{name}.txt", source.split("# -- kernels", 1)[0])
