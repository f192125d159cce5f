"""MAT 5: matrices of numbers and cells of texts, read without SciPy's parser.

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
_CELL, _STRUCT, _TEXT = 1, 2, 4
# How the letters of a text are stored: the types of its values.
_LETTERS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
_COMPLEX = 0x800
# How deep structs and cells may lie in one another.
_DEPTH = 16
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
        kind, data = _next(parts)
        values = np.frombuffer(data, self.order + _STORED[kind])
        values = values.astype(_CLASSES[array])
        return values.reshape(self.shape, order="F")


def find_matrices(data: bytes, root: str, most: int) -> dict[str, Matrix]:
    """The real matrices of numbers in a file, or in a struct or cell of it, by name.

    Args:
        data: all of the file.
        root: the struct or cell that is meant, with all that lies in it; '' means the
            file's own variables.
        most: the bytes that it may have.

    Returns:
        {variable: matrix}; of a struct or cell by MATLAB's way to them:
        {'s.field': matrix, 's(2).field': ..., 'c{1}.field': ...}.

    Raises:
        ValueError, zlib.error, struct.error: no such file, a damaged one, or a struct or
            cell that is too large or too deep.
    """
    found = {}
    for one in _variables(data):
        if not root and _is_matrix(one.array, one.shape):
            found[one.name] = Matrix(one.shape, one.content, one.packed, one.order)
        if one.name == root and one.array in (_STRUCT, _CELL):
            found |= _inside(root, one.whole(most), one.order, _DEPTH)
    return found


def read_texts(data: bytes, name: str, most: int) -> list[str]:
    """The texts of a cell, such as the names of classes.

    Args:
        data: all of the file.
        name: of the cell.
        most: the bytes that the cell may have.

    Raises:
        ValueError, zlib.error, struct.error: no such file, a damaged one, no such cell,
            one of anything but texts, or one that is too large.
    """
    for one in _variables(data):
        if (one.name, one.array) == (name, _CELL):
            parts = _elements(one.whole(most), one.order)
            _opening(parts, one.order)
            return [_text(part, one.order) for _, part in parts]
    raise ValueError(f"no cell is called {name}")


def _text(content: memoryview, order: str) -> str:
    parts = _elements(content, order)
    array, shape, _ = _opening(parts, order)
    kind, letters = _next(parts)
    if array != _TEXT or kind not in _LETTERS or (shape and shape[0] > 1):
        raise ValueError("a cell has something else than texts of one row")
    form = _LETTERS[kind]
    if form == "utf-16":
        form += "-le" if order == "<" else "-be"
    return bytes(letters).decode(form)


@dataclasses.dataclass(frozen=True)
class _Variable:
    """A variable of a file: the fields of Matrix, its name, and its class."""

    name: str
    array: int
    shape: tuple[int, ...]
    content: memoryview
    packed: bool
    order: str

    def whole(self, most: int) -> memoryview:
        """All of its content, which may have `most` bytes."""
        if not self.packed:
            content = self.content
        else:
            content = _unpacked(self.content, self.order, most + 1)[1]
        if len(content) > most:
            raise ValueError(f"{self.name} has more than {most} bytes")
        return content


def _variables(data: bytes) -> Iterator[_Variable]:
    mark = data[126:_HEADER]
    if mark not in (b"IM", b"MI"):
        raise ValueError("its header is not that of version 5")
    order = "<" if mark == b"IM" else ">"
    for kind, content in _elements(memoryview(data)[_HEADER:], order):
        packed = kind == _COMPRESSED
        start = content
        if packed:
            kind, start = _unpacked(content, order, _START)
        if kind == _MATRIX:
            array, shape, name = _opening(_elements(start, order), order)
            yield _Variable(name, array, shape, content, packed, order)


def _inside(
    name: str, content: memoryview, order: str, depth: int
) -> dict[str, Matrix]:
    """Every real matrix of numbers in an array, at any depth, by MATLAB's way to it."""
    if not depth:
        raise ValueError(f"structs and cells lie more than {_DEPTH} deep")
    parts = _elements(content, order)
    array, shape, _ = _opening(parts, order)
    if _is_matrix(array, shape):
        return {name: Matrix(shape, content, False, order)}
    found = {}
    for part, (_, entry) in _named_parts(name, array, shape, parts, order):
        if entry:  # otherwise an empty matrix
            found |= _inside(part, entry, order, depth - 1)
    return found


def _named_parts(name, array, shape, parts, order):
    """(name, element) of the parts of a cell or a struct; none of others."""
    if array == _CELL:
        return [(f"{name}{{{n}}}", part) for n, part in enumerate(parts, 1)]
    if array != _STRUCT:
        return []
    (length,) = struct.unpack_from(order + "i", _next(parts)[1])
    names = bytes(_next(parts)[1])
    fields = [
        names[at : at + length].split(b"\0")[0].decode("latin-1")
        for at in range(0, len(names), length)
    ]
    owners = [name]
    if math.prod(shape) != 1:  # an array of structs, one behind the other
        owners = (f"{name}({n})" for n in range(1, math.prod(shape) + 1))
    paths = (f"{owner}.{field}" for owner in owners for field in fields)
    return list(zip(paths, parts, strict=False))


def _next(parts: Iterator[tuple[int, memoryview]]) -> tuple[int, memoryview]:
    """The next element, of an array that must have one more."""
    found = next(parts, None)
    if found is None:
        raise ValueError("an array ends before its last part")
    return found


def _opening(parts: Iterator, order: str) -> tuple[int, tuple[int, ...], str]:
    """What an array begins with: its class (0 if it is complex), its sizes, its name."""
    flags = struct.unpack_from(order + "I", _next(parts)[1])[0]
    array = 0 if flags & _COMPLEX else flags & 255
    sizes, name = _next(parts)[1], _next(parts)[1]
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
