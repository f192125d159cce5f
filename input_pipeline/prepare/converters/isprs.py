"""ISPRS Potsdam and Vaihingen: large TIFFs, cut into tiles; colours become ids."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Option, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.splits import folders
from input_pipeline.prepare.tiles import colour_tiles, image_tiles

# 0 is the eroded boundary, which the data sets' class ignores.
PALETTE = (
    (0, (0, 0, 0)),
    (1, (255, 255, 255)),
    (2, (0, 0, 255)),
    (3, (0, 255, 255)),
    (4, (0, 255, 0)),
    (5, (255, 255, 0)),
    (6, (255, 0, 0)),
)
_POTSDAM = {
    "train": "2_10 2_11 2_12 3_10 3_11 3_12 4_10 4_11 4_12 5_10 5_11 5_12 "
    "6_10 6_11 6_12 6_7 6_8 6_9 7_10 7_11 7_12 7_7 7_8 7_9",
    "val": "5_15 6_15 6_13 3_13 4_14 6_14 5_14 2_13 4_15 2_14 5_13 4_13 3_14 7_13",
}
_VAIHINGEN = {
    "train": "area1 area11 area13 area15 area17 area21 area23 area26 area28 area3 "
    "area30 area32 area34 area37 area5 area7",
    "val": "area6 area24 area35 area16 area14 area22 area10 area4 area2 area20 area8 "
    "area31 area33 area27 area38 area12 area29",
}


def _plan(parts, image_pattern, label_pattern):
    def plan(files: Files, options: Mapping[str, Any]) -> Plan:
        size = options["clip_size"]
        images, labels = files.named(image_pattern), files.named(label_pattern)
        tasks, counts = [], []
        for split, names in parts.items():
            chosen = [
                {
                    name: member
                    for name, member in found.items()
                    if name in names.split()
                }
                for found in (images, labels)
            ]
            what = f"large images of {split}"
            for name, image, label in paired(*chosen, files, what):
                tile = f"{name}_{{x0}}_{{y0}}_{{x1}}_{{y1}}.png"
                to = f"img_dir/{split}/{tile}", f"ann_dir/{split}/{tile}"
                tasks += [
                    Task(image_tiles, (image,), (to[0], size, size)),
                    Task(colour_tiles, (label,), (to[1], size, size, PALETTE, 0)),
                ]
            counts.append(Count(what, len(chosen[0]), len(names.split())))
        return Plan(
            tasks,
            counts,
            [folders("img_dir/train", "ann_dir/train")],
            folders("img_dir/val", "ann_dir/val"),
        )

    return plan


_OPTIONS = (Option("clip_size", 512, "side of a tile, in pixels"),)
_CHECKS = (
    "Colours of no class become 0, which is ignored; more than 1 % of them is an error. "
    "Tiles lie side by side, the last of a row and column at the image's end, as "
    "mmseg's do with any of its strides."
)

POTSDAM = Converter(
    name="potsdam",
    title="ISPRS Potsdam, aerial images, 6 classes",
    sources=("2_Ortho_RGB.zip", "5_Labels_all_noBoundary.zip"),
    url="https://www.isprs.org/education/benchmarks/UrbanSemLab/"
    "2d-sem-label-potsdam.aspx",
    licence="research; on request",
    size="38 images of 6000x6000, 4 GB; 5472 tiles",
    layout="top_potsdam_R_C_RGB.tif, top_potsdam_R_C_label_noBoundary.tif; "
    "Potsdam.zip with those two archives",
    dataset="PotsdamDataset",
    home="data/potsdam",
    plan=_plan(
        _POTSDAM,
        r"top_potsdam_(\d+_\d+)_RGB\.tif",
        r"top_potsdam_(\d+_\d+)_label_noBoundary\.tif",
    ),
    inner_archives=r"(2_Ortho_RGB|5_Labels_all_noBoundary)\.zip$",
    options=_OPTIONS,
    checks=_CHECKS,
    scale=(512, 512),
)

VAIHINGEN = Converter(
    name="vaihingen",
    title="ISPRS Vaihingen, aerial images (infrared, red, green), 6 classes",
    sources=(
        "ISPRS_semantic_labeling_Vaihingen.zip",
        "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE.zip",
    ),
    url="https://www.isprs.org/education/benchmarks/UrbanSemLab/"
    "2d-sem-label-vaihingen.aspx",
    licence="research; on request",
    size="33 images, 17 GB with elevations; 742 tiles",
    layout="top/top_mosaic_09cm_areaN.tif, top_mosaic_09cm_areaN_noBoundary.tif",
    dataset="ISPRSDataset",
    home="data/vaihingen",
    plan=_plan(
        _VAIHINGEN,
        r"top/top_mosaic_09cm_(area\d+)\.tif",
        r"top_mosaic_09cm_(area\d+)_noBoundary\.tif",
    ),
    options=_OPTIONS,
    checks=_CHECKS,
    scale=(512, 512),
)
