"""Places: LabelMeFacade, Graz-02, SIFT Flow, NYU, Barcelona, all of ADE20K."""

import json

import numpy as np

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


def labelmefacade():
    above = "labelmefacade-master"
    names = ["05june05_static_street_boston__p1010839", "static_spain__IMG_0783"]
    files = {
        f"{above}/train.txt": f"images/{names[0]}.jpg\n".encode(),
        f"{above}/test.txt": f"images/{names[1]}.jpg".encode(),
        f"{above}/images/filelist.txt": b"images/",
    }
    # Various, building, window.
    colours = [(0, 0, 0), (128, 0, 0), (0, 0, 128)]
    for name in names:
        files[f"{above}/images/{name}.jpg"] = made.jpg()
        label = made.encoded(made.coloured(colours), ".png")
        files[f"{above}/labels/{name}.png"] = label

    def check(out):
        same(out / f"annotations/train/{names[0]}.png", made.ids([255, 0, 7]))

    archive = f"{above}.zip"
    label = archive, f"{above}/labels/{names[1]}.png"
    return Case({archive: files}, label, f"\n  {names[1]}\n", (1, 1), check)


def graz02():
    archives = {}
    for folder, short in (("bikes", "bike"), ("people", "person")):
        names = [f"{short}_00{n}" for n in (1, 2, 3)]
        files = {
            "readme.txt": b"",
            f"{folder}_info.txt": b"",
            f"{folder}_train.txt": f"{names[0]}\n".encode(),
            f"{folder}_test.txt": f"{names[1]}\n".encode(),
        }
        for name in names:
            image = made.encoded(made.rgb(), ".png")
            files[f"{folder}/{name}.image.png"] = image
            # Nothing, seen, hidden.
            for n, colours in enumerate(
                (
                    [(0, 0, 0), (0, 255, 0), (0, 255, 0)],
                    [(0, 0, 0), (255, 0, 0), (0,) * 3],
                )
            ):
                mask = made.encoded(made.coloured(colours), ".png")
                files[f"{folder}/{name}.mask.{n}.png"] = mask
        archives[f"ig02-v1.0-{folder}.zip"] = files

    def check(out):
        same(out / "annotations/train/bikes/bike_001.png", made.ids([0, 1, 255]))
        same(out / "annotations/val/people/person_002.png", made.ids([0, 3, 255]))
        assert not (out / "images/train/bikes/bike_003.png").exists()

    archives["ig02-v1.0-bikes.zip"].pop("bikes/bike_002.mask.1.png")
    label = "ig02-v1.0-bikes.zip", "bikes/bike_002.mask.0.png"
    return Case(archives, label, "\n  bikes/bike_002\n", (2, 2), check)


def sift_flow():
    folder = "spatial_envelope_256x256_static_8outdoorcategories"
    above = "SiftFlowDataset"
    listed = f"{folder}\\coast_natu975.jpg\r\n".encode()
    files = {f"{above}/TestSet1.txt": listed}
    for name in ("coast_natu975", "street_par20", "forest_nat9"):
        files[f"{above}/Images/{folder}/{name}.jpg"] = made.jpg()
        matrix = made.ids([0, 1, 33])
        label = made.mat(S=matrix, names=np.array(["awning", "balcony"], object))
        files[f"{above}/SemanticLabels/{folder}/{name}.mat"] = label
        files[f"{above}/GeoLabels/{folder}/{name}.mat"] = made.mat(S=matrix)

    def check(out):
        same(out / "annotations/val/coast_natu975.png", made.ids([255, 0, 32]))

    archive = f"{above}.zip"
    label = archive, f"{above}/SemanticLabels/{folder}/street_par20.mat"
    return Case({archive: files}, label, "\n  street_par20\n", (2, 1), check)


