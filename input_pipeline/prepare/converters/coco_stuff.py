"""COCO-Stuff 10k (.mat labels) and 164k (PNG labels), 171 of 182 ids."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter, Count, Plan, Task
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import copied, ids_png, matrix_png
from input_pipeline.prepare.splits import Split, folders, split_plan
from input_pipeline.sources import some_of

# Of COCO's ids from 1 to 182 these have no pixels.
_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
_USED = [label for label in range(1, 183) if label not in _UNUSED]
# 10k: 0 is unlabeled, and stays 0. 164k: the ids are one less, 255 is unlabeled.
TABLE_10K = ((0, 0), *((label, i + 1) for i, label in enumerate(_USED)))
TABLE_164K = ((255, 255), *((label - 1, i) for i, label in enumerate(_USED)))


def _plan_10k(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    tasks, counts = [], []
    images = files.named(r"images/(COCO_train2014_\d+)\.jpg")
    labels = files.named(r"annotations/(COCO_train2014_\d+)\.mat")
    for part, expected in (("train", 9000), ("test", 1000)):
        names = files.lines(rf"imageLists/{part}\.txt", f"the list {part}.txt")
        missing = [name for name in names if name not in images or name not in labels]
        if missing:
            raise DataError(
                f"coco_stuff10k: {len(missing)} of {len(names)} names in {part}.txt lack "
                f"their image or label:\n{some_of(missing)}"
            )
        for name in names:
            image_to = f"images/{part}2014/{name}.jpg"
            label_to = f"annotations/{part}2014/{name}_labelTrainIds.png"
            tasks += [
                Task(copied, (images[name],), (image_to,)),
                Task(matrix_png, (labels[name],), (label_to, "S", TABLE_10K)),
            ]
        counts.append(Count(f"images of {part}", len(names), expected))
    return Plan(
        tasks,
        counts,
        [_arguments("train2014") | {"reduce_zero_label": True}],
        _arguments("test2014") | {"reduce_zero_label": True},
    )


def _arguments(part):
    return folders(f"images/{part}", f"annotations/{part}")


def _split_164k(part, expected):
    return Split(
        name=part,
        images=rf"{part}/(\d{{12}})\.jpg",
        labels=rf"{part}/(\d{{12}})\.png",
        image_to=f"images/{part}/{{}}.jpg",
        label_to=f"annotations/{part}/{{}}_labelTrainIds.png",
        expected=expected,
        label=ids_png,
        label_arguments=(TABLE_164K,),
    )


COCO_STUFF10K = Converter(
    name="coco_stuff10k",
    title="COCO-Stuff 10k, things and stuff, 171 classes",
    sources=("cocostuff-10k-v1.1.zip",),
    url="https://github.com/nightrome/cocostuff10k",
    licence="CC BY 4.0; images of their owners",
    size="10000 images, 2 GB",
    layout="images/COCO_train2014_N.jpg, annotations/*.mat (S), "
    "imageLists/{train,test}.txt",
    dataset="COCOStuffDataset",
    home="data/coco_stuff10k",
    plan=_plan_10k,
)

COCO_STUFF164K = Converter(
    name="coco_stuff164k",
    title="COCO-Stuff 164k, things and stuff, 171 classes",
    sources=("train2017.zip", "val2017.zip", "stuffthingmaps_trainval2017.zip"),
    url="https://github.com/nightrome/cocostuff",
    licence="CC BY 4.0; images of their owners",
    size="123287 images, 20 GB",
    layout="{train,val}2017/N.jpg, {train,val}2017/N.png",
    dataset="COCOStuffDataset",
    home="data/coco_stuff164k",
    plan=split_plan(
        *(_split_164k("train2017", 118287), _split_164k("val2017", 5000)),
        train=_arguments("train2017"),
        val=_arguments("val2017"),
    ),
)
