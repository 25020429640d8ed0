"""What convolution and pooling share: a window that slides over the spatial axes.

Pads written as words become explicit (begin, end) pairs here, and the checks of sizes with the
fixes that they offer live here.  `shapes.py` has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compiler import shapes
from compiler.declare import Fault
from compiler.ops.base import Op, TensorType, Window
from compiler.ops.checks import article, as_tuple, axis_name, by_sizes, listed, need_fixed, need_rank

_PIECES = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}


class Sliding(Op):
    """A layer with a window: kernel, stride and pads per spatial axis, `round` as it was written."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[tuple[int, int], ...]
    round: str

    @property
    def dilations(self) -> tuple[int, ...]:
        """The dilation per spatial axis, 1 for layers without one."""
        stored: tuple[int, ...] = getattr(self, "dilation", (1,) * len(self.kernel))
        return stored

    @property
    def extents(self) -> tuple[int, ...]:
        """What the dilated kernel covers, per spatial axis."""
        return tuple(map(shapes.extent, self.kernel, self.dilations))

    @classmethod
    def check_inputs(cls, inputs: Sequence[TensorType]) -> None:
        help = ("`reshape` makes a feature map of a vector",) if inputs[0].rank < 2 else ()
        need_rank(cls.name, inputs[0], 2, 4, help=help)

    @classmethod
    def prepare(cls, stored: dict[str, Any], inputs: Sequence[TensorType]) -> dict[str, Any]:
        if stored["stride"] is None:
            stored["stride"] = stored["kernel"]
        if isinstance(stored["pad"], str):
            stored["pad"] = cls._explicit(stored["pad"], stored, inputs[0])
        return stored

    @classmethod
    def _explicit(cls, word: str, stored: dict[str, Any], x: TensorType) -> tuple[tuple[int, int], ...]:
        kernel, stride = stored["kernel"], stored["stride"]
        extents = tuple(map(shapes.extent, kernel, stored.get("dilation", (1,) * len(kernel))))
        if word == "valid":
            return ((0, 0),) * len(kernel)
        if word == "half":
            return tuple(map(shapes.half_pads, extents))
        strided = [1 + i for i, s in enumerate(stride) if s > 1]
        need_fixed(
            cls.name,
            x,
            strided,
            f"the pads of `{word}` with a stride depend on {{it}}",
            argument="pad",
            help=("`pad = half` pads the same at every size",),
        )
        return tuple(
            shapes.same_pads(i, k, s, word == "same_lower")
            for i, k, s in zip(x.spatial, extents, stride, strict=True)
        )

    def output_sizes(self, x: TensorType) -> tuple[int, ...]:
        """The spatial sizes of the result, unchecked."""
        padded = any(map(any, self.pad))
        return tuple(
            shapes.output_size(i, k, s, begin, end, self.round, padded)
            for i, k, s, (begin, end) in zip(x.spatial, self.extents, self.stride, self.pad, strict=True)
        )

    def overhang(self, x: TensorType) -> tuple[int, ...]:
        """The end padding per axis, beyond `pad`, that makes `floor` of `ceil` and `caffe`; 0 where none."""
        return tuple(
            shapes.overhang(i, k, s, begin, end, o)
            for i, k, s, (begin, end), o in zip(
                x.spatial, self.extents, self.stride, self.pad, self.output_sizes(x), strict=True
            )
        )

    def lowered_pads(self, x: TensorType) -> tuple[tuple[int, int], ...]:
        """`pad` with the overhang added at the ends: with these, `floor` gives the same size."""
        return tuple(
            (begin, end + more) for (begin, end), more in zip(self.pad, self.overhang(x), strict=True)
        )

    def window(self, inputs: Sequence[TensorType]) -> Window:
        return Window(self.extents, self.stride, tuple(begin for begin, _ in self.pad))

    def slide(self, x: TensorType) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """Sizes of the result and whether they are free.  E301 and E302 where the window does not fit."""
        outputs = self.output_sizes(x)
        if any(o < 1 for o in outputs):
            raise self._empty(x, outputs)
        if self.round == "exact":
            self._check_exact(x)
        return outputs, x.free[1:]

    def _formula(self, x: TensorType, axis: int) -> str:
        size, k, s = x.spatial[axis], self.extents[axis], self.stride[axis]
        total = sum(self.pad[axis])
        value = f"{(size - k + total) / s + 1:.3f}".rstrip("0").rstrip(".")
        return f"({size} - {k} + {total}) / {s} + 1 = {value}"

    def _formulas(self, x: TensorType, axes: Sequence[int]) -> str:
        """The formula of these axes: once if they agree, else each with its axis."""
        texts = {self._formula(x, axis) for axis in axes}
        if len(texts) == 1 and len(axes) == len(self.kernel):
            return texts.pop()
        return ", ".join(f"{axis_name(x.rank, axis + 1)} {self._formula(x, axis)}" for axis in axes)

    def _empty(self, x: TensorType, outputs: Sequence[int]) -> Fault:
        bad = [axis for axis, o in enumerate(outputs) if o < 1]
        totals = [sum(pair) for pair in self.pad]
        padded = [i + total for i, total in zip(x.spatial, totals, strict=True)]
        need = [
            max(shapes.cdiv(k - i, 2), *pair)
            for i, k, pair in zip(x.spatial, self.extents, self.pad, strict=True)
        ]
        most = [self.most_pad(axis, x) for axis in range(len(self.kernel))]
        fixes = []
        if all(m is None or n <= m for n, m in zip(need, most, strict=True)):
            fixes.append(f"`pad = {as_tuple(need)}`")
        largest = [min(k, size) for k, size in zip(self.extents, padded, strict=True)]
        smallest = [max(1, k - total) for k, total in zip(self.extents, totals, strict=True)]
        fixes.append(f"a kernel that covers at most {by_sizes(largest)}")
        fixes.append(f"an input of at least {by_sizes(smallest)}")
        return Fault(
            "E302",
            f"{self.name} has an empty result: {self._formulas(x, bad)}",
            label=f"the kernel covers {by_sizes(self.extents)}, its padded input is {by_sizes(padded)}",
            help=(f"{listed(fixes, 'or')} gives a result",),
            inputs=(0,),
        )

    def most_pad(self, axis: int, x: TensorType) -> int | None:
        """The largest padding that the layer takes on this axis; None for any."""
        return None

    # -- round = exact ---------------------------------------------------------------------

    def _check_exact(self, x: TensorType) -> None:
        cases = list(zip(x.spatial, self.extents, self.stride, self.pad, strict=True))
        if all(shapes.fits(i, k, s, begin, end) for i, k, s, (begin, end) in cases):
            return
        lost = [
            0 if shapes.fits(i, k, s, begin, end) else shapes.remainder(i, k, s, begin, end) - end
            for i, k, s, (begin, end) in cases
        ]
        bad = [axis for axis, count in enumerate(lost) if count]
        it = "it" if sum(lost) == 1 else "them"
        sizes = [
            i if not n else i + s - shapes.remainder(i, k, s, begin, end)
            for (i, k, s, (begin, end)), n in zip(cases, lost, strict=True)
        ]
        an = article(sizes[0])
        larger = f"{an} {by_sizes(sizes)} input" if len(sizes) > 1 else f"an input of {sizes[0]}"
        pad = self._fitting_pad(x)
        fits = f"`pad = {pad}`, or {larger}, fits" if pad else f"{larger} fits"
        raise Fault(
            "E301",
            f"{self.name} does not fit its input: {self._formulas(x, bad)}",
            label=f"{_unseen(lost)} would never be seen",
            help=(f"{fits}; `round = floor` drops {it} on purpose", *self._round_up(it)),
            inputs=(0,),
        )

    def _round_up(self, it: str) -> tuple[str, ...]:
        return ()

    def _fitting_pad(self, x: TensorType) -> str | None:
        """The smallest padding, as a spec has it, with which every axis fits."""
        found: list[tuple[int, int]] = []
        for axis, (i, k, s, (begin, end)) in enumerate(
            zip(x.spatial, self.extents, self.stride, self.pad, strict=True)
        ):
            most = self.most_pad(axis, x)
            grown = (
                (begin + n if begin == end else begin, end + n)
                for n in range(min(s, 10_000) + 1)
                if most is None or end + n <= most
            )
            fitting = next((p for p in grown if shapes.fits(i, k, s, *p)), None)
            if fitting is None:
                return None
            found.append(fitting)
        if all(begin == end for begin, end in found):
            return as_tuple([begin for begin, _ in found])
        return f"[{', '.join(map(str, found))}]"


