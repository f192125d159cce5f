"""ISAID: DOTA's images and iSAID's colour masks, cut into tiles that overlap."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Option, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.pixels import copied
from input_pipeline.prepare.splits import folders
from input_pipeline.prepare.tiles import colour_tiles, image_tiles

PALETTE = tuple(
    enumerate(
        (
            *((0, 0, 0), (0, 0, 63), (0, 63, 63), (0, 63, 0), (0, 63, 127)),
            *((0, 63, 191), (0, 63, 255), (0, 127, 63), (0, 127, 127), (0, 0, 127)),
            *((0, 0, 191), (0, 0, 255), (0, 191, 127), (0, 127, 191)),
            *((0, 127, 255), (0, 100, 155)),
        )
    )
)
_END = "_instance_color_RGB"


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    size = options["patch_size"]
    step = size - options["overlap_area"]
    tasks, counts = [], []
    for split, expected in (("train", 1411), ("val", 458)):
        images = files.named(rf"{split}/images/(?:.*/)?(P\d+)\.png")
        labels = files.named(rf"{split}/Semantic_masks/(?:.*/)?(P\d+){_END}\.png")
        what = f"large images of {split}"
        for name, image, label in paired(images, labels, files, what):
            tile = f"{name}_{{y0}}_{{y1}}_{{x0}}_{{x1}}"
            to = f"img_dir/{split}/{tile}.png", f"ann_dir/{split}/{tile}{_END}.png"
            tasks += [
                Task(image_tiles, (image,), (to[0], size, step)),
                Task(colour_tiles, (label,), (to[1], size, step, PALETTE, 0)),
            ]
        counts.append(Count(what, len(images), expected))
    tests = files.named(r"test/images/(?:.*/)?(P\d+)\.png")
    for name, image in tests.items():
        tasks.append(Task(copied, (image,), (f"img_dir/test/{name}.png",)))
    if tests:
        counts.append(Count("images of test", len(tests), 937))
    return Plan(
        tasks,
        counts,
        [folders("img_dir/train", "ann_dir/train")],
        folders("img_dir/val", "ann_dir/val"),
    )


ISAID = Converter(
    name="isaid",
    title="iSAID, objects in aerial images, 15 classes",
    sources=("iSAID",),
    url="https://captain-whu.github.io/iSAID/dataset.html",
    licence="research, not commercial",
    size="2806 images, 35 GB; 45622 tiles",
    layout="a folder with {train,val,test}/images/part*.zip (of DOTA-v1.0) and "
    "{train,val}/Semantic_masks/images.zip",
    dataset="iSAIDDataset",
    home="data/iSAID",
    plan=_plan,
    options=(
        Option("patch_size", 896, "side of a tile, in pixels"),
        Option("overlap_area", 384, "what a tile shares with the next, in pixels"),
    ),
    checks="Colours of no class become background, as in mmseg; more than 1 % of them is "
    "an error. Images smaller than a tile are padded: 0, labels 255. Pixels are those of "
    "MMSegmentation's isaid.py run with Pillow 9; with Pillow 10 and later it writes "
    "labels of one bit, in which all objects are class 1: prepare such folders anew.",
    scale=(896, 896),
    crop_size=(896, 896),
)
