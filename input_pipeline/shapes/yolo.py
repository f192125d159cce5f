"""YOLO segmentation: a text file an image, `class x y x y ...` a line, parts of 1."""

import re

from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.shape import ImageShapes, Shape, flat_points, polygon_of

_FRACTION = re.compile(rb"[.eE]")


def is_yolo(data: bytes) -> bool:
    """Whether a text has fractions, which a matrix of ids has not; or nothing."""
    return not data.strip() or bool(_FRACTION.search(data))


def read_yolo(data: bytes, source: str, rules: Annotations) -> list[ImageShapes]:
    """The one image of a file; classes are numbers."""
    shapes = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        values = line.split()
        if not values:
            continue
        where = f"line {number}"
        at = f"{source}: {where}"
        if not values[0].isdecimal():
            raise DataError(f"{at}: begins with {values[0]!r:.40}, not with a class.")
        if len(values) == 5:
            raise DataError(f"{at}: a box (class x y w h), which labels no pixels.")
        rings = polygon_of(flat_points(values[1:], at), at)
        if rings[0].min() < -0.5 or rings[0].max() > 1.5:
            raise DataError(
                f"{at}: coordinates from {rings[0].min():g} to {rings[0].max():g}; they "
                "must be parts of the width and the height, 0 to 1."
            )
        shapes.append(Shape(where, number=int(values[0][:9]), polygons=(rings,)))
    return [ImageShapes("", tuple(shapes), relative=True)]
