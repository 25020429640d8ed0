"""Data sets: `digits`, folders of IDX files (MNIST), folders of images.

    data = open_data("digits", graph)
    batches = Prepared(data.train, graph)
    batches.take([0, 1, 2])          # what the model takes in: float32 (N, C, H, W)

A format a file; what all of them give is `base.Dataset`.
"""

from __future__ import annotations

import os
from pathlib import Path

from cnnc.data import digits, folders, idx
from cnnc.data.base import DataError, Dataset, wrong
from cnnc.data.prepare import Prepared, check_fit, wanted_channels
from compiler.graph import Graph
from spec_lang.diagnostics import nearest
from spec_lang.limits import DEFAULT_LIMITS, Limits

#: Data sets that are called by name.
EMBEDDED = {"digits": digits.load}


def open_data(name: str | os.PathLike[str], graph: Graph, seed: int = 0,
              limits: Limits = DEFAULT_LIMITS) -> Dataset:
    """The data set of that name, or in that folder, checked against the model.

    The format of a folder is told by what is in it.  The seed chooses what is held out where
    the data does not come in two parts.

    Raises:
        DataError: E700 nothing there, and what the formats and `check_fit` raise.
    """
    shown = os.fspath(name)
    path = Path(name)
    if shown in EMBEDDED:
        data = EMBEDDED[shown](seed)
    else:
        try:
            # An empty name would be the working folder.
            present, is_folder = bool(shown) and path.exists(), path.is_dir()
            if not present:
                near = nearest(shown, EMBEDDED)
                help = f"did you mean `{near[0]}`?" if near else f"by name there is: {', '.join(EMBEDDED)}"
                raise wrong("E700", "there is no such data set or folder", shown, help=(help,))
            if not is_folder:
                raise wrong("E700", "the data is not a folder", shown,
                            help=("name the folder that holds the IDX files, or the images",))
            if idx.files(path):
                data = idx.load(path, seed, limits)
            else:
                data = folders.load(path, wanted_channels(graph), seed, limits)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "its name is no name of a folder"
            raise wrong("E700", f"the data cannot be read: {reason.lower()}", shown) from None
    check_fit(data, graph)
    return data


__all__ = ["DataError", "Dataset", "EMBEDDED", "Prepared", "check_fit", "open_data", "wanted_channels"]
