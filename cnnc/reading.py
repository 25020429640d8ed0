"""Opening a file that came from somewhere: regular, and no larger than is allowed."""

from __future__ import annotations

import os
import stat
from io import BufferedReader

from spec_lang.diagnostics import Diagnostic, Error


def open_regular(path: str | os.PathLike[str], limit: int, error: type[Error],
                 code: str) -> tuple[BufferedReader, int]:
    """The file, open for reading, and its size in bytes.

    FIFOs and devices are refused before they can block.  Raises `error` with `code` for what is no readable
    regular file, and with E452 for one that is larger than `limit`.
    """
    shown = os.fspath(path)

    def refused(reason: str) -> Error:
        return error(Diagnostic(code, f"the file cannot be read: {reason}", place=shown))

    try:
        # Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise refused("there is no such file") from None
    except ValueError:
        raise refused("its name holds a NUL") from None
    except OSError as problem:
        raise refused((problem.strerror or str(problem)).lower()) from None
    file = os.fdopen(descriptor, "rb") if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    if file is None:
        os.close(descriptor)
        raise refused("it is not a regular file")
    size = os.fstat(descriptor).st_size
    if size > limit:
        file.close()
        raise error(Diagnostic("E452", f"the file has {size:,} bytes, and the limit is {limit:,}",
                               place=shown))
    return file, size
