"""Frozen dataclasses that cost little to define.

`dataclass(frozen=True)` compiles six methods for each class; for all layers together that takes longer
than everything else between the start of the process and the first line that is read.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[T]) -> type[T]:
    """The class as a frozen dataclass without slots and default factories, its methods shared by all.

    `dataclasses.fields` and `replace` work; what derives from it is decorated with `frozen` too.
    """
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    fields = [one for one in dataclasses.fields(made) if one.init]
    made._frozen = (
        tuple(one.name for one in fields if not one.kw_only),
        {one.name: one.default for one in fields if one.default is not dataclasses.MISSING},
        {one.name for one in fields},
    )
    for method in (__init__, __eq__, __hash__, __repr__, __setattr__, __delattr__):
        if method.__name__ not in made.__dict__:
            setattr(made, method.__name__, method)
    kept: type[T] = made
    return kept


def __init__(self: Any, *values: Any, **named: Any) -> None:
    positional, defaults, names = self._frozen
    given = dict(zip(positional, values, strict=False))
    made = {**defaults, **given, **named}
    if len(values) > len(positional) or made.keys() != names or not given.keys().isdisjoint(named):
        raise TypeError(f"{type(self).__name__} takes the fields {', '.join(sorted(names)) or 'none'}")
    self.__dict__.update(made)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__dataclass_fields__)


def __eq__(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def __hash__(self: Any) -> int:
    return hash(_values(self))


def __repr__(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self))
    return f"{type(self).__name__}({shown})"


def __setattr__(self: Any, name: str, value: Any) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: Any, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
