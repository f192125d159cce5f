"""Inria aerial images: TIFFs of five cities and masks of buildings, cut into tiles."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Option, Plan, Task
from input_pipeline.prepare.divided import TRAIN, VAL
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.tiles import image_tiles, mask_tiles

# The authors' parts: the first five images of each city are for validation.
_PARTS = (("val", r"[a-z-]+[1-5]", 25), ("train", r"[a-z-]+(?:[6-9]|[1-3]\d)", 155))


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    size = options["clip_size"]
    tasks, counts = [], []
    for split, names, expected in _PARTS:
        images = files.named(rf"train/images/({names})\.tif")
        masks = files.named(rf"train/gt/({names})\.tif")
        what = f"large images of {split}"
        for name, image, mask in paired(images, masks, files, what):
            tile = f"{split}/{name}_{{x0}}_{{y0}}_{{x1}}_{{y1}}.png"
            tasks += [
                Task(image_tiles, (image,), (f"images/{tile}", size, size)),
                Task(mask_tiles, (mask,), (f"annotations/{tile}", size, size)),
            ]
        counts.append(Count(what, len(images), expected))
    return Plan(tasks, counts, [TRAIN], VAL)


INRIA_AERIAL = Converter(
    name="inria_aerial",
    title="Inria aerial images, buildings",
    sources=("AerialImageDataset",),
    url="https://project.inria.fr/aerialimagelabeling",
    licence="research",
    size="180 images of 5000x5000, 20 GB; 18000 tiles",
    layout="a folder with train/{images,gt}/CITYN.tif; the download, several 7-Zip "
    "files, is to be unpacked",
    dataset="InriaAerialDataset",
    home="data/inria_aerial",
    plan=_plan,
    options=(Option("clip_size", 500, "side of a tile, in pixels"),),
    scale=(500, 500),
    crop_size=(480, 480),
)
