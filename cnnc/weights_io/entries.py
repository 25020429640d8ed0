"""What every reader of weights gives: names, shapes and types first, numbers when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Entry:
    """A tensor in a file.  `read` gives it as float32 or float64 (or as the integers that it holds)."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], NDArray[Any]]


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, opened and checked as far as it can be without a model.

    `metadata` is what our own files say of themselves; `notes` are for the user.
    """

    path: str
    entries: Mapping[str, Entry]
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
