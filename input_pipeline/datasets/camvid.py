"""CamVid road scenes, 11 classes, in the copy of the SegNet tutorial."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

CAMVID = (
    ("Sky", (128, 128, 128)),
    ("Building", (128, 0, 0)),
    ("Pole", (192, 192, 128)),
    ("Road", (128, 64, 128)),
    ("Pavement", (60, 40, 222)),
    ("Tree", (128, 128, 0)),
    ("SignSymbol", (192, 128, 128)),
    ("Fence", (64, 64, 128)),
    ("Car", (64, 0, 128)),
    ("Pedestrian", (64, 64, 0)),
    ("Bicyclist", (0, 128, 192)),
)


@dataclasses.dataclass(eq=False)
class CamVidDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}, grey PNG labels 0 to 10.

    Label 11 is void, and ignored.
    """

    CLASSES: ClassVar[tuple] = CAMVID

    img_suffix: str | tuple[str, ...] = (".png", ".jpg")
    seg_map_suffix: str = ".png"
    label_map: dict | None = dataclasses.field(default_factory=lambda: {11: 255})
