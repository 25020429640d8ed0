"""What a forward pass refuses, so that no number is lost or stretched silently."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def check_input(x: Tensor, name: str, shape: tuple[int | None, ...]) -> None:
    """Refuse an input of another shape (without the batch; None is any extent)."""
    fits = x.dim() == len(shape) + 1 and all(
        wanted is None or size == wanted for size, wanted in zip(x.shape[1:], shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(["N", *("any" if n is None else str(n) for n in shape)])
        raise ValueError(f"the input {name} is {tuple(x.shape)}, not ({wanted})")


def check_rows(*inputs: Tensor) -> None:
    """Refuse inputs that differ in their number of rows."""
    rows = [x.shape[0] for x in inputs]
    if any(n != rows[0] for n in rows):
        raise ValueError(f"the inputs differ in their number of rows: {rows}")


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
        remainder = (size + pad + after - k) % s
        if size + pad + after < k or remainder > after + max(0, s - k):
            raise ValueError(
                f"{layer} does not fit an input of {tuple(x.shape)}: "
                f"({size} - {k} + {pad + after}) / {s} is not whole"
            )


def check_seen(
    x: Tensor, layer: str, extent: int | tuple[int, ...], stride: int | tuple[int, ...]
) -> None:
    """Refuse a size at which a last window would begin behind the input."""
    windows = [per_spatial_axis(value, x) for value in (extent, stride)]
    for size, k, s in zip(x.shape[2:], *windows, strict=True):
        if (size - k + s - 1) // s * s >= size:
            raise ValueError(f"{layer} has a window that sees nothing of {tuple(x.shape)}")


def check_same_size(layer: str, tensors: Sequence[Tensor], dims: tuple[int, ...]) -> None:
    """Refuse tensors that differ along one of these axes."""
    for dim in dims:
        sizes = [x.shape[dim] for x in tensors]
        if any(size != sizes[0] for size in sizes):
            raise ValueError(f"{layer} joins tensors that differ along axis {dim}: {sizes}")
