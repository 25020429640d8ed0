"""Classes of fields that cost little to define.

`dataclasses` compiles up to six methods for each class, and its import takes as long as half of ours; for
all layers together that is longer than everything else between the start of the process and the first
line that is read.  What is made here has its methods in common instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast, dataclass_transform

T = TypeVar("T")

#: So many of a kind are made with the common `__init__`; then it is worth to compile one of its own.
MANY = 50

#: What a field has that must be given.
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()


class Field:
    """What `field` says of a field."""

    def __init__(
        self,
        default: Any = REQUIRED,
        default_factory: Callable[[], Any] | None = None,
        kw_only: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.kw_only, self.metadata = kw_only, metadata or {}


def field(
    *,
    default: Any = REQUIRED,
    default_factory: Callable[[], Any] | None = None,
    kw_only: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """A field with more to it than a default, as `dataclasses.field` is; `default_factory` is `record`'s."""
    return Field(default, default_factory, kw_only, metadata)


def fields(cls: type) -> Mapping[str, Field]:
    """The fields of a class that is made here, inherited ones first."""
    found: Mapping[str, Field] = cls._fields  # type: ignore[attr-defined]
    return found


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """The class as a frozen dataclass without slots; its methods are shared by all.

    `dataclasses.fields` and `replace` work; what derives from it is decorated too.
    """
    return _made(cls, (__init__, __eq__, __hash__, __repr__, __setattr__, __delattr__))


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def unique(cls: type[T]) -> type[T]:
    """As `frozen`, but compared by identity."""
    return _made(cls, (__init__, __repr__, __setattr__, __delattr__))


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen_slots(cls: type[T]) -> type[T]:
    """As `frozen`, with slots, for what there are thousands of: made in two thirds of the time, in less room.

    It has no base, and nothing derives from it.
    """
    return _slotted(cls, (__eq__, __hash__, __repr__, __setattr__, __delattr__))


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def unique_slots(cls: type[T]) -> type[T]:
    """As `frozen_slots`, but compared by identity."""
    return _slotted(cls, (__repr__, __setattr__, __delattr__))


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """As `unique`, but its fields can be set."""
    return _made(cls, (__init__, __repr__))


if TYPE_CHECKING:
    from dataclasses import replace as replace
else:

    def replace(one: T, **changes: Any) -> T:
        """The same with other values in some fields."""
        cls = type(one)
        names = cls._fields
        if cls._bare is not None:
            return cls(**{**{name: getattr(one, name) for name in names}, **changes})
        old = one.__dict__
        made = cls.__new__(cls)
        made.__dict__.update({name: old[name] for name in names})
        made.__dict__.update(changes)
        if len(made.__dict__) != len(names):
            raise TypeError(f"{cls.__name__} takes the fields {', '.join(sorted(names)) or 'none'}")
        if cls._post_init is not None:
            made._post_init()
        return made


class _DataclassFields:
    """`__dataclass_fields__`, made when something outside asks for it."""

    def __get__(self, instance: Any, owner: type) -> Any:
        import dataclasses

        fields = []
        for name, one in owner._fields.items():  # type: ignore[attr-defined]
            more: dict[str, Any] = {"kw_only": one.kw_only, "metadata": one.metadata}
            if one.default_factory is not None:
                more["default_factory"] = one.default_factory
            elif one.default is not REQUIRED:
                more["default"] = one.default
            fields.append((name, Any, dataclasses.field(**more)))
        made: Any = dataclasses.make_dataclass(owner.__name__, fields)
        owner.__dataclass_fields__ = made.__dataclass_fields__  # type: ignore[attr-defined]
        return made.__dataclass_fields__


def _made(cls: type[T], methods: tuple[Callable[..., Any], ...]) -> type[T]:
    made: Any = cls
    fields: dict[str, Field] = {}
    for base in reversed(cls.__mro__[1:]):
        fields.update(base.__dict__.get("_fields", ()))
    for name, annotation in cls.__dict__.get("__annotations__", {}).items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        one = cls.__dict__.get(name, REQUIRED)
        if not isinstance(one, Field):
            one = Field(one)
        elif one.default is not REQUIRED:
            setattr(cls, name, one.default)
        elif name in cls.__dict__:
            delattr(cls, name)
        fields[name] = one
    made._fields = fields
    made._positional = tuple(name for name, one in fields.items() if not one.kw_only)
    setattr(cls, "__match_args__", made._positional)  # noqa: B010  (to mypy it is a literal)
    made._defaults = {name: one.default for name, one in fields.items() if one.default is not REQUIRED}
    made._factories = {name: one.default_factory for name, one in fields.items() if one.default_factory}
    made._count = 0
    made._bare = None
    made._post_init = getattr(cls, "__post_init__", None)
    made.__dataclass_fields__ = _DataclassFields()
    for method in methods:
        if method.__name__ not in cls.__dict__:
            setattr(cls, method.__name__, method)
    return cls


