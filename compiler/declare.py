"""Declarations with typed arguments: layers, initialisers, pre-processing steps, train settings.

A declaration is a frozen dataclass whose fields are made with `arg`.  A field says its kind,
default and one line of documentation; binding, error texts, the reference in the docs and the
tests of coverage read them from here.

Values that come in are what the evaluator makes: `int`, `float`, `bool`, `str` (a quoted
string), `Word` (a bare word), `tuple` (sizes, tuples and lists) and `Position` (a tensor, by
its place among the inputs).  Values that are stored are normalised: one number per axis, explicit pads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Self

from compiler.elsewhere import argument_advice
from spec_lang.diagnostics import nearest
from spec_lang.frozen import REQUIRED, field, fields, frozen, frozen_slots


class Word(str):
    """A bare word that chooses: `same`, `floor`, `inverted`."""

    __slots__ = ()


class Position(int):
    """A tensor argument: the position of that tensor among the layer's inputs."""

    __slots__ = ()


class Fault(Exception):
    """Something wrong with a declaration's arguments or inputs, not yet tied to a place.

    `argument` names the argument to point at; without it the whole layer is meant.  `input`
    is the position of an input that is to be shown with its place.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        label: str = "",
        notes: Sequence[str] = (),
        help: Sequence[str] = (),
        argument: str | None = None,
        inputs: Sequence[int] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.label = label
        self.notes = tuple(notes)
        self.help = tuple(help)
        self.argument = argument
        self.inputs = tuple(inputs)


class Faults(Exception):
    """Several faults of one section, each with the place of its item (opaque here)."""

    def __init__(self, faults: Sequence[tuple[Any, Fault]]) -> None:
        super().__init__("; ".join(fault.message for _, fault in faults))
        self.faults = tuple(faults)


class BadValue(Exception):
    """A value that a kind does not take; the message completes `stride: ...`."""


@frozen
class Context:
    """What a kind may need to normalise: the number of spatial axes and of axes (no batch)."""

    spatial: int = 0
    rank: int = 0


def show(value: object) -> str:
    """A value as a person would write it in a spec."""
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (tuple, list)):
        return _show_items(value)
    if value is None:
        return "none"
    if isinstance(value, float):
        return repr(value)
    described = getattr(value, "described", None)
    return str(described) if described is not None else str(value)


def _show_items(values: Sequence[object], most: int = 200) -> str:
    """A list, cut short where it is long: nobody reads on, and a value may hold millions."""
    parts: list[str] = []
    length = 0
    for value in values:
        if length > most:
            parts.append("...")
            break
        parts.append(show(value))
        length += len(parts[-1]) + 2
    return "[" + ", ".join(parts) + "]"


class Kind:
    """What an argument accepts.  `words` are its choices."""

    words: tuple[str, ...] = ()

    def accept(self, value: Any, context: Context) -> Any:
        """The normalised value, or `BadValue`."""
        raise BadValue("nothing is accepted here")

    def describe(self) -> str:
        """For error texts and the reference: `a whole number, at least 1`."""
        raise BadValue("nothing is accepted here")


@frozen
class Int(Kind):
    minimum: int = 1
    maximum: int | None = None

    def describe(self) -> str:
        if self.maximum is not None:
            return f"a whole number from {self.minimum} to {self.maximum}"
        return f"a whole number, at least {self.minimum}"

    def accept(self, value: Any, context: Context) -> int:
        if type(value) is not int:
            raise BadValue(f"{self.describe()}, not {show(value)}")
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            raise BadValue(f"{self.describe()}, not {value}")
        return value


#: Weights and activations are float32 mostly, where a larger number would be infinite.
FLOAT32_LARGEST = 2.0**128 - 2.0**104
#: Smaller ones lose digits, or are zero.
FLOAT32_SMALLEST = 2.0**-126


@frozen
class Real(Kind):
    """A number that float32 can hold; `above` and `below` are excluded bounds."""

    minimum: float = -math.inf
    maximum: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def describe(self) -> str:
        bounds = []
        if self.minimum > -math.inf:
            bounds.append(f"at least {self.minimum:g}")
        if self.above > -math.inf:
            bounds.append(f"above {self.above:g}")
        if self.maximum < math.inf:
            bounds.append(f"at most {self.maximum:g}")
        if self.below < math.inf:
            bounds.append(f"below {self.below:g}")
        return ", ".join(["a number", *bounds])

    def accept(self, value: Any, context: Context) -> float:
        if type(value) not in (int, float):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not abs(number) <= FLOAT32_LARGEST or 0 < abs(number) < FLOAT32_SMALLEST:
            raise BadValue(f"{self.describe()}, that float32 can hold, not {show(value)}")
        if not (self.minimum <= number <= self.maximum and self.above < number < self.below):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        return number


@frozen
class Flag(Kind):
    def describe(self) -> str:
        return "true or false"

    def accept(self, value: Any, context: Context) -> bool:
        if type(value) is not bool:
            raise BadValue(f"true or false, not {show(value)}")
        return value


@frozen
class Choice(Kind):
    words: tuple[str, ...]

    def describe(self) -> str:
        return ", ".join(self.words[:-1]) + (" or " if len(self.words) > 1 else "") + self.words[-1]

    def accept(self, value: Any, context: Context) -> str:
        word = value if isinstance(value, Word) else getattr(value, "bare_word", None)
        if word is None or word not in self.words:
            near = nearest(str(word), self.words) if word is not None else ()
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise BadValue(f"{self.describe()}, not {show(word if word is not None else value)}{hint}")
        return str(word)


@frozen
class AnyOf(Kind):
    """The first kind that takes the value; a word goes to the kind that has words."""

    kinds: tuple[Kind, ...]

    @property
    def words(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(word for kind in self.kinds for word in kind.words)

    def describe(self) -> str:
        return ", or ".join(kind.describe() for kind in self.kinds)

    def accept(self, value: Any, context: Context) -> Any:
        is_word = isinstance(value, Word) or getattr(value, "bare_word", None) is not None
        for kind in self.kinds:
            if is_word != bool(kind.words):
                continue
            try:
                return kind.accept(value, context)
            except BadValue:
                continue
        raise BadValue(f"{self.describe()}, not {show(value)}")


@frozen
class PerAxis(Kind):
    """A whole number, or one per spatial axis; stored as one per spatial axis."""

    minimum: int = 1

    def describe(self) -> str:
        return f"a whole number or one per axis (`3x5`, `(3, 5)`), at least {self.minimum}"

    def accept(self, value: Any, context: Context) -> tuple[int, ...]:
        values = (value,) * context.spatial if type(value) is int else value
        if not isinstance(values, tuple) or any(type(v) is not int for v in values):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        if len(values) != context.spatial:
            axes = "axis" if context.spatial == 1 else "axes"
            batch = "; the batch is no axis of a shape" if len(values) == context.spatial - 1 else ""
            raise BadValue(f"{len(values)} numbers for {context.spatial} spatial {axes}{batch}")
        if any(v < self.minimum for v in values):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        return values


@frozen
class Ints(Kind):
    """A list of whole numbers; `[]` too where `minimum_length` is 0."""

    minimum: int = 0
    minimum_length: int = 1

    def describe(self) -> str:
        return f"a list of whole numbers, each at least {self.minimum}"

    def accept(self, value: Any, context: Context) -> tuple[int, ...]:
        if not isinstance(value, tuple) or any(type(v) is not int or v < self.minimum for v in value):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        if len(value) < self.minimum_length:
            raise BadValue(f"a list of at least {self.minimum_length} whole numbers")
        return value


@frozen
class Reals(Kind):
    """A number, or a list of numbers (one per channel, say); stored as a tuple."""

    above: float = -math.inf

    def describe(self) -> str:
        return "a number or a list of numbers" + (
            f", each above {self.above:g}" if self.above > -math.inf else ""
        )

    def accept(self, value: Any, context: Context) -> tuple[float, ...]:
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise BadValue(f"{self.describe()}, not an empty list")
        one = Real(above=self.above)
        return tuple(one.accept(v, context) for v in values)


@frozen
class Pads(Kind):
    """Padding as it is written; the layer turns it into (begin, end) per axis.

    Accepted: a number, one per axis, a list of (begin, end) per axis, or a word.  A number
    and one per axis come out as pairs already; words come out as they are.
    """

    words: tuple[str, ...] = ("half", "same", "same_lower", "valid")

    def describe(self) -> str:
        return f"a number, one per axis, a (begin, end) per axis, {', '.join(self.words)}"

    def accept(self, value: Any, context: Context) -> str | tuple[tuple[int, int], ...]:
        if isinstance(value, Word) or getattr(value, "bare_word", None) is not None:
            return Choice(self.words).accept(value, context)
        entries = (value,) * context.spatial if type(value) is int else value
        if not isinstance(entries, tuple):
            raise BadValue(f"{self.describe()}, not {show(value)}")
        if len(entries) != context.spatial:
            axes = "axis" if context.spatial == 1 else "axes"
            raise BadValue(f"{len(entries)} entries for {context.spatial} spatial {axes}")
        pairs = []
        for entry in entries:
            pair = (entry, entry) if type(entry) is int else entry
            if (
                not isinstance(pair, tuple)
                or len(pair) != 2
                or any(type(p) is not int or p < 0 for p in pair)
            ):
                raise BadValue(f"{self.describe()}, not {show(value)}")
            pairs.append(pair)
        return tuple(pairs)


@frozen
class Axis(Kind):
    """A named axis, stored as its position without the batch (`channels` is 0)."""

    words: tuple[str, ...] = ("channels", "depth", "height", "width", "last")
    optional: bool = False

    def describe(self) -> str:
        return Choice(self.all_words()).describe()

    def all_words(self) -> tuple[str, ...]:
        return (*self.words, "none") if self.optional else self.words

    def accept(self, value: Any, context: Context) -> int | None:
        word = Choice(self.all_words()).accept(value, context)
        if word == "none":
            return None
        position = {
            "channels": 0,
            "last": context.rank - 1,
            "width": context.rank - 1,
            "height": context.rank - 2,
            "depth": context.rank - 3,
        }[word]
        first = 0 if word in ("channels", "last") else 1
        if position < first or position >= context.rank:
            raise BadValue(f"`{word}`, which a tensor of rank {context.rank} does not have")
        return position


@frozen
class Tensor(Kind):
    """A tensor.  The field stores its position among the node's inputs."""

    def describe(self) -> str:
        return "a tensor"

    def accept(self, value: Any, context: Context) -> int:
        if not isinstance(value, Position):
            raise BadValue(f"a tensor, not {show(value)}")
        return int(value)


