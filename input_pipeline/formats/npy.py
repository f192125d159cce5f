"""NPY: NumPy's arrays, read without its parser of Python expressions."""

import math
import os
import re
from typing import BinaryIO

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.limits import check_size

# As NumPy writes it, of Python 2 with an L behind a number; what it writes differently
# is no plain array of numbers.
_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[biuf][1248])', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}L?, ?){0,31}(?:\d{1,15}L?)?)\),? ?\} *\n?"
)
_MAGIC = b"\x93NUMPY"
# Bytes of the header's length, by the version of the format.
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}


def read_npy(path: str, max_pixels: int) -> np.ndarray:
    """The one array of a .npy file, (H, W) or (H, W, C).

    Raises:
        DataError: no such file, no array of numbers of these shapes, a truncated or an
            oversized one.
    """
    with open_file(path) as file:
        shape, dtype, in_columns = _read_header(path, file, max_pixels)
        array = np.empty(shape[::-1] if in_columns else shape, dtype)
        try:
            found = file.readinto(array.reshape(-1).view(np.uint8))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if found != array.nbytes:
        raise DataError(
            f"{path}: the .npy file is truncated: {found} of {array.nbytes} bytes."
        )
    return array.T if in_columns else array


def npy_size(path: str, max_pixels: int) -> tuple[int, int]:
    """Height and width of the array of a .npy file, from its header."""
    with open_file(path) as file:
        return _read_header(path, file, max_pixels)[0][:2]


def _read_header(
    path: str, file: BinaryIO, max_pixels: int
) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, type, and whether columns come first; the file then stands at the data."""
    start = file.read(8)
    width = _LENGTH_BYTES.get(start[6]) if len(start) == 8 else None
    if not start.startswith(_MAGIC) or width is None:
        raise DataError(
            f"{path}: not a .npy array of numbers: it starts with {start!r}."
        )
    length = int.from_bytes(file.read(width), "little")
    text = file.read(min(length, 1 << 16))
    header = _HEADER.fullmatch(text)
    if header is None:
        raise DataError(
            f"{path}: not a .npy array of numbers: its header is {text[:80]!r}; allowed "
            "are integers, floats and truth values in one array."
        )
    descr, in_columns, sizes = header.groups()
    shape = tuple(int(n) for n in re.findall(rb"\d+", sizes))
    try:
        dtype = np.dtype(descr.decode())
    except TypeError as error:
        raise DataError(f"{path}: a .npy array of type {descr!r}.") from error
    if len(shape) not in (2, 3):
        raise DataError(
            f"{path}: an array of shape {shape} in a .npy file; allowed is one of shape "
            "(H, W) or (H, W, C)."
        )
    check_size(path, shape, dtype, max_pixels)
    left = os.fstat(file.fileno()).st_size - file.tell()
    needed = math.prod(shape) * dtype.itemsize
    if left < needed:
        raise DataError(
            f"{path}: the .npy file is truncated: {left} of {needed} bytes are left."
        )
    return shape, dtype, in_columns == b"True"
