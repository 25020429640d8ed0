"""What `forward` keeps for `backward`: places in `s`."""

from __future__ import annotations

from collections.abc import Callable

from backends.writer import literal
from compiler.graph import Node, Value


class Kept:
    """The places of values, of shapes, and of what a layer keeps beside its result.

    `weight` is how a weight is written, which need not be kept; `key` the name of a value.  Those in
    `before` are kept in any case, so that their shapes need no place.
    """

    def __init__(
        self,
        weight: Callable[[str], str],
        key: Callable[[Value], str],
        before: frozenset[Value] = frozenset(),
    ) -> None:
        self.values: dict[Value, str] = {}
        self.shapes: dict[Value, str] = {}
        self._weight, self._key, self._before = weight, key, before
        self._extras: dict[tuple[Node, str], str] = {}
        self._keys: set[str] = set()

    def value(self, value: Value) -> str:
        """The value as `backward` reads it; `forward` is told to keep it."""
        if value.weight is not None:
            return self._weight(value.weight)
        if value not in self.values:
            self.values[value] = self._place(self._key(value))
        return self.values[value]

    def shape(self, value: Value) -> str:
        """The shape of a value as `backward` reads it; where the value is not kept, its shape is."""
        if value.weight is not None or value in self.values or value in self._before:
            return f"{self.value(value)}.shape"
        if value not in self.shapes:
            self.shapes[value] = self._place(f"{self._key(value)}.shape")
        return self.shapes[value]

    def extra(self, node: Node, name: str, what: str) -> str:
        """What a layer keeps beside its result; `name` is the layer's."""
        if (node, what) not in self._extras:
            self._extras[node, what] = self._place(f"{name}.{what}")
        return self._extras[node, what]

    def _place(self, wanted: str) -> str:
        """A place under this key, or under one like it where that is taken."""
        key, count = wanted, 1
        while key in self._keys:
            count += 1
            key = f"{wanted}_{count}"
        self._keys.add(key)
        return f"s[{literal(key)}]"
