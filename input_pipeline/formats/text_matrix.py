"""Text matrix: a label as lines of integers."""

import os

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import read_bytes
from input_pipeline.formats.limits import BYTES_PER_PIXEL, check_size


def read_text_matrix(path: str, max_pixels: int) -> np.ndarray:
    """The (H, W) int64 of a text file; see `decode_text_matrix`.

    Raises:
        DataError: no such file, or one that is too large; as `decode_text_matrix`.
    """
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
    if size > max_pixels * BYTES_PER_PIXEL:
        raise DataError(
            f"{path}: a text of {size} bytes; max_pixels={max_pixels} allows "
            f"{max_pixels * BYTES_PER_PIXEL}."
        )
    return decode_text_matrix(read_bytes(path), path, max_pixels)


def decode_text_matrix(text: bytes, path: str, max_pixels: int) -> np.ndarray:
    """The (H, W) int64 of a text, a row a line, between blanks or commas.

    Args:
        text: all of the file.
        path: its name, for errors.
        max_pixels: the largest H * W.

    Raises:
        DataError: a number that is no integer, rows of different lengths, an oversized
            matrix.
    """
    text = text.removeprefix(b"\xef\xbb\xbf")
    lines = text.translate(bytes.maketrans(b",;\t", b"   ")).splitlines()
    rows = [line for line in lines if line.strip()]
    width = len(rows[0].split()) if rows else 0
    check_size(path, (len(rows), width), "int64", max_pixels)
    label = np.empty((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        values = row.split()
        if len(values) != width:
            raise DataError(
                f"{path}: row {number + 1} of the matrix has {len(values)} numbers, the "
                f"first has {width}."
            )
        try:
            label[number] = np.array(values).astype(np.int64)
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"{path}: row {number + 1} of the matrix has what is no integer "
                f"({error})."
            ) from error
    return label
