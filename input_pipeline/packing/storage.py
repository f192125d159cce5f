"""The data files: bytes one after the other, or ArrayRecord.

`raw` is mapped into memory: an image costs no more than the pages that are looked at,
and those stay in the system's cache. `arrayrecord` is compressed, a third to a half of
that size, and has to be unpacked: 9 ms for 1024x2048, a JPEG of it with its label
12 ms, a PNG 40 ms (one core).
"""

import contextlib
import mmap
import os
import pathlib
import zlib
from collections.abc import Sequence

import grain
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter

from input_pipeline.errors import DataError
from input_pipeline.packing.index import Array, Index, Record, shard_name

# A label begins at the next multiple, so that its type's alignment is kept.
_ALIGNMENT = 64


def to_bytes(arrays: Sequence[np.ndarray]) -> bytes:
    """The content of arrays, each at its place in a record."""
    blocks = [np.ascontiguousarray(array).tobytes() for array in arrays]
    padded = [block + bytes(-len(block) % _ALIGNMENT) for block in blocks[:-1]]
    return b"".join([*padded, blocks[-1]])


def to_arrays(buffer, offset: int, record: Record) -> list[np.ndarray]:
    """The image, and the label if there is one, as views of a buffer."""
    arrays = []
    for array in _arrays(record):
        dtype = np.dtype(array.dtype)
        count = int(np.prod(array.shape))
        view = np.frombuffer(buffer, dtype, count, offset)
        arrays.append(view.reshape(array.shape))
        offset += count * dtype.itemsize
        offset += -offset % _ALIGNMENT
    return arrays


def _arrays(record: Record) -> list[Array]:
    return [array for array in (record.img, record.label) if array is not None]


class RawWriter:
    """One data file of bytes."""

    def __init__(self, path: pathlib.Path):
        self._file = open(path, "wb")  # noqa: SIM115 - until `close`
        self.size = 0

    def add(self, content: bytes) -> int:
        """Writes a record; returns its offset."""
        self.size += self._file.write(bytes(-self.size % _ALIGNMENT))
        offset = self.size
        self.size += self._file.write(content)
        return offset

    def close(self):
        """Ends the file; it is on the disk then."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class ArrayRecordFileWriter:
    """One data file of compressed records."""

    def __init__(self, path: pathlib.Path):
        # A group of one: any other is unpacked as a whole for each of its records.
        self._writer = ArrayRecordWriter(str(path), "group_size:1")
        self._count = 0
        self.size = 0  # before compression

    def add(self, content: bytes) -> int:
        """Writes a record; returns its number in the file."""
        with _as_os_error():
            self._writer.write(content)
        self._count += 1
        self.size += len(content)
        return self._count - 1

    def close(self):
        """Ends the file."""
        with _as_os_error():
            self._writer.close()


@contextlib.contextmanager
def _as_os_error():
    """ArrayRecord's errors of a file, a full disk for instance, as Python's."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(str(error)) from error


WRITERS = {"raw": RawWriter, "arrayrecord": ArrayRecordFileWriter}


class RawReader:
    """Data files mapped into memory, each when it is first wanted."""

    def __init__(self, paths: Sequence[pathlib.Path]):
        self._paths = paths
        self._maps = {}

    def read(self, record: Record) -> list[np.ndarray]:
        """The image, and the label if there is one; neither can be written to."""
        mapped = self._maps.get(record.shard)
        if mapped is None:
            with open(self._paths[record.shard], "rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            # Two threads may both map it; one of the maps is dropped.
            self._maps[record.shard] = mapped
        return to_arrays(mapped, record.offset, record)


class ArrayRecordReader:
    """Data files that ArrayRecord unpacks."""

    def __init__(self, paths: Sequence[pathlib.Path]):
        self._files = []
        for path in paths:
            try:
                opened = grain.sources.ArrayRecordDataSource([str(path)])
            except RuntimeError as error:
                raise DataError(
                    f"{path}: not an ArrayRecord file, or damaged ({error})."
                ) from error
            self._files.append(opened)

    def read(self, record: Record) -> list[np.ndarray]:
        """The image, and the label if there is one; neither can be written to."""
        try:
            content = self._files[record.shard][record.offset]
        except RuntimeError as error:
            raise DataError(
                f"{record.name}: its packed pixels are damaged ({error})."
            ) from error
        return to_arrays(content, 0, record)


READERS = {"raw": RawReader, "arrayrecord": ArrayRecordReader}


def open_shards(folder: pathlib.Path, index: Index) -> RawReader | ArrayRecordReader:
    """A reader of all data files of a packed data set.

    Raises:
      DataError: a file that is missing, or has another size than when it was written.
    """
    paths = []
    for shard, size in enumerate(index.part.sizes):
        path = folder / shard_name(index.header, shard)
        try:
            found = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
        if found != size:
            raise DataError(
                f"{path}: {found} bytes, but it was written with {size}; it is "
                f"{'truncated' if found < size else 'not the same file'}. Copy or pack "
                "the data set again."
            )
        paths.append(path)
    return READERS[index.header.format](paths)


def checksum(arrays: Sequence[np.ndarray]) -> int:
    """CRC-32 of the content of arrays."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value
