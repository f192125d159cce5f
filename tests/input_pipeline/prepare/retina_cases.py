"""Retinal images: DRIVE, CHASE_DB1, STARE, HRF, REFUGE."""

import gzip

import numpy as np
from PIL import Image

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case

MASK = [0, 255, 0, 255, 255]
VESSELS = made.ids([0, 1, 0, 1, 1])


def same(path, expected):
    read = made.read_rgb if expected.ndim == 3 else made.read_ids
    np.testing.assert_array_equal(read(path), expected)


def drive():
    archives = {}
    for part, numbers in (("training", (21, 22)), ("test", (1, 2))):
        files = archives[f"{part}.zip"] = {}
        for n in numbers:
            image = made.encoded(made.rgb(n), ".tif")
            files[f"{part}/images/{n:02}_{part}.tif"] = image
            mask = made.encoded(made.ids(MASK), ".gif")
            files[f"{part}/1st_manual/{n:02}_manual1.gif"] = mask
            files[f"{part}/mask/{n:02}_{part}_mask.gif"] = mask
    # The second observer's black and white have a tint.
    tinted = Image.fromarray(VESSELS)
    tinted.putpalette([4, 2, 4, 252, 254, 252])
    archives["test.zip"]["test/2nd_manual/01_manual2.gif"] = made.encoded(
        tinted, ".gif"
    )

    def check(out):
        same(out / "images/training/21.png", made.rgb(21))
        same(out / "images/validation/02.png", made.rgb(2))
        same(out / "annotations/training/22_manual1.png", VESSELS)
        same(out / "annotations/validation/01_manual2.png", VESSELS)

    label = "training.zip", "training/1st_manual/21_manual1.gif"
    return Case(archives, label, "\n  21\n", (2, 2), check)


def chase_db1():
    files = {}
    one_bit = Image.fromarray(made.ids(MASK)).convert("1")  # as published
    for name in ("01L", "01R", "10R", "11L", "14R"):
        files[f"Image_{name}.jpg"] = made.jpg()
        files[f"Image_{name}_1stHO.png"] = made.encoded(one_bit, ".png")
        files[f"Image_{name}_2ndHO.png"] = made.encoded(one_bit, ".png")

    def check(out):
        same(out / "annotations/training/Image_10R_1stHO.png", VESSELS)
        same(out / "annotations/validation/Image_11L_2ndHO.png", VESSELS)

    label = "CHASEDB1.zip", "Image_14R_1stHO.png"
    return Case({"CHASEDB1.zip": files}, label, "\n  Image_14R\n", (3, 2), check)


def stare():
    images, first, second = {}, {}, {}
    for name in ("im0001", "im0139", "im0162", "im0324"):
        images[f"{name}.ppm.gz"] = gzip.compress(made.encoded(made.rgb(), ".ppm"))
        grey = np.repeat(made.ids(MASK)[..., None], 3, axis=2)
        for files, observer in ((first, "ah"), (second, "vk")):
            mask = gzip.compress(made.encoded(grey, ".ppm"))
            files[f"{name}.{observer}.ppm.gz"] = mask
    archives = {
        "stare-images.tar": images,
        "labels-ah.tar": first,
        "labels-vk.tar": second,
    }

    def check(out):
        same(out / "images/training/im0139.png", made.rgb())
        same(out / "annotations/training/im0001.ah.png", VESSELS)
        same(out / "annotations/validation/im0324.vk.png", VESSELS)

    return Case(
        archives, ("labels-ah.tar", "im0162.ah.ppm.gz"), "\n  im0162\n", (2, 2), check
    )


def hrf():
    archives = {}
    for folder, short in (
        ("healthy", "h"),
        ("glaucoma", "g"),
        ("diabetic_retinopathy", "dr"),
    ):
        end = "JPG" if short == "dr" else "jpg"
        names = [f"{n:02}_{short}" for n in (1, 5, 6, 15)]
        archives[f"{folder}.zip"] = {f"{name}.{end}": made.jpg() for name in names}
        mask = made.encoded(made.ids(MASK), ".tif")
        archives[f"{folder}_manualsegm.zip"] = {f"{name}.tif": mask for name in names}

    def check(out):
        same(out / "annotations/training/05_dr.png", VESSELS)
        assert (out / "images/validation/15_h.png").is_file()

    return Case(
        archives, ("glaucoma_manualsegm.zip", "06_g.tif"), "\n  06_g\n", (6, 6), check
    )


def refuge():
    palette = Image.fromarray(made.ids([0, 128, 255]))
    mask = made.encoded(palette, ".bmp")
    masks = "Disc_Cup_Masks"
    inner = {
        "REFUGE-Training400": {
            "Training400/Glaucoma/g0001.jpg": made.jpg(),
            "Training400/Non-Glaucoma/n0001.jpg": made.jpg(),
        },
        "Annotation-Training400": {
            f"Annotation-Training400/{masks}/Glaucoma/g0001.bmp": mask,
            f"Annotation-Training400/{masks}/Non-Glaucoma/n0001.bmp": mask,
            "Annotation-Training400/Illustration/g0001.jpg": made.jpg(),
        },
        "REFUGE-Validation400": {"REFUGE-Validation400/V0001.jpg": made.jpg()},
        "REFUGE-Validation400-GT": {f"REFUGE-Validation400-GT/{masks}/V0001.bmp": mask},
        "REFUGE-Test400": {"Test400/T0001.jpg": made.jpg()},
        "REFUGE-Test-GT": {f"REFUGE-Test-GT/{masks}/G/T0001.bmp": mask},
    }
    files = {f"REFUGE2/{name}.zip": made.zipped(held) for name, held in inner.items()}

    def check(out):
        same(out / "annotations/training/g0001.png", made.ids([1, 2, 0]))
        same(out / "annotations/test/T0001.png", made.ids([1, 2, 0]))

    label = "REFUGE2.zip", "REFUGE2/REFUGE-Validation400-GT.zip"
    return Case(
        {"REFUGE2.zip": files},
        label,
        "images of validation: 1 images without their label:\n  V0001",
        (2, 1),
        check,
    )
