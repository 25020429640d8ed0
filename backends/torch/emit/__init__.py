"""Writing a graph as PyTorch source.

`source.py` puts the file together from what the others find out: `structure.py` which scopes
become modules, `classes.py` which of them share a class, `members.py` and `forward.py` a
constructor and a forward pass, `repeats.py` what a comprehension says once, `layout.py` the
lines.  The layers are in one file per family.
"""

from __future__ import annotations

from backends.torch.emit import activation, conv, dense, dropout, join, norm, pool, reshape
from backends.torch.emit.forms import EMITTERS
from backends.torch.emit.source import file_name, source_of

__all__ = [
    "EMITTERS",
    "activation",
    "conv",
    "dense",
    "dropout",
    "file_name",
    "join",
    "norm",
    "pool",
    "reshape",
    "source_of",
]
