"""Frozen classes behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from spec_lang.frozen import frozen


@frozen
class Ours:
    """A class with a default, and a field that is given by name alone."""

    first: int
    second: tuple[int, ...] = (1, 2)
    third: str = dataclasses.field(kw_only=True, default="x")


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
def test_they_are_made_or_refused_as_dataclasses_are(values, named):
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
    assert dataclasses.replace(one, third="y") == other
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert Derived(1, (2,), 3.0).fourth == 3.0 and Derived.__match_args__ == ("first", "second", "fourth")


def test_they_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ours(1).first = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Ours(1).first
