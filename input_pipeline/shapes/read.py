"""Readers of annotation files: which one it is, the content of the file says."""

import os

from input_pipeline.errors import DataError
from input_pipeline.formats.json_text import parse_json, read_text
from input_pipeline.shapes import (
    coco,
    geojson,
    label_studio,
    labelme,
    supervisely,
    via,
    via3,
)
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.cvat import read_cvat
from input_pipeline.shapes.shape import ImageShapes
from input_pipeline.shapes.tables import read_table
from input_pipeline.shapes.yolo import read_yolo

# Ends of the names of files with shapes, in lower case. A .txt has them, or is a matrix.
SUFFIXES = (".json", ".geojson", ".xml", ".csv", ".txt")

# (name, test of parsed JSON, reader), the narrow forms first.
_JSON = (
    ("COCO", coco.is_coco, coco.read_coco),
    ("LabelMe", labelme.is_labelme, labelme.read_labelme),
    ("Cityscapes", labelme.is_cityscapes, labelme.read_cityscapes),
    ("Supervisely", supervisely.is_supervisely, supervisely.read_supervisely),
    ("GeoJSON", geojson.is_geojson, geojson.read_geojson),
    ("Label Studio", label_studio.is_label_studio, label_studio.read_label_studio),
    ("VIA 3", via3.is_via3, via3.read_via3),
    ("VIA", via.is_via, via.read_via),
)


def read_annotations(path: str, rules: Annotations) -> list[ImageShapes]:
    """Everything that an annotation file has.

    Args:
        path: JSON of COCO, LabelMe, Cityscapes, Supervisely, VIA, Label Studio or
            GeoJSON; CVAT's XML; a CSV table; a YOLO text.
        rules: what the config says of it.

    Returns:
        What it says of each image that it names, or of the one that it does not name.

    Raises:
        DataError: a file that cannot be read, is damaged, or of another form.
    """
    path = os.fspath(path)
    is_text = path.lower().endswith(".txt")
    if is_text and os.path.isfile(path) and not os.path.getsize(path):
        return read_yolo(b"", path, rules)  # an image without objects
    data = read_text(path)
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start in (b"{", b"["):
        content = parse_json(data, path)
        name, read = _of_json(content, path)
    else:
        content = data
        name, read = (
            ("CVAT", read_cvat)
            if start == b"<"
            else ("YOLO", read_yolo)
            if is_text
            else ("CSV", read_table)
        )
    try:
        return read(content, path, rules)
    except DataError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{path}: a damaged or unknown form of {name}: {type(error).__name__}: "
            f"{error}."
        ) from error


def _of_json(content, path):
    for name, fits, read in _JSON:
        if fits(content):
            return name, read
    found = type(content).__name__
    if isinstance(content, dict):
        found = f"a dict of {', '.join(map(repr, list(content)[:8]))}"
    elif content and isinstance(content[0], dict):
        found = f"a list of dicts of {', '.join(map(repr, list(content[0])[:8]))}"
    raise DataError(
        f"{path}: JSON that is {found:.200}; known are "
        f"{', '.join(name for name, _, _ in _JSON)}."
    )


def one_of(found: list[ImageShapes], image: str, source: str) -> ImageShapes:
    """What an annotation file of one image says.

    Args:
        found: what `read_annotations` gave.
        image: path of the image.
        source: the annotation file, for errors.

    Raises:
        DataError: if it is of several images, none or two of which have the name.
    """
    if len(found) == 1:
        return found[0]
    name = os.path.basename(image)
    fits = [one for one in found if os.path.basename(one.image) == name]
    if len(fits) != 1:
        raise DataError(
            f"{source}: {len(fits)} annotations for {name}, of {len(found)} in the file; "
            "one is needed."
        )
    return fits[0]
