"""E9: output."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E900", "output cannot be written", """
The system refused to write the file: no permission, no space left, a name that is too long or
empty, a loop of links.  Outputs are written under a temporary name in the same folder and take
their final name when they are complete, so nothing half-written is left behind, and an older
file of that name is untouched.
"""),
    Code("E901", "output is no file", """
The output names something that exists and is not a regular file: a folder, a FIFO, a socket or
a device.  Only regular files are replaced; a symbolic link is followed.
"""),
    Code("E902", "output is the input", """
The output is the very file that is read, perhaps under another name (a link).  It is refused,
since an error half-way would destroy the input.  Give the output another name.
"""),
    Code("E903", "folder does not exist", """
The folder that the output should be written to does not exist.  Folders are not made on the
way, so that a typing mistake in a path does not create one.  Make it first (`mkdir -p`).
"""),
)
