"""Writing files whole or not at all.

The content goes to a temporary name in the folder of the target, is flushed to the disk, may
be checked there, and only then takes the final name.  Whatever goes wrong on the way leaves
the folder as it was.  The mode of the result follows the umask, as with plain `open`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from spec_lang.diagnostics import Diagnostic, Error

PathLike: TypeAlias = str | os.PathLike[str]
#: Text (written as UTF-8 as it stands), bytes, or chunks of bytes (anything with a buffer).
Content: TypeAlias = str | bytes | bytearray | memoryview | Iterable[bytes | bytearray | memoryview]


class OutputError(Error):
    """A file that cannot or must not be written (E9)."""


def write_atomically(path: PathLike, content: Content, *, check: Callable[[Path], None] | None = None,
                     inputs: Sequence[PathLike] = ()) -> Path:
    """Write a file whole or not at all, and give the path that was written.

    A regular file is replaced; a symlink is followed, so that the link stays and its target
    changes.  `check` is called with the temporary file before it takes its final name; what
    it raises is raised here.  `inputs` are files that must not be overwritten.

    Raises:
        OutputError: E900 the system refuses, E901 the target is a folder, FIFO, socket or
            device, E902 the target is one of the inputs, E903 its folder does not exist.
    """
    return _write({path: content}, check, inputs)[0]


def write_all(contents: Mapping[PathLike, Content], *, inputs: Sequence[PathLike] = ()) -> list[Path]:
    """Write several files: all of them are complete on the disk before the first takes its name."""
    return _write(contents, None, inputs)


def target(path: PathLike, *, inputs: Sequence[PathLike] = ()) -> Path:
    """The file that writing to `path` would replace, links followed.

    Raises `OutputError` as `write_atomically` does, so that a command can refuse a bad
    output before it spends time on the content.
    """
    shown = os.fspath(path)
    if not shown or "\0" in shown:
        raise OutputError(Diagnostic("E900", "a file name that is empty or holds a NUL", place=shown))
    try:
        final = Path(os.path.realpath(shown))
        if os.path.islink(final):  # realpath leaves a loop of links as it is
            raise OSError("too many levels of symbolic links")
        found = _status(final)
        if found is None and not shown.endswith(os.sep):
            if not final.parent.is_dir():
                raise OutputError(Diagnostic("E903", f"there is no folder `{final.parent}`", place=shown))
            return final
    except OSError as error:
        raise _refused(shown, error) from error
    if found is None or not stat.S_ISREG(found.st_mode):
        kind = "a folder" if found is None else _kind(found.st_mode)
        raise OutputError(Diagnostic("E901", f"the output is {kind}, not a file", place=shown))
    for other in inputs:
        if _same(other, found):
            raise OutputError(Diagnostic("E902", "the output is the input itself", place=shown,
                                         help=("give the output another name",)))
    return final


def _write(contents: Mapping[PathLike, Content], check: Callable[[Path], None] | None,
           inputs: Sequence[PathLike]) -> list[Path]:
    finals = {path: target(path, inputs=inputs) for path in contents}
    temporary: dict[PathLike, Path] = {}
    shown = ""
    try:
        for path, content in contents.items():
            shown = os.fspath(path)
            with _Refusals(shown):
                descriptor, name = _create(finals[path].parent)
                temporary[path] = name
                with os.fdopen(descriptor, "wb") as file:
                    for chunk in _chunks(content):
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
            if check is not None:
                check(name)
        for path in contents:
            shown = os.fspath(path)
            with _Refusals(shown):
                os.replace(temporary[path], finals[path])
                del temporary[path]
        for folder in sorted({final.parent for final in finals.values()}):
            with _Refusals(shown):
                _sync_folder(folder)
    finally:
        for name in temporary.values():
            with suppress(OSError):
                os.unlink(name)
    return list(finals.values())


class _Refusals:
    """Turns the system's refusal inside into E900 about the file that is shown."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _refused(self.shown, error) from error


def _create(folder: Path) -> tuple[int, Path]:
    """A new file under a name that nobody has, with the mode that the umask leaves."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        # A short name of its own: the target's name may be as long as the system allows.
        name = folder / f".cnnc-{os.urandom(8).hex()}.tmp"
        try:
            return os.open(name, flags, 0o666), name
        except FileExistsError:
            continue


def _chunks(content: Content) -> Iterable[bytes | bytearray | memoryview]:
    if isinstance(content, str):
        return (content.encode("utf-8"),)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return (content,)
    return content


def _sync_folder(folder: Path) -> None:
    """Make the rename last; where folders cannot be opened (Windows) there is nothing to do."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse this; the file itself is on the disk
    finally:
        os.close(descriptor)


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _same(other: PathLike, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(other), found)
    except (OSError, ValueError):
        return False


def _kind(mode: int) -> str:
    for test, words in ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"),
                        (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device")):
        if test(mode):
            return words
    return "not a regular file"


def _refused(shown: str, error: OSError) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(Diagnostic("E900", f"the output cannot be written: {reason}", place=shown))
