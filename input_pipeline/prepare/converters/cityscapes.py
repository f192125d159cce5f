"""Cityscapes: leftImg8bit and gtFine; labelIds become labelTrainIds."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Plan, Task
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import ids_png, text
from input_pipeline.prepare.splits import Split, folders

# cityscapesscripts' trainId by id; of the others it is 255.
_TRAINED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
TRAIN_IDS = tuple(
    (label, _TRAINED.index(label) if label in _TRAINED else 255) for label in range(34)
)


def _split(split, expected):
    image = r"(\w+/\w+)_leftImg8bit\.png"
    label = r"(\w+/\w+)_gtFine_labelIds\.png"
    return Split(
        name=split,
        images=rf"leftImg8bit/{split}/{image}",
        labels=rf"gtFine/{split}/{label}" * (split != "test"),
        image_to=f"leftImg8bit/{split}/{{}}_leftImg8bit.png",
        label_to=f"gtFine/{split}/{{}}_gtFine_labelTrainIds.png",
        expected=expected,
        label=ids_png,
        label_arguments=(TRAIN_IDS,),
    )


_SPLITS = (_split("train", 2975), _split("val", 500), _split("test", 1525))


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    tasks, counts = [], []
    for split in _SPLITS:
        more, count = split.tasks(files)
        names = sorted(files.named(split.images))
        tasks += more
        counts += count
        if names:
            lines = "".join(f"{name}\n" for name in names)
            tasks.append(Task(text, (), (lines, f"{split.name}.txt")))
    return Plan(
        tasks,
        counts,
        [folders("leftImg8bit/train", "gtFine/train")],
        folders("leftImg8bit/val", "gtFine/val"),
    )


CITYSCAPES = Converter(
    name="cityscapes",
    title="Cityscapes, street scenes, 19 classes",
    sources=("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip"),
    url="https://www.cityscapes-dataset.com/downloads",
    licence="research; registration",
    size="5000 images of 2048x1024, 11.3 GB",
    layout="leftImg8bit/SPLIT/CITY/*_leftImg8bit.png, "
    "gtFine/SPLIT/CITY/*_gtFine_labelIds.png",
    dataset="CityscapesDataset",
    home="data/cityscapes",
    plan=_plan,
    checks="labelTrainIds are made of labelIds, which gives what cityscapesscripts draw "
    "from the polygons: both leave out what has a negative id.",
    train_with="experiments/cityscapes_pspnet.py",
    scale=(2048, 1024),
    crop_size=(512, 1024),
)
