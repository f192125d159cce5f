"""Tiles: an image too large to train on, cut into several, as mmseg cuts it."""

from collections.abc import Iterator, Sequence

import numpy as np

from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Outputs
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import (
    colours_to_ids,
    read_colours,
    read_mask,
    read_rgb,
)

# y0, y1, x0, x1
Box = tuple[int, int, int, int]


def boxes(height: int, width: int, size: int, step: int) -> Iterator[Box]:
    """Squares that cover an image; the last of a row and column ends with the image.

    Args:
        height, width: of the image, at least `size` each.
        size: side of a tile.
        step: from one to the next; less than `size` where they overlap.
    """
    for y in _starts(height, size, step):
        for x in _starts(width, size, step):
            yield y, y + size, x, x + size


def _starts(side, size, step):
    return sorted({min(start, side - size) for start in range(0, side, step)})


def padded(pixels: np.ndarray, size: int, value: int) -> np.ndarray:
    """The array, its sides `size` at least; what is new has the value."""
    height, width = pixels.shape[:2]
    missing = [(0, max(size - height, 0)), (0, max(size - width, 0))]
    missing += [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, missing, constant_values=value)


def image_tiles(member: Member, to: str, size: int, step: int) -> Outputs:
    """The tiles of an image as PNG.

    Args:
        member: the image.
        to: path of a tile, with {y0}, {y1}, {x0} and {x1} for its place.
        size, step: as of `boxes`.
    """
    yield from _tiles(padded(read_rgb(member), size, 0), to, size, step)


def mask_tiles(member: Member, to: str, size: int, step: int) -> Outputs:
    """The tiles of a mask of black and white, 0 and 1; as `image_tiles`."""
    yield from _tiles(padded(read_mask(member), size, 255), to, size, step)


def colour_tiles(
    member: Member,
    to: str,
    size: int,
    step: int,
    palette: Sequence[tuple[int, tuple[int, int, int]]],
    others: int,
) -> Outputs:
    """The tiles of a colour label as ids; as `image_tiles` and `colours_png`."""
    label = colours_to_ids(read_colours(member), palette, others, str(member))
    yield from _tiles(padded(label, size, 255), to, size, step)


def _tiles(pixels, to, size, step):
    for y0, y1, x0, x1 in boxes(*pixels.shape[:2], size, step):
        yield to.format(y0=y0, y1=y1, x0=x0, x1=x1), as_png(pixels[y0:y1, x0:x1])
