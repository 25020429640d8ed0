"""E4: limits."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E450", "more to allocate than the limit", """
What was asked for would take more memory than 16 GiB, or than the limit that was set.  Counting is
not limited by this: `cnnc check` and `cnnc summary` work for models of any size.
"""),
    Code("E451", "not enough free memory", """
What was asked for would take more memory than is free on this machine.  Nothing was allocated.
"""),
    Code("E452", "file too large", """
The file is larger than what would be read into memory at once.
"""),
    Code("E453", "archive that inflates too much", """
A compressed file would become more than 100 times as large, or more than 4 GiB.  Such files
are made to fill a memory; unpack it yourself if you trust it.
"""),
    Code("E454", "image with too many pixels", """
The image has more than 89,478,485 pixels (Pillow's limit, here an error).
"""),
)