def _slotted(cls: type[T], methods: tuple[Callable[..., Any], ...]) -> type[T]:
    """The class with slots: two classes, of which the one without a guard holds the slots.

    What guards a class against assignments slows its own down; so an object is of the other class while its
    fields are set.
    """
    if cls.__bases__ != (object,):
        raise TypeError(f"{cls.__name__} has slots, and so no base")
    own: Any = _made(cls, ())
    kept = {k: v for k, v in cls.__dict__.items() if k not in ("__dict__", "__weakref__", *own._fields)}
    bare = type(f"_Bare{cls.__name__}", (), {"__slots__": tuple(own._fields)})
    made = type(cls.__name__, (bare,), {**kept, "__slots__": (), "_bare": bare, "__init__": _first})
    for method in (*methods, __getstate__, __setstate__):
        if method.__name__ not in kept:
            setattr(made, method.__name__, method)
    return cast("type[T]", made)


def _first(self: Any, *values: Any, **named: Any) -> None:
    """The `__init__` of a class with slots until there is an object: then one is compiled."""
    cls = type(self)
    cls.__init__ = _specialised(cls)
    cls.__init__(self, *values, **named)


_become = object.__dict__["__class__"].__set__


def __getstate__(self: Any) -> tuple[Any, ...]:
    return _values(self)


def __setstate__(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self._fields, state, strict=True):
        object.__setattr__(self, name, value)


def __init__(self: Any, *values: Any, **named: Any) -> None:
    cls = type(self)
    cls._count += 1
    if cls._count == MANY:
        cls.__init__ = _specialised(cls)
        if cls.__dict__.get("__hash__") is __hash__ and cls._fields:
            setattr(cls, "__hash__", eval(f"lambda self: hash((self.{', self.'.join(cls._fields)},))"))  # noqa: B010
    own = self.__dict__
    own.update(zip(self._positional, values))  # noqa: B905  (what is too much is found below)
    own.update(named)
    given = len(own)
    if given != len(self._fields):
        for name, default in self._defaults.items():
            own.setdefault(name, default)
        for name, make in self._factories.items():
            if name not in own:
                own[name] = make()
    if given != len(values) + len(named) or own.keys() != self._fields.keys():
        raise TypeError(f"{cls.__name__} takes the fields {', '.join(sorted(self._fields)) or 'none'}")
    if self._post_init is not None:
        self._post_init()


def _specialised(cls: Any) -> Any:
    """The `__init__` that sets just these fields, in a fifth of the time that the common one takes."""
    plain = [name for name in cls._positional if name not in cls._defaults and name not in cls._factories]
    last = [name for name in cls._positional if name not in plain]
    if (*plain, *last) != cls._positional:
        return __init__
    named = [name for name in cls._fields if name not in cls._positional]
    known: dict[str, Any] = {"REQUIRED": REQUIRED}
    heads, values = ["self"], {}
    for name in [*cls._positional, *(["*"] if named else []), *named]:
        values[name] = name
        if name in cls._factories:
            known[f"make_{name}"] = cls._factories[name]
            heads.append(f"{name}=REQUIRED")
            values[name] += f" if {name} is not REQUIRED else make_{name}()"
        elif name in cls._defaults:
            known[f"default_{name}"] = cls._defaults[name]
            heads.append(f"{name}=default_{name}")
        else:
            heads.append(name)
    values.pop("*", None)
    # Either way the fields are read in half of the time that they take once `__dict__` was filled in singly.
    if cls._bare is not None:
        known.update(become=_become, bare=cls._bare, made=cls)
        lines = [f"    self.{name} = {value}" for name, value in values.items()]
        lines = ["    become(self, bare)", *lines, "    self.__class__ = made"]
    elif cls.__setattr__ is object.__setattr__:
        lines = [f"    self.{name} = {value}" for name, value in values.items()] or ["    pass"]
    else:
        pairs = [f"{name}={value}" for name, value in values.items()]
        lines = [f"    self.__dict__.update({', '.join(pairs)})"]
    if cls._post_init is not None:
        lines.append("    self._post_init()")
    exec(f"def __init__({', '.join(heads)}):\n" + "\n".join(lines), known)
    return known["__init__"]


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self._fields])


def __eq__(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def __hash__(self: Any) -> int:
    return hash(_values(self))


def __repr__(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
    return f"{type(self).__name__}({shown})"


def __setattr__(self: Any, name: str, value: Any) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: Any, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")