@frozen
class Arg:
    """The metadata of one argument."""

    name: str
    kind: Kind
    doc: str
    positional: bool
    required: bool
    default: Any


def arg(kind: Kind, doc: str, *, default: Any = REQUIRED, positional: bool = False) -> Any:
    """A field of a declaration.  Arguments before the bar of the reference are `positional`.

    `default` is written as in a spec (`1`, `Word("half")`), before normalisation; None means
    that the argument may be left out and is then None.
    """
    metadata = {"kind": kind, "doc": doc, "positional": positional}
    return field(metadata=metadata, default=default, kw_only=True)


@frozen_slots
class Given:
    """An argument as it was given: its name (or None), its value, and where (opaque here)."""

    name: str | None
    value: Any
    place: Any = None


@frozen
class Called:
    """A declared name with its arguments, not bound yet: `sgd(lr = 0.02)`, `he(normal)`, `zeros`."""

    name: str
    given: tuple[Given, ...] = ()
    place: Any = None

    @property
    def described(self) -> str:
        parts = [f"{g.name} = {show(g.value)}" if g.name else show(g.value) for g in self.given]
        return f"{self.name}({', '.join(parts)})" if parts else self.name

    @property
    def bare_word(self) -> str | None:
        """The name, where it may just as well have been meant as a choice (`metrics = accuracy`)."""
        return None if self.given else self.name


