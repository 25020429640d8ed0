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
    Code("E910", "the system refused", """
Reading or writing failed for a reason outside of the input: no space left, no permission, a device
that is gone.  The exit status is 3.
"""),
    Code("E911", "not enough memory", """
The machine has not the memory that this needs.  Smaller batches, or a smaller input, help where
a network is run; counting and checking need little.
"""),
    Code("E950", "wrong command line", """
A verb, an option or an argument that the command does not have, or one that it needs and did not
get.  `cnnc --help` lists the verbs, `cnnc VERB --help` what a verb takes.  The exit status is 2.
"""),
    Code("E951", "malformed setting", """
`--set` takes `name=value`, with a value as it stands in a spec: a number (`classes=10`), a size
(`kernel=3x5`), `true`, a word (`round=floor`), a list (`depths=[1,1,2,2,2]`).  A shell takes
brackets, quotes and `*` for itself: put the whole in quotes, `--set 'depths=[1,1,2]'`.
"""),
    Code("E999", "a defect of cnnc", """
Something went wrong that is not the input's fault.  With `--debug` the command prints where.
Please report it with that, and with the input if you can share it.
"""),
)
