"""Daimler Urban Segmentation: 500 grey street scenes in 5 classes."""

import re
from collections.abc import Mapping
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter, Option, Plan
from input_pipeline.prepare.divided import DIVIDED
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.told import TABLE, told_plan


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    if not (options["images"] and options["labels"]):
        raise DataError(
            f"{', '.join(files.given)}: which of the files are images and which labels, "
            "--images and --labels must say: patterns for the ends of their paths, whose "
            r"groups give the same name, such as 'train/img_c0_(\d+)\.pgm'. "
            f"{files.held()}"
        )
    for name in ("images", "labels"):
        try:
            re.compile(options[name])
        except re.error as error:
            raise DataError(
                f"--{name}={options[name]!r}: not a regular expression ({error})."
            ) from error
    return told_plan(files, options["images"], options["labels"], 500)


DAIMLER = Converter(
    name="daimler",
    title="Daimler Urban Segmentation, street scenes in grey, 5 classes",
    sources=("the dataset's archives", TABLE),
    url="http://www.6d-vision.com/scene-labeling",
    licence="research, not commercial",
    size="500 labelled images of 1024x440, of 5000 stereo pairs",
    layout="images as .pgm, labels as .pgm or .png",
    dataset="BaseSegDataset",
    home="data/daimler",
    plan=_plan,
    options=(
        Option("images", "", "a pattern for the ends of the images' paths"),
        Option("labels", "", "the same for the labels; its groups give the same name"),
    ),
    checks=f"{DIVIDED} The names of the files and the values of the labels (ground, "
    "vehicle, pedestrian, sky, building) are not known here, so nothing is guessed: "
    f"--images, --labels and {TABLE} (lines such as `1 ground`, `0 ignored`), one of the "
    "sources, must say them. Without them the files, and the values, that were found are "
    "told.",
    scale=(1024, 440),
    crop_size=(384, 384),
)
