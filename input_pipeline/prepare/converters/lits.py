"""LiTS: CT volumes of livers with tumours, cut into slices."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Plan, Task
from input_pipeline.prepare.divided import DIVIDED, TRAIN, VAL, divided
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.volumes import slices

_CLASSES = (0, 1, 2)
# Of soft tissue.
_WINDOW = (-200, 250)


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    images = files.named(r"volume-(\d+)\.nii(?:\.gz)?")
    labels = files.named(r"segmentation-(\d+)\.nii(?:\.gz)?")
    by_name = {n: (i, la) for n, i, la in paired(images, labels, files, "volumes")}
    tasks = []
    for name, split in divided(list(by_name)):
        place = f"{split}/volume-{name}_{{:03}}"
        to = f"images/{place}.jpg", f"annotations/{place}.png"
        tasks.append(Task(slices, by_name[name], (*to, _CLASSES, _WINDOW)))
    return Plan(tasks, [Count("volumes", len(by_name), 131)], [TRAIN], VAL)


LITS = Converter(
    name="lits",
    title="LiTS, livers and their tumours in CT slices, 3 classes",
    sources=("Training_Batch1.zip", "Training_Batch2.zip"),
    url="https://competitions.codalab.org/competitions/17094",
    licence="CC BY-NC-SA 4.0; registration",
    size="131 volumes, 50 GB; 58638 slices of 512x512",
    layout="volume-N.nii, segmentation-N.nii",
    dataset="LiTSDataset",
    home="data/lits",
    plan=_plan,
    checks=f"{DIVIDED} The names are the volumes'. Slices are cut as Synapse's are, and "
    f"{_WINDOW[0]} to {_WINDOW[1]} Hounsfield units become black to white. Scores are "
    "those of slices.",
    scale=(512, 512),
)
