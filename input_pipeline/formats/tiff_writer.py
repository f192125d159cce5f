"""Tiled TIFF: written tile by tile, so that no more than a row of tiles is in memory."""

import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline.formats.tiff_directory import Entry, directory_bytes, header

TILE = 512

# Places in a TIFF have 32 bits, in a BigTIFF 64. Deflate makes nothing longer by 1 %.
_MOST = (1 << 32) // 1.01


class TiledTiff:
    """An image of uint8 or uint16 that is written from its top to its bottom.

    A context manager. The file has another name until all of it is there; where that
    fails, it is removed.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        dtype: np.dtype,
        *,
        samples: int = 1,
        palette: Any = None,
        georeference: Mapping[int, Entry] | None = None,
        order: str = "<",
    ):
        """Begins a file.

        Args:
            path: of the file.
            size: (height, width).
            dtype: of the pixels.
            samples: 1, or 3 for RGB.
            palette: of uint8 of one sample: (r, g, b) of each value.
            georeference: entries that go into its directory as they are.
            order: their byte order and the file's, `<` or `>`.
        """
        self._path, self._size, self._samples = path, size, samples
        self._dtype = np.dtype(dtype).newbyteorder(order)
        self._order = order
        self._grid = -(-size[0] // TILE), -(-size[1] // TILE)
        self._places = np.zeros(self._grid, np.uint64)
        self._lengths = np.zeros(self._grid, np.uint64)
        self._waiting, self._row = [], 0
        count = self._grid[0] * self._grid[1]
        pixels = count * TILE * TILE * samples * self._dtype.itemsize
        self._big = pixels + 64 * count > _MOST
        self._entries = self._describe(palette) | dict(georeference or {})

    def __enter__(self):
        self._part = self._path.with_name(self._path.name + ".part")
        self._file = open(self._part, "wb")
        self._file.write(header(self._order, self._big, 0))
        return self

    def __exit__(self, kind, error, trace):
        complete = False
        try:
            if kind is None:
                self._finish()
                complete = True
        finally:
            self._file.close()
            if complete:
                os.replace(self._part, self._path)
            else:
                self._part.unlink()

    def add(self, top: int, left: int, rows: np.ndarray):
        """The next rows, of the whole width or of a panel of it.

        A panel begins with its row 0, when the one before has reached the bottom.

        Args:
            top: the first of the rows.
            left: where the panel begins, a multiple of TILE.
            rows: (N, W) or (N, W, samples); W is a multiple of TILE, but for a panel that
                ends with the image.
        """
        if top == 0:
            self._waiting, self._row = [], 0
        self._waiting.append(rows)
        ends = top + len(rows) == self._size[0]
        while (count := sum(map(len, self._waiting))) >= TILE or (ends and count):
            together = np.concatenate(self._waiting)
            self._write_tiles(left // TILE, together[:TILE])
            self._waiting = [together[TILE:]]

    def _write_tiles(self, column, rows):
        for start in range(0, rows.shape[1], TILE):
            tile = np.zeros((TILE, TILE, *rows.shape[2:]), self._dtype)
            part = rows[:, start : start + TILE]
            tile[: part.shape[0], : part.shape[1]] = part
            data = zlib.compress(tile.tobytes(), 6)
            place = self._row, column + start // TILE
            self._places[place], self._lengths[place] = self._file.tell(), len(data)
            self._file.write(data + b"\0" * (len(data) % 2))
        self._row += 1

    def _describe(self, palette):
        bits = self._dtype.itemsize * 8
        kind = 2 if self._samples == 3 else 1
        entries = {
            258: self._numbers("H", [bits] * self._samples),
            259: self._numbers("H", [8]),  # deflate
            277: self._numbers("H", [self._samples]),
            284: self._numbers("H", [1]),
        }
        if palette is not None:
            kind = 3
            colors = np.zeros((256, 3), np.uint16)
            colors[: len(palette)] = palette
            entries[320] = self._numbers("H", (colors * 257).T.ravel())
        height, width = self._size
        sides = {256: width, 257: height, 322: TILE, 323: TILE}
        entries |= {tag: self._numbers("I", [side]) for tag, side in sides.items()}
        return entries | {262: self._numbers("H", [kind])}

    def _numbers(self, letter, values):
        kind = {"H": 3, "I": 4, "Q": 16}[letter]
        data = struct.pack(f"{self._order}{len(values)}{letter}", *map(int, values))
        return Entry(kind, len(values), data)

    def _finish(self):
        if not self._lengths.all():
            raise ValueError(f"{self._path}: rows are missing")
        letter = "Q" if self._big else "I"
        for tag, numbers in ((324, self._places), (325, self._lengths)):
            self._entries[tag] = self._numbers(letter, numbers.ravel())
        at = self._file.tell()
        self._file.write(directory_bytes(self._entries, self._order, self._big, at))
        self._file.seek(0)
        self._file.write(header(self._order, self._big, at))