class Declared:
    """The base of everything that is declared with arguments."""

    name: ClassVar[str]
    what: ClassVar[str] = "layer"
    #: The argument that is named last, wherever its field stands.
    last: ClassVar[str] = ""

    @classmethod
    @cache
    def args(cls) -> tuple[Arg, ...]:
        """The arguments in order, positional ones first."""
        found = [
            Arg(
                name,
                f.metadata["kind"],
                f.metadata["doc"],
                f.metadata["positional"],
                f.default is REQUIRED,
                None if f.default is REQUIRED else f.default,
            )
            for name, f in fields(cls).items()
            if "kind" in f.metadata
        ]
        return tuple(sorted(found, key=lambda a: (not a.positional, a.name == cls.last)))

    @classmethod
    def signature(cls) -> str:
        """`conv(filters, kernel, stride = 1, ...)`, for messages."""
        parts = [a.name if a.required else f"{a.name} = {show(a.default)}" for a in cls.args()]
        return f"{cls.name}({', '.join(parts)})"

    @classmethod
    def match(cls, given: Sequence[Given]) -> dict[str, Any]:
        """Argument name -> value as given, for what was given.  Faults E310, E311, E314, E315."""
        by_name = {a.name: a for a in cls.args()}
        positional = [a.name for a in cls.args() if a.positional]
        values: dict[str, Any] = {}
        count = 0
        for one in given:
            name = one.name
            if name is None:
                if count == len(positional):
                    raise cls.too_many(given, positional) or cls._misplaced(given, positional)
                name = positional[count]
                count += 1
            if name not in by_name:
                raise Fault(
                    "E310",
                    f"{cls.name} has no argument `{name}`",
                    argument=name,
                    notes=(f"signature: {cls.signature()}",),
                    help=argument_advice(cls.name, name, by_name),
                )
            if name in values:
                raise Fault("E315", f"{cls.name}: `{name}` is given twice", argument=name)
            values[name] = one.value
        return values

    @classmethod
    def too_many(cls, given: Sequence[Given], positional: Sequence[str]) -> Fault | None:
        """A better fault for a habit, such as `conv(64, 3, 3)`; None for the general one."""
        return None

    @classmethod
    def _misplaced(cls, given: Sequence[Given], positional: Sequence[str]) -> Fault:
        """E314: more arguments by position than there are places."""
        wanted = ", ".join(positional) or "no arguments"
        values = [one.value for one in given if one.name is None]
        kinds = {a.name: a.kind for a in cls.args()}
        help: tuple[str, ...] = ()
        if all(type(v) is int for v in values) and positional and isinstance(kinds[positional[-1]], PerAxis):
            size = "x".join(map(str, values[len(positional) - 1 :]))
            first = "".join(f"{v}, " for v in values[: len(positional) - 1])
            help = (f"a size is one word: `{cls.name}({first}{size})`",)
        elif "frozen" in kinds and type(values[len(positional)]) is int:
            help = ("what comes in is known from the flow, and is not written",)
        return Fault(
            "E314",
            f"{cls.name} takes {wanted} by position; the rest are given by name",
            notes=(f"signature: {cls.signature()}",),
            help=help,
            argument=f"#{len(positional)}",
        )

    @classmethod
    def missing(cls, argument: Arg) -> Fault:
        return Fault(
            "E311",
            f"{cls.name} needs `{argument.name}`: {argument.doc}",
            notes=(f"signature: {cls.signature()}",),
        )

    @classmethod
    def normalised(cls, values: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Every argument's stored value, defaults filled in.  Faults E311, E312."""
        stored: dict[str, Any] = {}
        for a in cls.args():
            if a.name in values:
                value = values[a.name]
            elif a.required:
                raise cls.missing(a)
            elif a.default is None:
                stored[a.name] = None
                continue
            else:
                value = a.default
            absent = value is None or (value == "none" and isinstance(value, Word))
            if absent and a.default is None and not a.required:
                stored[a.name] = None
                continue
            try:
                stored[a.name] = a.kind.accept(value, context)
            except BadValue as bad:
                quoted = type(value) is str and value in words_of([cls])
                help = (f"words stand without quotes: `{a.name} = {value}`",) if quoted else ()
                raise Fault("E312", f"{cls.name}: `{a.name}` is {bad}", argument=a.name, help=help) from None
        return stored

    @classmethod
    def bind(cls, given: Sequence[Given], context: Context = Context()) -> Self:
        """The declaration with these arguments, checked and normalised."""
        return cls(**cls.normalised(cls.match(given), context))


@frozen
class OneOf(Kind):
    """A declaration out of a table: `adam`, `adam(lr = 1e-3)`; stored bound.

    Not `words`: a bare word that is meant for a declaration is no choice of any layer.
    """

    table: Mapping[str, type[Declared]]

    def describe(self) -> str:
        return Choice(tuple(self.table)).describe()

    def accept(self, value: Any, context: Context) -> Declared:
        """The bound declaration.  `BadValue` for another name, `Fault` for its arguments."""
        if type(value) in self.table.values():
            return value  # type: ignore[no-any-return]
        word = value if isinstance(value, Word) else getattr(value, "bare_word", None) or ""
        called = value if isinstance(value, Called) else Called(str(word))
        if called.name not in self.table:
            near = nearest(called.name, self.table)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise BadValue(f"{self.describe()}, not {show(value)}{hint}")
        return self.table[called.name].bind(called.given, context)


def words_of(declarations: Sequence[type[Declared]]) -> frozenset[str]:
    """Every choice that any of the declarations knows."""
    return frozenset(
        w
        for d in declarations
        for a in d.args()
        for w in (a.kind.all_words() if isinstance(a.kind, Axis) else a.kind.words)
    )
