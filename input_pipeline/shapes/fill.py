"""Fill: which pixels a polygon or a line covers.

A polygon covers a pixel if it has the pixel's centre inside, by the even-odd rule; a
centre on the outline belongs to the polygon on its right, or below. So polygons that
share an edge leave no gap and have no pixel in common.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from input_pipeline.errors import DataError

# Crossings of outlines with rows in one polygon: 3 s, and what no drawing comes near.
MAX_CROSSINGS = 100_000_000
_AT_ONCE = 1 << 20


def fill_polygon(
    rings: Sequence[np.ndarray], size: tuple[int, int], where: str
) -> tuple[np.ndarray, int, int] | None:
    """The pixels of one polygon.

    Args:
        rings: (n, 2) x and y of the outline, and of holes; ends are joined.
        size: (height, width) of the image.
        where: for errors.

    Returns:
        (h, w) truth values, and x and y of their first pixel; None if the outline is
        wholly outside of the image.

    Raises:
        DataError: more crossings than MAX_CROSSINGS.
    """
    low = np.floor(rings[0].min(0)).astype(int)
    high = np.ceil(rings[0].max(0)).astype(int)
    left, top = np.maximum(low, 0)
    right, bottom = np.minimum(high, size[::-1])
    if left >= right or top >= bottom:
        # A polygon without area may lie between two pixels of the image.
        inside = (high >= 0).all() and (low <= size[::-1]).all()
        return (np.zeros((0, 0), bool), 0, 0) if inside else None
    window = left, top, right - left, bottom - top
    mask = _inside(rings[0], window, where)
    for hole in rings[1:]:
        mask &= ~_inside(hole, window, where)
    return mask, int(left), int(top)


def _inside(ring, window, where):
    """Whether the centre of each pixel of a window (x, y, w, h) is in a ring."""
    left, top, width, height = window
    begin, end = ring, np.roll(ring, -1, 0)
    ys = np.stack([begin[:, 1], end[:, 1]])
    # The rows r with ys.min <= r + 0.5 < ys.max.
    first = np.clip(np.ceil(ys.min(0) - 0.5), top, top + height).astype(np.int64)
    after = np.clip(np.ceil(ys.max(0) - 0.5), top, top + height).astype(np.int64)
    counts = after - first
    if counts.sum() > MAX_CROSSINGS:
        raise DataError(
            f"{where}: a polygon of {len(ring)} points that crosses rows of pixels "
            f"{counts.sum()} times; {MAX_CROSSINGS} are allowed."
        )
    toggles = np.zeros((height, width + 1), np.uint8)
    ends = np.cumsum(counts)
    at = 0
    while at < len(ring):
        before = ends[at - 1] if at else 0
        to = max(at + 1, int(np.searchsorted(ends, before + _AT_ONCE)))
        edge = np.repeat(np.arange(at, min(to, len(ring))), counts[at:to])
        rows = np.arange(len(edge)) - (ends - counts)[edge] + before + first[edge]
        slope = (end[edge, 0] - begin[edge, 0]) / (end[edge, 1] - begin[edge, 1])
        x = begin[edge, 0] + (rows + 0.5 - begin[edge, 1]) * slope
        columns = np.clip(np.ceil(x - 0.5), left, left + width).astype(np.int64) - left
        np.bitwise_xor.at(toggles, (rows - top, columns), 1)
        at = to
    return np.bitwise_xor.accumulate(toggles, axis=1)[:, :width].astype(bool)


def draw_line(
    points: np.ndarray, line_width: int, size: tuple[int, int]
) -> tuple[np.ndarray, int, int] | None:
    """The pixels of a line of some width, drawn by OpenCV; as `fill_polygon`."""
    if (points.max(0) < 0).any() or (points.min(0) > size[::-1]).any():
        return None
    corners = np.floor(points).astype(np.int32)
    reach = line_width + 1  # more than a pixel is away from the line
    left, top = np.maximum(corners.min(0) - reach, 0)
    right, bottom = np.minimum(corners.max(0) + reach + 1, size[::-1])
    mask = np.zeros((bottom - top, right - left), np.uint8)
    corners -= np.array([left, top], np.int32)
    if len(points) == 1:
        cv2.circle(mask, tuple(map(int, corners[0])), line_width // 2, 1, -1)
    else:
        cv2.polylines(mask, [corners], False, 1, line_width)
    return mask.astype(bool), int(left), int(top)
