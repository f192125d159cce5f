"""Shape names: the classes that annotation files have, found by reading them."""

import os
from collections.abc import Sequence

from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.match import has_shapes, is_for_all, shapes_of_masks
from input_pipeline.shapes.read import read_annotations


def settings_of_shapes(
    labels: str, seg_map_suffix: str, names: Sequence[str], stems: Sequence[str]
) -> dict:
    """Settings of a data set whose labels are shapes, without classes being known.

    Args:
        labels: the folder of labels, or one file for all images.
        seg_map_suffix: end of a label's name.
        names: of the label files in the folder.
        stems: of the images.

    Returns:
        `metainfo`, and `label_map` where the files have numbers; empty if the labels
        are no shapes. The classes are 'background' and the names in their order.
    """
    if "*" in labels + seg_map_suffix:
        found = shapes_of_masks(labels, seg_map_suffix, stems).values()
    else:
        paths = [labels]
        if not is_for_all(labels, seg_map_suffix):
            ends = seg_map_suffix.lower()
            paths = [os.path.join(labels, n) for n in names if n.lower().endswith(ends)]
            if not has_shapes(paths, seg_map_suffix):
                return {}
        found = [image for path in paths for image in _read(path)]
    shapes = [shape for image in found for shape in image.shapes]
    called = {shape.name for shape in shapes if shape.name is not None}
    numbers = {s.number for s in shapes if s.name is None and s.number is not None}
    numbers |= {int(name) for name in called if name.isdecimal()}
    called = sorted(name for name in called if not name.isdecimal())
    if not called and not numbers:
        return {"metainfo": {"classes": ["background", "object"]}, "label_map": _ALL}
    own = [name for name in called if name.lower() == "background"] or ["background"]
    classes = own + [name for name in called if name not in own]
    label_map = {}
    for number in sorted(numbers):
        label_map[number] = len(classes)
        classes.append(f"class {number}")
    settings = {"metainfo": {"classes": classes}}
    return settings | ({"label_map": label_map} if label_map else {})


_ALL = {"*": 1}


def _read(path):
    try:
        return read_annotations(path, Annotations())
    except DataError:  # the report says so, sample by sample
        return []
