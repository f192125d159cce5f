"""List files: names, one a line: class lists, and lists of a split's images."""

import os

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file


def read_names(path: str | os.PathLike) -> list[str]:
    """The lines of a text file, without blank ones and the space around them.

    Args:
        path: UTF-8, with or without the mark (BOM) that Windows puts first.

    Raises:
        DataError: no such file, or no text.
    """
    with open_file(path) as file:
        return decode_names(file.read(), str(path))


def decode_names(data: bytes, path: str) -> list[str]:
    """The lines of a text, `path` being its name for errors; as `read_names`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a text file in UTF-8: byte {error.start} is "
            f"{data[error.start : error.start + 1]!r}. Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise DataError(f"{path}: not a text file: it has zero bytes.")
    return [line.strip() for line in text.splitlines() if line.strip()]