def _unseen(lost: Sequence[int]) -> str:
    """`the last input row and column`, from how many are lost per axis."""
    pieces = [(n, piece) for n, piece in zip(lost, _PIECES[len(lost)], strict=True) if n]
    counts = {n for n, _ in pieces}
    if counts == {1}:
        return f"the last input {listed([piece for _, piece in pieces])}"
    if len(counts) == 1:
        return f"the last {counts.pop()} input {listed([piece + 's' for _, piece in pieces])}"
    return "the last " + listed(
        [f"input {piece}" if n == 1 else f"{n} input {piece}s" for n, piece in pieces]
    )


def too_many_numbers(cls: type[Op], given: Sequence[Any], leading: int) -> Fault | None:
    """The fault for a kernel (and more) written as separate numbers: `conv(64, 3, 3)`, `maxpool(2, 2)`."""
    values = [one.value for one in given if one.name is None]
    if any(type(v) is not int for v in values) or len(values) not in (leading + 2, leading + 3):
        return None
    first = [str(v) for v in values[:leading]]
    numbers = values[leading:]
    named = [f"{one.name} = ..." for one in given if one.name is not None]
    kernel = f"`{cls.name}({', '.join([*first, by_sizes(numbers), *named])})`"
    help = [kernel]
    if len(numbers) == 2:
        strided = f"`{cls.name}({', '.join([*first, str(numbers[0]), f'stride = {numbers[1]}', *named])})`"
        help = [kernel if leading else f"{kernel} for a kernel of {by_sizes(numbers)}"]
        if not leading or numbers[0] != numbers[1]:
            help.append(f"{strided} for a stride of {numbers[1]}")
        if leading and numbers[0] > numbers[1]:
            inner = ", ".join([str(numbers[0]), str(numbers[1]), *named])
            help.append(f"or `{cls.name}({inner})`: what comes in is known from the flow, and is not written")
    return Fault(
        "E314",
        f"{cls.name} takes its kernel as one size, not as {len(numbers)} numbers",
        notes=(f"signature: {cls.signature()}",),
        help=help,
        argument=f"#{leading + 1}",
    )
