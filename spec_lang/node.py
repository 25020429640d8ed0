"""What the classes of the AST have in common: frozen, slotted, compared by their fields.

They behave as frozen dataclasses with slots do (and mypy takes them for such), but cost nothing to
define: a dataclass compiles six methods for each class, which for the whole AST takes longer than
the import of everything else that reading a spec needs.
"""

from __future__ import annotations

from typing import Any, NoReturn, dataclass_transform


@dataclass_transform(frozen_default=True)
class NodeType(type):
    """Makes slots of the annotated fields."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> NodeType:
        fields = tuple(namespace.get("__annotations__", ()))
        namespace["__slots__"] = namespace["__match_args__"] = fields
        cls = super().__new__(mcs, name, bases, namespace)
        cls._names = fields
        cls._setters = tuple(cls.__dict__[field].__set__ for field in fields)
        return cls

    _names: tuple[str, ...]
    _setters: tuple[Any, ...]


class Node(metaclass=NodeType):
    """A node of the AST; fields are given in order or by name, all of them."""

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        if named:
            values += tuple(named.pop(name) for name in cls._names[len(values) :] if name in named)
        if named or len(values) != len(cls._setters):
            raise TypeError(f"{cls.__name__} takes {len(cls._setters)} fields")
        for put, value in zip(cls._setters, values):  # noqa: B905  (as long as each other)
            put(self, value)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in type(self)._names)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        pairs = zip(type(self)._names, self._fields(), strict=True)
        shown = ", ".join(f"{name}={value!r}" for name, value in pairs)
        return f"{type(self).__name__}({shown})"

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a node is frozen: {name} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a node is frozen: {name} cannot be deleted")
