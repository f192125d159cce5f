"""Mapped files: weights mapped into memory and never run.

An array of weights is a read-only view on the map. Nothing is read before it is used,
so a file of 2.5 GB takes about its own size while it goes to a device, once.
"""

import math
import mmap
import os

import numpy as np

from jaxseg.errors import JaxsegError

_MAX_EMPTY = 1 << 40
_KNOWN = (
    (b"PK", "a zip file without entries"),
    (b"<", "a web page: a download that failed"),
    (b"version https://git-lfs", "a pointer of git-lfs: fetch it with `git lfs pull`"),
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"\x89HDF", "an HDF5 file"),
)


class CheckpointFileError(JaxsegError, ValueError):
    """A file of weights that is damaged, of another kind, or not safe to read."""


def shown(value: object) -> str:
    """A value from a file in an error: short, in one line."""
    text = repr(value) if isinstance(value, str | int | float | bool) else ""
    text = text or f"a {type(value).__name__}"
    return text if len(text) <= 100 else text[:100] + "..."


class MappedFile:
    """A file as one read-only block of memory.

    The arrays on it hold it open. The file must not be cut or written to meanwhile;
    replacing it by a rename, as the writers of this package do, is no harm.

    Args:
        path: the path of a file that is not empty.

    Raises:
        CheckpointFileError: if there is no such file, or nothing in it.
    """

    def __init__(self, path: str | os.PathLike[str]):
        if not os.path.isfile(path):
            raise CheckpointFileError("there is no such file")
        with open(path, "rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            if not self.size:
                raise CheckpointFileError("the file is empty")
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.path = path

    def startswith(self, start: bytes) -> bool:
        return self.data[: len(start)] == start

    def describe(self) -> str:
        """What the file looks like, for errors."""
        head = self.data[:512].lstrip()
        if self.data[257:262] == b"ustar":
            return "a tar file: the format of torch before 0.1.10, which is not read"
        if self.data[8:9] == b"{":
            return "a safetensors file that is cut short"
        return next(
            (what for start, what in _KNOWN if head.startswith(start)),
            f"starts with {head[:8]!r}",
        )

    def array(
        self,
        start: int,
        shape: tuple[int, ...],
        dtype: np.dtype,
        strides: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        """A read-only view on the file, within which it must lie.

        Args:
            start: the byte of its first element.
            shape: in elements.
            dtype: a data type of numbers.
            strides: in bytes; those of C order if left out.
        """
        if 0 in shape:
            # (2**40, 2**40, 0) has no elements, and is too large for NumPy.
            if math.prod(size or 1 for size in shape) > _MAX_EMPTY:
                raise CheckpointFileError(f"an empty array of {len(shape)} huge axes")
            return np.broadcast_to(np.zeros((), dtype), shape)
        return np.ndarray(shape, dtype, self.data, start, strides)
