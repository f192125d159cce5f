"""Supervisely's JSON, one file an image (https://docs.supervisely.com/)."""

import base64
import binascii
import zlib
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.labelme import mask_of_png
from input_pipeline.shapes.shape import (
    Bitmap,
    ImageShapes,
    Shape,
    box_polygon,
    points_of,
    polygon_of,
)


def is_supervisely(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    return isinstance(content, dict) and {"size", "objects"} <= set(content)


def read_supervisely(
    content: Any, source: str, rules: Annotations
) -> list[ImageShapes]:
    """The one image of a file; `interior` rings are holes."""
    size = int(content["size"]["height"]), int(content["size"]["width"])
    shapes = [
        _shape(entry, f"objects.{place}", source)
        for place, entry in enumerate(content["objects"])
    ]
    return [ImageShapes("", tuple(shapes), size)]


def _shape(entry, where, source):
    kind, at = entry["geometryType"], f"{source}: {where}"
    found = {}
    if kind == "bitmap":
        x, y = entry["bitmap"]["origin"]
        mask = mask_of_png(_unpacked(entry["bitmap"]["data"], at), at)
        found["mask"] = Bitmap(mask, int(x), int(y))
        return Shape(where, entry["classTitle"], **found)
    exterior, interior = entry["points"]["exterior"], entry["points"]["interior"]
    if kind == "polygon":
        found["polygons"] = (polygon_of(exterior, at, interior),)
    elif kind == "rectangle":
        (x, y), (right, bottom) = points_of(exterior, at, 2)[:2]
        # The corner pixels belong to it.
        box = box_polygon(x, y, right - x + 1, bottom - y + 1, at)
        found["polygons"] = (box,)
    elif kind == "line":
        found["lines"] = (points_of(exterior, at, 2),)
    elif kind == "point":
        found["lines"] = (points_of(exterior, at),)
    else:
        raise DataError(f"{at}: the geometryType {kind!r} is not known.")
    return Shape(where, entry["classTitle"], **found)


def _unpacked(text, at):
    """The PNG behind base64 and zlib, of no more bytes than an image may have."""
    try:
        packed = base64.b64decode(text, validate=True)
        unpack = zlib.decompressobj()
        data = unpack.decompress(packed, MAX_PIXELS)
    except (binascii.Error, zlib.error, TypeError, ValueError) as error:
        raise DataError(f"{at}: a damaged bitmap ({error}).") from error
    if unpack.unconsumed_tail:
        raise DataError(
            f"{at}: a bitmap of {len(packed)} bytes that unpacks to more than "
            f"{MAX_PIXELS}."
        )
    return data
