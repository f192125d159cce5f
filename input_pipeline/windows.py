"""Windows: images and labels of which no more is decoded than what is asked for."""

import functools
import os
from collections.abc import Callable

import numpy as np

from input_pipeline.decode import decode_image, decode_label
from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.tiff_directory import STARTS
from input_pipeline.formats.tiff_window import TiffWindows, page_is_upright

# Pixels that are decoded at once; a wider window is put together.
_AT_ONCE = 1 << 24


class Windows:
    """A TIFF as an array whose slices are decoded: `windows[2:5, 7:9]`.

    Attributes:
        shape: (H, W, C), or (H, W) of a label.
        dtype: of an image what its slices have; of a label that of its file.
        tiff: the file.
    """

    def __init__(
        self,
        tiff: TiffWindows,
        shape: tuple[int, ...],
        dtype: np.dtype,
        decode: Callable[[bytes], np.ndarray],
        use: Callable[[np.ndarray], np.ndarray],
        max_pixels: int,
    ):
        """Remembers how slices are made.

        Args:
            tiff: the file.
            shape, dtype: see above.
            decode: from the content of a TIFF to pixels as they are stored.
            use: from those of the slice alone to what is wanted.
            max_pixels: as of `read_image`, of what is decoded at once.
        """
        self.tiff, self.shape, self.dtype = tiff, shape, np.dtype(dtype)
        self._decode, self._use, self._max_pixels = decode, use, max_pixels

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        """The pixels of rows and columns, slices with a step of 1."""
        rows, columns = (
            range(length)[part] for length, part in zip(self.shape, key, strict=False)
        )
        # The tiles at the borders of what is decoded have pixels of their own.
        at_once = min(_AT_ONCE, self._max_pixels // 2)
        wide = max(at_once // max(len(rows), 1), 1)
        parts = [columns[i : i + wide] for i in range(0, len(columns), wide)]
        return self._use(np.concatenate([self._part(rows, part) for part in parts], 1))

    def _part(self, rows, columns):
        data, (top, left) = self.tiff.cut(rows, columns, self._max_pixels)
        pixels = self._decode(data)
        return pixels[top : top + len(rows), left : left + len(columns)]


def open_image(
    path: str, color_type: str, max_pixels: int, use: Callable[[np.ndarray], np.ndarray]
) -> Windows | None:
    """An image file as `Windows`, whose slices are those of `read_image`.

    Args:
        path, color_type, max_pixels: as of `read_image`, but that `max_pixels` holds
            for what is decoded at once.
        use: what is done to pixels, which leaves their shape.

    Returns:
        None of a file that is no TIFF, or of one that is turned.

    Raises:
        DataError: a damaged file, or one of several images.
    """
    tiff = _open(path)
    if tiff is None:
        return None
    page = tiff.page
    if color_type == "unchanged" and sum(p.is_image for p in tiff.pages) > 1:
        return None  # `read_image` says what is wrong
    channels = {"color": 3, "grayscale": 1}.get(color_type, page.samples)
    dtype = page.dtype if color_type == "unchanged" else "uint8"
    decode = functools.partial(
        decode_image, source=path, color_type=color_type, max_pixels=max_pixels
    )
    dtype = use(np.zeros((1, 1, channels), dtype)).dtype
    shape = page.height, page.width, channels
    return Windows(tiff, shape, dtype, decode, use, max_pixels)


def open_label(
    path: str, max_pixels: int, use: Callable[[np.ndarray], np.ndarray]
) -> Windows | None:
    """As `open_image`, of a label file; slices are `use` of those of `read_label`."""
    tiff = _open(path)
    if tiff is None:
        return None
    decode = functools.partial(decode_label, source=path, max_pixels=max_pixels)
    shape = tiff.page.height, tiff.page.width
    return Windows(tiff, shape, tiff.page.dtype, decode, use, max_pixels)


def windows_size(path: str) -> tuple[int, int] | None:
    """(height, width) of a file that `open_image` takes, else None.

    Raises:
        DataError: a damaged file.
    """
    tiff = _open(path)
    return None if tiff is None else (tiff.page.height, tiff.page.width)


def _open(path):
    with open_file(path) as file:
        try:
            start = file.read(4)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error}).") from error
    if start not in STARTS:
        return None
    tiff = TiffWindows(os.fspath(path))
    return tiff if page_is_upright(tiff.page) else None
