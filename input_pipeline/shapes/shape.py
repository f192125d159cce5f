"""Shape: what an annotator drew, in one form for all file formats.

A coordinate 0 is the left or upper edge of the first pixel, 0.5 its centre, as in COCO.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from input_pipeline.errors import DataError

# Beyond these no image has pixels; products of two stay exact in float64.
MAX_COORDINATE = 1e7

# An ellipse is a polygon of so many corners: off by 3e-4 of its radius.
_CORNERS = 128


@dataclasses.dataclass(frozen=True, eq=False)
class Runs:
    """A mask as runs of pixels (RLE).

    Attributes:
        starts, lengths: (n,) integers; the pixels of a run, counted from 0.
        columns: pixels are counted down the columns, as COCO does; or along the rows.
        size: (height, width) that they count in; None for the image's.
    """

    starts: np.ndarray
    lengths: np.ndarray
    columns: bool = True
    size: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Bitmap:
    """A mask that lies somewhere in the image.

    Attributes:
        mask: (h, w) truth values.
        x, y: the pixel of the image that is the mask's first.
    """

    mask: np.ndarray
    x: int
    y: int


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """One object.

    Attributes:
        name: its class, as the file calls it; None if the file has numbers alone.
        number: the number of its class in the file, or None.
        polygons: each an outline and its holes, all (n, 2) float64 x and y. What any
            one covers is covered.
        lines: (n, 2) each; a line of one vertex is a point.
        mask: runs, a bitmap, or the file of a mask whose pixels are 0 or one other
            value.
        segment: the number of its pixels in the `id_map` of the image.
        where: the place in the file, for errors.
    """

    where: str
    name: str | None = None
    number: int | None = None
    polygons: tuple[tuple[np.ndarray, ...], ...] = ()
    lines: tuple[np.ndarray, ...] = ()
    mask: Runs | Bitmap | str | None = None
    segment: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class ImageShapes:
    """What a file says of one image.

    Attributes:
        image: its name in the file; '' if the file does not say.
        shapes: in the order of drawing.
        size: (height, width) that the file says, or None.
        relative: coordinates are parts of the width and the height.
        covers_more: the file is of a larger area, so that shapes may lie outside.
        id_map: an image whose pixels are numbers r + 256 g + 65536 b; or ''.
    """

    image: str
    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None = None
    relative: bool = False
    covers_more: bool = False
    id_map: str = ""


def points_of(values: Any, where: str, least: int = 1) -> np.ndarray:
    """(n, 2) x and y from a list of pairs; a third coordinate is a height, left out.

    Args:
        values: what a file has.
        where: the file and the place in it, for errors.
        least: how many points there must be.

    Raises:
        DataError: no pairs of numbers, too few, NaN, or far outside of any image.
    """
    try:
        points = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{where}: the points are no list of x and y: {str(values)[:60]}."
        ) from error
    if points.size and (points.ndim != 2 or points.shape[1] not in (2, 3)):
        raise DataError(
            f"{where}: the points are no list of x and y, but an array of shape "
            f"{points.shape}."
        )
    if len(points) < least:
        raise DataError(
            f"{where}: a shape of {len(points)} points; it needs {least} or more. "
            "Remove it, or draw it again."
        )
    points = points[:, :2]
    if not (np.abs(points) <= MAX_COORDINATE).all():
        raise DataError(
            f"{where}: a coordinate is NaN, infinite or beyond {MAX_COORDINATE:g}."
        )
    return points


def polygon_of(outline: Any, where: str, holes: Any = ()) -> tuple[np.ndarray, ...]:
    """A polygon from lists of pairs; see `points_of`."""
    return tuple(points_of(ring, where, 3) for ring in (outline, *holes))


def flat_points(values: Any, where: str) -> list[tuple]:
    """Pairs from x, y, x, y, ..."""
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) % 2:
        raise DataError(
            f"{where}: {str(values)[:60]} is no list of x, y, x, y, ... of even length."
        )
    return list(zip(values[::2], values[1::2], strict=True))


def box_polygon(
    x: float, y: float, width: float, height: float, where: str, degrees: float = 0
) -> tuple[np.ndarray, ...]:
    """A rectangle, turned clockwise about its centre."""
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    ring = points_of(corners, where, 3)
    return (_turned(ring, ring.mean(0), degrees),)


def ellipse_polygon(
    x: float, y: float, rx: float, ry: float, where: str, degrees: float = 0
) -> tuple[np.ndarray, ...]:
    """An ellipse of the centre (x, y), turned clockwise about it."""
    angles = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    middle = points_of([(x, y)], where)[0]
    radii = points_of([(rx, ry)], where)[0]
    ring = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * radii
    return (_turned(ring, middle, degrees),)


def _turned(ring, middle, degrees):
    if not degrees:
        return ring
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (ring - middle) @ np.array([[c, s], [-s, c]]) + middle
