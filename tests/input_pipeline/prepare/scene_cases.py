"""Scenes and people: ADE20K, COCO-Stuff, Pascal VOC and Context, LIP; CT of Synapse."""

import gzip
import io
import json
import struct

import numpy as np
from PIL import Image

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


def ade20k():
    files = {}
    for split, short in (("training", "train"), ("validation", "val")):
        for n in (1, 2):
            name = f"ADE_{short}_{n:08}"
            above = "ADEChallengeData2016"
            files[f"{above}/images/{split}/{name}.jpg"] = made.jpg()
            files[f"{above}/annotations/{split}/{name}.png"] = made.png([0, 1, 150])
    files["ADEChallengeData2016/objectInfo150.txt"] = b"Idx"

    def check(out):
        same(out / "annotations/training/ADE_train_00000002.png", made.ids([0, 1, 150]))

    label = "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png"
    archive = "ADEChallengeData2016.zip"
    return Case(
        {archive: files}, (archive, label), "\n  ADE_val_00000001\n", (2, 2), check
    )


def coco_stuff10k():
    names = [f"COCO_train2014_{n:012}" for n in (77, 109, 650)]
    files = {"imageLists/train.txt": "\n".join(names[:2]).encode()}
    files["imageLists/test.txt"] = f"{names[2]}\n".encode()
    for name in names:
        files[f"images/{name}.jpg"] = made.jpg()
        label = made.ids([0, 1, 11, 13, 182, 92]).astype(np.uint16)
        files[f"annotations/{name}.mat"] = made.mat(S=label, names=["a", "b"])

    def check(out):
        path = out / f"annotations/test2014/{names[2]}_labelTrainIds.png"
        same(path, made.ids([0, 1, 11, 12, 171, 81]))

    archive = "cocostuff-10k-v1.1.zip"
    label = archive, f"annotations/{names[0]}.mat"
    return Case({archive: files}, label, "COCO_train2014_000000000077", (2, 1), check)


def coco_stuff164k():
    archives, labels = {}, {}
    for part, name in (("train2017", f"{9:012}"), ("val2017", f"{139:012}")):
        archives[f"{part}.zip"] = {f"{part}/{name}.jpg": made.jpg()}
        labels[f"{part}/{name}.png"] = made.png([0, 10, 12, 181, 255, 91])
    archives["stuffthingmaps_trainval2017.zip"] = labels

    def check(out):
        path = out / "annotations/train2017/000000000009_labelTrainIds.png"
        same(path, made.ids([0, 10, 11, 170, 255, 80]))

    label = "stuffthingmaps_trainval2017.zip", "val2017/000000000139.png"
    return Case(archives, label, "\n  000000000139\n", (1, 1), check)


def voc_aug():
    above = "VOCdevkit/VOC2012"
    palette = Image.fromarray(made.ids([0, 20, 255]))
    palette.putpalette([value for grey in range(256) for value in [grey] * 3])
    voc = {
        f"{above}/ImageSets/Segmentation/train.txt": b"2007_000032\n2011_003276\n",
        f"{above}/ImageSets/Segmentation/val.txt": b"2007_000033\n",
    }
    for name in ("2007_000032", "2007_000033", "2011_003276", "2008_000002", "2012_4"):
        voc[f"{above}/JPEGImages/{name}.jpg"] = made.jpg()
    for name in ("2007_000032", "2007_000033", "2011_003276"):
        label = made.encoded(palette, ".png")
        voc[f"{above}/SegmentationClass/{name}.png"] = label
    sbd = {
        "benchmark_RELEASE/dataset/train.txt": b"2007_000032\n2008_000002\n",
        "benchmark_RELEASE/dataset/val.txt": b"2007_000033\n",
    }
    for name in ("2007_000032", "2007_000033", "2008_000002"):
        # The class Segmentation of a structure, beside its Boundaries.
        structure = {"Segmentation": made.ids([0, 15]), "Boundaries": [1, 2]}
        sbd[f"benchmark_RELEASE/dataset/cls/{name}.mat"] = made.mat(GTcls=structure)

    def check(out):
        same(out / "SegmentationClass/2007_000033.png", made.ids([0, 20, 255]))
        same(out / "SegmentationClassAug/2008_000002.png", made.ids([0, 15]))
        lists = out / "ImageSets/Segmentation"
        assert (lists / "aug.txt").read_text() == "2008_000002\n"
        trainaug = "2007_000032\n2008_000002\n2011_003276\n"
        assert (lists / "trainaug.txt").read_text() == trainaug
        assert not (out / "JPEGImages/2012_4.jpg").exists()

    archives = {"VOCtrainval_11-May-2012.tar": voc, "benchmark.tgz": sbd}
    label = "benchmark.tgz", "benchmark_RELEASE/dataset/cls/2008_000002.mat"
    return Case(archives, label, "\n  2008_000002", (3, 1), check)


