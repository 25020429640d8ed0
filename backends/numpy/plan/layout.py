"""The order of axes in memory.

Two orders serve.  CHANNELS_LAST, [N, spatial..., C]: a 1x1 convolution is a product straight on the
buffer, and columns are copied in runs of kernel width times C.  BATCH_LAST, [C, spatial..., N]: with
few channels those runs would be short, and runs of width times N are long; filters keep their order.

The rule: BATCH_LAST where no convolution of the network sees more than `FEW` channels, else
CHANNELS_LAST.  In both, the spatial axes are 1 to rank - 1 of the array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.graph import Node
from compiler.ops.conv import Conv

#: The most channels that a convolution sees where the batch is the last axis.
FEW = 32


@dataclass(frozen=True)
class Layout:
    """`channels_last`, or else the batch is last.  `canonical` arrays are [N, C, spatial...]."""

    channels_last: bool

    def order(self, axes: int) -> tuple[int, ...]:
        """Canonical axis of each axis in memory."""
        if not self.channels_last:
            return (*range(1, axes), 0)
        return (0, *range(2, axes), 1) if axes > 2 else tuple(range(axes))

    def shape(self, canonical: Sequence[int]) -> tuple[int, ...]:
        """The shape in memory of a canonical shape."""
        return tuple(canonical[axis] for axis in self.order(len(canonical)))

    def memory(self, canonical: Any) -> Any:
        """A canonical array seen as in memory."""
        return canonical.transpose(self.order(canonical.ndim))

    def canonical(self, memory: Any) -> Any:
        """An array in memory seen as canonical."""
        order = self.order(memory.ndim)
        return memory.transpose([order.index(axis) for axis in range(memory.ndim)])

    def channel_axis(self, axes: int) -> int:
        """The axis of the channels in memory."""
        return axes - 1 if self.channels_last else 0

    def per_channel(self, vector: Any, axes: int) -> Any:
        """[C] so that it stretches over an array of so many axes in memory."""
        shape = [1] * axes
        shape[self.channel_axis(axes)] = -1
        return vector.reshape(shape)


def chosen(nodes: Iterable[Node]) -> Layout:
    """The layout for a network, by the rule above."""
    seen = [node.inputs[0].shape[0] for node in nodes if isinstance(node.op, Conv)]
    return Layout(channels_last=not seen or max(seen) > FEW)
