"""Decoding: images and labels from files, or an error that says what is wrong.

Images are decoded by OpenCV, as MMSegmentation does, so that pixels are equal; labels
by Pillow, which leaves palette indices and 16-bit values alone. Headers are read
first, so that nothing oversized is ever decoded (`formats/`).
"""

import io
import logging
import os
import struct
import threading
from typing import BinaryIO

import cv2
import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from input_pipeline.errors import DataError
from input_pipeline.formats import tiff
from input_pipeline.formats.files import open_file, read_bytes
from input_pipeline.formats.limits import MAX_PIXELS, check_size
from input_pipeline.formats.mat import read_mat
from input_pipeline.formats.npy import npy_size, read_npy
from input_pipeline.formats.structure import check_structure, webp_size
from input_pipeline.formats.text_matrix import read_text_matrix
from input_pipeline.formats.tiff_directory import STARTS as TIFF_STARTS

COLOR_TYPES = ("color", "grayscale", "unchanged")

# Ends of the names of files that can be read, in lower case.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".dib", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".npy"),
)

# Pillow's classes rather than `Image.open`, whose own limit of 179 megapixels is a
# global of the process.
_OPENERS = (
    ((b"\xff\xd8\xff",), JpegImagePlugin.JpegImageFile),
    ((b"\x89PNG\r\n\x1a\n",), PngImagePlugin.PngImageFile),
    (TIFF_STARTS, TiffImagePlugin.TiffImageFile),
    ((b"BM",), BmpImagePlugin.BmpImageFile),
    ((b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    ((b"RIFF",), WebPImagePlugin.WebPImageFile),
    (tuple(b"P%d" % i for i in range(1, 7)), PpmImagePlugin.PpmImageFile),
)
_FORMATS = "JPEG, PNG, TIFF, BMP, GIF, WEBP, PPM and .npy"
_CV2_FLAGS = {
    "color": cv2.IMREAD_COLOR_RGB,
    "grayscale": cv2.IMREAD_GRAYSCALE,
    "unchanged": cv2.IMREAD_UNCHANGED,
}
_IMAGE_DTYPES = ("uint8", "uint16", "int16", "float32")  # those that cv2 resizes
_ORIENTATION = 274  # tag of EXIF
# What a TIFF says of its fourth channel, and of its colours.
_ALPHA = (1, 2)
_CMYK = 5

_ALPHA_WAS_SAID = threading.Event()
_log = logging.getLogger("jaxseg")


def read_image(
    path: str, color_type: str = "color", max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decodes an image file.

    Args:
        path: JPEG, PNG, TIFF, BMP, GIF (first frame), WebP, PPM, or a `.npy` array of
            shape (H, W) or (H, W, C).
        color_type: 'color': RGB uint8, greys repeated, alpha dropped, 16 bits divided
            by 256, turned upright by the EXIF orientation. 'grayscale': one uint8
            channel, otherwise the same. 'unchanged': the file's own channels and type,
            not turned; RGB order. It is the one for TIFFs of other than three channels.
        max_pixels: the largest height * width that is decoded, and a twelfth of the
            largest number of bytes; see `formats/limits.py`.

    Returns:
        (H, W, C) array; uint8, or for 'unchanged' also uint16, int16 or float32.

    Raises:
        DataError: no image, a truncated, damaged or oversized one, or one that
            `color_type` does not fit.
    """
    _check_color_type(color_type)
    path = os.fspath(path)
    if _is_npy(path):
        return as_image(read_npy(path, max_pixels), color_type, path)
    return decode_image(read_bytes(path), path, color_type, max_pixels)


def decode_image(
    data: bytes, source: str, color_type: str = "color", max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decodes the content of an image file; as `read_image`.

    Args:
        data: all of the file.
        source: its name, for errors.
        color_type: as in `read_image`.
        max_pixels: likewise.
    """
    _check_color_type(color_type)
    check_structure(source, data)
    size, page, header = _check_header(source, io.BytesIO(data), max_pixels)
    if page is not None and color_type == "unchanged":
        img = _read_tiff(source, data, max_pixels)
        return as_image(img, color_type, source)
    if color_type != "unchanged":
        _refuse_lossy_conversion(source, page, header)
    if page is not None and _are_tiles_misread(page):
        img = _decode_tiles(source, data, color_type, max_pixels)
    else:
        img = _cv2_decode(data, color_type)
    if img is None:
        raise DataError(
            f"{source}: the {header.format if header else 'TIFF'} image of {len(data)} "
            "bytes is truncated or damaged: its header can be read, its pixels cannot."
        )
    if img.shape[:2] not in (size, size[::-1]):
        raise DataError(
            f"{source}: the image is damaged: {img.shape[:2]} (h, w) were decoded, its "
            f"header says {size}."
        )
    return as_image(img, color_type, source)


def as_image(img: np.ndarray, color_type: str, source: str) -> np.ndarray:
    """Brings pixels that are already decoded into the form `read_image` promises.

    Args:
        img: (H, W) or (H, W, C) array, channels last, RGB order.
        color_type: as in `read_image`. No value is rescaled: 'color' and 'grayscale'
            take uint8 only, and 'color' repeats a single channel.
        source: file or sample, for errors.

    Raises:
        DataError: a shape, type or number of channels that does not fit.
    """
    if img.ndim not in (2, 3) or 0 in img.shape:
        raise DataError(
            f"{source}: an array of shape {img.shape}; an image is (H, W) or (H, W, C)."
        )
    if img.ndim == 2:
        img = img[..., None]
    if img.dtype == np.float64:
        img = img.astype(np.float32)
    img = img.astype(img.dtype.newbyteorder("="), copy=False)
    if img.dtype not in _IMAGE_DTYPES:
        raise DataError(
            f"{source}: pixels of type {img.dtype}; allowed are {_IMAGE_DTYPES}."
        )
    if color_type == "unchanged":
        return img

    channels = img.shape[2]
    if color_type == "color" and img.dtype == np.uint8 and channels == 1:
        return np.repeat(img, 3, axis=2)
    if img.dtype != np.uint8 or channels != {"color": 3, "grayscale": 1}[color_type]:
        raise DataError(
            f"{source}: {channels} channels of {img.dtype}, which color_type="
            f"{color_type!r} does not take; color_type='unchanged' does."
        )
    return img


def read_label(
    path: str, max_pixels: int = MAX_PIXELS, mat_variable: str = ""
) -> np.ndarray:
    """Decodes a label file, without any conversion.

    Args:
        path: PNG, TIFF, BMP, GIF (first frame), WebP, PPM, a `.npy` array of integers,
            a matrix in a `.mat` file (MATLAB) or in a `.txt`.
        max_pixels: as in `read_image`.
        mat_variable: as in `LoadAnnotations`.

    Returns:
        (H, W) integers: indices of a palette image, values of a grey one (its alpha
        dropped), 0 and 1 of a one-bit one; or (H, W, C) uint8 of a colour-coded one.

    Raises:
        DataError: no label, a truncated, damaged or oversized one, JPEG (whose blur
            invents labels), or fractions.
    """
    path = os.fspath(path)
    if _is_npy(path):
        return _as_label(read_npy(path, max_pixels), path)
    if path.lower().endswith(".mat"):
        return _as_label(read_mat(path, max_pixels, mat_variable), path)
    if path.lower().endswith(".txt"):
        return read_text_matrix(path, max_pixels)
    return decode_label(read_bytes(path), path, max_pixels)


def decode_label(data: bytes, source: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decodes the content of a label file; as `read_label`.

    Args:
        data: all of the file.
        source: its name, for errors.
        max_pixels: as in `read_image`.
    """
    check_structure(source, data, "label")
    _, page, header = _check_header(source, io.BytesIO(data), max_pixels)
    if data.startswith(b"\xff\xd8"):
        raise DataError(
            f"{source}: a label in JPEG, whose compression invents values between "
            "two labels; allowed are lossless formats, such as PNG."
        )
    if page is not None:
        if _needs_its_own_type(page):
            return _as_label(_read_tiff(source, data, max_pixels), source)
        header = _open_header(source, io.BytesIO(data))
    try:
        label = np.asarray(header)
    except Exception as error:  # a damaged file brings out errors of every type
        raise DataError(
            f"{source}: the {header.format} label of {len(data)} bytes is truncated or "
            f"damaged ({error})."
        ) from error
    return _as_label(label, source)


def image_size(
    path: str, color_type: str = "color", max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Height and width of what `read_image` would return, from the header alone.

    For a label, whose pixels are never turned, use `color_type='unchanged'`.

    Raises:
        DataError: no image, an oversized one, or one that `color_type` does not fit.
    """
    path = os.fspath(path)
    if _is_npy(path):
        return npy_size(path, max_pixels)
    with open_file(path) as file:
        try:
            size, page, header = _check_header(path, file, max_pixels)
            orientation = page.orientation if page else _exif_orientation(header)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error}).") from error
    turned = color_type != "unchanged" and orientation in (5, 6, 7, 8)
    return size[::-1] if turned else size


def _check_color_type(color_type: str):
    if color_type not in COLOR_TYPES:
        raise DataError(
            f"color_type is {color_type!r}; it must be one of {COLOR_TYPES}."
        )


def _is_npy(path: str) -> bool:
    return path.lower().endswith(".npy")


def _as_label(label: np.ndarray, source: str) -> np.ndarray:
    if label.dtype.kind not in "bui":
        raise DataError(
            f"{source}: labels of type {label.dtype}; they must be integers."
        )
    if label.dtype == bool:
        return label.astype(np.uint8)
    if label.ndim == 3 and label.shape[2] == 2:
        label = label[..., 0]  # grey with alpha
    return label.astype(label.dtype.newbyteorder("="), copy=False)


def _check_header(
    source: str, file: BinaryIO, max_pixels: int
) -> tuple[tuple[int, int], tiff.Page | None, Image.Image | None]:
    """What a file says of itself, which is within the limits.

    Returns:
        (height, width) as stored; the first page of a TIFF; Pillow's view of a file of
        another format.
    """
    start = file.read(30)
    file.seek(0)
    if start.startswith(TIFF_STARTS):
        page = tiff.read_pages(source, file, max_pixels)[0]
        return (page.height, page.width), page, None
    if start.startswith(b"RIFF"):
        canvas = webp_size(start)
        if canvas:
            check_size(source, canvas, "uint8", max_pixels)
    header = _open_header(source, file)
    size = header.height, header.width
    # Of these formats none has more bytes a pixel than the limit allows.
    check_size(source, size, "uint8", max_pixels)
    return size, None, header


def _open_header(source: str, file: BinaryIO) -> Image.Image:
    """Pillow's view of a file, nothing decoded yet."""
    file.seek(0)
    start = file.read(16)
    file.seek(0)
    for starts, opener in _OPENERS:
        if start.startswith(starts):
            break
    else:
        raise DataError(
            f"{source}: not an image: it starts with {start!r}. Readable are {_FORMATS}."
        )
    try:
        return opener(file)
    except Exception as error:  # a damaged header brings out errors of every type
        raise DataError(
            f"{source}: not an image that can be read: it starts as {opener.format} "
            f"does, but its header is truncated or damaged ({error})."
        ) from error


def _cv2_decode(data: bytes, color_type: str) -> np.ndarray | None:
    """Pixels in RGB order, or None where cv2 cannot read them."""
    try:
        img = cv2.imdecode(np.frombuffer(data, np.uint8), _CV2_FLAGS[color_type])
        if img is None or img.ndim == 2 or color_type != "unchanged":
            return img
        swap = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[img.shape[2]]
        return cv2.cvtColor(img, swap)  # IMREAD_UNCHANGED has no RGB form
    except (cv2.error, MemoryError):
        return None


def _are_tiles_misread(page: tiff.Page) -> bool:
    """Whether OpenCV 5.0, which is to convert colours, fails on the tiles of a page.

    It reads tiles that are not compressed only if they have an alpha, and puts the
    rows of 16 bits in the last tile of each row where they do not belong.
    """
    return page.tile_width > 0 and (page.compression == 1 or page.dtype == "uint16")


def _decode_tiles(
    source: str, data: bytes, color_type: str, max_pixels: int
) -> np.ndarray | None:
    """As `_cv2_decode`, of a TIFF whose tiles become strips before."""
    import tifffile  # here, since most data sets have no use for it

    img = _read_tiff(source, data, max_pixels)
    if img.ndim == 3 and img.shape[2] != 3:
        return _cv2_decode(data, color_type)
    strips = io.BytesIO()
    kind = "rgb" if img.ndim == 3 else "minisblack"
    tifffile.imwrite(strips, img, photometric=kind)
    return _cv2_decode(strips.getvalue(), color_type)


def _exif_orientation(header: Image.Image) -> int | None:
    """The orientation as cv2 sees it: 5 to 8 turn the image by 90 degrees."""
    exif = Image.Exif()  # not header.getexif(), which decodes a PNG and follows XMP
    try:
        exif.load(header.info.get("exif", b""))
        return exif.get(_ORIENTATION)
    except (SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return None  # cv2, too, leaves an image with unreadable EXIF as it is


def _refuse_lossy_conversion(
    source: str, page: tiff.Page | None, header: Image.Image | None
):
    """Refuses what cv2 would cut down to three 8-bit channels in silence."""
    if page is None:
        found = f"pixels of Pillow's mode {header.mode!r}"
        fits, has_alpha = header.mode not in ("F", "I"), header.mode in ("RGBA", "LA")
        channels = len(header.getbands())
    else:
        channels = page.samples
        found = f"{channels} channels of {page.dtype}"
        fits = page.dtype in ("uint8", "uint16") and channels in (1, 3, 4)
        has_alpha = channels == 4 and page.extra in _ALPHA
        if channels == 4 and not has_alpha and page.photometric != _CMYK:
            fits, found = False, f"{found}, the last of which is not marked as alpha,"
    if not fits:
        raise DataError(
            f"{source}: {found} have no 8-bit colour or grey form; read them with "
            f"color_type='unchanged' and backbone.in_channels={channels}."
        )
    if has_alpha:
        _say_that_alpha_is_dropped(source)


def _read_tiff(source: str, data: bytes, max_pixels: int) -> np.ndarray:
    """The one image of a TIFF, (H, W) or (H, W, C), as it is stored."""
    pages = tiff.read_pages(source, io.BytesIO(data), max_pixels)
    count = sum(page.is_image for page in pages)
    if count > 1:
        raise DataError(
            f"{source}: the TIFF has {count} images, overviews aside; it may have one. "
            "Store the channels as samples of one image, not as pages."
        )
    return tiff.read_tiff(
        source, data, pages[0], lambda data: _cv2_decode(data, "unchanged")
    )


def _needs_its_own_type(page: tiff.Page) -> bool:
    """Whether Pillow does not keep the values: it has signed ones of 32 bits alone."""
    return page.samples == 1 and (
        page.dtype in ("int8", "uint32", "int64", "uint64")
        or page.dtype.startswith("float")
    )


def _say_that_alpha_is_dropped(source: str):
    """Warns at the first image of a process; a data set has thousands alike."""
    if _ALPHA_WAS_SAID.is_set():
        return
    _ALPHA_WAS_SAID.set()
    _log.warning(
        "%s has a fourth band, alpha, which is dropped. If it holds data, set "
        "color_type='unchanged' of LoadImageFromFile and backbone.in_channels=4. "
        "Other images with one are not named",
        source,
    )
