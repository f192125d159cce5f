"""MAT 5: the matrices of numbers in a MATLAB file, read without SciPy's parser.

The format is MathWorks' "MAT-File Format", chapter 1. SciPy's `loadmat` (1.17) ends the
process on some damaged files.
"""

import dataclasses
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
            content = memoryview(zlib.decompressobj().decompress(content, most))[8:]
        parts = _elements(content, self.order)
        flags, *_ = struct.unpack_from(self.order + "I", next(parts)[1])
        next(parts), next(parts)  # the sizes and the name
        kind, data = next(parts)
        values = np.frombuffer(data, self.order + _STORED[kind])
        values = values.astype(_CLASSES[flags & 255])
        return values.reshape(self.shape, order="F")


def find_matrices(data: bytes) -> dict[str, Matrix]:
    """The real matrices of numbers in a file, by name.

    Raises:
        ValueError, zlib.error, struct.error: no such file, or a damaged one.
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
            unpacked = zlib.decompressobj().decompress(content, _START)
            kind = struct.unpack_from(order + "I", unpacked)[0]
            start = memoryview(unpacked)[8:]
        if kind != _MATRIX:
            continue
        parts = _elements(start, order)
        flags = struct.unpack_from(order + "I", next(parts)[1])[0]
        sizes, name = next(parts)[1], next(parts)[1]
        shape = struct.unpack_from(f"{order}{len(sizes) // 4}i", sizes)
        is_real = flags & 255 in _CLASSES and not flags & _COMPLEX
        if is_real and len(shape) == 2 and min(shape) > 1:
            called = bytes(name).decode("latin-1")
            found[called] = Matrix(shape, content, packed, order)
    return found


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
