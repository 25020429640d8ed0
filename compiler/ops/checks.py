"""What the layers' checks have in common: ranks, free extents, and how sizes are said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from compiler.declare import Fault
from compiler.ops.base import TensorType

#: Rank (without the batch) -> how such a tensor is written.
FORMS = {0: "[]", 1: "[C]", 2: "[C, W]", 3: "[C, H, W]", 4: "[C, D, H, W]"}


def axis_name(rank: int, axis: int) -> str:
    """`channels`, `depth`, `height` or `width`, as the language names the axes."""
    if axis == 0:
        return "channels"
    from_the_end = rank - 1 - axis
    return ("width", "height", "depth")[from_the_end] if from_the_end < 3 else f"axis {axis}"


def plural(count: int, thing: str, things: str = "") -> str:
    """`1 channel`, `3 channels`."""
    return f"{count} {thing if count == 1 else things or thing + 's'}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def article(number: int) -> str:
    """`a` or `an`, as the number is read aloud: an 8, an 11, an 18, an 80."""
    text = str(number)
    return "an" if text[0] == "8" or (text[:2] in ("11", "18") and len(text) % 3 == 2) else "a"


def by_sizes(sizes: Sequence[int]) -> str:
    """Sizes as a spec writes them: `3x5`; a single axis is a number."""
    return "x".join(map(str, sizes))


def as_tuple(values: Sequence[object]) -> str:
    """One value where all agree, else a tuple: `2`, `(1, 2)`."""
    if all(v == values[0] for v in values):
        return str(values[0])
    return f"({', '.join(map(str, values))})"


def need_rank(layer: str, x: TensorType, low: int, high: int | None, help: Sequence[str] = ()) -> None:
    """E308 unless low <= rank <= high."""
    if x.rank < low or (high is not None and x.rank > high):
        forms = (
            [FORMS[r] for r in range(low, high + 1)] if high is not None else [f"{FORMS[low]} or more axes"]
        )
        raise Fault(
            "E308",
            f"{layer} takes {listed(forms, 'or')}, and its input {x} has {plural(x.rank, 'axis', 'axes')}",
            label=f"the input is {x} here",
            help=help,
            inputs=(0,),
        )


def need_fixed(
    layer: str,
    x: TensorType,
    axes: Sequence[int],
    why: str,
    help: Sequence[str] = (),
    argument: str | None = None,
) -> None:
    """E309 if one of these axes is free; `why` completes "..., but ...": "its weights depend on it"."""
    free = [axis for axis in axes if x.free[axis]]
    if not free:
        return
    names = listed([axis_name(x.rank, axis) if x.rank > 1 else "size" for axis in free])
    single = len(free) == 1 and names != "channels"
    raise Fault(
        "E309",
        f"{layer}: the {names} of its input {x} {'is' if single else 'are'} free, "
        f"but {why.format(it='it' if single else 'them')}",
        label=f"the {names} {'is read as a number' if single else 'are read as numbers'} here",
        help=help,
        argument=argument,
        inputs=(0,),
    )


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`, found in the square root of it."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return max(d for one in small for d in (one, number // one) if d <= most)


def channels(layer: str, x: TensorType) -> int:
    """The number of channels, for a layer with something per channel.  E308, E309."""
    need_rank(layer, x, 1, None)
    need_fixed(layer, x, (0,), "the weights depend on {it}")
    return x.shape[0]
