"""Packing storage: the data files, bytes one after the other, or ArrayRecord.

`raw` is read whole, a record at a time: a file that is truncated meanwhile is an error
then, where a map of it would end the process (SIGBUS). `arrayrecord` is compressed, a third to a half of
that size, and has to be unpacked: 9 ms for 1024x2048, a JPEG of it with its label
12 ms, a PNG 40 ms (one core).
"""

import contextlib
import os
import pathlib
import zlib
from collections.abc import Sequence

import grain
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.packing.index import ALIGNMENT, Index, Record, shard_name

# 64-bit words of a record that are summed by column. A prime, so that the pages of a
# file (512 words) that are exchanged or repeated fall into other columns.
_COLUMNS = 1021


def to_bytes(arrays: Sequence[np.ndarray]) -> bytes:
    """The content of arrays, each at its place in a record."""
    blocks = [np.ascontiguousarray(array).tobytes() for array in arrays]
    padded = [block + bytes(-len(block) % ALIGNMENT) for block in blocks[:-1]]
    return b"".join([*padded, blocks[-1]])


def to_arrays(content: np.ndarray, record: Record) -> list[np.ndarray]:
    """The image, and the label if there is one, as views of a record's bytes.

    Args:
        content: (record.num_bytes,) uint8.
        record: what is in it.
    """
    content.flags.writeable = False
    arrays, offset = [], 0
    for array in record.arrays:
        block = content[offset : offset + array.num_bytes]
        arrays.append(block.view(array.dtype).reshape(array.shape))
        offset += array.num_bytes + -array.num_bytes % ALIGNMENT
    return arrays


def checksum(content: bytes | np.ndarray) -> int:
    """A CRC-32 of sums: those of the content's 64-bit words, by column of 1021.

    It finds every change of a single word, and of several unless they cancel out in
    one column. It takes 0.1 ms a megabyte, a tenth of what a CRC-32 of all bytes does.

    Args:
        content: bytes, or (n,) uint8.
    """
    content = np.frombuffer(content, np.uint8)
    rows = len(content) // (8 * _COLUMNS)
    rest = content[rows * 8 * _COLUMNS :]
    words = content[: rows * 8 * _COLUMNS].view("<u8").reshape(rows, _COLUMNS)
    return zlib.crc32(rest, zlib.crc32(words.sum(0, dtype="<u8")))


class RawWriter:
    """One data file of bytes."""

    def __init__(self, path: pathlib.Path):
        self._file = open(path, "wb")  # noqa: SIM115 - until `close`
        self.size = 0

    def add(self, content: bytes) -> int:
        """Writes a record; returns its offset."""
        self.size += self._file.write(bytes(-self.size % ALIGNMENT))
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
    """Data files from which each record is read when it is wanted."""

    def __init__(self, paths: Sequence[pathlib.Path]):
        self._paths = paths

    def read(self, record: Record) -> list[np.ndarray]:
        """The image, and the label if there is one; neither can be written to.

        Raises:
            DataError: a file that is missing or truncated, or damaged bytes.
        """
        path = self._paths[record.shard]
        content = np.empty(record.num_bytes, np.uint8)
        try:
            with open_file(path) as file:
                file.seek(record.offset)
                found = file.readinto(content)
                size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        if found != record.num_bytes:
            raise DataError(
                f"{path}: it ends at byte {size}, before the pixels of {record.name} do; "
                "it was truncated after it had been opened. Copy or pack the data set "
                "again."
            )
        return _checked(content, record, path)


class ArrayRecordReader:
    """Data files that ArrayRecord unpacks."""

    def __init__(self, paths: Sequence[pathlib.Path]):
        self._paths = paths
        self._files = []
        for path in paths:
            try:
                opened = grain.sources.ArrayRecordDataSource([str(path)])
            except Exception as error:  # it knows RuntimeError, and others by version
                raise DataError(
                    f"{path}: not an ArrayRecord file, or damaged ({error})."
                ) from error
            self._files.append(opened)

    def read(self, record: Record) -> list[np.ndarray]:
        """The image, and the label if there is one; neither can be written to.

        Raises:
            DataError: damaged bytes.
        """
        path = self._paths[record.shard]
        try:
            content = self._files[record.shard][record.offset]
        except Exception as error:
            raise DataError(
                f"{record.name}: its packed pixels in {path} are damaged ({error})."
            ) from error
        return _checked(np.frombuffer(content, np.uint8), record, path)


def _checked(content, record, path):
    if len(content) != record.num_bytes or checksum(content) != record.checksum:
        raise DataError(
            f"{record.name}: its packed pixels in {path} are damaged: they are not those "
            "that were written. Copy or pack the data set again."
        )
    return to_arrays(content, record)


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
