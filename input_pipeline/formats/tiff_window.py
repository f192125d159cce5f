"""Windows of a TIFF: the tiles or strips that a window needs, as a TIFF of their own.

The decoders take whole files. So what a window needs is copied, compressed as it is,
into a small TIFF in memory, which is decoded, checked and converted as any other image.
"""

import struct

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.limits import MAX_SIDE
from input_pipeline.formats.tiff import Page, read_pages
from input_pipeline.formats.tiff_directory import (
    Directory,
    Entry,
    directory_bytes,
    header,
    read_directories,
)

# What tells how pixels are stored, and goes along: bits, compression, colours,
# predictor, tables of JPEG, kind of the channels beyond the colours, numbers, chroma.
_KEPT = (258, 259, 262, 266, 277, 284, 317, 320, 338, 339, 347, 529, 530, 531, 532)
_WIDTH, _HEIGHT, _ROWS = 256, 257, 278
_STRIPS, _TILES = (273, 279), (324, 325)  # where they begin, and their bytes
_TILE_WIDTH, _TILE_HEIGHT = 322, 323

# What ties pixels to the world: scale, tie points, transformation, keys.
GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737)


class TiffWindows:
    """A TIFF of which parts are read.

    Attributes:
        path: the file.
        page: what it says of its first image.
        order: the byte order, `<` or `>`.
        georeference: entries of the directory that tie the image to the world, by tag.
    """

    def __init__(self, path: str):
        """Reads the directories.

        Raises:
            DataError: no TIFF, or a damaged one.
        """
        self.path = path
        with open_file(path) as file:
            # How large an image is counts where pixels are decoded.
            self.pages = read_pages(path, file, MAX_SIDE**2)
            self.page = self.pages[0]
            file.seek(0)
            try:
                self._read_layout(next(read_directories(path, file)))
            except (struct.error, ValueError, OverflowError, OSError) as error:
                raise DataError(
                    f"{path}: the TIFF is truncated or damaged: where its pixels are "
                    f"cannot be read ({error})."
                ) from error

    def _read_layout(self, directory: Directory):
        page = self.page
        self.order = directory.order
        self._tiled = page.tile_width > 0
        found = {tag: directory.find(tag) for tag in (*_KEPT, *GEOREFERENCE)}
        found = {tag: entry for tag, entry in found.items() if entry is not None}
        self._kept = {tag: found[tag] for tag in _KEPT if tag in found}
        self.georeference = {t: found[t] for t in GEOREFERENCE if t in found}
        if self._tiled:
            self._block = page.tile_height, page.tile_width
        else:
            rows = _numbers(directory, _ROWS)
            rows = page.height if rows is None else int(rows[0])
            self._block = min(max(rows, 1), page.height), page.width
        self._places, self._lengths = (
            _numbers(directory, tag) for tag in (_TILES if self._tiled else _STRIPS)
        )
        self._grid = -(-page.height // self._block[0]), -(-page.width // self._block[1])
        planes = page.samples if page.planar == 2 else 1
        due = self._grid[0] * self._grid[1] * planes
        for numbers in (self._places, self._lengths):
            if numbers is None or len(numbers) != due:
                has = 0 if numbers is None else len(numbers)
                raise ValueError(f"{has} parts, where {due} are due")

    def cut(
        self, rows: range, columns: range, max_pixels: int
    ) -> tuple[bytes, tuple[int, int]]:
        """A TIFF with a window, and what else its tiles or strips have.

        Args:
            rows, columns: the window, inside of the image and not empty.
            max_pixels: the most that the result may have.

        Returns:
            All of the file, and (row, column) in it where the window begins.

        Raises:
            DataError: a file that is truncated, tiles that it leaves out, or so large
                ones that the result would be too large.
        """
        if self._can_be_sliced:
            data = self._sliced(rows, columns)
            return self._file([data], (len(rows), len(columns))), (0, 0)
        tall, wide = self._block
        across = range(columns.start // wide, -(-columns.stop // wide))
        down = range(rows.start // tall, -(-rows.stop // tall))
        size = len(down) * tall, len(across) * wide
        if not self._tiled:
            size = min(size[0], self.page.height - down.start * tall), size[1]
        if size[0] * size[1] > max_pixels:
            kind = "tiles" if self._tiled else "strips"
            raise DataError(
                f"{self.path}: a window of {len(rows)}x{len(columns)} (h x w) needs "
                f"{size[0]}x{size[1]} pixels of the TIFF, whose {kind} are {tall}x{wide}; "
                f"max_pixels allows {max_pixels}. Write it in smaller tiles: "
                "gdal_translate -co TILED=YES, or vips tiffsave --tile."
            )
        planes = self.page.samples if self.page.planar == 2 else 1
        chosen = [
            (plane * self._grid[0] + row) * self._grid[1] + column
            for plane in range(planes)
            for row in down
            for column in across
        ]
        parts = self._parts(chosen)
        begin = rows.start - down.start * tall, columns.start - across.start * wide
        return self._file(parts, size), begin

    @property
    def _can_be_sliced(self):
        """Whether pixels lie in rows of whole bytes, and can be read one by one."""
        page = self.page
        return (
            not self._tiled
            and page.compression == 1
            and page.bits % 8 == 0
            and (page.planar == 1 or page.samples == 1)
            and page.photometric != 6  # YCbCr shares chroma between pixels
        )

    def _sliced(self, rows, columns):
        """The bytes of a window, of strips without compression."""
        pixel = self.page.bits // 8 * self.page.samples
        tall = self._block[0]
        parts = []
        with open_file(self.path) as file:
            for row in rows:
                strip, inside = divmod(row, tall)
                start = (inside * self.page.width + columns.start) * pixel
                at, length = int(self._places[strip]), int(self._lengths[strip])
                size = len(columns) * pixel
                if start + size > length:
                    raise self._truncated(f"strip {strip} has {length} bytes")
                parts.append(self._read(file, at + start, size))
        return b"".join(parts)

    def _parts(self, chosen):
        """The bytes of tiles or strips, compressed as they are."""
        pixel = np.dtype(self.page.dtype).itemsize * self.page.samples
        most = 2 * self._block[0] * self._block[1] * pixel + (1 << 16)
        parts = []
        with open_file(self.path) as file:
            for number in chosen:
                size = int(self._lengths[number])
                if not size:
                    raise DataError(
                        f"{self.path}: the TIFF leaves out tile {number} (a sparse "
                        "file); write all: gdal_translate -co SPARSE_OK=FALSE."
                    )
                if size > most:
                    raise self._truncated(f"tile {number} has {size} bytes")
                parts.append(self._read(file, int(self._places[number]), size))
        return parts

    def _read(self, file, at, size):
        # Before memory is taken for what the file does not have.
        end = file.seek(0, 2)
        if at + size > end:
            raise self._truncated(f"it has {end} bytes, and pixels up to {at + size}")
        file.seek(at)
        return file.read(size)

    def _truncated(self, why):
        return DataError(f"{self.path}: the TIFF is truncated or damaged: {why}.")

    def _file(self, parts, size):
        """A BigTIFF of parts; the directory comes first, then they."""
        entries = dict(self._kept)
        entries |= {_WIDTH: self._long(size[1]), _HEIGHT: self._long(size[0])}
        if self._tiled:
            entries[_TILE_WIDTH] = self._long(self._block[1])
            entries[_TILE_HEIGHT] = self._long(self._block[0])
        else:
            entries[_ROWS] = self._long(
                size[0] if self._can_be_sliced else self._block[0]
            )
        lengths = np.array([len(part) for part in parts], np.uint64)
        tags = _TILES if self._tiled else _STRIPS
        entries |= {tag: self._long8(lengths) for tag in tags}
        at = len(header(self.order, True, 0))
        first = at + len(directory_bytes(entries, self.order, True, at))
        places = first + np.concatenate([[0], np.cumsum(lengths)[:-1]])
        entries[tags[0]] = self._long8(places)
        directory = directory_bytes(entries, self.order, True, at)
        return b"".join([header(self.order, True, at), directory, *parts])

    def _long(self, number):
        return Entry(4, 1, struct.pack(self.order + "I", number))

    def _long8(self, numbers):
        return Entry(16, len(numbers), numbers.astype(f"{self.order}u8").tobytes())


def _numbers(directory, tag):
    """The numbers of an entry, (N,) uint64, or None."""
    entry = directory.find(tag)
    types = {3: "u2", 4: "u4", 16: "u8"}
    if entry is None or entry.kind not in types:
        return None
    dtype = np.dtype(types[entry.kind]).newbyteorder(directory.order)
    return np.frombuffer(entry.data, dtype).astype(np.uint64)


def page_is_upright(page: Page) -> bool:
    """Whether a window of the image is one of what is stored."""
    return page.orientation == 1 and page.depth == 1
