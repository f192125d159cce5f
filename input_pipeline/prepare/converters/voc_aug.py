"""Pascal VOC 2012 with the labels of SBD (Hariharan et al., ICCV 2011) beside its own."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter, Count, Plan, Task
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import copied, matrix_png, text
from input_pipeline.sources import some_of

_IDS = tuple((label, label) for label in range(21)) + ((255, 255),)
_LISTS = "ImageSets/Segmentation"


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    train, val = (
        files.lines(rf"VOC2012/{_LISTS}/{part}\.txt", f"VOC 2012's {part}.txt")
        for part in ("train", "val")
    )
    of_sbd = {
        name
        for part in ("train", "val")
        for name in files.lines(rf"dataset/{part}\.txt", f"SBD's {part}.txt")
    }
    aug = sorted(of_sbd - {*train, *val})
    trainaug = sorted({*of_sbd, *train} - {*val})
    images = files.named(r"VOC2012/JPEGImages/(\d+_\d+)\.jpg")
    labels = files.named(r"VOC2012/SegmentationClass/(\d+_\d+)\.png")
    matrices = files.named(r"dataset/cls/(\d+_\d+)\.mat")
    _check("image", {*train, *val, *aug}, images)
    _check("label", {*train, *val}, labels)
    _check("label of SBD", aug, matrices)
    tasks = [
        Task(copied, (images[name],), (f"JPEGImages/{name}.jpg",))
        for name in sorted({*train, *val, *aug})
    ]
    tasks += [
        Task(copied, (labels[name],), (f"SegmentationClass/{name}.png",))
        for name in sorted({*train, *val})
    ]
    for name, member in matrices.items():
        to = f"SegmentationClassAug/{name}.png"
        arguments = to, "GTcls.Segmentation", _IDS
        tasks.append(Task(matrix_png, (member,), arguments))
    for part, names in (
        *(("train", train), ("val", val), ("aug", aug), ("trainaug", trainaug)),
    ):
        lines = "".join(f"{name}\n" for name in names)
        tasks.append(Task(text, (), (lines, f"{_LISTS}/{part}.txt")))
    counts = [
        Count("images of train", len(train), 1464),
        Count("images of val", len(val), 1449),
        Count("images of trainaug", len(trainaug), 10582),
    ]
    return Plan(
        tasks,
        counts,
        [
            _arguments("SegmentationClass", "train"),
            _arguments("SegmentationClassAug", "aug"),
        ],
        _arguments("SegmentationClass", "val"),
    )


def _check(what, names, found):
    missing = sorted(set(names) - set(found))
    if missing:
        raise DataError(
            f"voc_aug: {len(missing)} of {len(names)} listed names have no {what}:\n"
            f"{some_of(missing)}"
        )


def _arguments(labels, part):
    return {
        "data_prefix": {"img_path": "JPEGImages", "seg_map_path": labels},
        "ann_file": f"{_LISTS}/{part}.txt",
    }


VOC_AUG = Converter(
    name="voc_aug",
    title="Pascal VOC 2012 and SBD's further labels, 20 classes and background",
    sources=("VOCtrainval_11-May-2012.tar", "benchmark.tgz"),
    url="http://host.robots.ox.ac.uk/pascal/VOC/voc2012 and "
    "http://home.bharathh.info/pubs/codes/SBD",
    licence="research; images of Flickr",
    size="12031 images, 3.4 GB",
    layout="VOC2012/{JPEGImages,SegmentationClass,ImageSets/Segmentation}, "
    "dataset/cls/*.mat (GTcls.Segmentation), dataset/{train,val}.txt",
    dataset="PascalVOCDataset",
    home="data/VOCdevkit/VOC2012",
    plan=_plan,
    checks="The images that no list names are left out.",
    train_with="experiments/voc_deeplabv3plus.py",
)
