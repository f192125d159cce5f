"""DRIVE: training.zip and test.zip, TIFF images with GIF masks."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.prepare.converter import Converter, Count, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.pixels import image_png, mask_png

# The published test.zip had no masks for years; a copy with them is needed to validate.
_PARTS = (("training", "training", "1st_manual"), ("test", "validation", "1st_manual"))


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    tasks, counts = [], []
    for part, split, observer in _PARTS:
        images = files.named(rf"{part}/images/(\d+)_{part}\.tif")
        masks = files.named(rf"{part}/{observer}/(\d+)_manual1\.gif")
        for name, image, mask in paired(images, masks, files, f"images of {part}"):
            tasks += [
                Task(image_png, (image,), (f"images/{split}/{name}.png",)),
                Task(mask_png, (mask,), (f"annotations/{split}/{name}_manual1.png",)),
            ]
        counts.append(Count(f"images of {part}", len(images), 20))
    return Plan(
        tasks,
        counts,
        train=_arguments("training"),
        val=_arguments("validation"),
    )


def _arguments(split):
    return dict(
        data_prefix=dict(
            img_path=f"images/{split}", seg_map_path=f"annotations/{split}"
        )
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
    plan=_plan,
    train_with="experiments/drive_unet.py",
    scale=(584, 565),
    crop_size=(64, 64),
)
