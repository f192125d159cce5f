"""Aerial images: LoveDA, Potsdam, Vaihingen, iSAID, LEVIR-CD."""

import numpy as np

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same

# Impervious, building, low vegetation, tree, car, clutter, and the eroded boundary.
ISPRS = [
    *((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0)),
    *((255, 0, 0), (0, 0, 0)),
]
ISPRS_IDS = [1, 2, 3, 4, 5, 6, 0]


def loveda():
    archives = {}
    for part, names in (
        ("Train", ("Rural/0", "Urban/1366")),
        ("Val", ("Rural/2522", "Urban/3514")),
        ("Test", ("Rural/4191",)),
    ):
        files = archives[f"{part}.zip"] = {}
        for name in names:
            area, number = name.split("/")
            image = made.encoded(made.rgb(), ".png")
            files[f"{part}/{area}/images_png/{number}.png"] = image
            if part != "Test":
                label = made.png(range(8))
                files[f"{part}/{area}/masks_png/{number}.png"] = label

    def check(out):
        same(out / "ann_dir/train/1366.png", made.ids(range(8)))
        same(out / "img_dir/test/4191.png", made.rgb())

    label = "Train.zip", "Train/Urban/masks_png/1366.png"
    return Case(archives, label, "\n  1366\n", (2, 2), check)


def potsdam():
    size = (70, 50)
    images, labels = {}, {}
    for n, name in enumerate(("2_10", "7_9", "5_15")):
        image = made.encoded(made.rgb(n, size), ".tif")
        images[f"2_Ortho_RGB/top_potsdam_{name}_RGB.tif"] = image
        colours = made.coloured(ISPRS, size)
        colours[0, 0] = (252, 255, 0)  # of no class, as in some published labels
        label = made.encoded(colours, ".tif")
        labels[f"top_potsdam_{name}_label_noBoundary.tif"] = label
    inner = {
        "Potsdam/2_Ortho_RGB.zip": made.zipped(images),
        "Potsdam/5_Labels_all_noBoundary.zip": made.zipped(labels),
        "Potsdam/1_DSM.rar": b"Rar!",
    }

    def check(out):
        # The last tile of a row and column ends with the image.
        names = sorted(path.name for path in (out / "img_dir/train").iterdir())
        places = "0_0_32_32 0_32_32_64 0_38_32_70 18_0_50_32 18_32_50_64 18_38_50_70"
        tiles = [f"2_10_{place}.png" for place in places.split()]
        assert [name for name in names if name.startswith("2_10")] == tiles
        same(out / "img_dir/train/7_9_18_32_50_64.png", made.rgb(1, size)[32:64, 18:50])
        ids = made.ids(ISPRS_IDS, size)
        ids[0, 0] = 0
        same(out / "ann_dir/val/5_15_0_0_32_32.png", ids[:32, :32])

    label = "Potsdam.zip", "Potsdam/5_Labels_all_noBoundary.zip"
    archives = {"Potsdam.zip": inner}
    return Case(
        archives,
        label,
        "2 images without their label:\n  2_10\n",
        (12, 6),
        check,
        {"clip_size": 32},
    )


def vaihingen():
    size = (40, 36)
    images, labels = {}, {}
    for name in ("area1", "area37", "area38", "area9"):
        image = made.encoded(made.rgb(0, size), ".tif")
        images[f"top/top_mosaic_09cm_{name}.tif"] = image
        images[f"dsm/dsm_09cm_matching_{name}.tif"] = image
        label = made.encoded(made.coloured(ISPRS, size), ".tif")
        labels[f"top_mosaic_09cm_{name}_noBoundary.tif"] = label
    stem = "ISPRS_semantic_labeling_Vaihingen"
    truth = f"{stem}_ground_truth_eroded_COMPLETE.zip"

    def check(out):
        ids = made.ids(ISPRS_IDS, size)
        same(out / "ann_dir/val/area38_4_8_36_40.png", ids[8:40, 4:36])
        assert not list(out.rglob("area9_*"))

    archives = {f"{stem}.zip": images, truth: labels}
    label = truth, "top_mosaic_09cm_area38_noBoundary.tif"
    return Case(archives, label, "\n  area38\n", (8, 4), check, {"clip_size": 32})


def isaid():
    colours = [(0, 0, 0), (0, 0, 63), (0, 127, 255), (0, 100, 155)]
    masks, archives = {}, {}
    for split, name, size in (
        *(("train", "P0000", (40, 20)), ("val", "P0003", (33, 60))),
        ("test", "P0006", (40, 40)),
    ):
        image = made.encoded(made.rgb(0, size), ".png")
        archives[f"iSAID/{split}/images/part1.zip"] = {f"images/{name}.png": image}
        if split != "test":
            mask = made.encoded(made.coloured(colours, size), ".png")
            masks = {f"images/{name}_instance_color_RGB.png": mask}
            archives[f"iSAID/{split}/Semantic_masks/images.zip"] = masks

    def check(out):
        end = "_instance_color_RGB.png"
        # Tiles of 32 that share 12; P0000 is padded to 32 columns.
        names = {path.name for path in (out / "ann_dir/train").iterdir()}
        assert names == {f"P0000_{y}_{y + 32}_0_32{end}" for y in (0, 8)}
        ids = np.pad(made.ids([0, 1, 14, 15], (40, 20)), ((0, 0), (0, 12)))
        ids[:, 20:] = 255
        same(out / f"ann_dir/train/P0000_8_40_0_32{end}", ids[8:])
        names = {path.name for path in (out / "img_dir/val").iterdir()}
        starts = [(y, x) for y in (0, 1) for x in (0, 20, 28)]
        assert names == {f"P0003_{y}_{y + 32}_{x}_{x + 32}.png" for y, x in starts}
        same(out / "img_dir/val/P0003_1_33_28_60.png", made.rgb(0, (33, 60))[1:, 28:])
        same(out / "img_dir/test/P0006.png", made.rgb(0, (40, 40)))

    label = "iSAID/train/Semantic_masks/images.zip", ""
    options = {"patch_size": 32, "overlap_area": 12}
    return Case(archives, label, "\n  P0000\n", (2, 6), check, options, ("iSAID",))


def levir_cd():
    size = (64, 64)
    files = {}
    for name in ("train/train_1", "test/test_7"):
        split, stem = name.split("/")
        above = f"LEVIR-CD+/{split}"
        files[f"{above}/A/{stem}.png"] = made.encoded(made.rgb(1, size), ".png")
        files[f"{above}/B/{stem}.png"] = made.encoded(made.rgb(2, size), ".png")
        files[f"{above}/label/{stem}.png"] = made.png([0, 255, 0], size=size)

    def check(out):
        tile = "train_1_32_0_64_32.png"
        same(out / "train/B" / tile, made.rgb(2, size)[:32, 32:])
        same(out / "train/label" / tile, made.ids([0, 1, 0], size)[:32, 32:])

    label = "LEVIR-CD+.zip", "LEVIR-CD+/test/label/test_7.png"
    options = {"clip_size": 32}
    return Case({"LEVIR-CD+.zip": files}, label, "\n  test_7\n", (4, 4), check, options)
