"""Two sequences side by side."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

from compiler import align as module
from compiler.align import align


def longest(a: str, b: str) -> int:
    """The length of a longest common subsequence, from its definition."""

    @cache
    def of(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        return max(of(i + 1, j), of(i, j + 1), (a[i] == b[j]) + of(i + 1, j + 1) if a[i] == b[j] else 0)

    return of(0, 0)


def check(a: str, b: str) -> list[tuple[int, int]]:
    pairs = align(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in zip(pairs, pairs[1:], strict=False))
    return pairs


@pytest.mark.parametrize("seed", range(60))
def test_it_is_a_longest_common_subsequence(seed: int) -> None:
    rng = Random(seed)
    a, b = ("".join(rng.choice("abcd"[: rng.randint(1, 4)]) for _ in range(rng.randint(0, 14))) for _ in "ab")
    assert len(check(a, b)) == longest(a, b)


@pytest.mark.parametrize("seed", range(30))
def test_a_long_one_need_not_be_the_longest_but_is_common(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT", 0)
    rng = Random(seed)
    a = "".join(rng.choice("abcdefgh") for _ in range(60))
    b = "".join(c for c in a if rng.random() > 0.1)
    assert len(check(a, b)) >= 0.8 * len(b)
    assert check("", a) == [] and check("abc", "xyz") == []


def test_what_is_long_is_looked_at_a_few_times() -> None:
    class Counted(list):  # type: ignore[type-arg]
        looks = 0

        def __getitem__(self, at):  # type: ignore[no-untyped-def]
            Counted.looks += 1
            got = super().__getitem__(at)
            return Counted(got) if isinstance(at, slice) else got

    size = 20_000
    rng = Random(1)
    a = Counted([rng.randrange(5) for _ in range(size)])
    b = Counted([9, *(x for at, x in enumerate(a) if at % 50), 8])
    pairs = align(a, b)
    assert len(pairs) > 0.7 * size and Counted.looks < 20 * size
    Counted.looks = 0
    assert align(Counted([1] * size), Counted([2] * size)) == [] and Counted.looks < 20 * size
