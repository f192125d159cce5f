"""Label Studio's JSON export (https://labelstud.io/guide/export)."""

import re
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.rle import brush_runs
from input_pipeline.shapes.shape import (
    ImageShapes,
    Shape,
    box_polygon,
    ellipse_polygon,
    points_of,
    polygon_of,
)

# An upload gets eight hexadecimal digits before its name.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_KINDS = {
    "polygonlabels": "polygon",
    "brushlabels": "brush",
    "rectanglelabels": "rectangle",
    "ellipselabels": "ellipse",
    "keypointlabels": "keypoint",
}


def is_label_studio(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(
            isinstance(task, dict) and {"data", "annotations"} <= set(task)
            for task in content
        )
    )


def read_label_studio(
    content: Any, source: str, rules: Annotations
) -> list[ImageShapes]:
    """Every task, which has one annotation that is not cancelled."""
    found = []
    for place, task in enumerate(content):
        image = _image(task, f"{source}: tasks.{place}", rules)
        given = [a for a in task["annotations"] if not a.get("was_cancelled")]
        if len(given) > 1:
            raise DataError(
                f"{source}: {len(given)} annotations for {image}; one is needed. Leave "
                "out those of the other annotators."
            )
        shapes, size = [], None
        for number, result in enumerate(given[0]["result"] if given else ()):
            if result.get("type") not in _KINDS:
                if "value" in result and "original_width" in result:
                    raise DataError(
                        f"{source}: {image}: a result of the type {result.get('type')!r} "
                        f"is not known; allowed are {', '.join(_KINDS)}."
                    )
                continue  # a choice or a text about the image
            size = int(result["original_height"]), int(result["original_width"])
            where = f"{image}: result.{number}"
            shapes.append(_shape(result, size, where, source))
        found.append(ImageShapes(image, tuple(shapes), size))
    return found


def _image(task, at, rules):
    data = task["data"]
    keys = (
        [rules.image_key]
        if rules.image_key
        else [key for key, value in data.items() if isinstance(value, str)]
    )
    if len(keys) != 1 or keys[0] not in data:
        raise DataError(
            f"{at}: data has {', '.join(map(repr, data))}; say by "
            "annotations.image_key which one names the image."
        )
    return _UPLOAD.sub("", data[keys[0]].split("?d=")[-1].split("/")[-1])


def _shape(result, size, where, source):
    at, value = f"{source}: {where}", result["value"]
    kind = _KINDS[result["type"]]
    names = value.get(result["type"]) or []
    if len(names) != 1:
        raise DataError(f"{at}: {len(names)} classes; one is needed.")
    found = {}
    percent = size[1] / 100, size[0] / 100
    if kind == "brush":
        if value.get("format") != "rle":
            raise DataError(f"{at}: a brush whose format is {value.get('format')!r}.")
        found["mask"] = brush_runs(value["rle"], size, at)
    elif kind == "polygon":
        points = points_of(value["points"], at, 3) * percent
        found["polygons"] = (polygon_of(points, at),)
    elif kind == "keypoint":
        found["lines"] = (points_of([(value["x"], value["y"])], at) * percent,)
    else:
        x, y = value["x"] * percent[0], value["y"] * percent[1]
        turned = value.get("rotation", 0)
        if kind == "ellipse":
            rx, ry = value["radiusX"] * percent[0], value["radiusY"] * percent[1]
            rings = ellipse_polygon(x, y, rx, ry, at, turned)
        else:
            if turned:  # it turns about its first corner
                raise DataError(f"{at}: a turned rectangle; draw it as a polygon.")
            width, height = value["width"] * percent[0], value["height"] * percent[1]
            rings = box_polygon(x, y, width, height, at)
        found["polygons"] = (rings,)
    return Shape(where, str(names[0]), **found)
