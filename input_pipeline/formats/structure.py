"""Chunks of PNG and WebP, segments of JPEG: walked before a decoder trusts them."""

import struct

from input_pipeline.errors import DataError

_PNG_START = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
# Chunks of an animated PNG that announce a frame: number, width and height come first.
_FRAME = struct.Struct(">III")

# Each scan of a progressive JPEG passes over the whole image: of 89 megapixels a scan
# takes 0.3 s and ten bytes. Encoders write ten or so; djpeg's own limit is 100.
MAX_SCANS = 100


def check_structure(source: str, data: bytes, what: str = "image"):
    """Refuses what would make a decoder take memory or time that the file has not paid.

    Args:
        source: the file, for errors.
        data: all of it; a PNG, a JPEG, or of another format, about which nothing is
            said.
        what: it is, for errors.

    Raises:
        DataError: a chunk that is longer than the file, a second header, a frame larger
            than its image; a JPEG that is truncated, or of too many scans.
    """
    if data.startswith(_PNG_START):
        _check_png(source, data, what)
    elif data.startswith(b"\xff\xd8"):
        _check_jpeg(source, data)


def _check_png(source: str, data: bytes, what: str):
    """OpenCV takes memory for a chunk before it reads one: 4 GB for a file of 73 bytes."""
    at, size, headers = len(_PNG_START), b"", 0
    while at + _CHUNK.size <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        begin = at + _CHUNK.size
        at = begin + length + 4  # a CRC comes last
        if at > len(data):
            raise DataError(
                f"{source}: the PNG {what} of {len(data)} bytes is truncated or damaged: "
                f"its chunk {kind!r} announces {length} bytes."
            )
        if kind == b"IHDR":
            headers += 1
            size = data[begin : begin + 8].ljust(8, b"\0")
        elif kind == b"fcTL" and length >= _FRAME.size:
            _, width, height = _FRAME.unpack_from(data, begin)
            most_wide, most_high = struct.unpack(">II", size) if size else (0, 0)
            if width > most_wide or height > most_high:
                raise DataError(
                    f"{source}: the PNG {what} is damaged: a frame of {height}x{width} "
                    "(h x w) is larger than the image."
                )
        elif kind == b"IEND":
            break
    if headers != 1:
        raise DataError(
            f"{source}: the PNG {what} is truncated or damaged: it has {headers} headers "
            "(IHDR); it needs one."
        )


def _check_jpeg(source: str, data: bytes):
    """Without its end marker, some OpenCV builds fill a JPEG with grey."""
    # Past the header, where an EXIF thumbnail has markers of its own: segments are FF
    # (repeated at will), type, and two bytes of length; the scan (FFDA) is last.
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        repeated = data[at + 1 : at + 2] == b"\xff"
        at += 1 if repeated else 2 + int.from_bytes(data[at + 2 : at + 4])
    if data.rfind(b"\xff\xd9", at) < 0:  # near the end, mostly
        raise DataError(
            f"{source}: the JPEG is truncated: its end marker FFD9 is missing after "
            f"{len(data)} bytes."
        )
    scans = data.count(b"\xff\xda", at)
    if scans > MAX_SCANS:
        raise DataError(
            f"{source}: the JPEG has {scans} scans, each of which passes over the whole "
            f"image; {MAX_SCANS} are read. Save it again."
        )


def webp_size(start: bytes) -> tuple[int, int] | None:
    """(height, width) of a WebP image from its first 30 bytes; None if it is none.

    Pillow takes memory for the canvas when it opens a file.
    """
    kind, body = start[12:16], start[20:30].ljust(10, b"\0")
    if kind == b"VP8X":  # three bytes each, less one
        width, height = int.from_bytes(body[4:7], "little"), body[7:10]
        return int.from_bytes(height, "little") + 1, width + 1
    if kind == b"VP8L":  # 14 bits each, less one, behind a byte
        bits = int.from_bytes(body[1:5], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 ":  # 14 bits each, behind a tag and a mark of three bytes
        width = int.from_bytes(body[6:8], "little") & 0x3FFF
        return int.from_bytes(body[8:10], "little") & 0x3FFF, width
    return None
