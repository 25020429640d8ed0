"""Between a data set and a model: whether they fit, and images as the model takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnc import preprocess
from cnnc.data.base import Dataset, Image, Split, wrong
from compiler.declare import Fault
from compiler.graph import Graph
from compiler.preprocess import ImageType, image_input, source_channels

#: Up to this many bytes of a split are kept pre-processed in memory; else a batch is made when it is taken.
CACHE_BYTES = 1 << 30
#: Images that are pre-processed at once.
AT_ONCE = 1024


def wanted_channels(graph: Graph) -> int:
    """Channels that images should come with: 1 or 3.  E703 for a model of another number."""
    name, value = image_input(graph)
    channels = source_channels(graph.preprocess, value.shape[0])
    if channels not in (1, 3):
        raise wrong("E703", f"images have 1 or 3 channels, and the input `{name}` of `{graph.name}` has"
                    f" {channels}")
    return channels


def check_fit(data: Dataset, graph: Graph) -> None:
    """Refuse data that the model cannot take.

    Raises `DataError`: E703 channels, E704 the number of classes, E706 a size that
    `preprocess` does not bring to the model's.
    """
    channels = wanted_channels(graph)
    if channels < data.train.images.channels:
        raise wrong("E703", f"`{data.name}` has images in colour, and `{graph.name}` takes grey ones",
                    data.name, help=("preprocess { grayscale }",))
    outputs = list(graph.outputs.items())
    if len(outputs) == 1 and outputs[0][1].type.rank == 1:
        check_classes(data, outputs[0][1].shape[0], graph)
    _check_size(data, graph, channels)


def check_classes(data: Dataset, outputs: int, graph: Graph) -> None:
    """Refuse another number of classes than the model has (E704); unnamed labels may be fewer."""
    count = len(data.classes)
    if count > outputs or (count < outputs and data.named):
        parameter = "classes" if "classes" in graph.arguments else ""
        raise wrong("E704", f"`{data.name}` has {count} classes, and `{graph.name}` tells {outputs} apart",
                    data.name, help=(f"--set {parameter}={count}",) if parameter else ())


def _check_size(data: Dataset, graph: Graph, channels: int) -> None:
    name, value = image_input(graph)
    height, width = data.train.images.size or (None, None)
    image = ImageType(channels, height, width)
    try:
        for step in graph.preprocess:
            image = step.result(image)
    except Fault as fault:
        raise wrong("E706", f"`{data.name}` does not go through `preprocess`: {fault.message}", data.name,
                    notes=fault.notes) from None
    free = value.type.free
    fixed = [(have, want) for have, want, is_free in
             zip((image.height, image.width), value.shape[1:], free[1:], strict=True) if not is_free]
    size = "x".join(map(str, value.shape[1:]))
    if any(have is not None and have != want for have, want in fixed):
        what = f"images of {height}x{width}" if height is not None else f"images that end at {image}"
        raise wrong("E706", f"`{data.name}` has {what}, and the input `{name}` is {value.type}", data.name,
                    help=(_line(graph, size),))
    if any(have is None for have, _ in fixed) or (image.height is None and any(free[1:])):
        raise wrong("E706", f"the images of `{data.name}` have sizes of their own, and batches need one: the"
                    f" input `{name}` is {value.type}", data.name, help=(_line(graph, size),))


def _line(graph: Graph, size: str) -> str:
    if graph.preprocess:
        return f"begin `preprocess` with `resize({size})`"
    return f"preprocess {{ resize({size}) -> rescale(1 / 255) }}"


class Prepared:
    """A split as the model takes it: images pre-processed, in memory if they are few."""

    def __init__(self, split: Split, graph: Graph) -> None:
        self.split, self.graph = split, graph
        self.labels = split.labels
        self._kept: NDArray[np.float32] | None = None
        if len(split) * image_input(graph)[1].type.elements * 4 <= CACHE_BYTES:
            self._kept = self._all()

    def __len__(self) -> int:
        return len(self.split)

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The images at these positions: float32 (N, C, H, W)."""
        if self._kept is not None:
            return self._kept[np.asarray(positions, dtype=np.int64)]
        return prepared(self.graph, self.split.images.take(positions))

    def _all(self) -> NDArray[np.float32] | None:
        made: NDArray[np.float32] | None = None
        for start in range(0, len(self.split), AT_ONCE):
            stop = min(start + AT_ONCE, len(self.split))
            part = prepared(self.graph, self.split.images.take(range(start, stop)))
            if made is None:
                made = np.empty((len(self.split), *part.shape[1:]), dtype=np.float32)
            made[start : start + len(part)] = part
        return made


def prepared(graph: Graph, images: Sequence[Image]) -> NDArray[np.float32]:
    """Images (C, H, W) of any sizes as one batch for the model; grey ones become RGB where it wants RGB."""
    wanted = wanted_channels(graph)
    whole = [np.repeat(i, wanted, axis=0) if i.shape[0] == 1 < wanted else i for i in images]
    if len({i.shape for i in whole}) == 1:
        made = preprocess.apply(graph, np.stack(whole))
    else:
        made = np.concatenate([preprocess.apply(graph, image[None]) for image in whole])
    return made.astype(np.float32, copy=False)
