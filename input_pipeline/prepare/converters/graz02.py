"""Graz-02 with INRIA's annotations: a mask an object, hidden parts in another colour."""

from collections.abc import Collection, Iterator

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Converter, Outputs
from input_pipeline.prepare.divided import as_listed, divided_plan
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import read_colours

_FOLDERS = ("bikes", "cars", "people")


def objects_png(*members_and_to: Member | str) -> Outputs:
    """Masks of objects of a folder's class as PNG: its class, 255 where it is hidden.

    A mask is red where an object is seen, green where something is before it.
    """
    *members, to = members_and_to
    label = None
    for member in members:
        red, green, blue = np.moveaxis(read_colours(member) > 127, 2, 0)
        if (blue | (red & green)).any():
            raise DataError(
                f"{member}: has colours that are neither black, nor red, nor green."
            )
        if label is None:
            label = np.zeros(red.shape, np.uint8)
        if red.shape != label.shape:
            raise DataError(
                f"{member}: a mask of {red.shape}; that of {members[0]} is "
                f"{label.shape}."
            )
        label[green & (label == 0)] = 255
        label[red] = 1 + _FOLDERS.index(to.split("/")[-2])
    yield to, as_png(label)


def _parts(files: Files, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The lists of each class that there are files of."""
    listed = {"train": [], "val": []}
    for folder in sorted({name.partition("/")[0] for name in names}):
        for kind, part in (("train", "train"), ("test", "val")):
            pattern = rf"{folder}_{kind}\.txt"
            lines = files.lines(pattern, f"the list {folder}_{kind}.txt")
            listed[part] += [f"{folder}/{line.strip()}" for line in lines]
    return as_listed(files, names, listed)


GRAZ02 = Converter(
    name="graz02",
    title="Graz-02 (INRIA's annotations), bicycles, cars and people",
    sources=("ig02-v1.0-bikes.zip", "ig02-v1.0-cars.zip", "ig02-v1.0-people.zip"),
    url="https://lear.inrialpes.fr/people/marszalek/data/ig02",
    licence="research",
    size="1096 images of 640x480, 565 MB",
    layout="{bikes,cars,people}/*.image.png, *.mask.N.png, "
    "{bikes,cars,people}_{train,test}.txt",
    dataset="Graz02Dataset",
    home="data/graz02",
    plan=divided_plan(
        r"(bikes|cars|people)/(\w+)\.image\.png",
        r"(bikes|cars|people)/(\w+)\.mask\.\d+\.png",
        *(1096, ".png", objects_png),
        parts=_parts,
        several=True,
    ),
    checks="An image has the objects of its folder's class only. What hides an object "
    "(green in its mask) is ignored; other colours are an error. Images that are in "
    "neither list are left out.",
    scale=(640, 480),
    crop_size=(384, 384),
)
