"""Synapse multi-atlas abdomen: CT volumes, cut into slices as TransUNet's authors do."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.splits import folders
from input_pipeline.prepare.volumes import slices

# TransUNet's (https://arxiv.org/abs/2102.04306) parts of the 30 volumes.
_PARTS = {
    "train": "0005 0006 0007 0009 0010 0021 0023 0024 0026 0027 0028 0030 0031 0033 "
    "0034 0037 0039 0040",
    "val": "0008 0022 0038 0036 0032 0002 0029 0003 0001 0004 0025 0035",
}
# Class of each organ in the files; five organs are background, as in TransUNet.
_CLASSES = (0, 7, 4, 3, 2, 0, 5, 8, 1, 0, 0, 6, 0, 0)
_WINDOW = (-125, 275)


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
            place = f"{split}/case{name}_slice{{:03}}"
            to = f"img_dir/{place}.jpg", f"ann_dir/{place}.png"
            tasks.append(Task(slices, (image, label), (*to, _CLASSES, _WINDOW)))
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
