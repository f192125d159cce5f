"""Stored zip: zip files without compression, so that arrays can lie in them."""

import contextlib
import io
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from jaxseg.weights.files.mapped_file import CheckpointFileError, MappedFile, shown

# The list of entries: 200 000 of them, where a large model with its optimizer has
# 5 000. `zipfile` makes objects of ten times the size.
_MAX_DIRECTORY = 16 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
# The header, its length and nothing else; what `zipfile` adds for 2 GB and more.
_EXTRA, _EXTRA_64 = 4, 20
_ALIGNMENT = 64


def entries(file: MappedFile) -> dict[str, tuple[int, int]]:
    """Where the entries of a zip file lie: name -> (first byte, number of bytes).

    Raises:
        CheckpointFileError: for a damaged file, and for what no writer of weights makes
            and an attack may: compressed or encrypted entries, two of one name, and
            two stories of where an entry is.
    """
    try:
        with _Directory(file.path) as raw, zipfile.ZipFile(raw) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except CheckpointFileError:
        raise
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        struct.error,
        OSError,
        EOFError,
    ) as error:
        raise CheckpointFileError(
            f"the zip file is damaged or cut short ({error})"
        ) from error
    found = {}
    for info in infos:
        name = info.filename
        if name in found:
            raise CheckpointFileError(f"two entries are called {shown(name)}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise CheckpointFileError(
                f"the entry {shown(name)} is compressed or encrypted, as in a "
                "TorchScript program or by np.savez_compressed; weights are stored as "
                "they are"
            )
        found[name] = _place(file, info, end)
    return found


def _place(file, info, end):
    # The local header has its own `extra` field: torch fills up to 64 bytes there.
    header = info.header_offset
    if not 0 <= header <= end - _LOCAL_HEADER.size:
        raise CheckpointFileError(f"the entry {shown(info.filename)} is not there")
    magic, name, extra = _LOCAL_HEADER.unpack_from(file.data, header)
    name_at = header + _LOCAL_HEADER.size
    local_name = file.data[name_at : name_at + name]
    # Bit 11 of the flags: zip's choice between its two encodings of names.
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    start = name_at + name + extra
    if (
        magic != b"PK\x03\x04"
        or local_name != info.orig_filename.encode(encoding)
        or info.compress_size != info.file_size
        or start + info.file_size > end
    ):
        raise CheckpointFileError(
            f"the entry {shown(info.filename)} is not where the zip file says"
        )
    return start, info.file_size


class _Directory(io.FileIO):
    """A zip file of which no more than its list of entries may be read at once."""

    def read(self, size=-1):
        if size > _MAX_DIRECTORY:
            raise CheckpointFileError(
                f"the list of its entries takes {size} bytes, allowed are "
                f"{_MAX_DIRECTORY}"
            )
        return super().read(size)


@contextlib.contextmanager
def new_entry(archive: zipfile.ZipFile, name: str, size: int) -> Iterator[BinaryIO]:
    """A stored entry to write to, its first byte at a multiple of 64 in the file.

    Args:
        archive: open for writing.
        name: the name of the entry.
        size: bytes that will be written.
    """
    # One date for all: the same weights make the same file.
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.file_size = size
    # Where `zipfile` itself sets the limit for the longer header.
    wide = _EXTRA_64 if size * 1.05 > zipfile.ZIP64_LIMIT else 0
    start = archive.fp.tell() + _LOCAL_HEADER.size + len(name.encode()) + _EXTRA + wide
    fill = -start % _ALIGNMENT
    # As torch does: a field 'FB' that says nothing.
    info.extra = struct.pack("<2sH", b"FB", fill) + b"Z" * fill
    with archive.open(info, "w") as file:
        yield file
