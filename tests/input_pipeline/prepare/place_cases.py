"""Places: LabelMeFacade."""

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
