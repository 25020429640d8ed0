"""Two sequences side by side: what of one corresponds to what of the other, in order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

#: Up to so many pairs of positions the longest common subsequence is found exactly.
EXACT = 1_000_000


def align(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs of positions that hold equal things, rising in both: a longest common subsequence.

    Of long sequences it need not be the longest: there the nearest match is taken each time, so that the
    time is in proportion to their length.
    """
    low, high = 0, min(len(a), len(b))
    while low < high and a[low] == b[low]:
        low += 1
    end = 0
    while end < high - low and a[len(a) - 1 - end] == b[len(b) - 1 - end]:
        end += 1
    inner_a, inner_b = a[low : len(a) - end], b[low : len(b) - end]
    find = _longest if len(inner_a) * len(inner_b) <= EXACT else _nearest
    return [
        *((at, at) for at in range(low)),
        *((low + i, low + j) for i, j in find(inner_a, inner_b)),
        *((len(a) - at, len(b) - at) for at in range(end, 0, -1)),
    ]


def _longest(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """By dynamic programming: lengths[i][j] is that of the rest from a[i] and b[j] on."""
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        here, below = lengths[i], lengths[i + 1]
        for j in reversed(range(len(b))):
            here[j] = below[j + 1] + 1 if a[i] == b[j] else max(below[j], here[j + 1])
    pairs = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _nearest(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """By looking ahead in both, a step at a time, until something has been seen in the other."""
    pairs = []
    i = j = 0
    while i < len(a) and j < len(b):
        seen_a: dict[Hashable, int] = {}
        seen_b: dict[Hashable, int] = {}
        found = None
        ahead = 0
        while found is None and (i + ahead < len(a) or j + ahead < len(b)):
            if i + ahead < len(a):
                seen_a.setdefault(a[i + ahead], i + ahead)
            if j + ahead < len(b):
                seen_b.setdefault(b[j + ahead], j + ahead)
            if i + ahead < len(a) and a[i + ahead] in seen_b:
                found = (i + ahead, seen_b[a[i + ahead]])
            elif j + ahead < len(b) and b[j + ahead] in seen_a:
                found = (seen_a[b[j + ahead]], j + ahead)
            ahead += 1
        if found is None:
            break
        pairs.append(found)
        i, j = found[0] + 1, found[1] + 1
    return pairs
