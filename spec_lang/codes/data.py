"""E7: data."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E700", "no such data", """
There is neither a data set of this name nor a readable folder or file.  By name there is `digits`;
else name a folder with IDX files (as MNIST comes in), or with a sub-folder of images per class.
"""),
    Code("E701", "not a sound IDX file", """
An IDX file is two zero bytes, the type (8: unsigned bytes), the number of extents (3 for images, 1
for labels), the extents as four bytes each, and exactly as many bytes as they say; it may be
gzipped.  The place is the byte in the (unpacked) file.

A folder holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and perhaps the same with
`t10k`; without these a fifth is held out.
"""),
    Code("E702", "not a folder of classes", """
A folder of images has a sub-folder per class, directly or below `train` and `test` (or `val`,
`valid`, `validation`), and every class has images.  Classes in the test part must be known from
training.  Without a test part a fifth of each class is held out, so a class needs at least two images.
"""),
    Code("E703", "channels of images and model differ", """
Images have three channels (red, green, blue) or one (grey).  A model with another number of channels
does not take images.  Grey images serve a model of three channels; for colour images and
a model of one channel, `grayscale` in `preprocess` says that it is meant.
"""),
    Code("E704", "number of classes differs", """
The data has more classes than the model has outputs, or fewer.  Set the model's parameter:
`--set classes=5`.
"""),
    Code("E705", "other classes than in training", """
The file of weights carries the names of the classes that it was trained on, and the data has other names, or
another order.  Numbers would be compared that mean different things.
"""),
    Code("E706", "images of a size that does not fit", """
The images do not have the model's size, and no step of `preprocess` brings them there.  The message
has the line to add.
"""),
    Code("E707", "not a readable image", """
The file is not an image in a format that is read (PNG, JPEG, BMP, GIF, WebP, TIFF, PPM), or it is
damaged.
"""),
    Code("E708", "images and labels differ in number", """
The file of labels does not have one label per image: the two files do not belong together.
"""),
    Code("E709", "package for data missing", """
scikit-learn brings the digits, and Pillow reads images.  Both come with `pip install "cnnc[train]"`.
"""),
)
