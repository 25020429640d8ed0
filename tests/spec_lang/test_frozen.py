"""Frozen classes behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from spec_lang.frozen import MANY, field, fields, frozen, frozen_slots, record, replace, unique, unique_slots


@frozen
class Ours:
    """A class with a default, and a field that is given by name alone."""

    first: int
    second: tuple[int, ...] = (1, 2)
    third: str = field(kw_only=True, default="x")


@frozen
class Derived(Ours):
    """One field more."""

    fourth: float = 0.5


@dataclasses.dataclass(frozen=True)
class Theirs:
    """The same, by the standard library."""

    first: int
    second: tuple[int, ...] = (1, 2)
    third: str = dataclasses.field(kw_only=True, default="x")


CALLS = [((1,), {}), ((1, (3,)), {}), ((), {"first": 4, "third": "y"}), ((), {}), ((1, 2, 3), {}),
         ((1,), {"first": 2}), ((1,), {"other": 2}), ((), {"second": (1,), "other": 2})]


@pytest.mark.parametrize(("values", "named"), CALLS, ids=str)
@pytest.mark.parametrize("already", [0, MANY], ids=["few", "many"])
def test_they_are_made_or_refused_as_dataclasses_are(values, named, already):
    for _ in range(already):
        Ours(0)

    def made(cls):
        try:
            return dataclasses.asdict(cls(*values, **named))
        except TypeError:
            return "refused"

    assert made(Ours) == made(Theirs)


def test_they_are_compared_shown_hashed_and_copied_by_their_fields():
    one, same, other = Ours(1), Ours(1, (1, 2)), Ours(1, third="y")
    assert one == same and hash(one) == hash(same) and one != other and one != Derived(1)
    assert repr(one) == repr(Theirs(1)).replace("Theirs", "Ours")
    assert dataclasses.replace(one, third="y") == replace(one, third="y") == other
    with pytest.raises(TypeError):
        replace(one, other=1)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert Derived(1, (2,), 3.0).fourth == 3.0 and Derived.__match_args__ == ("first", "second", "fourth")


def test_they_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ours(1).first = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Ours(1).first


@unique
class Place:
    """Compared by identity, checked when it is made."""

    name: str

    def __post_init__(self):
        if not self.name:
            raise ValueError("a place has a name")


@record
class Pile:
    """Holds a list of its own."""

    name: str = "pile"
    items: list[int] = field(default_factory=list)


@pytest.mark.parametrize("already", [0, MANY], ids=["few", "many"])
def test_a_record_makes_its_own_list_however_many_there_are(already):
    for _ in range(already):
        Pile()
        Place("x")
    one, other, given = Pile("a"), Pile(items=[2]), [3]
    one.items.append(1)
    assert (Pile().items, one.items, other.items, Pile("b", given).items is given) == ([], [1], [2], True)
    with pytest.raises(ValueError, match="has a name"):
        Place("")
    with pytest.raises(TypeError):
        Place()


def test_what_is_unique_is_equal_to_itself_alone():
    one = Place("a")
    assert one == one and one != Place("a") and len({one, Place("a")}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "b"
    with pytest.raises(ValueError, match="has a name"):
        Place("")
    with pytest.raises(ValueError, match="has a name"):
        replace(one, name="")


def test_a_record_can_be_changed_and_shares_nothing():
    one, other = Pile(), Pile("second")
    one.items.append(1)
    one.name = "first"
    assert (one.name, one.items, other.name, other.items) == ("first", [1], "second", [])
    assert dataclasses.replace(one, name="third").items is replace(one, name="third").items is one.items
    assert list(fields(Pile)) == [f.name for f in dataclasses.fields(Pile)] == ["name", "items"]
    assert dataclasses.asdict(one) == {"name": "first", "items": [1]}


@frozen_slots
class Mark:
    """A field that must be given, one with a default, one that is made."""

    name: str
    size: int = 1
    parts: list[int] = field(default_factory=list)

    @property
    def twice(self) -> int:
        return 2 * self.size


@unique_slots
class Spot:
    """Compared by identity, shown in its own way."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_has_slots_is_copied_and_compared_as_what_has_none(protocol):
    one = Mark("a", parts=[1])
    for same in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one, protocol)), replace(one),
                 dataclasses.replace(one), Mark("a", 1, [1])):  # fmt: skip
        assert type(same) is Mark and same == one and same is not one
    assert replace(one, size=2) == dataclasses.replace(one, size=2) == Mark("a", 2, [1]) != one
    assert repr(one) == "Mark(name='a', size=1, parts=[1])" and one.twice == 2
    assert Mark("a").parts == [] and Mark("a").parts is not Mark("a").parts
    assert not hasattr(one, "__dict__") and one != Ours(1)
    for name in ("size", "other"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.size


@pytest.mark.parametrize("given, named", [((), {}), (("a", 1, [], 2), {}), (("a",), {"name": "b"}), (("a",), {"other": 1})])
def test_what_has_slots_takes_its_fields_alone(given, named):
    with pytest.raises(TypeError):
        Mark(*given, **named)
    assert Mark("a").size == 1  # nothing is left of it


def test_what_has_slots_may_be_compared_by_identity_and_keeps_its_own_methods():
    one = Spot("a")
    assert one != Spot("a") and one == one and len({one, Spot("a")}) == 2 and repr(one) == "<a>"
    assert hash(frozen_slots(type("Pair", (), {"__annotations__": {"x": "int"}}))(1)) == hash((1,))


def test_what_has_slots_has_no_base():
    class Base:
        pass

    with pytest.raises(TypeError, match="Heir has slots, and so no base"):

        @unique_slots
        class Heir(Base):
            name: str
