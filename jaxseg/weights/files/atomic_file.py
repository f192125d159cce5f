"""Atomic files: they are there whole or not at all."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A name beside `path` to write to, which becomes `path` if all went well.

    A file that was there stays as it is until then, and for those who have it open.
    """
    path = pathlib.Path(path)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as draft:
        new = pathlib.Path(draft) / path.name
        yield new
        # On the disk before the old file goes.
        with open(new, "rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
