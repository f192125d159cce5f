"""Decompression bombs: how large a decoded array may be, told from a header alone."""

import numpy as np

from input_pipeline.errors import DataError

# 9459 x 9459.
MAX_PIXELS = 89_478_485

# What the pixels of an image may take on average: three channels of float32.
BYTES_PER_PIXEL = 12

# OpenCV's own limit on a side; its functions count in 32 bits.
MAX_SIDE = 1 << 20


def check_size(
    source: str, shape: tuple[int, ...], dtype: np.dtype | str, max_pixels: int
):
    """Refuses an array that is too large to be decoded, or has nothing in it.

    Args:
        source: file or sample, for errors.
        shape: (H, W) or (H, W, C) of what is to be decoded.
        dtype: its type.
        max_pixels: the largest H * W. All of the array may take BYTES_PER_PIXEL times
            as many bytes, however many channels it has.

    Raises:
        DataError: a side of 0, one beyond MAX_SIDE, too many pixels or bytes.
    """
    height, width = (int(side) for side in shape[:2])
    channels = int(shape[2]) if len(shape) > 2 else 1
    size = f"{height}x{width}"
    if height < 1 or width < 1 or channels < 1:
        raise DataError(
            f"{source}: {size} (h x w) with {channels} channels has no pixels; every "
            "side must be 1 or more."
        )
    if max(height, width) > MAX_SIDE:
        raise DataError(
            f"{source}: {size} (h x w) is too large: a side may have {MAX_SIDE} pixels. "
            "Cut it into tiles."
        )
    if height * width > max_pixels:
        raise DataError(
            f"{source}: {size} (h x w) is too large: {height * width} pixels; "
            f"max_pixels allows {max_pixels}. Cut it into tiles, or raise max_pixels of "
            "LoadImageFromFile and LoadAnnotations. (Of a TIFF only windows are read, if "
            "RandomCrop follows, and a predicted one may have any size: docs/data.md.)"
        )
    taken = height * width * channels * np.dtype(dtype).itemsize
    allowed = max_pixels * BYTES_PER_PIXEL
    if taken > allowed:
        raise DataError(
            f"{source}: {size} (h x w) with {channels} channels of {np.dtype(dtype)} is "
            f"too large: {taken} bytes; max_pixels={max_pixels} allows {allowed}, "
            f"{BYTES_PER_PIXEL} a pixel. Cut it into tiles, or raise max_pixels."
        )
