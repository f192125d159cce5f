"""Synapse multi-atlas abdomen: CT volumes, cut into slices as TransUNet's authors do."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Converter, Count, Outputs, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.nifti import read_nifti
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.splits import folders

# TransUNet's (https://arxiv.org/abs/2102.04306) parts of the 30 volumes.
_PARTS = {
    "train": "0005 0006 0007 0009 0010 0021 0023 0024 0026 0027 0028 0030 0031 0033 "
    "0034 0037 0039 0040",
    "val": "0008 0022 0038 0036 0032 0002 0029 0003 0001 0004 0025 0035",
}
# Organ in the files: class. The other five organs are background, as in TransUNet.
_CLASSES = {8: 1, 4: 2, 3: 3, 2: 4, 6: 5, 11: 6, 1: 7, 7: 8}
_MOST_ORGANS = 13
# Hounsfield units.
_DARKEST, _BRIGHTEST = -125, 275


def slices(image: Member, label: Member, name: str, split: str) -> Outputs:
    """The slices of a volume, as JPEG, and of its label, as PNG."""
    volume, organs = _upright(read_nifti(image)), _upright(read_nifti(label))
    if volume.shape != organs.shape:
        raise DataError(
            f"{label}: a label of {organs.shape} for an image of {volume.shape}."
        )
    if organs.min() < 0 or organs.max() > _MOST_ORGANS or (organs != organs // 1).any():
        raise DataError(
            f"{label}: holds {organs.min()} to {organs.max()}; organs are the integers "
            f"0 to {_MOST_ORGANS}."
        )
    table = np.zeros(_MOST_ORGANS + 1, np.uint8)
    table[list(_CLASSES)] = list(_CLASSES.values())
    for index in range(len(volume)):
        place = f"case{name}_slice{index:03}"
        grey = np.clip(volume[index].astype(np.float64), _DARKEST, _BRIGHTEST)
        grey = ((grey - _DARKEST) / (_BRIGHTEST - _DARKEST) * 255).astype(np.uint8)
        yield f"img_dir/{split}/{place}.jpg", _jpeg(grey)
        yield f"ann_dir/{split}/{place}.png", as_png(table[organs[index].astype(int)])


def _upright(volume):
    """(X, Y, Z) as (Z, X, Y), the last axis from its end."""
    return np.ascontiguousarray(volume.transpose(2, 0, 1)[:, :, ::-1])


def _jpeg(grey):
    """As mmseg's: RGB, Pillow's own quality."""
    file = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    images = files.named(r"img/img(\d{4})\.nii(?:\.gz)?")
    labels = files.named(r"label/label(\d{4})\.nii(?:\.gz)?")
    tasks, counts = [], []
    for split, names in _PARTS.items():
        chosen = [
            {name: member for name, member in found.items() if name in names.split()}
            for found in (images, labels)
        ]
        what = f"volumes of {split}"
        for name, image, label in paired(*chosen, files, what):
            tasks.append(Task(slices, (image, label), (name, split)))
        counts.append(Count(what, len(chosen[0]), len(names.split())))
    return Plan(
        tasks,
        counts,
        [folders("img_dir/train", "ann_dir/train")],
        folders("img_dir/val", "ann_dir/val"),
    )


SYNAPSE = Converter(
    name="synapse",
    title="Synapse, multi-organ CT (BTCV), 8 organs and background",
    sources=("RawData.zip",),
    url="https://www.synapse.org/Synapse:syn3193805",
    licence="research; registration",
    size="30 volumes, 1.6 GB; 3779 slices of 512x512",
    layout="RawData/Training/img/imgNNNN.nii.gz, label/labelNNNN.nii.gz",
    dataset="SynapseDataset",
    home="data/synapse",
    plan=_plan,
    checks="The parts are TransUNet's 18 and 12 volumes. Scores are those of slices, "
    "which are not the papers' scores of volumes.",
    scale=(512, 512),
)
