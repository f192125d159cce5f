"""LabelMe's JSON, one file an image; and Cityscapes' polygons, which are much alike."""

import base64
import binascii
import math
from typing import Any

import numpy as np

from input_pipeline.decode import decode_label
from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.shape import (
    Bitmap,
    ImageShapes,
    Shape,
    box_polygon,
    ellipse_polygon,
    points_of,
    polygon_of,
)


def is_labelme(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(content: Any, source: str, rules: Annotations) -> list[ImageShapes]:
    """The one image of a LabelMe file (https://github.com/wkentaro/labelme)."""
    size = content.get("imageHeight"), content.get("imageWidth")
    image = str(content.get("imagePath") or "").replace("\\", "/").split("/")[-1]
    shapes = [
        _shape(shape, f"shapes.{place}", source)
        for place, shape in enumerate(content["shapes"])
    ]
    return [ImageShapes(image, tuple(shapes), size if all(size) else None)]


def _shape(shape, where, source):
    kind = shape.get("shape_type", "polygon")
    at = f"{source}: {where}"
    found = {}
    if kind == "polygon":
        found["polygons"] = (polygon_of(shape["points"], at),)
    elif kind == "rectangle":
        low, high = _two_points(shape["points"], at)
        corner, side = np.minimum(low, high), np.abs(high - low)
        found["polygons"] = (box_polygon(*corner, *side, at),)
    elif kind == "circle":
        middle, edge = _two_points(shape["points"], at)
        radius = math.dist(middle, edge)
        found["polygons"] = (ellipse_polygon(*middle, radius, radius, at),)
    elif kind in ("line", "linestrip"):
        found["lines"] = (points_of(shape["points"], at, 2),)
    elif kind in ("point", "points"):
        points = points_of(shape["points"], at)
        found["lines"] = tuple(point[None] for point in points)
    elif kind == "mask":
        x, y = points_of(shape["points"], at)[0]
        mask = png_mask(shape["mask"], at)
        found["mask"] = Bitmap(mask, round(x), round(y))
    else:
        raise DataError(f"{at}: shape_type {kind!r} is not known.")
    return Shape(where, str(shape["label"]), **found)


def _two_points(points, at):
    found = points_of(points, at, 2)
    if len(found) != 2:
        raise DataError(f"{at}: {len(found)} points; a rectangle or circle has two.")
    return found


def png_mask(text: str | bytes, where: str) -> np.ndarray:
    """Truth values of a PNG in base64; a coloured one by its last channel."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise DataError(f"{where}: the mask is no base64 ({error}).") from error
    return mask_of_png(data, where)


def mask_of_png(data: bytes, where: str) -> np.ndarray:
    """Truth values of the content of a PNG; a coloured one by its last channel."""
    label = decode_label(data, where)
    return (label[..., -1] if label.ndim == 3 else label) > 0


def is_cityscapes(content: Any) -> bool:
    """Whether parsed JSON is of Cityscapes' polygons."""
    return isinstance(content, dict) and {"imgHeight", "imgWidth", "objects"} <= set(
        content
    )


def read_cityscapes(content: Any, source: str, rules: Annotations) -> list[ImageShapes]:
    """The one image of a *_gtFine_polygons.json."""
    shapes = []
    for place, entry in enumerate(content["objects"]):
        where = f"objects.{place}"
        rings = polygon_of(entry["polygon"], f"{source}: {where}")
        shapes.append(Shape(where, str(entry["label"]), polygons=(rings,)))
    size = int(content["imgHeight"]), int(content["imgWidth"])
    return [ImageShapes("", tuple(shapes), size)]
