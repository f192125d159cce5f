"""MAT 5: the matrices of numbers in a MATLAB file, read without SciPy's parser.

The format is MathWorks' "MAT-File Format", chapter 1. SciPy's `loadmat` (1.17) ends the
process on some damaged files.
"""

import dataclasses
import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
# Types of stored values, and classes of arrays, as NumPy's types.
_STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_CLASSES = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
_STRUCT = 2
_COMPLEX = 0x800
# Enough for the flags, the sizes and the name (63 letters) of a matrix.
_START = 4096


@dataclasses.dataclass(frozen=True)
class Matrix:
    """A variable with two dimensions, not read yet.

    Attributes:
        shape: (H, W).
        content: the element behind its tag; packed by zlib if `packed`.
        packed: whether it is.
        order: '<' or '>'.
    """

    shape: tuple[int, int]
    content: memoryview
    packed: bool
    order: str

    def read(self) -> np.ndarray:
        """(H, W) of the class that the variable has.

        Raises:
            ValueError, zlib.error, struct.error: a damaged one.
        """
        content = self.content
        if self.packed:
            most = self.shape[0] * self.shape[1] * 8 + _START
            content = _unpacked(content, self.order, most)[1]
        parts = _elements(content, self.order)
        array, *_ = _opening(parts, self.order)
        kind, data = next(parts)
        values = np.frombuffer(data, self.order + _STORED[kind])
        values = values.astype(_CLASSES[array])
        return values.reshape(self.shape, order="F")


def find_matrices(data: bytes, struct_name: str, most: int) -> dict[str, Matrix]:
    """The real matrices of numbers in a file, or in one of its structs, by name.

    Args:
        data: all of the file.
        struct_name: the struct whose fields are meant, which is not an array of several;
            '' means the file's own variables.
        most: the bytes that the struct may have.

    Returns:
        {variable: matrix}, or {'struct.field': matrix}.

    Raises:
        ValueError, zlib.error, struct.error: no such file, a damaged one, or a struct
            that is too large.
    """
    mark = data[126:_HEADER]
    if mark not in (b"IM", b"MI"):
        raise ValueError("its header is not that of version 5")
    order = "<" if mark == b"IM" else ">"
    found = {}
    for kind, content in _elements(memoryview(data)[_HEADER:], order):
        packed = kind == _COMPRESSED
        start = content
        if packed:
            kind, start = _unpacked(content, order, _START)
        if kind != _MATRIX:
            continue
        array, shape, name = _opening(_elements(start, order), order)
        if not struct_name and _is_matrix(array, shape):
            found[name] = Matrix(shape, content, packed, order)
        if name == struct_name and array == _STRUCT and math.prod(shape) == 1:
            whole = _unpacked(content, order, most + 1)[1] if packed else content
            if len(whole) > most:
                raise ValueError(f"the struct {name} has more than {most} bytes")
            fields = _fields(whole, order)
            found |= {f"{name}.{field}": matrix for field, matrix in fields.items()}
    return found


def _fields(content: memoryview, order: str) -> dict[str, Matrix]:
    """The real matrices of numbers among the fields of a struct."""
    parts = _elements(content, order)
    _opening(parts, order)
    (length,) = struct.unpack_from(order + "i", next(parts)[1])
    names = bytes(next(parts)[1])
    found = {}
    for at in range(0, len(names), length):
        field = next(parts)[1]
        if not field:  # an empty matrix
            continue
        array, shape, _ = _opening(_elements(field, order), order)
        if _is_matrix(array, shape):
            name = names[at : at + length].split(b"\0")[0].decode("latin-1")
            found[name] = Matrix(shape, field, False, order)
    return found


def _opening(parts: Iterator, order: str) -> tuple[int, tuple[int, ...], str]:
    """What an array begins with: its class (0 if it is complex), its sizes, its name."""
    flags = struct.unpack_from(order + "I", next(parts)[1])[0]
    array = 0 if flags & _COMPLEX else flags & 255
    sizes, name = next(parts)[1], next(parts)[1]
    shape = struct.unpack_from(f"{order}{len(sizes) // 4}i", sizes)
    return array, shape, bytes(name).decode("latin-1")


def _is_matrix(array: int, shape: tuple[int, ...]) -> bool:
    return array in _CLASSES and len(shape) == 2 and min(shape) > 0


def _unpacked(content: memoryview, order: str, most: int) -> tuple[int, memoryview]:
    """(type, content) of the element in a packed one, `most` bytes of it."""
    data = zlib.decompressobj().decompress(content, 8 + most)
    return struct.unpack_from(order + "I", data)[0], memoryview(data)[8:]


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, content) of one element after the other."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # a small one, within the tag
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
            yield kind, data[at + 4 : at + 4 + size]
            at += 8
            continue
        content = data[at + 8 : at + 8 + size]
        yield kind, content
        at += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
