"""SYNTHIA-RAND-CITYSCAPES: synthetic streets, classes in the red of 16-bit PNG."""

import numpy as np

from input_pipeline.decode import decode_image
from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Converter, Outputs
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import replace_ids

# Cityscapes' class of SYNTHIA's 0 (void) to 22; parking, road work and lane markings
# have none.
_CLASSES = (
    *(255, 10, 2, 0, 1, 4, 8, 5, 13, 7, 11, 18, 17),
    *(255, 255, 6, 9, 12, 14, 15, 16, 3, 255),
)
_MOST_BYTES = 1 << 26


def classes_png(member: Member, to: str) -> Outputs:
    """A label of SYNTHIA, whose red is the class and green the instance, as PNG."""
    label = decode_image(read_member(member, _MOST_BYTES), str(member), "unchanged")
    if label.shape[2] != 3 or label.dtype != np.uint16:
        raise DataError(
            f"{member}: {label.shape[2]} channels of {label.dtype}; expected are 3 of "
            "uint16, as in GT/LABELS of SYNTHIA-RAND-CITYSCAPES."
        )
    yield (
        to,
        as_png(
            replace_ids(label[..., 0], dict(enumerate(_CLASSES)), None, str(member))
        ),
    )


SYNTHIA = Converter(
    name="synthia",
    title="SYNTHIA-RAND-CITYSCAPES, synthetic streets, Cityscapes' 19 classes",
    sources=("SYNTHIA_RAND_CITYSCAPES.rar, unpacked",),
    url="https://synthia-dataset.net/downloads",
    licence="CC BY-NC-SA 3.0",
    size="9400 images of 1280x760, 20 GB",
    layout="a folder with RGB/NNNNNNN.png, GT/LABELS/NNNNNNN.png; the download, a RAR "
    "file, is to be unpacked",
    dataset="SYNTHIADataset",
    home="data/synthia",
    plan=divided_plan(
        *(r"RGB/(\d{7})\.png", r"GT/LABELS/(\d{7})\.png"),
        *(9400, ".png", classes_png),
    ),
    checks=f"{DIVIDED} GT/COLOR is not read, as its walls and lane markings have one "
    "colour. SYNTHIA has no pixels of terrain, truck and train.",
    scale=(1280, 760),
    crop_size=(512, 768),
)
