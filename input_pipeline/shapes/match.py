"""Matching: which annotation, or which of several masks, an image has."""

import collections
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from input_pipeline.errors import DataError
from input_pipeline.folders import files_below
from input_pipeline.formats.files import open_file
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.read import SUFFIXES, read_annotations
from input_pipeline.shapes.shape import ImageShapes, Shape
from input_pipeline.shapes.yolo import is_yolo
from input_pipeline.sources import some_of


def is_for_all(seg_path: str, seg_map_suffix: str) -> bool:
    """Whether labels are one file for all images, or several masks for each.

    Args:
        seg_path: that file, or the folder of labels; a '*' stands for the name of a
            mask.
        seg_map_suffix: end of a label's name; likewise.
    """
    return "*" in seg_path + seg_map_suffix or os.path.isfile(seg_path)


def has_shapes(labels: Iterable[str], seg_map_suffix: str) -> bool:
    """Whether label files, one an image, have shapes to be painted, and not pixels.

    Args:
        labels: paths of the files.
        seg_map_suffix: end of their names; those with another one do not count.
    """
    suffix = seg_map_suffix.lower()
    if not suffix.endswith(".txt"):
        return suffix.endswith(SUFFIXES)
    for path in labels:
        if path.lower().endswith(suffix):
            with open_file(path) as file:
                start = file.read(1 << 16)
            if start.strip():  # a matrix of ids has no fractions
                return is_yolo(start)
    return True


def shapes_in_file(
    source: str, images: Mapping[str, str], rules: Annotations, is_listed: bool
) -> dict[str, ImageShapes]:
    """What one file says of each image.

    Args:
        source: the annotation file.
        images: stem (path without suffix) to name (path) of each image below its folder.
        rules: what the config says of the file.
        is_listed: whether the images were chosen from more, so that the file may have
            others.

    Returns:
        By the image's name; images of which the file says nothing are left out.

    Raises:
        DataError: two annotations for one image, or one without its image.
    """
    found = read_annotations(source, rules)
    if len(found) == 1 and not found[0].image:
        return dict.fromkeys(images.values(), found[0])
    # By its whole name, its last part, and both without the suffix.
    by_name = collections.defaultdict(list)
    for place, one in enumerate(found):
        name = one.image.replace("\\", "/").removeprefix("./")
        last = name.rsplit("/", 1)[-1]
        for key in {name, last, os.path.splitext(name)[0], os.path.splitext(last)[0]}:
            by_name[key].append(place)
    places = {}
    for stem, image in images.items():
        keys = (image, os.path.basename(image), stem, os.path.basename(stem))
        fits = next((by_name[key] for key in keys if key in by_name), [])
        if len(fits) > 1:
            names = [found[place].image for place in fits]
            raise DataError(
                f"{source}: {len(fits)} annotations for the image {image}:\n"
                f"{some_of(names)}"
            )
        if fits:
            places[image] = fits[0]
    shared = [n for n, k in collections.Counter(places.values()).items() if k > 1]
    if shared:
        raise DataError(
            f"{source}: the annotation of {found[shared[0]].image!r} fits several "
            "images; say their folders in it, too."
        )
    alone = sorted(set(range(len(found))).difference(places.values()))
    if alone and not is_listed:
        raise DataError(
            f"{source}: {len(alone)} of {len(found)} annotations have no image:\n"
            f"{some_of([found[place].image for place in alone])}\n"
            "Name the wanted images in ann_file."
        )
    return {image: found[place] for image, place in places.items()}


def shapes_of_masks(
    seg_path: str, seg_map_suffix: str, stems: Sequence[str]
) -> dict[str, ImageShapes]:
    """Several masks an image, each of a class or an object, which the '*' names.

    Args:
        seg_path: the folder of masks; with a '*' in it one folder a class.
        seg_map_suffix: what stands behind an image's stem: '_*.png' or '/*.png', or
            where the '*' is in `seg_path`, '.png'.
        stems: of the images.

    Returns:
        By stem, masks sorted by name; images without one are left out.

    Raises:
        DataError: more than one '*', a folder that does not exist, a mask whose name
            begins with no image's.
    """
    if (seg_path + seg_map_suffix).count("*") != 1:
        raise DataError(
            f"{seg_path} and seg_map_suffix={seg_map_suffix!r}: several masks an image "
            "have one '*', for the name of the class or of the object."
        )
    root = os.path.dirname(seg_path.split("*")[0]) if "*" in seg_path else seg_path
    pattern = re.escape(os.path.relpath(seg_path, root or ".") + "/").replace(
        r"\*", "(?P<mask>[^/]+)"
    )
    pattern = "" if "*" in seg_map_suffix else pattern
    end = re.escape(seg_map_suffix).replace(r"\*", "(?P<mask>[^/]+)")
    ends = end.rsplit("(?P<mask>[^/]+)", 1)[-1]
    known = set(stems)
    found, foreign = collections.defaultdict(list), []
    for name in files_below(root or "."):
        if not re.search(ends + "$", name):
            continue
        split = _split(name, pattern, end, known)
        if split is None:
            foreign.append(name)
        else:
            stem, mask = split
            found[stem].append(Shape(name, mask, mask=os.path.join(root, name)))
    if foreign:
        raise DataError(
            f"{root}: {len(foreign)} masks are of no image:\n{some_of(foreign)}"
        )
    return {stem: ImageShapes("", tuple(shapes)) for stem, shapes in found.items()}


def _split(name, pattern, end, known):
    """(stem, name of the mask) of a mask's file; None if it is of no image."""
    if pattern:
        found = re.fullmatch(f"{pattern}(?P<stem>.+){end}", name)
        if found and found["stem"] in known:
            return found["stem"], found["mask"]
        return None
    # The longest stem: of the images a and a_b, a_b_c.png is of the second.
    for at in range(len(name) - 1, 0, -1):
        found = name[:at] in known and re.fullmatch(end, name[at:])
        if found:
            return name[:at], found["mask"]
    return None
