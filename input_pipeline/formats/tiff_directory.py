"""Directories of a TIFF: their entries, read one by one and written."""

import dataclasses
import os
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from input_pipeline.errors import DataError

STARTS = (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")

# Overviews and masks are pages of their own; an image has a few of them.
MAX_PAGES = 256

# Types of numbers, as `struct` has them. Fractions are pairs of the types 4 and 9.
NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8}
_SIZES |= {11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclasses.dataclass(frozen=True)
class Entry:
    """An entry of a directory.

    Attributes:
        kind: the type of its values, 1 to 18.
        amount: how many there are.
        data: the values, in the file's byte order.
    """

    kind: int
    amount: int
    data: bytes


@dataclasses.dataclass(frozen=True, eq=False)
class Directory:
    """A directory, whose values are read when they are asked for.

    Attributes:
        file: the file.
        order: its byte order, `<` or `>`.
        big: whether it is a BigTIFF.
        entries: (tag, kind, amount, the last field: the values or where they are).
    """

    file: BinaryIO
    order: str
    big: bool
    entries: list[tuple[int, int, int, bytes]]

    def numbers(
        self, kind: int, amount: int, value: bytes, most: int | None = None
    ) -> tuple[int, ...]:
        """The values of an entry of a type of `NUMBERS`, `most` of them at most."""
        amount = amount if most is None else min(amount, most)
        data = self._data(amount * _SIZES[kind], value)
        return struct.unpack_from(f"{self.order}{amount}{NUMBERS[kind]}", data)

    def find(self, tag: int) -> Entry | None:
        """The entry with a tag, and all its values.

        Raises:
            ValueError: if they lie outside of the file.
        """
        for name, kind, amount, value in self.entries:
            if name == tag and kind in _SIZES and amount:
                size = amount * _SIZES[kind]
                return Entry(kind, amount, self._data(size, value)[:size])
        return None

    def _data(self, size, value):
        if size <= len(value):
            return value
        at = struct.unpack(self.order + _pointer(self.big), value)[0]
        return _read(self.file, at, size)


def read_directories(source: str, file: BinaryIO) -> Iterator[Directory]:
    """Yields the directories of a TIFF, each once.

    Raises:
        DataError: directories that loop, or are too many.
        ValueError, struct.error, OSError: a directory that cannot be read.
    """
    start = file.read(16)
    order = "<" if start.startswith(b"II") else ">"
    big = start[2:4] in (b"+\0", b"\0+")
    at = struct.unpack_from(order + _pointer(big), start, 8 if big else 4)[0]
    seen = set()
    while at:
        if at in seen:
            raise DataError(
                f"{source}: the TIFF is damaged: its directories loop, the one at byte "
                f"{at} comes again."
            )
        if len(seen) == MAX_PAGES:
            raise DataError(
                f"{source}: the TIFF has more than {MAX_PAGES} pages; it may have one "
                "image, and overviews of it."
            )
        seen.add(at)
        directory, at = _read_directory(file, order, big, at)
        yield directory
    if not seen:
        raise DataError(f"{source}: the TIFF has no image.")


def _read_directory(file, order, big, at):
    """A directory, and where the next one is; 0 for nowhere."""
    number = struct.Struct(order + ("Q" if big else "H"))
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    count = number.unpack(_read(file, at, number.size))[0]
    if count > 4096:  # a directory has some twenty entries
        raise ValueError(f"{count} entries at byte {at}")
    content = _read(file, file.tell(), count * entry.size)
    after = struct.Struct(order + _pointer(big))
    # libtiff and Pillow, too, take a missing pointer for the last one.
    rest = file.read(after.size)
    following = after.unpack(rest)[0] if len(rest) == after.size else 0
    return Directory(file, order, big, list(entry.iter_unpack(content))), following


def header(order: str, big: bool, at: int) -> bytes:
    """The start of a TIFF whose directory is at byte `at`: 16 bytes, 8 of a small one."""
    name = b"II" if order == "<" else b"MM"
    if big:
        return name + struct.pack(order + "HHHQ", 43, 8, 0, at)
    return name + struct.pack(order + "HI", 42, at)


def directory_bytes(
    entries: Mapping[int, Entry], order: str, big: bool, at: int
) -> bytes:
    """A directory, the only one, and its values behind it.

    Args:
        entries: by their tag.
        order: `<` or `>`, also of the entries' data.
        big: whether the file is a BigTIFF.
        at: where it will be in the file.
    """
    count, inline = ("Q", 8) if big else ("H", 4)
    entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
    start = struct.pack(order + count, len(entries))
    after = at + len(start) + len(entries) * entry.size + inline
    fields, values = [], b""
    for tag, one in sorted(entries.items()):
        field = one.data
        if len(field) > inline:
            field = struct.pack(order + _pointer(big), after + len(values))
            values += one.data + b"\0" * (len(one.data) % 2)  # at even places
        fields.append(entry.pack(tag, one.kind, one.amount, field))
    return b"".join([start, *fields, b"\0" * inline, values])


def _pointer(big):
    return "Q" if big else "I"


def _read(file, at, size):
    # Asked before, so that no memory is taken for what the file does not have.
    if at + size > file.seek(0, os.SEEK_END):
        raise ValueError(f"{size} bytes at {at} end beyond the file")
    file.seek(at)
    return file.read(size)
