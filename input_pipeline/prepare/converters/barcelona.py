"""Barcelona: street scenes of LabelMe, whose classes stand in the .mat labels."""

import hashlib
import io
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import BYTES_PER_PIXEL, MAX_PIXELS
from input_pipeline.formats.mat import decode_mat
from input_pipeline.formats.mat5 import read_texts
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Converter, Count, Outputs, Plan, Task
from input_pipeline.prepare.divided import TRAIN, VAL, by_lists
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import copied, replace_ids, text

_CLASSES = "barcelona_classes.txt"
_IMAGES = r"Images/([^/]+)/([^/]+)\.jpg"
_LABELS = r"SemanticLabels/([^/]+)/([^/]+)\.mat"
_MOST_NAMES = 1 << 20


def named_png(member: Member, to: str, num_classes: int, names_key: str) -> Outputs:
    """The matrix S as PNG, 0 as 255 and 1 as 0, if the file's names are the usual ones.

    Args:
        member: the file.
        to: where to.
        num_classes: how many names there are.
        names_key: `_key` of the first file's names.
    """
    data = read_member(member, MAX_PIXELS * BYTES_PER_PIXEL)
    if _key(_names(data, str(member))) != names_key:
        raise DataError(
            f"{member}: its names are not those of the first label: an id would not "
            "mean one class in all files."
        )
    label = decode_mat(io.BytesIO(data), str(member), MAX_PIXELS, "S")
    table = {0: 255} | {i + 1: i for i in range(num_classes)}
    yield to, as_png(replace_ids(label, table, None, str(member)))


def _names(data: bytes, source: str) -> list[str]:
    try:
        return read_texts(data, "names", _MOST_NAMES)
    except (ValueError, StopIteration, struct.error, zlib.error) as error:
        raise DataError(f"{source}: the names cannot be read ({error}).") from error


def _key(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _stem(line: str) -> str:
    """The list was written on Windows: FOLDER\\NAME.jpg."""
    return line.replace("\\", "/").removesuffix(".jpg")


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    pairs = paired(files.named(_IMAGES), files.named(_LABELS), files, "images")
    by_name = {name: (image, label) for name, image, label in pairs}
    first = next(iter(by_name.values()))[1]
    names = _names(read_member(first), str(first))
    if len(names) > 254 or len(set(names)) < len(names):
        raise DataError(
            f"{first}: {len(names)} names, {len(set(names))} of them different; "
            "expected are the names of at most 254 classes."
        )
    tasks = [Task(text, (), ("".join(f"{name}\n" for name in names), _CLASSES))]
    for name, part in _parts(files, by_name):
        image, label = by_name[name]
        to = f"annotations/{part}/{name}.png"
        tasks += [
            Task(copied, (image,), (f"images/{part}/{name}.jpg",)),
            Task(named_png, (label,), (to, len(names), _key(names))),
        ]
    metainfo = {"metainfo": {"classes": _CLASSES}}
    note = f"{len(names)} classes, from the names in the labels: {_CLASSES}"
    counts = [Count("images", len(by_name), 15150), Count("classes", len(names), 170)]
    return Plan(tasks, counts, [TRAIN | metainfo], VAL | metainfo, [note])


def _parts(files: Files, names: Collection[str]):
    return by_lists(r"TestSet1\.txt", stem=_stem)(files, names)


BARCELONA = Converter(
    name="barcelona",
    title="Barcelona, street scenes of LabelMe, 170 classes",
    sources=("the dataset's zip",),
    url="http://www.cs.unc.edu/~jtighe/Papers/ECCV10",
    licence="research; images of LabelMe",
    size="15150 images of several sizes, 2 GB",
    layout="Images/FOLDER/*.jpg, SemanticLabels/FOLDER/*.mat (S, names), TestSet1.txt",
    dataset="BaseSegDataset",
    home="data/barcelona",
    plan=_plan,
    checks="The layout is taken to be SIFT Flow's, by the same authors. The classes are "
    "those that the first label names, which the others must name, too; they are "
    f"written to {_CLASSES}, and a config has metainfo=dict(classes='{_CLASSES}'). 0 is "
    "unlabeled, and ignored. TestSet1.txt is for val, all others for train.",
    scale=(640, 480),
    crop_size=(384, 384),
)
