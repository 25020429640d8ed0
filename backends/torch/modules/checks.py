"""What a forward pass refuses, so that no number is lost or stretched silently."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def check_input(x: Tensor, name: str, shape: tuple[int | None, ...]) -> None:
    """Refuse an input of another shape (without the batch; None is any extent)."""
    fits = x.dim() == len(shape) + 1
    for size, wanted in zip(x.shape[1:], shape, strict=False):
        fits = fits and wanted in (None, size)
    if not fits:
        extents = ", ".join(["N", *("any" if n is None else str(n) for n in shape)])
        raise ValueError(f"the input {name} is {tuple(x.shape)}, not ({extents})")


def check_rows(*inputs: Tensor) -> None:
    """Refuse inputs that differ in their number of rows."""
    rows = [x.shape[0] for x in inputs]
    if any(n != rows[0] for n in rows):
        raise ValueError(f"the inputs differ in their number of rows: {rows}")


def check_extents(name: str, *extents: int) -> None:
    """Refuse inputs that differ in an extent of one name."""
    if any(n != extents[0] for n in extents):
        raise ValueError(f"the inputs differ in {name}: {extents}")


def per_spatial_axis(value: int | tuple[int, ...], x: Tensor) -> tuple[int, ...]:
    """One number per spatial axis."""
    return (value,) * (x.dim() - 2) if isinstance(value, int) else value


def check_exact(
    x: Tensor,
    layer: str,
    extent: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    begin: int | tuple[int, ...] = 0,
    end: int | tuple[int, ...] = 0,
) -> None:
    """Refuse a size at which rows or columns at the end would never be seen."""
    windows = [per_spatial_axis(value, x) for value in (extent, stride, begin, end)]
    for size, k, s, pad, after in zip(x.shape[2:], *windows, strict=True):
        room = size + pad + after - k
        if room < 0 or room % s > after + max(0, s - k):
            why = "is not whole" if room >= 0 else "leaves room for no window"
            raise ValueError(
                f"{layer} does not fit an input of {tuple(x.shape)}: "
                f"({size} - {k} + {pad + after}) / {s} {why}"
            )


def check_fits(
    x: Tensor,
    layer: str,
    extent: int | tuple[int, ...],
    pads: int | tuple[int, ...] = 0,
    overhang: int | tuple[int, ...] = 0,
) -> None:
    """Refuse a size that leaves room for no window.

    `pads` is what both ends get together, `overhang` how much of a window may hang over.
    """
    windows = [per_spatial_axis(value, x) for value in (extent, pads, overhang)]
    for size, k, pad, over in zip(x.shape[2:], *windows, strict=True):
        if size + pad + over < k:
            have = f"its window covers {k} of {size + pad} with the padding"
            raise ValueError(f"{layer} does not fit {tuple(x.shape)}: {have}")


def check_border(
    x: Tensor,
    layer: str,
    pads: int | tuple[int, ...],
    mode: str,
) -> None:
    """Refuse a size with too little to mirror (`reflect`) or to go on with (`circular`)."""
    for size, pad in zip(x.shape[2:], per_spatial_axis(pads, x), strict=True):
        most = size - 1 if mode == "reflect" else size
        if pad > most:
            have = f"`{mode}` has at most {most} to give"
            raise ValueError(f"{layer} pads a size of {size} by {pad}, but {have}")


def check_several(x: Tensor, layer: str, groups: int) -> None:
    """Refuse to normalise numbers one by one."""
    if x[0].numel() // groups < 2:
        each = f"each number of {tuple(x.shape)} by itself"
        raise ValueError(f"{layer} would normalise {each}")


def check_windows(
    x: Tensor,
    layer: str,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    begin: int | tuple[int, ...],
    dilation: int | tuple[int, ...],
) -> None:
    """Refuse a size at which a window of a dilated pool steps over the input."""
    windows = [per_spatial_axis(value, x) for value in (kernel, stride, begin, dilation)]
    for size, k, s, before, step in zip(x.shape[2:], *windows, strict=True):
        for first in range(-before, 0, s):
            if not any(0 <= first + step * t < size for t in range(k)):
                seen = f"sees nothing of {tuple(x.shape)}"
                raise ValueError(f"{layer} has a window that {seen}")


def check_seen(
    x: Tensor,
    layer: str,
    extent: int | tuple[int, ...],
    stride: int | tuple[int, ...],
) -> None:
    """Refuse a size at which a last window would begin behind the input."""
    windows = [per_spatial_axis(value, x) for value in (extent, stride)]
    for size, k, s in zip(x.shape[2:], *windows, strict=True):
        if (size - k + s - 1) // s * s >= size:
            seen = f"sees nothing of {tuple(x.shape)}"
            raise ValueError(f"{layer} has a window that {seen}")


def check_same_size(
    layer: str,
    tensors: Sequence[Tensor],
    dims: tuple[int, ...],
) -> None:
    """Refuse tensors that differ along one of these axes."""
    for dim in dims:
        sizes = [x.shape[dim] for x in tensors]
        if any(size != sizes[0] for size in sizes):
            apart = f"that differ along axis {dim}: {sizes}"
            raise ValueError(f"{layer} joins tensors {apart}")
