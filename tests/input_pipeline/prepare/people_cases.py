"""People: Pratheepan, MHP, CCP, occluded faces."""

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


def pratheepan():
    files = {}
    for kind, name in (
        *(("FacePhoto", "06Apr03Face"), ("FacePhoto", "m_unsexy_gr")),
        *(("FacePhoto", "0520962400"), ("FamilyPhoto", "family")),
        ("FamilyPhoto", "abc"),
    ):
        files[f"Face_Dataset/Pratheepan_Dataset/{kind}/{name}.jpg"] = made.jpg()
        mask = made.encoded(made.coloured([(0, 0, 0), (255, 255, 255)]), ".png")
        files[f"Face_Dataset/Ground_Truth/GroundT_{kind}/{name}.png"] = mask

    def check(out):
        same(out / "annotations/train/FacePhoto/06Apr03Face.png", made.ids([0, 1]))
        assert (out / "images/val/FamilyPhoto/family.jpg").is_file()

    label = "Face_Dataset/Ground_Truth/GroundT_FamilyPhoto/abc.png"
    return Case(
        {"Face_Dataset.zip": files},
        ("Face_Dataset.zip", label),
        "\n  FamilyPhoto/abc\n",
        (4, 1),
        check,
    )


def mhp_v1():
    files = {
        "LV-MHP-v1/train_list.txt": b"0001.jpg\n",
        "LV-MHP-v1/test_list.txt": b"0002.jpg\n",
    }
    for n in (1, 2):
        files[f"LV-MHP-v1/images/{n:04}.jpg"] = made.jpg()
        for person, ids in ((1, [0, 2, 0]), (2, [0, 3, 18])):
            label = f"LV-MHP-v1/annotations/{n:04}_02_{person:02}.png"
            files[label] = made.png(ids)
    del files["LV-MHP-v1/annotations/0002_02_02.png"]

    def check(out):
        same(out / "annotations/train/0001.png", made.ids([0, 2, 18]))

    label = "LV-MHP-v1.zip", "LV-MHP-v1/annotations/0002_02_01.png"
    return Case({"LV-MHP-v1.zip": files}, label, "\n  0002\n", (1, 1), check)


def mhp_v2():
    files = {}
    for part, n in (("train", 96), ("val", 7)):
        files[f"LV-MHP-v2/{part}/images/{n}.jpg"] = made.jpg()
        # The ids are the red of a colour image.
        colours = made.coloured([(0, 0, 0), (58, 0, 0)])
        label = f"LV-MHP-v2/{part}/parsing_annos/{n}_01_01.png"
        files[label] = made.encoded(colours, ".png")
        files[f"LV-MHP-v2/{part}/pose_annos/{n}.mat"] = b""
    files["LV-MHP-v2/test/images/1.jpg"] = made.jpg()

    def check(out):
        same(out / "annotations/train/96.png", made.ids([0, 58]))

    label_of = "LV-MHP-v2.zip", label
    return Case({"LV-MHP-v2.zip": files}, label_of, "\n  7\n", (1, 1), check)


def ccp():
    above = "clothing-co-parsing-master"
    files = {f"{above}/label_list.mat": b""}
    for n in (1, 2, 3, 4, 1004):
        files[f"{above}/photos/{n:04}.jpg"] = made.jpg()
        label = made.mat(groundtruth=made.ids([0, 58]))
        files[f"{above}/annotations/pixel-level/{n:04}.mat"] = label
    files[f"{above}/photos/1005.jpg"] = made.jpg()
    files[f"{above}/annotations/image-level/1005.mat"] = made.mat(tags=made.ids([1]))

    def check(out):
        same(out / "annotations/val/1004.png", made.ids([0, 58]))

    archive = f"{above}.zip"
    label = archive, f"{above}/annotations/pixel-level/0003.mat"
    return Case({archive: files}, label, "\n  0003\n", (4, 1), check)


def occlude_face():
    archives = {}
    for part, folder, names, values in (
        *(
            ("NatOcc_hand_sot", "img", ("1", "2"), (0, 1)),
            ("RandOcc", "img", "1", (0, 255)),
        ),
        ("RealOcc", "image", "7", (0, 255)),
    ):
        files = archives[part] = {}
        for name in names:
            files[f"{part}/{folder}/{name}.jpg"] = made.jpg()
            files[f"{part}/mask/{name}.png"] = made.png(values)

    def check(out):
        for part in ("NatOcc_hand_sot", "RandOcc"):
            same(out / part / "mask/1.png", made.ids([0, 1]))
        assert (out / "train.txt").read_text() == "1\n"
        assert (out / "RealOcc/split/val.txt").read_text() == "7\n"

    label = "RealOcc", "RealOcc/mask/7.png"
    named = "images of RealOcc: 1 images without their label:\n  7\n"
    return Case(archives, label, named, (3, 1), check, is_counted=False)
