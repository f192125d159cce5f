"""LEVIR-CD and LEVIR-CD+: pairs of images and where buildings changed, cut into tiles."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Option, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.tiles import image_tiles, mask_tiles

_COUNTS = {
    "LEVIR-CD+": {"train": 637, "test": 348},
    "LEVIR-CD": {"train": 445, "val": 64, "test": 128},
}


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    size = options["clip_size"]
    tasks, counts = [], []
    for split, expected in _COUNTS[options["version"]].items():
        above = rf"{split}(?:\.zip)?"
        first, second, labels = (
            files.named(rf"{above}/{kind}/(\w+)\.png") for kind in ("A", "B", "label")
        )
        what = f"pairs of {split}"
        paired(second, labels, files, f"second images of {split}")
        for name, image, label in paired(first, labels, files, what):
            tile = f"{name}_{{x0}}_{{y0}}_{{x1}}_{{y1}}.png"
            for kind, member, make in (
                ("A", image, image_tiles),
                ("B", second[name], image_tiles),
                ("label", label, mask_tiles),
            ):
                to = f"{split}/{kind}/{tile}"
                tasks.append(Task(make, (member,), (to, size, size)))
        counts.append(Count(what, len(first), expected))
    return Plan(tasks, counts, [_arguments("train")], _arguments("test"))


def _arguments(split):
    kinds = {"img_path": "A", "img_path2": "B", "seg_map_path": "label"}
    return {"data_prefix": {key: f"{split}/{kind}" for key, kind in kinds.items()}}


LEVIR_CD = Converter(
    name="levir_cd",
    title="LEVIR-CD+, buildings that change between two images",
    sources=("LEVIR-CD+.zip",),
    url="https://justchenhao.github.io/LEVIR",
    licence="research, not commercial",
    size="985 pairs of 1024x1024, 3.5 GB",
    layout="{train,test}/{A,B,label}/*.png, or train.zip, val.zip and test.zip with "
    "{A,B,label}/*.png",
    dataset="LEVIRCDDataset",
    home="data/LEVIRCD",
    plan=_plan,
    options=(
        Option("version", "LEVIR-CD+", "which of the two", tuple(_COUNTS)),
        Option("clip_size", 256, "side of a tile, in pixels"),
    ),
    scale=(256, 256),
    crop_size=(256, 256),
)
