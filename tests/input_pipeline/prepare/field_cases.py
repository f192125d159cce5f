"""Fields and laboratories: CWFID, ISBI 2012, LiTS, HSI-Drive."""

import io

import numpy as np
from PIL import Image

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same
from tests.input_pipeline.prepare.scene_cases import nifti


def cwfid():
    files = {"dataset-master/train_test_split.yaml": b"train: [2, 28]\ntest: [1, 28]\n"}
    colours = [(0, 0, 0), (0, 255, 0), (255, 0, 0)]
    for n in (1, 2, 28):
        image = made.encoded(made.rgb(n), ".png")
        files[f"dataset-master/images/{n:03}_image.png"] = image
        label = made.encoded(made.coloured(colours), ".png")
        files[f"dataset-master/annotations/{n:03}_annotation.png"] = label
        files[f"dataset-master/annotations/{n:03}_annotation.yaml"] = b"filename: x"
        files[f"dataset-master/masks/{n:03}_mask.png"] = made.png([0, 255])

    def check(out):
        same(out / "annotations/train/028.png", made.ids([0, 1, 2]))
        same(out / "images/val/001.png", made.rgb(1))

    label = "dataset-master.zip", "dataset-master/annotations/002_annotation.png"
    return Case({"dataset-master.zip": files}, label, "\n  002\n", (2, 2), check)


def isbi_em():
    def pages(*values):
        first, *others = (Image.fromarray(made.ids(v)) for v in values)
        file = io.BytesIO()
        first.save(file, "TIFF", save_all=True, append_images=others)
        return file.getvalue()

    greys = [(n, 100, 200) for n in range(5)]
    archives = {
        "train-volume.tif": pages(*greys),
        "train-labels.tif": pages(*[(0, 255, n % 2 * 255) for n in range(5)]),
    }

    def check(out):
        same(out / "images/train/03.png", made.ids(greys[3]))
        same(out / "annotations/train/03.png", made.ids([0, 1, 1]))
        same(out / "annotations/val/04.png", made.ids([0, 1, 0]))

    label = "train-labels.tif", ""
    return Case(archives, label, "train-labels.tif", (4, 1), check)


def lits():
    volume = np.resize(np.arange(-300, 300, 7, dtype="i2"), (8, 10, 2))
    organs = np.resize(np.array([0, 1, 2, 2], "u1"), (8, 10, 2))
    archives = {"Training_Batch1.zip": {}, "Training_Batch2.zip": {}}
    for n in range(5):
        files = archives[f"Training_Batch{1 + n // 3}.zip"]
        above = f"Training Batch {1 + n // 3}"
        files[f"{above}/volume-{n}.nii"] = nifti(volume, is_zipped=False)
        files[f"{above}/segmentation-{n}.nii"] = nifti(organs, is_zipped=False)

    def check(out):
        path = out / "annotations/val/volume-4_001.png"
        same(path, organs[:, ::-1, 1])
        assert (out / "images/train/volume-0_000.jpg").is_file()

    label = "Training_Batch2.zip", "Training Batch 2/segmentation-3.nii"
    return Case(archives, label, "\n  3\n", (8, 2), check)


def hsi_drive():
    file = io.BytesIO()
    np.save(file, np.zeros((8, 10, 25), np.float32))
    files = {"HSIDrive20/training_filenames.txt": b"nf3112_10_DA\n"}
    for part in ("training", "validation", "test"):
        files[f"HSIDrive20/images/{part}/nf3112_{len(part)}.npy"] = file.getvalue()
        label = made.png([0, 1, 10])
        files[f"HSIDrive20/annotations/{part}/nf3112_{len(part)}.png"] = label
        files[f"HSIDrive20/images_MF/{part}/nf3112_{len(part)}.npy"] = file.getvalue()

    def check(out):
        same(out / "annotations/training/nf3112_8.png", made.ids([0, 1, 10]))
        path = out / "images/test/nf3112_4.npy"
        assert path.read_bytes() == file.getvalue()

    label = "hsi", "HSIDrive20/annotations/validation/nf3112_10.png"
    return Case(
        {"hsi": files}, label, "\n  nf3112_10\n", (1, 1), check, is_counted=False
    )
