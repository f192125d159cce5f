"""Mapillary Vistas: palette PNG labels of version 1.2 or 2.0, copied as they are."""

import re

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import copied
from input_pipeline.prepare.splits import Split, folders, split_plan


def _labels(split, version):
    return rf"{split}/{re.escape(version)}/labels/([\w-]+)\.png"


def _split(split, version, expected):
    return Split(
        name=split,
        images=rf"{split}/images/([\w-]+)\.jpg",
        labels=_labels(split, version) * (split != "testing"),
        image_to=f"{split}/images/{{}}.jpg",
        label_to=f"{split}/{version}/labels/{{}}.png",
        expected=expected,
    )


def _converter(name, version, other, classes, dataset):
    return Converter(
        name=name,
        title=f"Mapillary Vistas {version}, street scenes, {classes} classes",
        sources=("mapillary-vistas-dataset_public_v2.0.zip",),
        url="https://www.mapillary.com/dataset/vistas",
        licence="CC BY-NC-SA 4.0",
        size="25000 images, 20 GB",
        layout=f"{{training,validation,testing}}/images/*.jpg, {version}/labels/*.png",
        dataset=dataset,
        home="data/mapillary",
        plan=split_plan(
            _split("training", version, 18000),
            _split("validation", version, 2000),
            _split("testing", version, 5000),
            train=folders("training/images", f"training/{version}/labels"),
            val=folders("validation/images", f"validation/{version}/labels"),
            others=tuple(
                (_labels(split, other), f"{split}/{other}/labels/{{}}.png", copied)
                for split in ("training", "validation")
            ),
        ),
        checks=f"Labels of {other} are taken along, for configs of that version.",
        scale=(2048, 1024),
        crop_size=(512, 1024),
    )


MAPILLARY_V1 = _converter("mapillary_v1", "v1.2", "v2.0", 66, "MapillaryDataset_v1")
MAPILLARY_V2 = _converter("mapillary_v2", "v2.0", "v1.2", 124, "MapillaryDataset_v2")
