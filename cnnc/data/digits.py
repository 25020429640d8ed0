"""The handwritten digits that scikit-learn brings along: 1,797 images of 8x8.

They are the test part of the optical recognition data of Alpaydin and Kaynak 1998 (UCI), whose pixels
count from 0 to 16; here they are 8-bit images, so that one `preprocess` serves them and MNIST.
"""

from __future__ import annotations

import numpy as np

from cnnc.data.base import ArrayImages, Dataset, stratified, wrong


def load(seed: int = 0) -> Dataset:
    """The digits, a stratified fifth of them held out by the seed.  E709 without scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise wrong("E709", "the digits come with scikit-learn, which is not installed",
                    help=('pip install "cnnc[train]"',)) from None
    bundle = load_digits()
    pixels = np.rint(bundle.images[:, None] * (255 / 16)).astype(np.uint8)
    labels = bundle.target.astype(np.int64)
    train, test = stratified(ArrayImages(pixels), labels, seed)
    return Dataset("digits", train, test, tuple(str(digit) for digit in range(10)))
