"""Roads: KITTI road, CrackForest; ApolloScape and synthetic ones."""

import json

import numpy as np
from PIL import Image

from input_pipeline.prepare.output import as_png
from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


def kitti_road():
    files = {}
    # Other road, no road, the road.
    colours = [(0, 0, 0), (255, 0, 0), (255, 0, 255)]
    label = made.encoded(made.coloured(colours), ".png")
    for kind, n in (("um", 0), ("um", 1), ("umm", 0), ("umm", 1), ("uu", 0)):
        image = made.encoded(made.rgb(), ".png")
        files[f"data_road/training/image_2/{kind}_{n:06}.png"] = image
        files[f"data_road/training/gt_image_2/{kind}_road_{n:06}.png"] = label
    files["data_road/training/gt_image_2/um_lane_000000.png"] = label
    files["data_road/testing/image_2/um_000000.png"] = image

    def check(out):
        same(out / "annotations/train/umm/000001.png", made.ids([255, 0, 1]))
        assert (out / "images/val/uu/000000.png").is_file()

    label = "data_road.zip", "data_road/training/gt_image_2/umm_road_000001.png"
    return Case({"data_road.zip": files}, label, "\n  umm/000001\n", (4, 1), check)


def crack_forest():
    above = "CrackForest-dataset-master"
    files = {}
    for n in (1, 2, 3, 4, 118):
        files[f"{above}/image/{n:03}.jpg"] = made.jpg()
        structure = {"Segmentation": made.ids([1, 2, 3]), "Boundaries": made.ids([0])}
        files[f"{above}/groundTruth/{n:03}.mat"] = made.mat(groundTruth=structure)
        files[f"{above}/seg/{n:03}.seg"] = b"format ascii cr"
    files[f"{above}/image/119.jpg"] = made.jpg()

    def check(out):
        same(out / "annotations/val/118.png", made.ids([0, 1, 255]))
        assert not (out / "images/train/119.jpg").exists()

    archive = f"{above}.zip"
    label = archive, f"{above}/groundTruth/003.mat"
    return Case({archive: files}, label, "\n  003\n", (4, 1), check)


def gta5():
    images, labels = {}, {}
    for n in (1, 2, 3, 24966):
        images[f"images/{n:05}.png"] = made.encoded(made.rgb(), ".png")
        palette = Image.fromarray(made.ids([0, 7, 33, 34]))
        palette.putpalette([value for grey in range(256) for value in [grey] * 3])
        labels[f"labels/{n:05}.png"] = made.encoded(palette, ".png")
    parts = {
        "trainIds": np.array([[1], [24966]], np.uint16),
        "valIds": np.array([[2]], np.uint16),
        "testIds": np.array([[3]], np.uint16),
    }
    archives = {
        "01_images.zip": images,
        "01_labels.zip": labels,
        "read_mapping.zip": {"read_mapping/split.mat": made.mat(**parts)},
    }

    def check(out):
        same(out / "annotations/train/24966.png", made.ids([255, 0, 18, 255]))
        assert not (out / "images/val/00003.png").exists()

    label = "01_labels.zip", "labels/00002.png"
    return Case(archives, label, "\n  00002\n", (2, 1), check)


def synthia():
    files = {}
    # Red is the class, green the instance: sky, road, lane markings, motorcycle, void.
    label = np.zeros((8, 10, 3), np.uint16)
    label[..., 0] = made.ids([1, 3, 22, 12, 0])
    label[..., 1] = 7
    for n in range(5):
        above = "RAND_CITYSCAPES"
        files[f"{above}/RGB/{n:07}.png"] = made.encoded(made.rgb(), ".png")
        files[f"{above}/GT/LABELS/{n:07}.png"] = as_png(label)
        files[f"{above}/GT/COLOR/{n:07}.png"] = made.encoded(made.rgb(), ".png")

    def check(out):
        same(out / "annotations/val/0000004.png", made.ids([10, 0, 255, 17, 255]))

    label_of = "RAND_CITYSCAPES/GT/LABELS/0000002.png"
    return Case({"synthia": files}, ("synthia", label_of), "0000002\n", (4, 1), check)