def nyu():
    depth = np.arange(80, dtype=np.uint16).reshape(8, 10) * 100
    lines = {
        "train": [
            "/kitchen_0028b/rgb_00045.jpg /kitchen_0028b/sync_depth_00045.png 518"
        ],
        "test": ["bathroom/rgb_00507.jpg bathroom/sync_depth_00507.png 518.8579", ""],
    }
    files = {}
    for part, listed in lines.items():
        files[f"nyu/nyu_{part}.txt"] = "\n".join(listed).encode()
        for name in listed[0].split()[:2]:
            is_image = name.endswith(".jpg")
            content = made.jpg() if is_image else made.encoded(depth, ".png")
            files[f"nyu/{name.strip('/')}"] = content

    def check(out):
        same(out / "annotations/train/kitchen_0028b_00045.png", depth)
        assert (out / "images/test/bathroom_00507.jpg").is_file()

    label = "nyu.zip", "nyu/kitchen_0028b/sync_depth_00045.png"
    named = "nyu_train.txt names are missing:\n  kitchen_0028b/sync_depth_00045.png\n"
    return Case({"nyu.zip": files}, label, named, (1, 1), check)


def barcelona():
    street, home = "barcelona_static_street", "05june05_static_street_boston"
    files = {"TestSet1.txt": f"{street}\\img_1.jpg\r\n".encode()}
    for folder in (street, home):
        for name in ("img_1", "img_2"):
            files[f"Images/{folder}/{name}.jpg"] = made.jpg()
            names = np.array(["air conditioning", "airplane", "sky"], object)
            label = made.mat(S=made.ids([0, 1, 3]), names=names)
            files[f"SemanticLabels/{folder}/{name}.mat"] = label

    def check(out):
        same(out / f"annotations/val/{street}/img_1.png", made.ids([255, 0, 2]))
        listed = (out / "barcelona_classes.txt").read_text()
        assert listed == "air conditioning\nairplane\nsky\n"

    label = "barcelona", f"SemanticLabels/{home}/img_2.mat"
    return Case({"barcelona": files}, label, f"\n  {home}/img_2\n", (3, 1), check)


def ade20k_full(level=0):
    # The class is R / 10 * 256 + G: 312 building, 2836 traffic light, 1279 housing.
    building, light, housing = (10, 56, 1), (110, 20, 2), (40, 255, 3)
    objects = [
        *((312, "building, edifice", 0), (1279, "housing", 1)),
        (2836, "traffic light, traffic signal", 0),
    ]
    files = {}
    for split, short, scene in (
        *(("training", "train", "urban/street"), ("validation", "val", "home/attic")),
    ):
        for n in (1, 2):
            found = [
                dict(name_ndx=number, name=name, parts=dict(part_level=at))
                for number, name, at in objects[: 3 if n == 2 else 1]
            ]
            facts = json.dumps(dict(annotation=dict(object=found, source="caf\xe9")))
            facts = facts.replace("\\u00e9", "\xe9").encode("latin-1")
            colours = [(0, 0, 0), building, light if n == 2 else building]
            stem = f"ADE20K_2021_17_01/images/ADE/{split}/{scene}/ADE_{short}_{n:08}"
            files[f"{stem}.jpg"] = made.jpg()
            files[f"{stem}.json"] = facts
            label = made.encoded(made.coloured(colours), ".png")
            files[f"{stem}_seg.png"] = label
            files[f"{stem}/instance_000_ADE_{short}_{n:08}.png"] = made.png([0, 255])
            if n == 2:
                label = made.encoded(made.coloured([(0, 0, 0), housing]), ".png")
                files[f"{stem}_parts_1.png"] = label

    def check(out):
        listed = (out / "ade20k_full_classes.txt").read_text()
        path = out / "annotations/training/ADE_train_00000002.png"
        if level:
            same(path, made.ids([255, 0]))
            assert listed == "housing\n"
        else:
            same(path, made.ids([255, 0, 1]))
            assert listed == "building, edifice\ntraffic light, traffic signal\n"

    archive = "ADE20K_2021_17_01.zip"
    label = archive, f"{stem}_seg.png"
    counts = (1, 1) if level else (2, 2)
    options = {"level": level}
    return Case(
        {archive: files}, label, "\n  ADE_val_00000002\n", counts, check, options
    )
