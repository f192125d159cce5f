"""VIA 3: the project JSON of the VGG Image Annotator, version 3.

Its CodeDoc.md (https://gitlab.com/vgg/via, via-3.x.y) describes the file.
"""

from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.shape import (
    ImageShapes,
    Shape,
    box_polygon,
    ellipse_polygon,
    points_of,
    polygon_of,
)
from input_pipeline.shapes.via import class_of

_POINT, _RECTANGLE, _CIRCLE, _ELLIPSE, _LINE, _POLYLINE, _POLYGON = range(1, 8)
_IMAGE = 2  # the type of a file
_CHECKBOX = 2  # the type of an attribute


def is_via3(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    parts = ("project", "attribute", "file", "view", "metadata")
    return isinstance(content, dict) and all(
        isinstance(content.get(part), dict) for part in parts
    )


def read_via3(content: Any, source: str, rules: Annotations) -> list[ImageShapes]:
    """Every image of a project; the class is the one attribute, or `label_key`."""
    shapes = {key: [] for key in content["view"]}
    for key, region in content["metadata"].items():
        drawn = region.get("xy") or []
        if not drawn:  # of the whole image
            continue
        at = f"{source}: metadata.{key}"
        if region.get("z"):
            raise DataError(f"{at}: a region of the frame of a video; images are read.")
        view = str(region["vid"])
        if view not in shapes:
            raise DataError(f"{at}: its view {view!r} is not in the file.")
        name = class_of(_attributes(region, content["attribute"]), at, rules)
        shapes[view].append(Shape(f"metadata.{key}", name, **_drawn(drawn, at)))
    images = []
    for key, view in content["view"].items():
        at, files = f"{source}: view.{key}", view["fid_list"]
        if len(files) != 1:
            raise DataError(f"{at}: shows {len(files)} files; a label has one image.")
        file = content["file"][str(files[0])]
        if file.get("type", _IMAGE) != _IMAGE:
            raise DataError(f"{at}: {file['fname']} is no image, but sound or a video.")
        images.append(ImageShapes(str(file["fname"]), tuple(shapes[key])))
    return images


def _drawn(values, at):
    kind, *numbers = values
    if kind in (_LINE, _POLYLINE, _POLYGON):
        if len(numbers) % 2:
            raise DataError(f"{at}: {len(numbers)} coordinates are no pairs.")
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        if kind == _POLYGON:
            return {"polygons": (polygon_of(pairs, at),)}
        return {"lines": (points_of(pairs, at, 2),)}
    if kind == _POINT:
        return {"lines": (points_of([numbers], at),)}
    if kind == _RECTANGLE:
        x, y, width, height = numbers
        return {"polygons": (box_polygon(x, y, width, height, at),)}
    if kind in (_CIRCLE, _ELLIPSE):
        x, y, radius, *other = numbers
        ry = other[0] if kind == _ELLIPSE else radius
        return {"polygons": (ellipse_polygon(x, y, radius, ry, at),)}
    raise DataError(
        f"{at}: a region of VIA's kind {kind!r}; read are {_POINT} to {_POLYGON}: points, "
        "rectangles, circles, ellipses, lines and polygons."
    )


def _attributes(region, known):
    """{name of an attribute: its value, or of check boxes {name: whether}}."""
    found = {}
    for key, value in (region.get("av") or {}).items():
        attribute = known[key]
        options = attribute.get("options") or {}
        if attribute.get("type") == _CHECKBOX:
            ticked = [option for option in str(value).split(",") if option]
            value = {options.get(option, option): True for option in ticked}
        elif options:
            value = options.get(str(value), value)
        found[attribute["aname"]] = value
    return found
