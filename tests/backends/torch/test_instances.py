"""A class that blocks share is told what differs between them, for every layer and argument."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backends.torch import TorchBackend
from backends.torch.emit import source_of
from tests.instances import GROUPS, agree, classes, graph_of


@pytest.mark.parametrize("name", GROUPS)
def test_every_instance_computes_what_its_own_arguments_say(name: str) -> None:
    agree(name, TorchBackend())


def test_classes_are_written_as_they_were_read_and_liked(golden: Callable[[str, str], None]) -> None:
    shown = [f"==== {name}\n{classes(source_of(graph_of(name)))}\n" for name in GROUPS]
    golden("torch/instances.txt", "\n".join(shown))
