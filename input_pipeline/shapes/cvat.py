"""CVAT for images and for video 1.1: XML, read without a DOCTYPE, so without entities.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from xml.parsers import expat

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS, check_size
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.cvat_tracks import Tracks
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
_NOT_DRAWN = ("cuboid", "skeleton")
# What the head says of the frames of a video: (parent, tag).
_OF_FRAMES = (
    *(("task", tag) for tag in ("start_frame", "stop_frame", "frame_filter")),
    *(("original_size", tag) for tag in ("width", "height")),
)


def read_cvat(data: bytes, source: str, rules: Annotations) -> list[ImageShapes]:
    """Every image or frame of a CVAT file; `z_order` is the order of drawing."""
    handler = _Handler(source)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = handler.refuse_doctype
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DataError(f"{source}: no XML that can be read ({error}).") from error
    return handler.images + handler.tracks.images()


class _Handler:
    """Collects images as the elements go by."""

    def __init__(self, source):
        self.images, self.tracks = [], Tracks(source)
        self._source, self._path, self._text = source, [], ""
        self._image = self._track = None
        self._shapes = []

    def refuse_doctype(self, *_):
        raise DataError(
            f"{self._source}: XML with a DOCTYPE, which may define entities; CVAT "
            "writes none."
        )

    def start(self, tag, attributes):
        self._path.append(tag)
        self._text = ""
        if len(self._path) == 1 and tag != "annotations":
            raise DataError(f"{self._source}: XML of <{tag}>; CVAT has <annotations>.")
        if len(self._path) > 50:
            raise DataError(f"{self._source}: XML that is nested too deeply.")
        if tag == "image":
            self._image, self._shapes = attributes, []
        elif tag == "track":
            self._track = attributes
            self.tracks.begin(attributes)
        elif self._image is not None:
            place = f"{self._image.get('name')}: {tag} {len(self._shapes)}"
            if found := self._shape_at(tag, attributes, place):
                self._shapes.append((int(attributes.get("z_order", 0)), found))
        elif self._track is not None:
            place = f"track {self._track.get('id')}: frame {attributes.get('frame')}"
            labelled = {**attributes, "label": self._track["label"]}
            if found := self._shape_at(tag, labelled, place):
                self.tracks.add(attributes, found)

    def text(self, text):
        self._text += text

    def end(self, tag):
        self._path.pop()
        if self._path and (self._path[-1], tag) in _OF_FRAMES:
            self.tracks.note(tag, self._text)
        if tag == "track":
            self._track = None
        if tag != "image":
            return
        ordered = sorted(self._shapes, key=lambda pair: pair[0])
        size = int(self._image["height"]), int(self._image["width"])
        shapes = tuple(shape for _, shape in ordered)
        self.images.append(ImageShapes(self._image["name"], shapes, size))
        self._image = None

    def _shape_at(self, tag, attributes, place):
        """The shape of an element; None if it is another one."""
        if tag in _NOT_DRAWN:
            raise DataError(
                f"{self._source}: {place}: a {tag} covers no pixels; read are "
                f"{', '.join(_SHAPES)}."
            )
        if tag in _SHAPES:
            return _shape(tag, attributes, place, f"{self._source}: {place}")
        return None


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
