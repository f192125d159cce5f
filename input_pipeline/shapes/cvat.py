"""CVAT for images 1.1: XML, read without a DOCTYPE, so without entities.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from xml.parsers import expat

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS, check_size
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.rle import alternating_runs, runs_to_mask
from input_pipeline.shapes.shape import (
    Bitmap,
    ImageShapes,
    Runs,
    Shape,
    box_polygon,
    ellipse_polygon,
    points_of,
    polygon_of,
)

_SHAPES = ("polygon", "polyline", "points", "box", "ellipse", "mask")


def read_cvat(data: bytes, source: str, rules: Annotations) -> list[ImageShapes]:
    """Every image of a CVAT file; `z_order` is the order of drawing."""
    handler = _Handler(source)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = handler.refuse_doctype
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DataError(f"{source}: no XML that can be read ({error}).") from error
    return handler.images


class _Handler:
    """Collects images as the elements go by."""

    def __init__(self, source):
        self.images = []
        self._source, self._image, self._shapes = source, None, []
        self._depth = 0

    def refuse_doctype(self, *_):
        raise DataError(
            f"{self._source}: XML with a DOCTYPE, which may define entities; CVAT "
            "writes none."
        )

    def start(self, tag, attributes):
        self._depth += 1
        if self._depth == 1 and tag != "annotations":
            raise DataError(
                f"{self._source}: XML of <{tag}>; CVAT for images has <annotations>."
            )
        if self._depth > 50:
            raise DataError(f"{self._source}: XML that is nested too deeply.")
        if tag == "track":
            raise DataError(
                f"{self._source}: tracks of a video; export 'CVAT for images 1.1'."
            )
        if tag == "image":
            self._image, self._shapes = attributes, []
        elif tag in _SHAPES and self._image is not None:
            where = f"{self._image.get('name')}: {tag} {len(self._shapes)}"
            shape = _shape(tag, attributes, where, f"{self._source}: {where}")
            self._shapes.append((int(attributes.get("z_order", 0)), shape))

    def end(self, tag):
        self._depth -= 1
        if tag != "image":
            return
        ordered = sorted(self._shapes, key=lambda pair: pair[0])
        size = int(self._image["height"]), int(self._image["width"])
        shapes = tuple(shape for _, shape in ordered)
        self.images.append(ImageShapes(self._image["name"], shapes, size))
        self._image = None


def _shape(tag, given, where, at):
    found = {}
    if tag in ("polygon", "polyline", "points"):
        pairs = [pair.split(",") for pair in given["points"].split(";") if pair]
        if tag == "polygon":
            found["polygons"] = (polygon_of(pairs, at),)
        elif tag == "polyline":
            found["lines"] = (points_of(pairs, at, 2),)
        else:
            found["lines"] = tuple(point[None] for point in points_of(pairs, at))
    elif tag == "box":
        x, y, right, bottom = (float(given[k]) for k in ("xtl", "ytl", "xbr", "ybr"))
        turned = float(given.get("rotation", 0))
        box = box_polygon(x, y, right - x, bottom - y, at, turned)
        found["polygons"] = (box,)
    elif tag == "ellipse":
        values = (float(given[key]) for key in ("cx", "cy", "rx", "ry"))
        turned = float(given.get("rotation", 0))
        found["polygons"] = (ellipse_polygon(*values, at, turned),)
    else:
        found["mask"] = _mask(given, at)
    return Shape(where, given["label"], **found)


def _mask(given, at):
    size = int(given["height"]), int(given["width"])
    check_size(at, size, "uint8", MAX_PIXELS)
    counts = [int(count) for count in given["rle"].split(",")]
    runs = alternating_runs(counts, size[0] * size[1], at)
    mask = runs_to_mask(Runs(*runs, columns=False), size, at)
    return Bitmap(mask, round(float(given["left"])), round(float(given["top"])))
