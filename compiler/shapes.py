"""Arithmetic of sizes: pure functions from integers to integers, one axis at a time.

Symbols: `size` of the input, `kernel`, `dilation`, `extent` = dilation * (kernel - 1) + 1 (what the
dilated kernel covers), `stride`, `begin` and `end` padding.  What a size of zero or less means
is for the caller to say.
"""

from __future__ import annotations

ROUNDS = ("exact", "floor", "ceil", "caffe")


def cdiv(a: int, b: int) -> int:
    """The ceiling of a / b."""
    return -(-a // b)


def extent(kernel: int, dilation: int) -> int:
    """What a dilated kernel covers: dilation * (kernel - 1) + 1."""
    return dilation * (kernel - 1) + 1


def half_pads(extent: int) -> tuple[int, int]:
    """(extent - 1) // 2 on both sides; an odd kernel of stride 1 keeps the size."""
    return (extent - 1) // 2, (extent - 1) // 2


def same_pads(size: int, extent: int, stride: int, lower: bool = False) -> tuple[int, int]:
    """The pads that give ceil(size / stride); the odd one at the end, or at the begin if `lower`.

    For stride 1 they do not depend on the size.
    """
    total = max((cdiv(size, stride) - 1) * stride + extent - size, 0)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def remainder(size: int, extent: int, stride: int, begin: int = 0, end: int = 0) -> int:
    """How many padded positions the last window leaves over."""
    return (size + begin + end - extent) % stride


def allowed_remainder(extent: int, stride: int, end: int = 0) -> int:
    """The largest remainder that loses no real position that another size would have seen.

    The end padding may be left over, and so may the gap that a stride beyond the kernel leaves.
    """
    return end + max(0, stride - extent)


def fits(size: int, extent: int, stride: int, begin: int = 0, end: int = 0) -> bool:
    """The rule of `round = exact`."""
    return remainder(size, extent, stride, begin, end) <= allowed_remainder(extent, stride, end)


def floor_size(size: int, extent: int, stride: int, begin: int = 0, end: int = 0) -> int:
    """(size + begin + end - extent) // stride + 1.

    >>> floor_size(112, 3, 2), floor_size(224, 7, 2, 3, 3)
    (55, 112)
    """
    return (size + begin + end - extent) // stride + 1


def ceil_size(size: int, extent: int, stride: int, begin: int = 0, end: int = 0) -> int:
    """PyTorch's `ceil_mode`: rounded up, without a last window that starts in the end padding.

    >>> ceil_size(112, 3, 2), ceil_size(9, 4, 4, 2, 2), ceil_size(32, 1, 2)
    (56, 3, 16)
    """
    return _rounded_up(size, extent, stride, begin, end, clip=True)


def caffe_size(
    size: int, extent: int, stride: int, begin: int = 0, end: int = 0, padded: bool | None = None
) -> int:
    """Caffe's pooling: as `ceil_size`, but it clips only if the layer pads (`padded`, on any axis).

    >>> caffe_size(64, 3, 2, 1, 1), caffe_size(32, 1, 2)
    (33, 17)
    """
    clip = begin > 0 or end > 0 if padded is None else padded
    return _rounded_up(size, extent, stride, begin, end, clip)


def _rounded_up(size: int, extent: int, stride: int, begin: int, end: int, clip: bool) -> int:
    down = floor_size(size, extent, stride, begin, end)
    up = cdiv(size + begin + end - extent, stride) + 1
    starts_outside = (up - 1) * stride >= size + begin
    return down if up > down and clip and starts_outside else up


def output_size(
    size: int,
    extent: int,
    stride: int,
    begin: int = 0,
    end: int = 0,
    round: str = "floor",
    padded: bool | None = None,
) -> int:
    """The output size under a rounding mode (`exact` counts as `floor`)."""
    if round == "ceil":
        return ceil_size(size, extent, stride, begin, end)
    if round == "caffe":
        return caffe_size(size, extent, stride, begin, end, padded)
    return floor_size(size, extent, stride, begin, end)


def overhang(size: int, extent: int, stride: int, begin: int, end: int, outputs: int) -> int:
    """How much end padding beyond `end` makes `floor_size` give `outputs`."""
    return max(0, (outputs - 1) * stride + extent - size - begin - end)


def adaptive_window(size: int, outputs: int, position: int) -> tuple[int, int]:
    """Start and stop of an adaptive window: floor(j * size / outputs), ceil((j + 1) * size / outputs)."""
    return position * size // outputs, cdiv((position + 1) * size, outputs)


def adaptive_windows(size: int, outputs: int) -> tuple[tuple[int, int], ...]:
    """All of them, in order."""
    return tuple(adaptive_window(size, outputs, j) for j in range(outputs))


_SEARCHED = 100_000


def blind_window(size: int, kernel: int, dilation: int, stride: int, begin: int, outputs: int) -> int | None:
    """The first window that sees no real position; None if every window sees one.

    A window reads the positions `j * stride - begin + dilation * t` for t below `kernel`.
    """
    if outputs < 1:
        return None
    if (outputs - 1) * stride - begin >= size:
        return max(0, cdiv(size + begin, stride))
    if begin >= extent(kernel, dilation):
        return 0
    if dilation <= size:
        return None  # Whoever begins before the input steps into it, and whoever begins in it sees it.
    for position in range(min(outputs, cdiv(begin, stride), _SEARCHED)):
        start = position * stride - begin
        step = cdiv(-start, dilation)
        if step >= kernel or start + dilation * step >= size:
            return position
    return _SEARCHED if min(outputs, cdiv(begin, stride)) > _SEARCHED else None
