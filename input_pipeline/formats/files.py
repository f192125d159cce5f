"""Files: opened only if they are regular ones, so that no pipe is waited for."""

import os
import stat
from typing import BinaryIO

from input_pipeline.errors import DataError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Opens a file for reading bytes, without buffering ahead of the first read.

    Raises:
        DataError: no such file, no right to read it, or none that has an end: a folder,
            a pipe, a device.
    """
    try:
        # A pipe without a writer would be waited for; it is opened at once this way.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be opened ({reason}).") from error
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        found = _KINDS.get(kind, "something else")
        raise DataError(f"{path}: not a regular file, but {found}.")
    return open(descriptor, "rb")


def read_bytes(path: str | os.PathLike) -> bytes:
    """All of a file.

    Raises:
        DataError: as `open_file`; an empty file, or one that cannot be read.
    """
    try:
        with open_file(path) as file:
            data = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except MemoryError as error:
        raise DataError(f"{path}: the file does not fit into memory.") from error
    if not data:
        raise DataError(f"{path}: the file is empty (0 bytes).")
    return data
