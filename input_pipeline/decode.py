"""Images and labels from files, or an error that says what is wrong with the file.

Images are decoded by OpenCV, as MMSegmentation does, so that pixels are equal; labels
by Pillow, which leaves palette indices and 16-bit values alone. Headers are read
first, by Pillow, so that nothing oversized is ever decoded.
"""

import io
import os
import struct
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from input_pipeline.errors import DataError

COLOR_TYPES = ("color", "grayscale", "unchanged")

# Pillow's own threshold for a decompression bomb (9459 x 9459). It refuses twice that
# whatever is asked for here.
MAX_PIXELS = 89_478_485

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
_CV2_FLAGS = {
    "color": cv2.IMREAD_COLOR_RGB,
    "grayscale": cv2.IMREAD_GRAYSCALE,
    "unchanged": cv2.IMREAD_UNCHANGED,
}
_TIFF_STARTS = (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")
_IMAGE_DTYPES = ("uint8", "uint16", "int16", "float32")  # those that cv2 resizes
_ORIENTATION = 274  # tags, of EXIF and of TIFF
_SAMPLES_PER_PIXEL = 277


def read_image(
    path: str, color_type: str = "color", max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decodes an image file.

    Args:
      path: JPEG, PNG, TIFF, BMP, GIF (first frame), WebP, PPM, or a `.npy` array of
        shape (H, W) or (H, W, C).
      color_type: 'color': RGB uint8, greys repeated, alpha dropped, 16 bits divided by
        256, turned upright by the EXIF orientation. 'grayscale': one uint8 channel,
        otherwise the same. 'unchanged': the file's own channels and type, not turned;
        RGB order. It is the one for TIFFs of other than three channels.
      max_pixels: the largest height * width that is decoded.

    Returns:
      (H, W, C) array; uint8, or for 'unchanged' also uint16, int16 or float32.

    Raises:
      DataError: no image, a truncated, damaged or oversized one, or one that
        `color_type` does not fit.
    """
    if color_type not in COLOR_TYPES:
        raise DataError(
            f"color_type is {color_type!r}; it must be one of {COLOR_TYPES}."
        )
    path = os.fspath(path)
    if path.endswith(".npy"):
        return as_image(np.array(_open_npy(path, max_pixels)), color_type, path)
    data = _read_bytes(path)
    if color_type == "unchanged" and data.startswith(_TIFF_STARTS):
        return as_image(_read_tiff(path, data, max_pixels), color_type, path)

    with _open_header(path, io.BytesIO(data), max_pixels) as header:
        if color_type != "unchanged":
            _refuse_lossy_conversion(header, path)
    _refuse_truncated_jpeg(path, data)
    img = _cv2_decode(data, color_type)
    if img is None:
        raise DataError(
            f"{path}: the {header.format} image of {len(data)} bytes is truncated or "
            "damaged: its header can be read, its pixels cannot."
        )
    return as_image(img, color_type, path)


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


def read_label(path: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decodes a label file, without any conversion.

    Args:
      path: PNG, TIFF, BMP, GIF (first frame), WebP, PPM, or a `.npy` array of integers.
      max_pixels: the largest height * width that is decoded.

    Returns:
      (H, W) integers: indices of a palette image, values of a grey one, 0 and 1 of a
      one-bit one; or (H, W, C) uint8 of a colour-coded one.

    Raises:
      DataError: no label, a truncated, damaged or oversized one, JPEG (whose blur
        invents labels), or fractions.
    """
    path = os.fspath(path)
    if path.endswith(".npy"):
        label = np.array(_open_npy(path, max_pixels))
    else:
        label = _pillow_decode(path, _read_bytes(path), max_pixels)
    if label.dtype.kind not in "bui":
        raise DataError(f"{path}: labels of type {label.dtype}; they must be integers.")
    if label.dtype == bool:
        return label.astype(np.uint8)
    return label.astype(label.dtype.newbyteorder("="), copy=False)


def image_size(
    path: str, color_type: str = "color", max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Height and width of what `read_image` would return, from the header alone.

    For a label, whose pixels are never turned, use `color_type='unchanged'`.

    Raises:
      DataError: no image, or an oversized one.
    """
    path = os.fspath(path)
    if path.endswith(".npy"):
        return _open_npy(path, max_pixels).shape[:2]
    with _open(path) as file:
        start = file.read(4)
        file.seek(0)
        if start.startswith(_TIFF_STARTS):
            page = _open_tiff(path, file, max_pixels).pages[0]
            size = page.imagelength, page.imagewidth
            orientation = page.tags.valueof(_ORIENTATION)
        else:
            with _open_header(path, file, max_pixels) as header:
                size = header.height, header.width
                orientation = _exif_orientation(header)
    turned = color_type != "unchanged" and orientation in (5, 6, 7, 8)
    return size[::-1] if turned else size


def _cv2_decode(data: bytes, color_type: str) -> np.ndarray | None:
    """Pixels in RGB order, or None where cv2 cannot read them."""
    img = cv2.imdecode(np.frombuffer(data, np.uint8), _CV2_FLAGS[color_type])
    if img is None or img.ndim == 2 or color_type != "unchanged":
        return img
    swap = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[img.shape[2]]
    return cv2.cvtColor(img, swap)  # IMREAD_UNCHANGED has no RGB form


def _pillow_decode(path: str, data: bytes, max_pixels: int) -> np.ndarray:
    """A label's values or palette indices, as they are stored."""
    with _open_header(path, io.BytesIO(data), max_pixels) as image:
        if image.format in ("JPEG", "MPO"):
            raise DataError(
                f"{path}: a label in JPEG, whose compression invents values between "
                "two labels; allowed are lossless formats, such as PNG."
            )
        try:
            return np.asarray(image)
        except Exception as error:  # a damaged file brings out errors of every type
            raise DataError(
                f"{path}: the {image.format} label of {len(data)} bytes is truncated "
                f"or damaged ({error})."
            ) from error


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error


def _read_bytes(path: str) -> bytes:
    with _open(path) as file:
        data = file.read()
    if not data:
        raise DataError(f"{path}: the file is empty (0 bytes).")
    return data


def _open_header(path: str, file: BinaryIO, max_pixels: int) -> Image.Image:
    """Pillow's view of a file, nothing decoded yet; at most `max_pixels` large."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: the image is too large. {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        file.seek(0)
        start = file.read(16)
        hint = "(a TIFF with another number of channels: color_type='unchanged')"
        raise DataError(
            f"{path}: not an image: it starts with {start!r}. Readable are "
            f"{', '.join(_FORMATS)} and .npy"
            f"{' ' + hint if start.startswith(_TIFF_STARTS) else ''}."
        ) from error
    _check_pixels(path, image.height, image.width, max_pixels)
    return image


def _check_pixels(path: str, height: int, width: int, max_pixels: int):
    if height * width > max_pixels:
        raise DataError(
            f"{path}: {height}x{width} (h x w) is {height * width} pixels; max_pixels "
            f"allows {max_pixels}. Cut it into tiles, or raise max_pixels."
        )


def _exif_orientation(header: Image.Image) -> int | None:
    """The orientation as cv2 sees it: 5 to 8 turn the image by 90 degrees."""
    exif = Image.Exif()  # not header.getexif(), which decodes a PNG and follows XMP
    try:
        exif.load(header.info.get("exif", b""))
    except (SyntaxError, ValueError, struct.error):
        return None  # cv2, too, leaves an image with unreadable EXIF as it is
    return exif.get(_ORIENTATION)


def _refuse_lossy_conversion(header: Image.Image, path: str):
    """Refuses what cv2 would cut down to three 8-bit channels in silence."""
    samples = 1
    if header.format == "TIFF":
        samples = header.tag_v2.get(_SAMPLES_PER_PIXEL, 1)
    if header.mode in ("F", "I") or samples not in (1, 3, 4):
        raise DataError(
            f"{path}: {samples} channels of Pillow's mode {header.mode!r} have no 8-bit "
            "colour or grey form; read them with color_type='unchanged'."
        )


def _refuse_truncated_jpeg(path: str, data: bytes):
    """Refuses a JPEG without its end marker, which some OpenCV builds fill with grey."""
    if not data.startswith(b"\xff\xd8"):
        return
    # Past the header, where an EXIF thumbnail has an end marker of its own: segments
    # are FF (repeated at will), type, and two bytes of length; the scan (FFDA) is last.
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        repeated = data[at + 1 : at + 2] == b"\xff"
        at += 1 if repeated else 2 + int.from_bytes(data[at + 2 : at + 4])
    if data.rfind(b"\xff\xd9", at) < 0:  # near the end, mostly
        raise DataError(
            f"{path}: the JPEG is truncated: its end marker FFD9 is missing after "
            f"{len(data)} bytes."
        )


def _open_npy(path: str, max_pixels: int) -> np.ndarray:
    """An (H, W) or (H, W, C) array of a .npy file, still on disk."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
    except Exception as error:  # truncated; or objects, which would be programs
        raise DataError(f"{path}: not a .npy array of numbers ({error}).") from error
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3):
        raise DataError(
            f"{path}: {getattr(array, 'shape', 'an archive')} in a .npy file; allowed "
            "are one array of shape (H, W) or (H, W, C)."
        )
    _check_pixels(path, array.shape[0], array.shape[1], max_pixels)
    return array


def _read_tiff(path: str, data: bytes, max_pixels: int) -> np.ndarray:
    """The one image of a TIFF, (H, W) or (H, W, C), as it is stored."""
    with _open_tiff(path, io.BytesIO(data), max_pixels) as tiff:
        page = tiff.pages[0]
        try:
            count = sum(not (page.is_reduced or page.is_mask) for page in tiff.pages)
            # cv2 where it keeps every channel: it knows all compressions.
            img = _cv2_decode(data, "unchanged") if _is_plain(page) else None
            if img is None:
                img = page.asarray()
        except Exception as error:  # those of zlib, struct and tifffile come through
            raise DataError(
                f"{path}: the TIFF of {len(data)} bytes, {page.compression!r}, cannot "
                f"be decoded ({error}). It is damaged, or needs the package imagecodecs."
            ) from error
        if count > 1:
            raise DataError(
                f"{path}: the TIFF has {count} images, overviews aside; it may have one. "
                "Store the channels as samples of one image, not as pages."
            )
        return np.moveaxis(img, 0, 2) if page.axes == "SYX" else img


def _is_plain(page) -> bool:
    """Whether a TIFF page is upright, interleaved grey or RGB of unsigned integers."""
    kind = (page.photometric, page.samplesperpixel)
    return (
        kind in ((1, 1), (2, 3))  # min-is-black, RGB
        and page.planarconfig == 1  # cv2 scrambles planes of 16 bits
        and page.dtype in ("uint8", "uint16")
        and page.tags.valueof(_ORIENTATION, default=1) == 1
    )


def _open_tiff(path: str, file: BinaryIO, max_pixels: int):
    """A TIFF of any number of channels, of which the header is read.

    By tifffile: Pillow refuses more than four channels, and cv2 drops channels without
    a word where the photometric tag says grey.
    """
    import tifffile  # here, since most data sets have no use for it

    try:
        tiff = tifffile.TiffFile(file)
        height, width = int(tiff.pages[0].imagelength), int(tiff.pages[0].imagewidth)
    except Exception as error:  # those of struct and tifffile come through
        raise DataError(f"{path}: not a TIFF that can be read ({error}).") from error
    _check_pixels(path, height, width, max_pixels)
    return tiff
