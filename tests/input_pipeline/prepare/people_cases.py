"""People: Pratheepan."""

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
