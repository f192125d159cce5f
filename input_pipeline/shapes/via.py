"""VIA: the project or annotation JSON of the VGG Image Annotator, versions 1 and 2.

https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from collections.abc import Mapping
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

_PROJECT = "_via_img_metadata"


def is_via(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    if not isinstance(content, dict):
        return False
    images = content.get(_PROJECT, content)
    return bool(images) and all(
        isinstance(image, dict) and {"filename", "regions"} <= set(image)
        for image in images.values()
    )


def read_via(content: Any, source: str, rules: Annotations) -> list[ImageShapes]:
    """Every image; the class is a region's one attribute, or `label_key`."""
    found = []
    for image in content.get(_PROJECT, content).values():
        regions = image["regions"]
        regions = regions.values() if isinstance(regions, dict) else regions
        shapes = tuple(
            _shape(region, f"{image['filename']}: regions.{place}", source, rules)
            for place, region in enumerate(regions)
        )
        found.append(ImageShapes(str(image["filename"]), shapes))
    return found


def _shape(region, where, source, rules):
    drawn, at = region["shape_attributes"], f"{source}: {where}"
    kind = drawn["name"]
    found = {}
    if kind in ("polygon", "polyline"):
        xs, ys = drawn["all_points_x"], drawn["all_points_y"]
        if len(xs) != len(ys):
            raise DataError(f"{at}: {len(xs)} values of x and {len(ys)} of y.")
        pairs = list(zip(xs, ys, strict=True))
        if kind == "polygon":
            found["polygons"] = (polygon_of(pairs, at),)
        else:
            found["lines"] = (points_of(pairs, at, 2),)
    elif kind == "rect":
        box = (drawn[key] for key in ("x", "y", "width", "height"))
        found["polygons"] = (box_polygon(*box, at),)
    elif kind in ("circle", "ellipse"):
        rx, ry = (drawn.get(key, drawn.get("r")) for key in ("rx", "ry"))
        turned = float(drawn.get("theta", 0)) * 57.29577951308232
        found["polygons"] = (
            ellipse_polygon(drawn["cx"], drawn["cy"], rx, ry, at, turned),
        )
    elif kind == "point":
        found["lines"] = (points_of([(drawn["cx"], drawn["cy"])], at),)
    else:
        raise DataError(f"{at}: a region of the kind {kind!r} is not known.")
    return Shape(
        where, class_of(region.get("region_attributes") or {}, at, rules), **found
    )


def class_of(attributes: Mapping[str, Any], at: str, rules: Annotations) -> str | None:
    """The class that a region's attributes say, by `label_key` or the only one.

    Args:
        attributes: values by name; of check boxes {class: whether it is ticked}.
        at: the file and the place in it, for errors.
        rules: what the config says of it.

    Returns:
        Its name, or None where the attribute is empty.

    Raises:
        DataError: several attributes without a `label_key`, or not one box ticked.
    """
    key = rules.label_key
    if not key and len(attributes) == 1:
        key = next(iter(attributes))
    if not key and attributes:
        raise DataError(
            f"{at}: the attributes {', '.join(map(repr, attributes))}; say by "
            "annotations.label_key which one is the class."
        )
    value = attributes.get(key)
    if isinstance(value, dict):  # check boxes: {name: true}
        chosen = [name for name, is_on in value.items() if is_on]
        if len(chosen) != 1:
            raise DataError(f"{at}: {len(chosen)} classes are ticked; one is needed.")
        value = chosen[0]
    return str(value) if value not in (None, "") else None
