"""The steps of `preprocess`: their arguments, and how they change an image's shape.

An image comes in with values from 0 to 255, as files hold them, channels first: `(C, H, W)`,
RGB or grey.  Its height and width are unknown until a step sets them.  The numbers are made
in `cnnc.preprocess` (NumPy) and in front of an exported ONNX graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from compiler.declare import Choice, Context, Declared, Fault, Given, PerAxis, Real, Reals, Word, arg
from compiler.graph import Graph, Value
from compiler.ops.base import BATCH
from spec_lang.diagnostics import Diagnostic, SpecError, nearest
from spec_lang.frozen import frozen, replace

#: What an image has that the argument kinds ask for: two spatial axes, three axes.
IMAGE = Context(spatial=2, rank=3)

#: Weights of red, green and blue in a grey value (ITU-R BT.601, as Pillow's mode L).
GREY = (0.299, 0.587, 0.114)


@frozen
class ImageType:
    """An image between two steps; None where the extent depends on the image."""

    channels: int
    height: int | None = None
    width: int | None = None

    def __str__(self) -> str:
        return f"[{self.channels}, {self.height or 'H'}, {self.width or 'W'}]"


@frozen
class Step(Declared):
    """One step of `preprocess`."""

    what: ClassVar[str] = "pre-processing step"

    def result(self, image: ImageType) -> ImageType:
        """The type of the image after this step, or `Fault`."""
        return image


@frozen
class Resize(Step):
    """Resizes to `size`, height first, whatever the shape before.

    `bilinear` weighs by a triangle that is as wide as a step of the output when it shrinks
    (antialiased), as Pillow does and PyTorch with `antialias=True`.  `nearest` takes pixel
    `floor(i * in / out)`, as PyTorch's `nearest`.
    """

    name: ClassVar[str] = "resize"
    size: tuple[int, int] = arg(PerAxis(), "height and width of the result", positional=True)
    mode: str = arg(Choice(("bilinear", "nearest")), "how pixels are weighed", default=Word("bilinear"))

    def result(self, image: ImageType) -> ImageType:
        return ImageType(image.channels, *self.size)


@frozen
class CenterCrop(Step):
    """Cuts `size` out of the middle; of an odd margin the greater part goes at the end."""

    name: ClassVar[str] = "centercrop"
    size: tuple[int, int] = arg(PerAxis(), "height and width of the result", positional=True)

    def result(self, image: ImageType) -> ImageType:
        for axis, old, new in (("high", image.height, self.size[0]), ("wide", image.width, self.size[1])):
            if old is not None and new > old:
                raise Fault("E381", f"centercrop: {new} pixels do not fit into an image that is {old} {axis}",
                            argument="size", notes=(f"image here: {image}",))
        return ImageType(image.channels, *self.size)


@frozen
class Rescale(Step):
    """Multiplies every value: `rescale(1 / 255)` brings 0..255 to 0..1."""

    name: ClassVar[str] = "rescale"
    factor: float = arg(Real(), "what every value is multiplied by", positional=True)


@frozen
class Normalize(Step):
    """`(x - mean) / std`, each one number or one per channel."""

    name: ClassVar[str] = "normalize"
    mean: tuple[float, ...] = arg(Reals(), "what is subtracted, one number or one per channel")
    std: tuple[float, ...] = arg(Reals(above=0.0), "what is divided by, one number or one per channel")

    def result(self, image: ImageType) -> ImageType:
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count not in (1, image.channels):
                raise Fault("E381", f"normalize: {count} numbers in `{name}` for {_channels(image.channels)}",
                            argument=name, notes=(f"image here: {image}",))
        return image


@frozen
class Grayscale(Step):
    """One channel from three: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601)."""

    name: ClassVar[str] = "grayscale"

    def result(self, image: ImageType) -> ImageType:
        if image.channels != 3:
            raise Fault("E381", f"grayscale needs 3 channels, and the image has {image.channels}",
                        notes=(f"image here: {image}",))
        return replace(image, channels=1)


@frozen
class Bgr(Step):
    """Turns red, green, blue round to blue, green, red (weights that came from Caffe)."""

    name: ClassVar[str] = "bgr"

    def result(self, image: ImageType) -> ImageType:
        if image.channels != 3:
            raise Fault("E381", f"bgr needs 3 channels, and the image has {image.channels}",
                        notes=(f"image here: {image}",))
        return image


STEPS = (Resize, CenterCrop, Rescale, Normalize, Grayscale, Bgr)
PREPROCESS: dict[str, type[Step]] = {step.name: step for step in STEPS}


def bind_step(name: str, given: Sequence[Given] = ()) -> Step:
    """The step of that name with these arguments.  Faults E380 (no such step), E310 to E315."""
    if name not in PREPROCESS:
        near = nearest(name, PREPROCESS)
        raise Fault("E380", f"`{name}` is no pre-processing step", notes=(f"steps: {', '.join(PREPROCESS)}",),
                    help=(f"did you mean `{near[0]}`?",) if near else ())
    return PREPROCESS[name].bind(given, IMAGE)


def source_channels(steps: Sequence[Step], channels: int) -> int:
    """How many channels an image must come with, so that a model of `channels` gets its own."""
    return 3 if any(isinstance(step, Grayscale) for step in steps) else channels


def trace(steps: Sequence[Step], channels: int) -> list[ImageType]:
    """The image's type before the first step and after each, for a model of `channels`.  Raises `Fault`."""
    types = [ImageType(source_channels(steps, channels))]
    for step in steps:
        types.append(step.result(types[-1]))
    return types


def fault_in(steps: Sequence[Step], shape: Sequence[int],
             free: Sequence[bool] = ()) -> tuple[int, Fault] | None:
    """What is wrong with these steps in front of an input of that shape: the step's position and why.

    The steps must end at the model's shape; extents that are free, or that no step sets, are
    checked when an image comes.  An input that is no image is blamed on the first step.
    """
    if not steps:
        return None
    if len(shape) != 3:
        shown = "[" + ", ".join(map(str, shape)) + "]"
        return 0, Fault("E382", f"pre-processing makes images [C, H, W], and the model's input is {shown}")
    image = ImageType(source_channels(steps, shape[0]))
    for position, step in enumerate(steps):
        try:
            image = step.result(image)
        except Fault as fault:
            return position, fault
    fixed = free or (False,) * 3
    wanted = ImageType(*shape)
    ends = (image.channels, image.height, image.width)
    for extent, want, is_free in zip(ends, shape, fixed, strict=True):
        if extent is not None and extent != want and not is_free:
            return len(steps) - 1, Fault(
                "E382", f"pre-processing ends at {image}, and the model's input is {wanted}",
                help=(f"resize({shape[1]}x{shape[2]})",) if image.channels == shape[0] else ())
    return None


def image_input(graph: Graph) -> tuple[str, Value]:
    """The input that `preprocess` feeds, by name: the first that is an image with the batch's rows."""
    for name, value in graph.inputs.items():
        if value.type.rank == 3 and value.type.rows == BATCH:
            return name, value
    raise SpecError(Diagnostic("E382", f"`preprocess` needs an input [C, H, W]; `{graph.name}` has none",
                               graph.root.span))


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
