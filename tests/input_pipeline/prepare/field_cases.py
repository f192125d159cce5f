"""Fields and laboratories: CWFID."""

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


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