def coco_text(counts):
    """COCO's short text of run lengths (pycocotools' rleToString)."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            five = value & 31
            value >>= 5
            more = value != (-1 if five & 16 else 0)
            text += chr((five | 32 * more) + 48)
    return text


def pascal_context():
    images, pieces = [], []
    voc = {}
    # Columns first: 8 pixels of class 2, 8 of none, 64 of class 458.
    runs = {2: [0, 8, 72], 458: [16, 64]}
    for number, phase in ((1, "train"), (2, "train"), (3, "val")):
        name = f"2008_{number:06}"
        voc[f"VOCdevkit/VOC2010/JPEGImages/{name}.jpg"] = made.jpg()
        images.append(
            dict(file_name=f"{name}.jpg", phase=phase, height=8, width=10)
            | dict(image_id=2008000000 + number)
        )
        for category, counts in runs.items():
            segmentation = dict(size=[8, 10], counts=coco_text(counts))
            pieces.append(
                dict(image_id=2008000000 + number, category_id=category)
                | dict(segmentation=segmentation)
            )
    found = json.dumps(dict(images=images, annos_segmentation=pieces)).encode()
    archives = {
        "VOCtrainval_03-May-2010.tar": voc,
        "json": {"trainval_merged.json": found},
    }

    def check(out):
        label = np.zeros((8, 10), np.uint8)
        label[:, 0], label[:, 2:] = 1, 59
        same(out / "SegmentationClassContext/2008_000003.png", label)
        lists = out / "ImageSets/SegmentationContext"
        assert (lists / "train.txt").read_text() == "2008_000001\n2008_000002\n"

    return Case(
        archives,
        ("json", "trainval_merged.json"),
        "trainval_merged.json, or the .mat files, ",
        (2, 1),
        check,
    )


def lip():
    archives = {"TrainVal_images.zip": {}, "TrainVal_parsing_annotations.zip": {}}
    for split, name in (("train", "1000_1234574"), ("val", "100034_483681")):
        image = f"TrainVal_images/{split}_images/{name}.jpg"
        archives["TrainVal_images.zip"][image] = made.jpg()
        label = f"TrainVal_parsing_annotations/{split}_segmentations/{name}.png"
        archives["TrainVal_parsing_annotations.zip"][label] = made.png([0, 19])

    def check(out):
        same(out / "train_segmentations/1000_1234574.png", made.ids([0, 19]))

    return Case(
        archives,
        ("TrainVal_parsing_annotations.zip", label),
        "\n  100034_483681\n",
        (1, 1),
        check,
    )


def nifti(volume, scale=(0.0, 0.0), is_zipped=True):
    """A .nii.gz, or .nii, of an (X, Y, Z) volume, by the layout of its header."""
    code = {"u1": 2, "i2": 4, "f4": 16}[volume.dtype.str[1:]]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *volume.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, code, volume.dtype.itemsize * 8)
    struct.pack_into("<3f", header, 108, 352.0, *scale)
    header[344:348] = b"n+1\0"
    content = bytes(header) + volume.tobytes(order="F")
    return gzip.compress(content) if is_zipped else content


def synapse():
    rng = np.random.default_rng(0)
    volumes = {
        name: rng.integers(-2000, 2000, (12, 16, 3), dtype="i2")
        for name in ("0005", "0040", "0001")
    }
    organs = np.resize(np.arange(14, dtype="u1"), (12, 16, 3))
    files = {}
    for name, volume in volumes.items():
        above = "RawData/Training"
        files[f"{above}/img/img{name}.nii.gz"] = nifti(volume)
        files[f"{above}/label/label{name}.nii.gz"] = nifti(organs)

    def check(out):
        path = out / "img_dir/val/case0001_slice002.jpg"
        grey = np.clip(volumes["0001"][:, ::-1, 2].astype(float), -125, 275)
        file = io.BytesIO()
        grey = ((grey + 125) / 400 * 255).astype("u1")
        Image.fromarray(grey).convert("RGB").save(file, "JPEG")
        assert path.read_bytes() == file.getvalue()
        table = [0, 7, 4, 3, 2, 0, 5, 8, 1, 0, 0, 6, 0, 0]
        label = np.array(table, "u1")[organs[:, ::-1, 1]]
        same(out / "ann_dir/train/case0040_slice001.png", label)

    label = "RawData/Training/label/label0005.nii.gz"
    return Case(
        {"RawData.zip": files}, ("RawData.zip", label), "\n  0005\n", (6, 3), check
    )
