"""CWFID: carrots and weeds, PNG images and colour labels, parts in a YAML file."""

import re
from collections.abc import Collection, Iterator

from input_pipeline.datasets.cwfid import CWFID as CLASSES
from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import as_listed, divided_plan
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import colours_png

_PALETTE = tuple((label, colour) for label, (_, colour) in enumerate(CLASSES))
_SPLIT = r"train_test_split\.yaml"


def _parts(files: Files, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The lists of numbers in train_test_split.yaml."""
    text = "\n".join(files.lines(_SPLIT, "the parts"))
    listed = {}
    for key, part in (("train", "train"), ("test", "val")):
        numbers = re.search(rf"{key}: *\[([\d,\s]+)\]", text)
        if numbers is None:
            raise DataError(
                f"{files.one(_SPLIT, 'the parts')}: has no line '{key}: [1, 2, ...]'."
            )
        listed[part] = [f"{int(n):03}" for n in re.findall(r"\d+", numbers[1])]
    return as_listed(files, names, listed)


CWFID = Converter(
    name="cwfid",
    title="CWFID, carrots and weeds in a field, 3 classes",
    sources=("dataset-master.zip",),
    url="https://github.com/cwfid/dataset",
    licence="research, not commercial",
    size="60 images of 1296x966, 80 MB",
    layout="images/NNN_image.png, annotations/NNN_annotation.png, "
    "train_test_split.yaml",
    dataset="CWFIDDataset",
    home="data/cwfid",
    plan=divided_plan(
        *(r"images/(\d{3})_image\.png", r"annotations/(\d{3})_annotation\.png"),
        *(60, ".png", colours_png, _PALETTE),
        parts=_parts,
    ),
    checks="The authors' parts have image 28 in both.",
    scale=(1296, 966),
)
