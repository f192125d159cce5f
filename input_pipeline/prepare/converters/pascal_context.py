"""Pascal Context: 59 of its classes, from the Detail challenge's JSON or from the .mat."""

import collections
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.json_text import parse_json
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Converter, Count, Outputs, Plan, Task
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import copied, matrix_png, replace_ids, text
from input_pipeline.shapes.rle import coco_runs, runs_to_mask
from input_pipeline.sources import some_of

# Ids of the 59 classes among the 459; in this order they are 1 to 59.
_IDS = (
    *(2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98),
    *(104, 105, 113, 115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260),
    *(284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416),
    *(420, 424, 427, 440, 445, 454, 458),
)
TABLE = ((0, 0), *((label, i + 1) for i, label in enumerate(_IDS)))
_COUNTS = {"train": 4998, "val": 5105}


def runs_png(content: str, to: str) -> Outputs:
    """The label of one image of the JSON.

    Args:
        content: its height, width and (class, run lengths) as JSON.
        to: where to.
    """
    height, width, pieces = json.loads(content)
    label = np.zeros((height, width), np.int64)
    for category, segmentation in pieces:
        runs = coco_runs(segmentation, to)
        label[runs_to_mask(runs, (height, width), to)] = category
    yield to, as_png(replace_ids(label, dict(TABLE), None, to))


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    images = files.named(r"VOC2010/JPEGImages/(\d+_\d+)\.jpg")
    matrices = files.named(r"(\d{4}_\d{6})\.mat")
    if matrices:
        parts, labels = _of_matrices(files, matrices)
    else:
        parts, labels = _of_json(files)
    tasks = list(labels)
    names = sorted(itertools.chain(*parts.values()))
    missing = [name for name in names if name not in images]
    if missing:
        raise DataError(
            f"pascal_context: {len(missing)} of {len(names)} labelled images are not in "
            f"VOC2010/JPEGImages:\n{some_of(missing)}\n{files.held()}"
        )
    for name in names:
        tasks.append(Task(copied, (images[name],), (f"JPEGImages/{name}.jpg",)))
    for part, its_names in parts.items():
        lines = "".join(f"{name}\n" for name in sorted(its_names))
        to = f"ImageSets/SegmentationContext/{part}.txt"
        tasks.append(Task(text, (), (lines, to)))
    counts = [
        Count(f"images of {part}", len(its_names), _COUNTS[part])
        for part, its_names in parts.items()
    ]
    return Plan(tasks, counts, [_arguments("train")], _arguments("val"))


def _of_matrices(files: Files, matrices: Mapping[str, Member]):
    """Parts and tasks of the 459 classes' .mat files; VOC 2010's own lists divide them."""
    parts = {}
    for part in _COUNTS:
        pattern = rf"VOC2010/ImageSets/Main/{part}\.txt"
        listed = files.lines(pattern, f"VOC 2010's {part}.txt")
        parts[part] = [name for name in listed if name in matrices]
    tasks = [
        Task(matrix_png, (matrices[name],), (_label_path(name), "LabelMap", TABLE, 0))
        for name in itertools.chain(*parts.values())
    ]
    return parts, tasks


def _of_json(files: Files) -> tuple[dict[str, list[str]], Iterator[Task]]:
    """Parts and tasks of trainval_merged.json."""
    member = files.one(
        r"trainval_merged\.json", "trainval_merged.json, or the .mat files,"
    )
    found = parse_json(read_member(member), str(member))
    try:
        pieces = collections.defaultdict(list)
        for piece in found["annos_segmentation"]:
            entry = piece["category_id"], piece["segmentation"]
            pieces[piece["image_id"]].append(entry)
        parts: dict[str, list[str]] = {part: [] for part in _COUNTS}
        tasks = []
        for image in found["images"]:
            if image["phase"] not in parts:
                continue
            name = image["file_name"].removesuffix(".jpg")
            parts[image["phase"]].append(name)
            held = image["height"], image["width"], pieces[image["image_id"]]
            tasks.append(Task(runs_png, (), (json.dumps(held), _label_path(name))))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{member}: not the JSON of the Detail challenge ({error!r} is missing or of "
            "another type)."
        ) from error
    return parts, tasks


def _label_path(name):
    return f"SegmentationClassContext/{name}.png"


def _arguments(part):
    return {
        "data_prefix": {
            "img_path": "JPEGImages",
            "seg_map_path": "SegmentationClassContext",
        },
        "ann_file": f"ImageSets/SegmentationContext/{part}.txt",
    }


PASCAL_CONTEXT = Converter(
    name="pascal_context",
    title="Pascal Context, 59 classes and background",
    sources=("VOCtrainval_03-May-2010.tar", "trainval_merged.json"),
    url="http://host.robots.ox.ac.uk/pascal/VOC/voc2010 and "
    "https://codalabuser.blob.core.windows.net/public/trainval_merged.json",
    licence="research; images of Flickr",
    size="10103 images, 1.3 GB",
    layout="VOC2010/JPEGImages, and trainval_merged.json; or in its place the "
    "trainval.tar.gz of https://cs.stanford.edu/~roozbeh/pascal-context (.mat, LabelMap)",
    dataset="PascalContextDataset",
    home="data/VOCdevkit/VOC2010",
    plan=_plan,
    checks="The JSON has the 59 classes alone, and another id is refused. The .mat have "
    "459, of which the others become background; where the JSON has merged some of them, "
    "the two may differ.",
)
