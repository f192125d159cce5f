"""Roads: KITTI road, CrackForest."""

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
