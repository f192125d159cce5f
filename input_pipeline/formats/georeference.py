"""Georeference: where the pixels of a GeoTIFF lie in the world (OGC GeoTIFF 1.1)."""

import dataclasses
import os
import struct

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.tiff_directory import STARTS
from input_pipeline.formats.tiff_window import TiffWindows

_SCALE, _TIE_POINTS, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
# Keys: whether a place in the image is that of a pixel's centre, and the number of the
# reference system in EPSG's list, of a map or of longitudes and latitudes.
_RASTER_TYPE, _PROJECTED, _GEOGRAPHIC = 1025, 3072, 2048
_OF_CENTRES = 2
_NUMBERS = range(1024, 32767)


@dataclasses.dataclass(frozen=True, eq=False)
class Georeference:
    """From the corners of pixels to coordinates.

    Attributes:
        matrix: (2, 3) float64; (x, y) = matrix @ (column, row, 1).
        epsg: the number of the reference system.
    """

    matrix: np.ndarray
    epsg: int

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Coordinates (N, 2) of points (N, 2) in pixels, (column, row)."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def read_georeference(path: str | os.PathLike) -> Georeference | None:
    """The georeference of an image file, or None of one that has none.

    Raises:
        DataError: a damaged TIFF.
    """
    with open_file(path) as file:
        if file.read(4) not in STARTS:
            return None
    tiff = TiffWindows(os.fspath(path))
    keys = _keys(tiff)
    numbers = (keys.get(_PROJECTED, 0), keys.get(_GEOGRAPHIC, 0))
    epsg = next((number for number in numbers if number in _NUMBERS), None)
    matrix = _matrix(tiff)
    if matrix is None or epsg is None:
        return None
    if keys.get(_RASTER_TYPE) == _OF_CENTRES:
        matrix[:, 2] -= matrix[:, :2].sum(1) / 2
    return Georeference(matrix, epsg)


def _matrix(tiff):
    if (values := _values(tiff, _TRANSFORMATION, 12, "d", 16)) is not None:
        return values.reshape(4, 4)[:2, [0, 1, 3]]
    scale = _values(tiff, _SCALE, 12, "d", 2)
    tie = _values(tiff, _TIE_POINTS, 12, "d", 6)
    if scale is None or tie is None:
        return None
    column, row, _, x, y, _ = tie[:6]
    across, down = scale[:2]
    return np.array([[across, 0, x - across * column], [0, -down, y + down * row]])


def _keys(tiff):
    """The numbers that the keys have; those of other types are left out."""
    values = _values(tiff, _KEYS, 3, "H", 4)
    if values is None:
        return {}
    entries = values[4 : len(values) // 4 * 4].reshape(-1, 4).astype(int)
    return {key: number for key, place, _, number in entries.tolist() if place == 0}


def _values(tiff, tag, kind, letter, least):
    entry = tiff.georeference.get(tag)
    if entry is None:
        return None
    if entry.kind != kind or entry.amount < least:
        raise DataError(f"{tiff.path}: the GeoTIFF is damaged: the tag {tag} is wrong.")
    numbers = struct.unpack(f"{tiff.order}{entry.amount}{letter}", entry.data)
    return np.array(numbers, np.float64)
