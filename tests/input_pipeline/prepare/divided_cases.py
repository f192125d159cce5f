"""Data sets that mmseg has no class for: every fifth image is for validation."""

import numpy as np
from PIL import Image

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


def camvid():
    files = {}
    for split, name in (
        *(("train", "0001TP_006690"), ("val", "0016E5_07959")),
        ("test", "Seq05VD_f00000"),
    ):
        files[f"{split}/{name}.png"] = made.encoded(made.rgb(), ".png")
        files[f"{split}annot/{name}.png"] = made.png(range(12))

    def check(out):
        same(out / "annotations/train/0001TP_006690.png", made.ids(range(12)))

    named = "\n  0016E5_07959\n"
    label = "CamVid", "valannot/0016E5_07959.png"
    return Case({"CamVid": files}, label, named, (1, 1), check)


def camvid_colours():
    train = ["0001TP_006690", "0001TP_008520", "0006R0_f00930", "0016E5_07960"]
    val, test = ["0016E5_07959", "0016E5_08159"], ["0001TP_008550", "Seq05VD_f00000"]
    # Void, Road, LaneMkgsDriv, Sidewalk, Child, Truck_Bus.
    colours = [
        *((0, 0, 0), (128, 64, 128), (128, 0, 192), (0, 0, 192), (192, 128, 64)),
        (192, 128, 192),
    ]
    images, labels = {}, {}
    for name in (*train, *val, *test):
        image = made.encoded(made.rgb(), ".png")
        images[f"701_StillsRaw_full/{name}.png"] = image
        labels[f"{name}_L.png"] = made.encoded(made.coloured(colours), ".png")
    archives = {
        "701_StillsRaw_full.zip": images,
        "LabeledApproved_full.zip": labels,
    }

    def check(out):
        for split, names in (("train", train), ("val", val), ("test", test)):
            found = sorted(path.stem for path in (out / "images" / split).iterdir())
            assert found == names
        label = made.ids([11, 3, 3, 4, 9, 8])
        same(out / "annotations/test/Seq05VD_f00000.png", label)

    label = "LabeledApproved_full.zip", "0016E5_07959_L.png"
    return Case(archives, label, "\n  0016E5_07959\n", (4, 2), check)


def stanford_background():
    files = {}
    matrix = np.resize(np.arange(-1, 8), (8, 10))
    for n in range(5):
        files[f"iccv09Data/images/{n:07}.jpg"] = made.jpg()
        rows = "\n".join(" ".join(map(str, row)) for row in matrix)
        files[f"iccv09Data/labels/{n:07}.regions.txt"] = rows.encode()
        files[f"iccv09Data/labels/{n:07}.surfaces.txt"] = b"0"

    def check(out):
        label = np.where(matrix < 0, 255, matrix)
        same(out / "annotations/val/0000004.png", label)

    label = "iccv09Data.tar.gz", "iccv09Data/labels/0000003.regions.txt"
    archives = {"iccv09Data.tar.gz": files}
    return Case(archives, label, "\n  0000003\n", (4, 1), check)


def msrc():
    files = {}
    # Void, building, horse, boat.
    colours = [(0, 0, 0), (128, 0, 0), (128, 0, 128), (192, 64, 0)]
    for n in range(1, 6):
        files[f"Images/1_{n}_s.bmp"] = made.encoded(made.rgb(), ".bmp")
        label = made.encoded(made.coloured(colours), ".bmp")
        files[f"GroundTruth/1_{n}_s_GT.bmp"] = label

    def check(out):
        same(out / "annotations/train/1_1_s.png", made.ids([255, 0, 255, 20]))

    archive = "MSRC_ObjCategImageDatabase_v2.zip"
    label = archive, "GroundTruth/1_2_s_GT.bmp"
    return Case({archive: files}, label, "\n  1_2_s\n", (4, 1), check)


def msrc_v1():
    files = {}
    # Void, building, sheep, bicycle.
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 128), (192, 0, 128)]
    above = "MSRC_ObjCategImageDatabase_v1"
    for n in range(1, 6):
        files[f"{above}/1_{n}_s.bmp"] = made.encoded(made.rgb(), ".bmp")
        label = made.encoded(made.coloured(colours), ".bmp")
        files[f"{above}/1_{n}_s_GT.bmp"] = label

    def check(out):
        same(out / "annotations/train/1_1_s.png", made.ids([255, 0, 255, 8]))

    label = f"{above}.zip", f"{above}/1_2_s_GT.bmp"
    return Case({f"{above}.zip": files}, label, "\n  1_2_s\n", (4, 1), check)


def kitti():
    files = {}
    for n in range(5):
        image = made.encoded(made.rgb(), ".png")
        files[f"training/image_2/{n:06}_10.png"] = image
        files[f"training/semantic/{n:06}_10.png"] = made.png([7, 26, 0, 255])
        files[f"testing/image_2/{n:06}_10.png"] = image

    def check(out):
        same(out / "annotations/val/000004_10.png", made.ids([0, 13, 255, 255]))

    label = "data_semantics.zip", "training/semantic/000001_10.png"
    archives = {"data_semantics.zip": files}
    return Case(archives, label, "\n  000001_10\n", (4, 1), check)


def dsb2018():
    files = {}
    for n in range(5):
        name = f"{n:064x}"
        rgba = Image.fromarray(made.rgb()).convert("RGBA")
        files[f"{name}/images/{name}.png"] = made.encoded(rgba, ".png")
        for i in range(2):
            mask = np.zeros((8, 10), np.uint8)
            mask[i, i : i + 2] = 255
            path = f"{name}/masks/{n * 10 + i:064x}.png"
            files[path] = made.encoded(mask, ".png")
    without = f"{9:064x}"
    files[f"{without}/masks/{99:064x}.png"] = made.encoded(mask, ".png")
    files[f"{without}/images/{without}.png"] = made.jpg()

    def check(out):
        label = np.zeros((8, 10), np.uint8)
        label[0, :2] = label[1, 1:3] = 1
        same(out / f"annotations/val/{4:064x}.png", label)

    label = "stage1_train.zip", f"{without}/masks/{99:064x}.png"
    return Case({"stage1_train.zip": files}, label, without, (5, 1), check)


def inria_aerial():
    size = (40, 40)
    files = {}
    for name in ("austin1", "tyrol-w5", "austin6", "vienna36"):
        above = "AerialImageDataset/train"
        image = made.encoded(made.rgb(0, size), ".tif")
        files[f"{above}/images/{name}.tif"] = image
        mask = made.encoded(made.ids([0, 255], size), ".tif")
        files[f"{above}/gt/{name}.tif"] = mask

    def check(out):
        tile = made.ids([0, 1], size)[8:, 8:]
        same(out / "annotations/train/vienna36_8_8_40_40.png", tile)
        assert (out / "images/val/tyrol-w5_0_0_32_32.png").is_file()

    label = "inria", "AerialImageDataset/train/gt/austin6.tif"
    options = {"clip_size": 32}
    return Case({"inria": files}, label, "\n  austin6\n", (8, 8), check, options)
