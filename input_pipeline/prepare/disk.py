"""Disk: what goes wrong at writing, as one sentence."""

import contextlib
import pathlib
from collections.abc import Iterator

from input_pipeline.errors import DataError


@contextlib.contextmanager
def writing(path: pathlib.Path) -> Iterator[None]:
    """Names the path that cannot be written.

    Raises:
        DataError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}).") from error
