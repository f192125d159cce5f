"""TIFF: its directories, read as numbers before a decoder follows them."""

import dataclasses
import io
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import BYTES_PER_PIXEL, check_size
from input_pipeline.formats.tiff_directory import (
    NUMBERS,
    Directory,
    read_directories,
)

# Tags, and what they are where a file does not say.
_WIDTH, _HEIGHT, _DEPTH = 256, 257, 32997
_TAGS = {
    "subfile": (254, 0),
    "width": (_WIDTH, 0),
    "height": (_HEIGHT, 0),
    "bits": (258, 1),
    "compression": (259, 1),
    "photometric": (262, 1),
    "orientation": (274, 1),
    "samples": (277, 1),
    "planar": (284, 1),
    "tile_width": (322, 0),
    "tile_height": (323, 0),
    "extra": (338, None),
    "sample_format": (339, 1),
    "depth": (_DEPTH, 1),
}
_NAMES = {tag: name for name, (tag, _) in _TAGS.items()}
_FORMATS = {1: "uint", 2: "int", 3: "float", 4: "uint"}

_DEFLATE = (8, 32946)
_LZMA = 34925
# The most that deflate makes of a byte.
_DEFLATE_RATIO = 1032


@dataclasses.dataclass(frozen=True)
class Page:
    """A directory: what it says of its image.

    Attributes:
        subfile: bits; 1 is an overview of another page, 4 a mask.
        width, height, depth: pixels.
        bits: the number of bits of a value.
        compression: its number.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 3 palette, ...
        orientation: as in EXIF.
        samples: channels.
        planar: 1 the channels of a pixel lie together, 2 those of an image.
        tile_width, tile_height: the width and the height of a tile; 0 in an image of
            strips.
        extra: what the first channel beyond the colours is: 0 unknown, 1 or 2 alpha;
            None where nothing is said.
        sample_format: 1 unsigned, 2 signed, 3 float.
    """

    subfile: int
    width: int
    height: int
    bits: int
    compression: int
    photometric: int
    orientation: int
    samples: int
    planar: int
    tile_width: int
    tile_height: int
    extra: int | None
    sample_format: int
    depth: int

    @property
    def dtype(self) -> str:
        """NumPy's name of the type that holds a value."""
        size = next((n for n in (8, 16, 32, 64) if self.bits <= n), 0)
        kind = _FORMATS.get(self.sample_format, "uint")
        return f"{kind}{max(size, 16) if kind == 'float' else size}"

    @property
    def is_image(self) -> bool:
        """Whether it is neither an overview nor a mask of another page."""
        return not self.subfile & 0b101


def read_pages(source: str, file: BinaryIO, max_pixels: int) -> list[Page]:
    """The directories of a TIFF, each within the limits.

    Args:
        source: the file, for errors.
        file: the file, which is left anywhere.
        max_pixels: the largest height * width.

    Raises:
        DataError: directories that loop, lie outside of the file or are too many; an
            image or a tile that is too large.
    """
    try:
        pages = [page_of(directory) for directory in read_directories(source, file)]
    except DataError:
        raise
    except (struct.error, ValueError, OverflowError, OSError) as error:
        raise DataError(
            f"{source}: the TIFF is truncated or damaged: a directory cannot be read "
            f"({error})."
        ) from error
    for page in pages:
        if not 0 < page.bits <= 64:
            raise DataError(
                f"{source}: the TIFF has values of {page.bits} bits; allowed are 1 to 64."
            )
        channels = page.samples * page.depth
        check_size(source, (page.height, page.width, channels), page.dtype, max_pixels)
        tile = (
            page.tile_height
            * page.tile_width
            * channels
            * np.dtype(page.dtype).itemsize
        )
        if tile > max_pixels * BYTES_PER_PIXEL:
            raise DataError(
                f"{source}: the TIFF has tiles of {page.tile_height}x{page.tile_width} "
                f"(h x w), {tile} bytes each; max_pixels={max_pixels} allows "
                f"{max_pixels * BYTES_PER_PIXEL}."
            )
    return pages


def page_of(directory: Directory) -> Page:
    """What a directory says of its image.

    Raises:
        ValueError: if it says something twice, or with values outside of the file.
    """
    found = {name: default for name, (_, default) in _TAGS.items()}
    given = set()
    for tag, kind, amount, value in directory.entries:
        name = _NAMES.get(tag)
        if name is None or kind not in NUMBERS or not amount:
            continue
        if name in given:
            raise ValueError(f"the tag {tag} comes twice")
        given.add(name)
        # Of samples there can be no more.
        values = directory.numbers(kind, amount, value, most=65535)
        found[name] = max(values) if name == "bits" else values[0]
    return Page(**found)


def read_tiff(
    source: str,
    data: bytes,
    page: Page,
    decode: Callable[[bytes], np.ndarray | None],
) -> np.ndarray:
    """The first image of a TIFF, (H, W) or (H, W, C), as it is stored.

    Args:
        source: the file, for errors.
        data: all of it.
        page: its first page.
        decode: OpenCV's decoder, which knows all compressions. It is asked where it
            keeps every channel; otherwise tifffile decodes, which needs the package
            imagecodecs for some.

    Raises:
        DataError: if neither can.
    """
    shape = (page.height, page.width) + (page.samples,) * (page.samples > 1)
    if _is_plain(page):
        img = decode(data)
        if img is not None and (img.shape, img.dtype) == (shape, page.dtype):
            return img
    import tifffile  # here, since most data sets have no use for it

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            first = tiff.pages[0]
            _refuse_bombs(source, first, data)
            img, axes = first.asarray(), first.axes
    except DataError:
        raise
    except Exception as error:  # those of zlib, struct and tifffile come through
        raise DataError(
            f"{source}: the TIFF of {len(data)} bytes, compression {page.compression}, "
            f"cannot be decoded ({error}). It is damaged, or needs the package "
            "imagecodecs."
        ) from error
    if axes == "SYX" and img.ndim == 3:
        img = np.moveaxis(img, 0, 2)
    if img.shape != shape:
        raise DataError(
            f"{source}: the TIFF of {len(data)} bytes is damaged, or of an unknown kind: "
            f"its pixels are {img.shape}, its header says {shape}."
        )
    return img


def _is_plain(page: Page) -> bool:
    """Whether a page is upright, interleaved, and grey or RGB of a type cv2 keeps."""
    return (
        (page.photometric, page.samples) in ((1, 1), (2, 3))
        and page.planar == 1  # cv2 scrambles planes of 16 bits
        and page.orientation == 1
        and page.depth == 1
        and not (page.tile_width and page.compression == 1)  # cv2 refuses some
        and np.dtype(page.dtype).itemsize * 8 == page.bits
        and page.dtype in ("uint8", "uint16", "int16", "int32", "float32")
    )


def _refuse_bombs(source: str, page: Any, data: bytes):
    """Refuses segments that unpack to much more than their part of the image.

    tifffile unpacks a segment whole, whatever comes of it.
    """
    compression = int(page.compression)
    if compression not in (*_DEFLATE, _LZMA):
        return
    allowed = max(2 * int(np.prod(page.chunks)) * page.dtype.itemsize, 1 << 20)
    for at, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        if compression == _LZMA:
            unpack = lzma.LZMADecompressor().decompress
        elif length * _DEFLATE_RATIO <= allowed:
            continue
        else:
            unpack = zlib.decompressobj().decompress
        if len(unpack(data[at : at + length], allowed + 1)) > allowed:
            raise DataError(
                f"{source}: the TIFF is damaged: {length} bytes of it unpack to more "
                f"than {allowed}, where {allowed // 2} or less are due."
            )