def virtual_kitti():
    images, labels = {}, {}
    # Undefined, terrain, van.
    colours = [(0, 0, 0), (210, 0, 200), (0, 139, 139)]
    for scene, variant in (("Scene01", "15-deg-left"), ("Scene06", "clone")):
        for n in range(2):
            frames = f"{scene}/{variant}/frames"
            images[f"{frames}/rgb/Camera_0/rgb_{n:05}.jpg"] = made.jpg()
            label = made.encoded(made.coloured(colours), ".png")
            labels[f"{frames}/classSegmentation/Camera_0/classgt_{n:05}.png"] = label
    archives = {
        "vkitti_2.0.3_rgb.tar": images,
        "vkitti_2.0.3_classSegmentation.tar": labels,
    }

    def check(out):
        path = out / "annotations/train/Scene01/15-deg-left/Camera_0/00001.png"
        same(path, made.ids([255, 0, 13]))

    missing = "Scene06/clone/frames/classSegmentation/Camera_0/classgt_00000.png"
    label = "vkitti_2.0.3_classSegmentation.tar", missing
    return Case(archives, label, "\n  Scene06/clone/Camera_0/00000\n", (2, 2), check)


def apolloscape():
    files = {}
    for record in ("Record001", "Record002"):
        for n in range(2):
            name = f"171206_02574460{n}_Camera_5"
            above = f"{record}/Camera 5/{name}"
            files[f"road02_seg/ColorImage/{above}.jpg"] = made.jpg()
            # Others, sky, a group of cars, a bridge, vegetation, unlabeled.
            label = made.png([0, 17, 161, 98, 113, 255])
            files[f"road02_seg/Label/{above}_bin.png"] = label
            files[f"road02_seg/Label/{above}_instanceIds.png"] = made.png([0])

    def check(out):
        name = "Record002/Camera 5/171206_025744600_Camera_5"
        label = made.ids([255, 0, 1, 255, 21, 255])
        same(out / f"annotations/val/road02/{name}.png", label)

    name = "Record001/Camera 5/171206_025744601_Camera_5"
    label = "road02_seg.tar.gz", f"road02_seg/Label/{name}_bin.png"
    archives = {"road02_seg.tar.gz": files}
    named = f"\n  road02/{name}\n"
    return Case(archives, label, named, (2, 2), check, is_counted=False)


def airsim():
    files = {"2024-01-02-03-04-05/airsim_rec.txt": b"TimeStamp\tImageFile\n"}
    colours = [(0, 0, 0), (128, 64, 128), (70, 70, 70), (71, 70, 70)]
    for n in range(5):
        above = "2024-01-02-03-04-05/images/img_PX4_0"
        files[f"{above}_0_{n:019}.png"] = made.encoded(made.rgb(), ".png")
        rgba = Image.fromarray(made.coloured(colours)).convert("RGBA")
        files[f"{above}_5_{n:019}.png"] = made.encoded(rgba, ".png")
    lines = b"#000000 ignored\n#804080 road\n#464646 old house\n#474646 old house\n"

    def check(out):
        same(out / f"annotations/val/PX4/0/{4:019}.png", made.ids([255, 0, 1, 1]))
        summary = json.loads((out / "prepared.json").read_text())
        metainfo = summary["val"]["metainfo"]
        assert metainfo["classes"] == ["road", "old house"]
        assert metainfo["palette"] == [[128, 64, 128], [70, 70, 70]]

    label = "rec", f"2024-01-02-03-04-05/images/img_PX4_0_5_{2:019}.png"
    archives = {"rec": files, "classes.txt": lines}
    return Case(
        archives, label, f"\n  PX4/0/{2:019}\n", (4, 1), check, is_counted=False
    )


def daimler():
    files = {}
    for n in range(5):
        image = made.encoded(made.ids([0, 90, 200]), ".ppm")
        files[f"DUS/train/img_c0_{n:09}.pgm"] = image
        label = made.encoded(made.ids([0, 40, 80]), ".ppm")
        files[f"DUS/gt_train/img_c0_{n:09}.pgm"] = label
    archives = {"DUS.zip": files, "classes.txt": b"0 ignored\n40 ground\n80 sky\n"}
    options = {
        "images": r"DUS/train/img_c0_(\d+)\.pgm",
        "labels": r"DUS/gt_train/img_c0_(\d+)\.pgm",
    }

    def check(out):
        same(out / "annotations/val/000000004.png", made.ids([255, 0, 1]))

    label = "DUS.zip", "DUS/gt_train/img_c0_000000001.pgm"
    return Case(archives, label, "\n  000000001\n", (4, 1), check, options)
