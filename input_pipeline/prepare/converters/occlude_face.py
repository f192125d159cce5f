"""Occluded faces: what face-occlusion-generation has drawn, and RealOcc for `val`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Converter, Outputs, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import copied, read_grey, text
from input_pipeline.prepare.splits import folders

# Part: its folder of images, as mmseg's config calls it.
_TRAIN = {"NatOcc_hand_sot": "img", "NatOcc_object": "img", "RandOcc": "img"}
_VAL = {"RealOcc": "image"}


def face_png(member: Member, to: str) -> Outputs:
    """A mask of 0 and 1, or of 0 and 255, as PNG of 0 and 1."""
    mask = read_grey(member)
    values = np.unique(mask).tolist()
    if not (set(values) <= {0, 1} or set(values) <= {0, 255}):
        raise DataError(
            f"{member}: a mask of {values[:10]}; expected are 0 and 1, or 0 and 255."
        )
    yield to, as_png((mask > 0).astype(np.uint8))


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    tasks, names = [], {}
    for part, folder in (_TRAIN | _VAL).items():
        images = files.named(rf"{part}/{folder}/([^/]+)\.jpg")
        if part in _TRAIN and not images:
            continue
        labels = files.named(rf"{part}/mask/([^/]+)\.png")
        pairs = list(paired(images, labels, files, f"images of {part}"))
        for name, image, label in pairs:
            to = f"{part}/{folder}/{name}.jpg", f"{part}/mask/{name}.png"
            tasks += [Task(copied, (image,), to[:1]), Task(face_png, (label,), to[1:])]
        names[part] = [name for name, _, _ in pairs]
    parts = [part for part in _TRAIN if part in names]
    if not parts:
        raise DataError(
            f"{', '.join(files.given)}: none of {', '.join(_TRAIN)}. {files.held()}"
        )
    shared = sorted(set.intersection(*(set(names[part]) for part in parts)))
    lists = {"train.txt": shared, "RealOcc/split/val.txt": names["RealOcc"]}
    for to, listed in lists.items():
        tasks.append(Task(text, (), ("".join(f"{n}\n" for n in listed), to)))
    notes = [
        f"{part}: {len(names[part]) - len(shared)} images are not in train.txt, as not "
        "every part has them."
        for part in parts
        if len(names[part]) > len(shared)
    ]
    train = [folders(f"{p}/{_TRAIN[p]}", f"{p}/mask") for p in parts]
    return Plan(tasks, [], train, folders("RealOcc/image", "RealOcc/mask"), notes)


OCCLUDE_FACE = Converter(
    name="occlude_face",
    title="Occluded faces, face and background",
    sources=("NatOcc_hand_sot", "NatOcc_object", "RandOcc", "RealOcc"),
    url="https://github.com/kennyvoo/face-occlusion-generation",
    licence="research, not commercial",
    size="images of 512x512 or so, as many as were generated; RealOcc 550",
    layout="folders {NatOcc_hand_sot,NatOcc_object,RandOcc} with {img/*.jpg,mask/*.png} "
    "that face-occlusion-generation writes, and RealOcc with {image/*.jpg,mask/*.png}",
    dataset="FaceOccludedDataset",
    home="data/occlusion-aware-face-dataset",
    plan=_plan,
    checks="One of the three generated parts is enough; numbers are not compared. Masks "
    "may be of 0 and 1 or of 0 and 255. train.txt names what all parts have, as "
    "MMSegmentation 0.x' config asks for it; val.txt all of RealOcc.",
    scale=(512, 512),
)
