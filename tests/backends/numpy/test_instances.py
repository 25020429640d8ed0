"""A class that blocks share is told what differs between them, for every layer and argument."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backends.numpy import NumpyBackend
from backends.numpy.emit.module import module_source
from tests.instances import GROUPS, agree, classes, graph_of


@pytest.mark.parametrize("name", GROUPS)
def test_every_instance_computes_what_its_own_arguments_say(name: str) -> None:
    agree(name, NumpyBackend())


def test_classes_are_written_as_they_were_read_and_liked(golden: Callable[[str, str], None]) -> None:
    shown = [f"==== {name}\n{classes(module_source(graph_of(name)))}\n" for name in GROUPS]
    golden("numpy/instances.txt", "\n".join(shown))
