"""COCO: instances (polygons and run lengths) and panoptic images (https://cocodataset.org)."""

import os
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.rle import coco_runs
from input_pipeline.shapes.shape import ImageShapes, Shape, flat_points, polygon_of


def is_coco(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def read_coco(content: Any, source: str, rules: Annotations) -> list[ImageShapes]:
    """Every image of a COCO file.

    Objects are drawn in the order of the file; crowds (`iscrowd`) too. The PNGs of a
    panoptic file lie in the folder of its name without .json.
    """
    names = {}
    for category in content.get("categories", []):
        names[category["id"]] = str(category["name"])
    images = {}
    for image in content["images"]:
        if image["id"] in images:
            raise DataError(f"{source}: two images have the id {image['id']!r}.")
        images[image["id"]] = image
    of_image = {number: [] for number in images}
    maps = {}
    for place, annotation in enumerate(content["annotations"]):
        number = annotation["image_id"]
        if number not in images:
            raise DataError(
                f"{source}: annotations.{place} is of the image {number!r}, which "
                "`images` does not have."
            )
        if "segments_info" in annotation:
            if number in maps:
                raise DataError(
                    f"{source}: two annotations for {images[number]['file_name']}."
                )
            folder = os.path.splitext(source)[0]
            maps[number] = _inside(folder, annotation["file_name"], source)
            of_image[number] += [
                _shape(names, segment, f"segment {segment['id']}", segment["id"])
                for segment in annotation["segments_info"]
            ]
        else:
            of_image[number].append(_instance(names, annotation, place, source))
    return [
        ImageShapes(
            image=str(image["file_name"]),
            shapes=tuple(of_image[number]),
            size=_size(image),
            id_map=maps.get(number, ""),
        )
        for number, image in images.items()
    ]


def _instance(names, annotation, place, source):
    where = f"annotations.{place}"
    segmentation = annotation.get("segmentation")
    if not segmentation:
        raise DataError(
            f"{source}: {where} has no segmentation; a box alone is no label of pixels."
        )
    at = f"{source}: {where}"
    if isinstance(segmentation, dict):
        return _shape(names, annotation, where, mask=coco_runs(segmentation, at))
    polygons = tuple(polygon_of(flat_points(p, at), at) for p in segmentation)
    return _shape(names, annotation, where, polygons=polygons)


def _shape(names, entry, where, segment=None, **covered):
    number = entry["category_id"]
    return Shape(where, names.get(number), number, segment=segment, **covered)


def _size(image):
    if not image.get("height") or not image.get("width"):
        return None
    return int(image["height"]), int(image["width"])


def _inside(folder, name, source):
    """A file below a folder; a name that leads out of it is refused."""
    path = os.path.normpath(os.path.join(folder, name))
    if not path.startswith(folder + os.sep):
        raise DataError(f"{source}: the file name {name!r} leads out of {folder}.")
    return path
