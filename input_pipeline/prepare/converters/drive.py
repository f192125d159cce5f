"""DRIVE: training.zip and test.zip, TIFF images with GIF masks."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import image_png, mask_png
from input_pipeline.prepare.splits import Split, folders, split_plan


def _split(part, split):
    return Split(
        name=part,
        images=rf"{part}/images/(\d+)_{part}\.tif",
        labels=rf"{part}/1st_manual/(\d+)_manual1\.gif",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}_manual1.png",
        expected=20,
        image=image_png,
        label=mask_png,
    )


DRIVE = Converter(
    name="drive",
    title="DRIVE, retinal vessels",
    sources=("training.zip", "test.zip"),
    url="https://drive.grand-challenge.org",
    licence="research; registration",
    size="40 images of 565x584, 29 MB",
    layout="{training,test}/images/NN_{training,test}.tif, 1st_manual/NN_manual1.gif",
    dataset="DRIVEDataset",
    home="data/DRIVE",
    plan=split_plan(
        _split("training", "training"),
        _split("test", "validation"),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
        others=(
            (
                r"test/2nd_manual/(\d+)_manual2\.gif",
                "annotations/validation/{}_manual2.png",
                mask_png,
            ),
        ),
    ),
    checks="The test.zip of the challenge has no 1st_manual; a copy with it is needed.",
    train_with="experiments/drive_unet.py",
    scale=(584, 565),
    crop_size=(64, 64),
)
