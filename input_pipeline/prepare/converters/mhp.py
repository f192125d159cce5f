"""MHP, Multi-Human Parsing, versions 1 and 2: a label for each person of an image."""

import numpy as np

from input_pipeline.datasets.mhp import MHP_V1 as CLASSES_V1
from input_pipeline.datasets.mhp import MHP_V2 as CLASSES_V2
from input_pipeline.decode import decode_label
from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Converter, Outputs
from input_pipeline.prepare.divided import TRAIN, VAL, by_lists, divided_plan
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.splits import Split, split_plan

_MOST_BYTES = 1 << 28


def people_png(*members_and_more) -> Outputs:
    """The labels of people as one PNG; where two overlap, that of the first.

    Args:
        *members_and_more: the labels, the path, the number of classes.
    """
    *members, to, num_classes = members_and_more
    label = None
    for member in members:
        person = _person(member)
        if person.max() >= num_classes:
            raise DataError(
                f"{member}: holds {person.max()}; labels are 0 to {num_classes - 1}."
            )
        if label is None:
            label = np.zeros(person.shape, np.uint8)
        if person.shape != label.shape:
            raise DataError(
                f"{member}: a label of {person.shape}; that of {members[0]} is "
                f"{label.shape}."
            )
        label = np.where(label == 0, person, label).astype(np.uint8)
    yield to, as_png(label)


def _person(member: Member) -> np.ndarray:
    """(H, W): ids, or the red of a colour PNG, in which version 2 has them."""
    label = decode_label(read_member(member, _MOST_BYTES), str(member))
    if label.ndim == 2:
        return label
    red, *others = np.moveaxis(label[..., :3], 2, 0)
    if any(((other != red) & (other != 0)).any() for other in others):
        raise DataError(
            f"{member}: a colour label whose green or blue is neither 0 nor its red."
        )
    return red


def _stem(line: str) -> str:
    return line.strip().removesuffix(".jpg")


MHP_V1 = Converter(
    name="mhp_v1",
    title="MHP version 1, parts of several people, 19 classes",
    sources=("LV-MHP-v1.zip",),
    url="https://lv-mhp.github.io/dataset",
    licence="research, not commercial",
    size="4980 images of several sizes, 900 MB",
    layout="images/N.jpg, annotations/N_PEOPLE_PERSON.png, {train,test}_list.txt",
    dataset="MHPDataset_v1",
    home="data/mhp_v1",
    plan=divided_plan(
        *(r"images/(\d+)\.jpg", r"annotations/(\d+)_\d+_\d+\.png"),
        *(4980, ".jpg", people_png, len(CLASSES_V1)),
        parts=by_lists(r"test_list\.txt", r"train_list\.txt", _stem),
        several=True,
    ),
    checks="test_list.txt is for val. Where people overlap, the first one's label counts.",
    scale=(768, 768),
)


def _split(part, expected):
    return Split(
        name=part,
        images=rf"{part}/images/(\d+)\.jpg",
        labels=rf"{part}/parsing_annos/(\d+)_\d+_\d+\.png",
        image_to=f"images/{part}/{{}}.jpg",
        label_to=f"annotations/{part}/{{}}.png",
        expected=expected,
        label=people_png,
        label_arguments=(len(CLASSES_V2),),
        several=True,
    )


MHP_V2 = Converter(
    name="mhp_v2",
    title="MHP version 2, parts of several people, 59 classes",
    sources=("LV-MHP-v2.zip",),
    url="https://lv-mhp.github.io/dataset",
    licence="research, not commercial",
    size="25403 images of several sizes, 8 GB",
    layout="{train,val}/images/N.jpg, {train,val}/parsing_annos/N_PEOPLE_PERSON.png",
    dataset="MHPDataset_v2",
    home="data/mhp_v2",
    plan=split_plan(
        *(_split("train", 15403), _split("val", 5000)), train=TRAIN, val=VAL
    ),
    checks="Where people overlap, the first one's label counts. A label is of ids, or has "
    "them as its red, green and blue being 0 or the same.",
    scale=(768, 768),
)
